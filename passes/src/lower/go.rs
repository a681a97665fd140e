//! `lower-go`: `Go @f args` → `newproc(f, args)`.

use larrow_ir::{Args, Aux, Decls, Function, Inst, Op, RuntimeFn, Type};

use super::rewrite;

/// Lowers every `Go`.
pub(super) fn lower(func: &mut Function, decls: &mut Decls) -> bool {
    rewrite(
        func,
        decls,
        |op| op == Op::Go,
        |build, v, inst| {
            let Aux::Func(callee) = inst.aux else { unreachable!("the verifier checks payloads") };
            let params: Vec<Type> = inst.args.iter().map(|&a| build.func.ty(a)).collect();
            let ty = build.decls.types.func(&params, Type::UNIT);
            let mut args = Args::from_slice(&[build.func_addr(ty, callee)]);
            args.extend_from_slice(&inst.args);
            let call = Inst::new(Op::CallRuntime, Type::UNIT, &args).with(Aux::Runtime(RuntimeFn::NewProc));
            *build.func.inst_mut(v) = call.at(inst.pos);
            let b = build.current();
            build.func.attach(b, v);
        },
    )
}
