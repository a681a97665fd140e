//! The op means the same before and after its lowering, and compiles.

use add_an_op::{declare, fold16, lower_fold16, register};
use larrow_backend_bpf::{TargetOptions, target};
use larrow_interp::{Interp, Options as Limits, Val};
use larrow_ir::{Module, Op, text, verify};
use larrow_passes::{Options, Pipeline};

const SOURCE: &str = r#"
intrinsic @net.fold16: func(u32) -> u16 pure

func @checksum(v0: u32, v1: u32) -> u16 {
b0:
    v2 = Intrinsic <u16> @net.fold16 v0
    v3 = Intrinsic <u16> @net.fold16 v1
    v4 = ZeroExt <u32> v2
    v5 = ZeroExt <u32> v3
    v6 = Add <u32> v4, v5
    v7 = Intrinsic <u16> @net.fold16 v6
    v8 = Intrinsic <u16> @net.fold16 v0
    Ret v7
}

func @prog(v0: ptr<ctx xdp>) -> u32 section "xdp" {
b0:
    v1 = CtxLoad <u32> [rx_queue_index] v0
    v2 = Intrinsic <u16> @net.fold16 v1
    v3 = ZeroExt <u32> v2
    Ret v3
}
"#;

fn module() -> Module {
    let module = text::parse("fold.ssa", SOURCE).expect("it is valid").module;
    verify(&module).expect("it verifies");
    module
}

fn intrinsics(module: &Module) -> usize {
    let of = |op| move |f: &larrow_ir::Function| f.iter_insts().filter(|&(_, v)| f.inst(v).op == op).count();
    module.funcs.iter().map(|(_, f)| of(Op::Intrinsic)(f)).sum()
}

fn checksum(interp: &mut Interp<'_>, a: u32, b: u32) -> Option<Val> {
    interp.run("checksum", &[Val::Int(a.into()), Val::Int(b.into())]).expect("it runs").value()
}

#[test]
fn the_declaration_is_what_the_text_says() {
    let mut built = Module::new("fold.go");
    declare(&mut built.decls);
    assert!(built.to_string().contains("intrinsic @net.fold16: func(u32) -> u16 pure"), "{built}");
    declare(&mut built.decls);
    assert_eq!(built.decls.intrinsics.ids().count(), 1);
}

#[test]
fn the_lowering_means_what_the_evaluator_says() {
    let before = module();
    let mut after = module();
    let pipeline = Pipeline::new([lower_fold16()]);
    pipeline.run(&mut after, &Options::checked(2, 1), &mut []).expect("it goes through");
    assert_eq!((intrinsics(&before), intrinsics(&after)), (5, 0));

    let mut with_evaluator = Interp::new(&before, Limits::default()).expect("it can be run");
    register(&mut with_evaluator).expect("it is declared");
    let mut plain = Interp::new(&after, Limits::default()).expect("it can be run");
    for a in [0, 1, 0xffff, 0x1_0000, 0x1_ffff, 0xffff_0000, u32::MAX, 0x1234_5678] {
        for b in [0, 0xffff, u32::MAX, 0x9abc_def0] {
            let want = u64::from(fold16(u32::from(fold16(a)) + u32::from(fold16(b))));
            assert_eq!(checksum(&mut with_evaluator, a, b), Some(Val::Int(want)));
            assert_eq!(checksum(&mut plain, a, b), Some(Val::Int(want)));
        }
    }
}

#[test]
fn an_unneeded_one_is_dropped_because_it_is_pure() {
    let mut module = module();
    let pipeline = Pipeline::new([larrow_passes::generic::deadcode::deadcode()]);
    pipeline.run(&mut module, &Options::checked(2, 1), &mut []).expect("it goes through");
    assert_eq!(intrinsics(&module), 4);
}

#[test]
fn it_compiles_for_bpf_with_the_row_and_is_refused_by_name_without() {
    let bpf = TargetOptions::default();
    let mut pipeline = target::pipeline(&bpf);
    let options = Options::checked(2, 1);
    let errors = target::compile(&mut module(), &pipeline, &options, &bpf, None, &mut []);
    let errors = errors.expect_err("nobody lowers the op");
    assert!(errors.iter().any(|e| e.message.contains("has no lowering for this target")), "{errors:?}");

    pipeline.insert_after("check-lowered", lower_fold16()).expect("the row is there");
    let output = target::compile(&mut module(), &pipeline, &options, &bpf, None, &mut []);
    assert_eq!(output.expect("it compiles").object.programs.len(), 1);

    let mut late = target::pipeline(&bpf);
    late.insert_after("inline", lower_fold16()).expect("the row is there");
    let errors = late.check().expect_err("it stands too late");
    assert_eq!(
        errors[0].to_string(),
        "lower-fold16 must run before inline, because a function's cost is that of the code it becomes"
    );
}
