//! `lower-chan-send`: `c <- x` → `chansend1(c, &tmp)`.

use larrow_ir::{Decls, Function, Op, RuntimeFn, SiteKind, Type};

use super::{new_site, rewrite, send_operand};

/// Lowers every `ChanSend`. A scalar goes through a stack temporary; an aggregate's pointer is passed as it is.
pub(super) fn lower(func: &mut Function, decls: &mut Decls) -> bool {
    rewrite(
        func,
        decls,
        |op| op == Op::ChanSend,
        |build, _, inst| {
            let chan = inst.args[0];
            let elem = send_operand(build, chan, inst.args[1]);
            let site = new_site(build, SiteKind::Send, chan, inst.pos);
            let call = build.call_runtime(RuntimeFn::ChanSend1, Type::UNIT, &[chan, elem]);
            build.outcome(call, site);
        },
    )
}
