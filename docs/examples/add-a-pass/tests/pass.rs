//! The pass changes what it should, leaves what it must, and no program's meaning.

use add_a_pass::forward;
use larrow_backend_bpf::{TargetOptions, target};
use larrow_interp::{Interp, Options as Limits, Outcome, Val};
use larrow_ir::generate::{Profile, entry_name, generate};
use larrow_ir::{Module, Op, text, verify};
use larrow_passes::{Options, Pipeline, Trace};

const SOURCE: &str = r#"
global @total: u32 bss
global @other: u32 bss

func @add(v0: u32) -> u32 {
b0:
    v1 = GlobalAddr <ptr<global u32>> @total
    v2 = Load <u32> v1
    v3 = Add <u32> v2, v0
    v4: Store v1, v3
    v5 = Load <u32> v1
    v6 = GlobalAddr <ptr<global u32>> @other
    v7: Store v6, v5
    v8 = Load <u32> v1
    v9: Sync
    v10 = Load <u32> v1
    v11 = Add <u32> v8, v10
    Ret v11
}
"#;

fn module() -> Module {
    let module = text::parse("forward.ssa", SOURCE).expect("it is valid").module;
    verify(&module).expect("it verifies");
    module
}

fn count(module: &Module, op: Op) -> usize {
    let of = |f: &larrow_ir::Function| f.iter_insts().filter(|&(_, v)| f.inst(v).op == op).count();
    module.funcs.iter().map(|(_, f)| of(f)).sum()
}

fn run(pipeline: &Pipeline, module: &mut Module) -> Trace {
    let mut trace = Trace::new("test", &[], 2, "");
    // Verifies after the pass, recomputes what it says it keeps, and shuffles what has no order.
    pipeline.run(module, &Options::checked(2, 7), &mut [&mut trace]).expect("it goes through");
    trace
}

#[test]
fn a_load_behind_its_store_takes_the_value_and_others_stay() {
    let before = module();
    let mut after = module();
    let trace = run(&Pipeline::new([forward()]), &mut after);
    // v5 is forwarded; v8 stands behind another store, v10 behind a `Sync`.
    assert_eq!((count(&before, Op::Load), count(&after, Op::Load)), (4, 3));
    assert!(text::print(&after).contains("v5 = Copy <u32> v3"), "{after}");
    let counted: u64 = trace.steps.iter().filter_map(|s| s.counters.get("forwarded")).sum();
    assert_eq!(counted, 1);

    let (mut old, mut new) = (interp(&before), interp(&after));
    for n in [1, 41, u64::from(u32::MAX)] {
        let (old, new) = (old.run("add", &[Val::Int(n)]), new.run("add", &[Val::Int(n)]));
        assert_eq!(old.expect("it runs").outcome, new.expect("it runs").outcome);
    }
    assert_eq!(old.global("other"), new.global("other"));
}

fn interp(module: &Module) -> Interp<'_> {
    Interp::new(module, Limits::default()).expect("it can be run")
}

#[test]
fn generated_programs_end_alike_before_and_after() {
    let profile = Profile { channels: false, ..Profile::bpf() };
    let mut forwarded = 0;
    for seed in 0..200 {
        let before = generate(seed, &profile);
        let mut after = before.clone();
        run(&Pipeline::new([forward()]), &mut after);
        forwarded += count(&before, Op::Load) - count(&after, Op::Load);
        assert_eq!(end(&before, &profile), end(&after, &profile), "seed {seed}");
    }
    assert!(forwarded > 0, "the programs gave it nothing to do");
}

/// How a program ends, and what it leaves in its packet.
fn end(module: &Module, profile: &Profile) -> (Outcome, Vec<u8>) {
    let mut interp = interp(module);
    interp.set_packet(&[7; 64]);
    let args = interp.entry_args(entry_name(profile)).expect("it is a program");
    let done = interp.run(entry_name(profile), &args).expect("generated programs never trap");
    // Where an early end happened may be told by value; that it did must be the same.
    let outcome = match done.outcome {
        Outcome::Returned(vals) => Outcome::Returned(vals),
        Outcome::Panicked { text, func, .. } => Outcome::Panicked { text, func, pos: larrow_ir::Pos::None },
        Outcome::Aborted { func, .. } => Outcome::Aborted { func, pos: larrow_ir::Pos::None },
    };
    (outcome, interp.packet().to_vec())
}

#[test]
fn it_stands_in_the_targets_pipeline_where_its_row_allows() {
    let bpf = TargetOptions::default();
    let mut pipeline = target::pipeline(&bpf);
    pipeline.insert_after("mem2reg", forward()).expect("the row is there");
    pipeline.check().expect("the constraints hold");

    let mut wrong = target::pipeline(&bpf);
    wrong.insert_before("mem2reg", forward()).expect("the row is there");
    let errors = wrong.check().expect_err("it stands too early");
    assert_eq!(
        errors[0].to_string(),
        "mem2reg must run before forward, because slots that become values need no forwarding"
    );
    assert!(wrong.insert_after("mem2reg", forward()).is_err(), "a name stands once");
}
