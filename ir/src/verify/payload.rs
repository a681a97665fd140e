//! Payloads: the right variant for the op, and ids that exist.

use crate::entity::Value;
use crate::inst::{Aux, Inst};
use crate::op::AuxKind;

use super::Checker;

/// The payload kinds that a payload may stand for; constants and indices by name.
fn fits(kind: AuxKind, aux: &Aux) -> bool {
    match kind {
        AuxKind::None => matches!(aux, Aux::None),
        AuxKind::Const => matches!(aux, Aux::Int(_) | Aux::Float(_) | Aux::Nil),
        AuxKind::Index => matches!(aux, Aux::Index(_)),
        AuxKind::Bounds => matches!(aux, Aux::Bounds { .. }),
        AuxKind::Size => matches!(aux, Aux::Size(_)),
        AuxKind::Slot => matches!(aux, Aux::Slot(_)),
        AuxKind::Global => matches!(aux, Aux::Global(_)),
        AuxKind::Func => matches!(aux, Aux::Func(_)),
        AuxKind::Chan => matches!(aux, Aux::Chan(_)),
        AuxKind::Form => matches!(aux, Aux::Form(_)),
        AuxKind::Select => matches!(aux, Aux::Select(_)),
        AuxKind::Runtime => matches!(aux, Aux::Runtime(_)),
        AuxKind::Intrinsic => matches!(aux, Aux::Intrinsic(_)),
        AuxKind::Site => matches!(aux, Aux::Site(_)),
        AuxKind::Name => matches!(aux, Aux::Name(_)),
        AuxKind::Lookup => matches!(aux, Aux::Lookup { .. }),
        AuxKind::MapFlags => matches!(aux, Aux::MapFlags { .. }),
        AuxKind::MapOffset => matches!(aux, Aux::MapOffset { .. }),
    }
}

/// What a payload of a kind is called.
fn name(kind: AuxKind) -> &'static str {
    match kind {
        AuxKind::None => "no payload",
        AuxKind::Const => "a constant",
        AuxKind::Index => "an index",
        AuxKind::Bounds => "bounds",
        AuxKind::Size => "a size",
        AuxKind::Slot => "a slot",
        AuxKind::Global => "a variable",
        AuxKind::Func => "a function",
        AuxKind::Chan => "a channel",
        AuxKind::Form => "a receive form",
        AuxKind::Select => "select cases",
        AuxKind::Runtime => "a runtime function",
        AuxKind::Intrinsic => "an intrinsic",
        AuxKind::Site => "a site",
        AuxKind::Name => "a name",
        AuxKind::Lookup => "a map and a role",
        AuxKind::MapFlags => "a map and flags",
        AuxKind::MapOffset => "a map and an offset",
    }
}

impl Checker<'_> {
    /// Whether the payload is of the op's kind and what it names exists.
    pub(super) fn payload(&mut self, v: Value, inst: &Inst) -> bool {
        let kind = inst.op.aux_kind();
        if !fits(kind, &inst.aux) {
            self.at_value(v, format!("{} carries {}", inst.op, name(kind)));
            return false;
        }
        let missing = self.missing(&inst.aux);
        if let Some(what) = &missing {
            self.at_value(v, format!("{} names {what}, which does not exist", inst.op));
        }
        missing.is_none()
    }

    /// What a payload names in vain.
    fn missing(&self, aux: &Aux) -> Option<String> {
        let (exists, what) = match aux {
            Aux::Slot(s) => (self.func.slot(*s).is_some(), format!("slot {s}")),
            Aux::Global(g) => (self.decls.globals.get(*g).is_some(), format!("variable {g}")),
            Aux::Func(f) => (self.module.funcs.get(*f).is_some(), format!("function {f}")),
            Aux::Chan(c) => (self.decls.chans.get(*c).is_some(), format!("channel {c}")),
            Aux::Intrinsic(i) => (self.decls.intrinsics.get(*i).is_some(), format!("intrinsic {i}")),
            Aux::Site(s) => (self.decls.sites.is_valid(*s), format!("site {s}")),
            Aux::Lookup { map, .. } | Aux::MapFlags { map, .. } | Aux::MapOffset { map, .. } => {
                (self.decls.maps.get(*map).is_some(), format!("map {map}"))
            }
            Aux::None
            | Aux::Int(_)
            | Aux::Float(_)
            | Aux::Nil
            | Aux::Index(_)
            | Aux::Bounds { .. }
            | Aux::Size(_)
            | Aux::Form(_)
            | Aux::Select(_)
            | Aux::Runtime(_)
            | Aux::Name(_) => return None,
        };
        (!exists).then_some(what)
    }
}
