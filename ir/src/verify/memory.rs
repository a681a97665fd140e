//! The typing rules of what touches memory: slots, variables, loads, stores, atomics, contexts, maps.

use crate::entity::{MapId, Type};
use crate::inst::Aux;
use crate::module::{MapDecl, MapKind};
use crate::op::Rule;
use crate::types::Space;

use super::rules::{ATOMIC, INT, INT64, PTR, Row, SCALAR, UNIT};

impl Row<'_, '_> {
    /// Checks a rule of this family; the others are none of its business.
    pub(super) fn memory(&mut self) {
        match self.inst.op.rule() {
            Rule::LocalAddr => self.local_addr(),
            Rule::GlobalAddr => self.global_addr(),
            Rule::PtrAdd => {
                self.takes(0, PTR);
                self.takes(1, INT64);
                self.yields(PTR);
            }
            Rule::Load => {
                if self.takes(0, PTR) && self.yields(SCALAR) {
                    self.accesses(0, self.inst.ty);
                }
            }
            Rule::Store => {
                self.yields(UNIT);
                if self.takes(0, PTR) && self.takes(1, SCALAR) {
                    self.accesses(0, self.arg_ty(1));
                }
            }
            Rule::MemCopy => {
                self.yields(UNIT);
                self.takes(0, PTR);
                self.takes(1, PTR);
            }
            Rule::MemZero => {
                self.yields(UNIT);
                self.takes(0, PTR);
            }
            Rule::New => self.new_object(),
            Rule::AtomicLoad | Rule::AtomicStore | Rule::AtomicRmw | Rule::AtomicCas => self.atomic(),
            Rule::Sync => {
                self.yields(UNIT);
            }
            Rule::CtxLoad => {
                if self.takes(0, PTR) {
                    self.in_space(self.arg_ty(0), Space::Ctx);
                }
                self.yields(SCALAR);
            }
            Rule::MapLookup | Rule::MapUpdate | Rule::MapDelete | Rule::MapValueIo | Rule::MapValue => {
                self.map_access();
            }
            rule => debug_assert!(false, "{rule:?} is no rule of memory"),
        }
    }

    /// The result is a pointer into a space, to a type.
    fn yields_address(&mut self, space: Space, to: Type) {
        if !self.yields(PTR) {
            return;
        }
        self.in_space(self.inst.ty, space);
        let pointee = self.types().pointee(self.inst.ty).unwrap_or(Type::UNIT);
        if !self.types().same_width(pointee, to) {
            let (want, have) = (self.checker.spell(to), self.checker.spell(self.inst.ty));
            self.error(format!("{} yields a pointer to {want}, not {have}", self.inst.op));
        }
    }

    /// The pointer type is of a space, or of none in particular.
    fn in_space(&mut self, ty: Type, space: Space) {
        if self.types().space(ty).is_some_and(|s| s != space && s != Space::Any) {
            let have = self.checker.spell(ty);
            self.error(format!("{} is about ptr<{} …>, not {have}", self.inst.op, space.name()));
        }
    }

    /// Memory behind operand `i` holds a scalar of type `ty`.
    fn accesses(&mut self, i: usize, ty: Type) {
        let types = self.types();
        let pointee = types.pointee(self.arg_ty(i)).unwrap_or(Type::UNIT);
        let fits = if types.is_scalar(pointee) {
            types.bits(pointee) == types.bits(ty)
        } else {
            types.layout(pointee).is_some_and(|l| l.size >= types.size(ty))
        };
        if !fits {
            let (have, pointer) = (self.checker.spell(ty), self.checker.spell_of(self.arg(i)));
            self.error(format!("{} of {have} through {}, which is {pointer}", self.inst.op, self.arg(i)));
        }
    }

    fn local_addr(&mut self) {
        if let Aux::Slot(slot) = self.inst.aux
            && let Some(data) = self.checker.func.slot(slot)
            && self.checker.known_type(data.ty)
        {
            self.yields_address(Space::Stack, data.ty);
        }
    }

    fn global_addr(&mut self) {
        if let Aux::Global(global) = self.inst.aux
            && let Some(decl) = self.checker.decls.globals.get(global)
        {
            self.yields_address(Space::Global, decl.ty);
        }
    }

