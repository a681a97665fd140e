//! `lower-chan-recv`: a receive → `chanrecv1` or `chanrecv2`, by what the program keeps.
//!
//! | Go | call | temporary |
//! |---|---|---|
//! | `<-c` | `chanrecv1(c, nil)` | – |
//! | `v := <-c`, `_ = <-c` | `chanrecv1(c, &tmp)` | zeroed first |
//! | `v, ok := <-c`, `_, ok := <-c` | `chanrecv2(c, &tmp)` | zeroed first if it holds pointers |

use larrow_ir::{Aux, Decls, FuncBuilder, Function, Inst, Op, RecvForm, RuntimeFn, SiteKind, Type, Value};

use super::{Members, elem_type, has_pointers, new_site, nil_elem, recv_temp, rewrite};

/// Lowers every `ChanRecv`.
pub(super) fn lower(func: &mut Function, decls: &mut Decls) -> bool {
    let mut members = Members::default();
    let changed = rewrite(
        func,
        decls,
        |op| op == Op::ChanRecv,
        |build, v, inst| {
            let (value, ok) = lower_one(build, &inst);
            members.set(v, [value, ok]);
        },
    );
    members.apply(func);
    changed
}

/// Appends the call; returns the value received and the flag, where there are any.
fn lower_one(build: &mut FuncBuilder<'_>, inst: &Inst) -> (Option<Value>, Option<Value>) {
    let Aux::Form(form) = inst.aux else { unreachable!("the verifier checks payloads") };
    let chan = inst.args[0];
    let elem = elem_type(build, chan);
    let scalar = build.decls.types.is_scalar(elem);
    let into = match (form, inst.args.get(1)) {
        (RecvForm::Discard, _) => nil_elem(build, chan),
        (_, Some(&into)) => into,
        (RecvForm::Value, None) => recv_temp(build, elem, true),
        (RecvForm::CommaOk, None) => {
            let zeroed = has_pointers(build, elem);
            recv_temp(build, elem, zeroed)
        }
    };
    let callee = if form == RecvForm::CommaOk { RuntimeFn::ChanRecv2 } else { RuntimeFn::ChanRecv1 };
    let site = new_site(build, SiteKind::Recv, chan, inst.pos);
    let call = build.call_runtime(callee, Type::UNIT, &[chan, into]);
    build.outcome(call, site);
    let value = (scalar && form != RecvForm::Discard).then(|| build.load(elem, into));
    (value, (form == RecvForm::CommaOk).then_some(call))
}
