//! `check-lowered`: proves that no channel op is left.

use larrow_ir::{Decls, Diagnostic, Family, Function};

use crate::manager::{Changed, PassCx, PassResult};

/// Reports each channel op that is left. From here on a channel is an address that only runtime calls look into.
pub(super) fn check(func: &mut Function, _: &mut Decls, cx: &mut PassCx<'_>) -> PassResult {
    for (_, v) in func.iter_insts() {
        let inst = func.inst(v);
        if inst.op.family() == Family::Channel {
            let left = Diagnostic::error(format!("`{}` is left after the channel lowerings", inst.op));
            let help = "the pipeline lacks the lowering pass of this op";
            cx.report(left.on(cx.on_value(v)).at(inst.pos).help(help));
        }
    }
    Ok(Changed::No)
}