    fn new_object(&mut self) {
        if !self.yields(PTR) {
            return;
        }
        self.in_space(self.inst.ty, Space::Heap);
        let pointee = self.types().pointee(self.inst.ty).unwrap_or(Type::UNIT);
        if self.types().layout(pointee).is_none() {
            let ty = self.checker.spell(pointee);
            self.error(format!("New of {ty}, which has no layout"));
        }
    }

    fn atomic(&mut self) {
        if !self.takes(0, PTR) {
            return;
        }
        match self.inst.op.rule() {
            Rule::AtomicLoad => {
                if self.yields(INT) {
                    self.accesses(0, self.inst.ty);
                }
            }
            Rule::AtomicStore => {
                self.yields(UNIT);
                if self.takes(1, INT) {
                    self.accesses(0, self.arg_ty(1));
                }
            }
            Rule::AtomicRmw => {
                if self.takes(1, ATOMIC) {
                    self.accesses(0, self.arg_ty(1));
                    if self.inst.ty != Type::UNIT {
                        self.yields_like(self.arg_ty(1));
                    }
                }
            }
            _ => {
                if self.takes(2, ATOMIC) {
                    self.takes_like(1, self.arg_ty(2));
                    self.accesses(0, self.arg_ty(2));
                    self.yields_like(self.arg_ty(2));
                }
            }
        }
    }

    fn map_access(&mut self) {
        let (map, offset) = match self.inst.aux {
            Aux::Lookup { map, .. } | Aux::MapFlags { map, .. } => (map, 0),
            Aux::MapOffset { map, offset } => (map, offset),
            _ => return,
        };
        let Some(decl) = self.checker.decls.maps.get(map) else { return };
        match self.inst.op.rule() {
            Rule::MapLookup => {
                if self.is_kind(map, decl.kind.is_keyed(), "has no keys") {
                    self.points_at(0, decl.key, "key");
                }
                self.yields_address(Space::Map, decl.value);
            }
            Rule::MapUpdate => {
                self.yields(INT64);
                if self.is_kind(map, decl.kind.is_keyed(), "has no keys") {
                    self.points_at(0, decl.key, "key");
                }
                self.points_at(1, decl.value, "value");
            }
            Rule::MapDelete => {
                self.yields(INT64);
                if self.is_kind(map, decl.kind.is_keyed(), "has no keys") {
                    self.points_at(0, decl.key, "key");
                }
            }
            Rule::MapValueIo => {
                self.yields(INT64);
                self.is_kind(map, !decl.kind.is_keyed(), "is no queue or stack");
                self.points_at(0, decl.value, "value");
            }
            _ => self.map_value(map, decl, offset),
        }
    }

    fn is_kind(&mut self, map: MapId, ok: bool, otherwise: &str) -> bool {
        if !ok {
            let name = self.checker.decls.maps.name(map).to_string();
            self.error(format!("{} on @{name}, which {otherwise}", self.inst.op));
        }
        ok
    }

    /// Operand `i` points to at least the bytes of a type.
    fn points_at(&mut self, i: usize, ty: Type, what: &str) {
        if !self.takes(i, PTR) {
            return;
        }
        let (types, pointee) = (self.types(), self.types().pointee(self.arg_ty(i)).unwrap_or(Type::UNIT));
        if types.layout(pointee).is_none_or(|l| l.size < types.size(ty)) {
            let (have, want) = (self.checker.spell_of(self.arg(i)), self.checker.spell(ty));
            self.error(format!("operand {} is {have}, but the map's {what} is {want}", self.arg(i)));
        }
    }

    fn map_value(&mut self, map: MapId, decl: &MapDecl, offset: u32) {
        let single = decl.kind == MapKind::Array && decl.max_entries == 1;
        if !self.is_kind(map, single, "is no array of one element") || !self.yields(PTR) {
            return;
        }
        self.in_space(self.inst.ty, Space::Map);
        let pointee = self.types().pointee(self.inst.ty).unwrap_or(Type::UNIT);
        let end = self.types().size(pointee).saturating_add(u64::from(offset));
        let size = self.types().size(decl.value);
        if end > size {
            self.error(format!("MapValue reaches to byte {end} of a value of {size} bytes"));
        }
    }
}
