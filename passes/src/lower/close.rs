//! `lower-chan-close`: `ChanClose` → `closechan(c)`.

use larrow_ir::{Aux, Decls, Function, Inst, Op, RuntimeFn, Type};

use super::rewrite;

/// Lowers every `ChanClose`.
pub(super) fn lower(func: &mut Function, decls: &mut Decls) -> bool {
    rewrite(
        func,
        decls,
        |op| op == Op::ChanClose,
        |build, v, inst| {
            let call =
                Inst::new(Op::CallRuntime, Type::UNIT, &inst.args).with(Aux::Runtime(RuntimeFn::CloseChan));
            *build.func.inst_mut(v) = call.at(inst.pos);
            let b = build.current();
            build.func.attach(b, v);
        },
    )
}
