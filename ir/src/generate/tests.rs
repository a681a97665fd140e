//! Every generated module is valid, reads back as printed, and together they hold everything.

use crate::text::{parse, print};
use crate::{Module, Op, verify};

use super::{Coverage, Profile, generate, reduce};

fn check(seed: u64, name: &str, profile: &Profile) -> Module {
    let module = generate(seed, profile);
    if let Err(errors) = verify(&module) {
        panic!("{name} {seed}: {:#?}\n{}", errors, print(&module));
    }
    let text = print(&module);
    let parsed = parse("gen.ssa", &text).unwrap_or_else(|e| panic!("{name} {seed}: {e:#?}\n{text}"));
    assert!(parsed.module == module, "{name} {seed}\n{text}");
    assert_eq!(print(&parsed.module), text, "{name} {seed}");
    module
}

#[test]
fn two_thousand_modules_are_valid_and_read_back() {
    let mut all = Coverage::default();
    let profiles = [("bpf", Profile::bpf()), ("full", Profile::full()), ("source", Profile::source())];
    for seed in 0..2000 {
        let (name, profile) = &profiles[seed as usize % profiles.len()];
        all.add(&check(seed, name, profile));
    }
    assert!(all.missing_ops().is_empty(), "{:?}\n{all}", all.missing_ops());
    assert!(all.missing_shapes().is_empty(), "{:?}\n{all}", all.missing_shapes());
}

#[test]
fn bpf_modules_hold_nothing_that_bpf_refuses() {
    let mut all = Coverage::default();
    for seed in 0..300 {
        let module = generate(seed, &Profile::bpf());
        for (_, func) in module.funcs.iter() {
            assert!(func.params.len() <= 5, "{seed} @{}", func.name);
            let frame: u64 = func.slots().map(|(_, slot)| module.decls.types.size(slot.ty)).sum();
            assert!(frame <= 128, "{seed} @{}: {frame}", func.name);
        }
        all.add(&module);
    }
    let refused = [
        Op::AddF,
        Op::DivF,
        Op::EqF,
        Op::IntToFloat,
        Op::FloatToInt,
        Op::New,
        Op::FuncAddr,
        Op::CallIndirect,
        Op::CallRuntime,
        Op::Intrinsic,
        Op::MakeChan,
        Op::Go,
        Op::Status,
        Op::Outcome,
    ];
    for op in refused {
        assert_eq!(all.op(op), 0, "{op}");
    }
    assert!(all.op(Op::Select) > 0 && all.op(Op::MapLookup) > 0 && all.op(Op::CtxLoad) > 0);
}

#[test]
fn modules_repeat_from_their_seed_and_differ_between_seeds() {
    let profile = Profile::full();
    assert!(generate(5, &profile) == generate(5, &profile));
    assert!(generate(5, &profile) != generate(6, &profile));
}

#[test]
fn switches_leave_things_out() {
    let profile = Profile { channels: false, memory: false, maps: false, ..Profile::source() };
    let mut all = Coverage::default();
    for seed in 0..60 {
        all.add(&check(seed, "bare", &profile));
    }
    for op in [Op::ChanSend, Op::LocalAddr, Op::GlobalAddr, Op::MapLookup, Op::CtxLoad, Op::New] {
        assert_eq!(all.op(op), 0, "{op}");
    }
    assert!(all.op(Op::Phi) > 0 && all.op(Op::AddF) > 0);
}

fn count(module: &Module, op: Op) -> usize {
    let insts = |func: &crate::Function| func.iter_insts().filter(|(_, v)| func.inst(*v).op == op).count();
    module.funcs.iter().map(|(_, func)| insts(func)).sum()
}

#[test]
fn reduction_keeps_the_failure_and_little_else() {
    let mut reduced_some = 0;
    for seed in 0..12 {
        let module = generate(seed, &Profile::full());
        // "Fails" when a byte swap's result reaches memory or a return.
        let fails = |m: &Module| count(m, Op::Bswap) > 0;
        if !fails(&module) {
            continue;
        }
        let small = reduce(&module, fails);
        assert!(verify(&small).is_ok() && fails(&small));
        let left: usize = small.funcs.iter().map(|(_, func)| func.iter_insts().count()).sum();
        assert!(left <= 6, "seed {seed}: {left} instructions are left\n{}", print(&small));
        assert_eq!(small.funcs.count(), 1);
        let parsed = parse("small", &print(&small)).unwrap();
        assert!(parsed.module == small);
        reduced_some += 1;
    }
    assert!(reduced_some > 3);
}
