//! Generated programs run to their end, to the same end every time, and to the same end after a trip through the
//! text format.

use larrow_interp::{Interp, Options, SelectOrder, Val};
use larrow_ir::generate::{INTRINSIC, Profile, entry_name, generate, intrinsic_mix};
use larrow_ir::{Module, text};

/// All that a run shows: how it ended, in how many steps, and the packet.
fn run(module: &Module, profile: &Profile, seed: u64) -> String {
    let options = Options { select_order: SelectOrder::Source, ..Options::default() };
    let mut interp = Interp::new(module, options).unwrap_or_else(|e| panic!("{seed}: {e}"));
    if !profile.bpf {
        let mix = |args: &[Val]| match *args {
            [Val::Int(x)] => Ok(Val::Int(u64::from(intrinsic_mix(x as u32)))),
            _ => Err("takes a number".to_string()),
        };
        interp.register_intrinsic(INTRINSIC, Box::new(mix)).unwrap();
    }
    let packet: Vec<u8> = (0..64).map(|i| (seed as u8).wrapping_mul(31).wrapping_add(i)).collect();
    interp.set_packet(&packet);
    let entry = entry_name(profile);
    let args = interp.entry_args(entry).unwrap_or_else(|| vec![Val::Int(seed), Val::Int(7)]);
    match interp.run(entry, &args) {
        Ok(result) => format!("{:?} {} {:?}", result.outcome, result.steps, interp.packet()),
        Err(trap) => panic!("{seed}: {trap}\n{}", text::print(module)),
    }
}

fn check(profile: &Profile, seeds: std::ops::Range<u64>) {
    let (mut returned, all) = (0, seeds.end - seeds.start);
    let mut seen = std::collections::BTreeSet::new();
    for seed in seeds {
        let module = generate(seed, profile);
        let first = run(&module, profile, seed);
        assert_eq!(first, run(&module, profile, seed), "{seed}");
        let parsed = text::parse("generated", &text::print(&module)).unwrap();
        assert_eq!(first, run(&parsed.module, profile, seed), "{seed}");
        returned += u64::from(first.starts_with("Returned"));
        seen.insert(first);
    }
    assert!(returned * 10 > all * 8, "{returned} of {all} returned");
    assert!(seen.len() as u64 * 10 > all * 9, "{} of {all} ends are distinct", seen.len());
}

#[test]
fn programs_for_bpf_end_alike() {
    check(&Profile::bpf(), 0..200);
}

#[test]
fn source_programs_end_alike() {
    check(&Profile::source(), 0..200);
}

#[test]
fn programs_with_runtime_calls_end_alike() {
    check(&Profile { goroutines: false, ..Profile::full() }, 0..200);
}
