//! `lower-chan-len-cap`: `ChanLen`, `ChanCap` → `chanlen(c)`, `chancap(c)`.

use larrow_ir::{Aux, Decls, Function, Inst, Op, RuntimeFn};

use super::rewrite;

/// Lowers every `ChanLen` and `ChanCap`.
pub(super) fn lower(func: &mut Function, decls: &mut Decls) -> bool {
    rewrite(
        func,
        decls,
        |op| matches!(op, Op::ChanLen | Op::ChanCap),
        |build, v, inst| {
            let callee = if inst.op == Op::ChanLen { RuntimeFn::ChanLen } else { RuntimeFn::ChanCap };
            let call = Inst::new(Op::CallRuntime, inst.ty, &inst.args).with(Aux::Runtime(callee));
            *build.func.inst_mut(v) = call.at(inst.pos);
            let b = build.current();
            build.func.attach(b, v);
        },
    )
}
