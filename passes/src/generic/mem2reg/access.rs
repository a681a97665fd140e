//! Which slots can live in values: who takes their address, and what is read and written through it.

use std::collections::BTreeMap;

use cranelift_entity::{EntitySet, SecondaryMap};
use larrow_ir::cfg::Rpo;
use larrow_ir::{Aux, Decls, Function, Op, Slot, Type, TypeKind, TypeTable, Value};

/// A piece of a slot that is always accessed whole.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Part {
    /// Bytes from the start of the slot.
    pub(super) offset: u64,
    /// Bytes.
    pub(super) size: u64,
    /// What it holds: the type of its first access.
    pub(super) ty: Type,
}

/// The promotable slots of a function.
pub(super) struct Slots {
    /// Each promotable slot's parts by offset, as indices into `parts`.
    by_slot: SecondaryMap<Slot, Option<BTreeMap<u64, usize>>>,
    /// All parts: the variables that are to become values.
    pub(super) parts: Vec<Part>,
    /// What a value points to, if it is the address of a slot plus a constant.
    points: SecondaryMap<Value, Option<(Slot, u64)>>,
}

/// What an instruction does to promotable slots.
pub(super) enum Access {
    /// Reads a part.
    Load(usize),
    /// Writes a value to a part.
    Store(usize, Value),
    /// Zeroes parts.
    Zero(Vec<usize>),
    /// Makes an address, which nobody needs any more.
    Address,
}

impl Slots {
    /// The slots whose addresses are only loaded and stored through, at constant offsets, never overlapping
    /// unless the same, with one kind of value each.
    pub(super) fn find(func: &Function, decls: &Decls) -> Slots {
        let mut finder = Finder {
            func,
            decls,
            points: SecondaryMap::with_capacity(func.num_values()),
            refused: EntitySet::with_capacity(func.num_slots()),
            found: SecondaryMap::new(),
            zeroed: Vec::new(),
        };
        // Addresses come before their uses in this order, since phis make none.
        for &b in Rpo::compute(func).blocks() {
            func.block(b).insts.iter().for_each(|&v| finder.visit(v));
            func.term(b).operand().into_iter().for_each(|v| finder.escape(v));
        }
        finder.finish()
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.by_slot.values().all(Option::is_none)
    }
    /// The promotable slots.
    pub(super) fn slots(&self) -> Vec<Slot> {
        self.by_slot.iter().filter(|(_, parts)| parts.is_some()).map(|(s, _)| s).collect()
    }

    /// What an instruction does to them; `None` if nothing.
    pub(super) fn access(&self, func: &Function, v: Value) -> Option<Access> {
        let inst = func.inst(v);
        if let Some((slot, _)) = self.points[v] {
            return self.by_slot[slot].as_ref().map(|_| Access::Address);
        }
        let (slot, offset) = self.points[*inst.args.first()?]?;
        let parts = self.by_slot[slot].as_ref()?;
        match (inst.op, &inst.aux) {
            (Op::Load, _) => parts.get(&offset).map(|&part| Access::Load(part)),
            (Op::Store, _) => parts.get(&offset).map(|&part| Access::Store(part, inst.args[1])),
            (Op::MemZero, Aux::Size(size)) => {
                Some(Access::Zero(parts.range(offset..offset + size).map(|(_, &part)| part).collect()))
            }
            (_, _) => None,
        }
    }
}

struct Finder<'a> {
    func: &'a Function,
    decls: &'a Decls,
    points: SecondaryMap<Value, Option<(Slot, u64)>>,
    refused: EntitySet<Slot>,
    found: SecondaryMap<Slot, BTreeMap<u64, Part>>,
    zeroed: Vec<(Slot, u64, u64)>,
}

impl Finder<'_> {
    fn visit(&mut self, v: Value) {
        let inst = self.func.inst(v);
        match (inst.op, &inst.aux) {
            (Op::LocalAddr, &Aux::Slot(slot)) => self.points[v] = Some((slot, 0)),
            (Op::PtrAdd, _) => self.moved(v),
            (Op::Copy, _) => self.points[v] = self.points[inst.args[0]],
            (Op::Load, _) => self.touch(inst.args[0], inst.ty),
            (Op::Store, _) => {
                self.touch(inst.args[0], self.func.ty(inst.args[1]));
                self.escape(inst.args[1]);
            }
            (Op::MemZero, &Aux::Size(size)) => {
                if let Some((slot, offset)) = self.points[inst.args[0]] {
                    self.zeroed.push((slot, offset, size));
                }
            }
            (_, _) => inst.args.iter().for_each(|&arg| self.escape(arg)),
        }
    }

    fn moved(&mut self, v: Value) {
        let (base, by) = (self.func.args(v)[0], self.func.args(v)[1]);
        match (self.points[base], self.func.inst(by).int_const()) {
            (Some((slot, offset)), Some(bytes)) => self.points[v] = Some((slot, offset.wrapping_add(bytes))),
            (_, _) => self.escape(base),
        }
    }

    /// The address becomes known elsewhere.
    fn escape(&mut self, v: Value) {
        if let Some((slot, _)) = self.points[v] {
            self.refused.insert(slot);
        }
    }

    fn touch(&mut self, pointer: Value, ty: Type) {
        let Some((slot, offset)) = self.points[pointer] else { return };
        let size = self.decls.types.size(ty);
        let whole = self.func.slot(slot).map_or(0, |s| self.decls.types.size(s.ty));
        let inside = offset.checked_add(size).is_some_and(|end| end <= whole);
        let part = *self.found[slot].entry(offset).or_insert(Part { offset, size, ty });
        if !inside || part.size != size || !same_kind(&self.decls.types, part.ty, ty) {
            self.refused.insert(slot);
        }
    }

    fn finish(mut self) -> Slots {
        for (slot, parts) in self.found.iter() {
            let mut end = 0;
            for part in parts.values() {
                if part.offset < end {
                    self.refused.insert(slot);
                }
                end = part.offset + part.size;
            }
        }
        for &(slot, offset, size) in &self.zeroed {
            let Some(end) = offset.checked_add(size) else {
                self.refused.insert(slot);
                continue;
            };
            let split = |p: &Part| {
                p.offset < end && p.offset + p.size > offset && (p.offset < offset || p.offset + p.size > end)
            };
            if self.found[slot].values().any(split) {
                self.refused.insert(slot);
            }
        }
        let mut slots = Slots { by_slot: SecondaryMap::new(), parts: Vec::new(), points: self.points };
        for (slot, _) in self.func.slots() {
            if self.refused.contains(slot) {
                continue;
            }
            let found = std::mem::take(&mut self.found[slot]);
            let mut parts = BTreeMap::new();
            for (offset, part) in found {
                parts.insert(offset, slots.parts.len());
                slots.parts.push(part);
            }
            slots.by_slot[slot] = Some(parts);
        }
        slots
    }
}

/// Whether a value of one type, stored, may be loaded as the other without changing its bits' meaning.
fn same_kind(types: &TypeTable, a: Type, b: Type) -> bool {
    match (types.resolve(a), types.resolve(b)) {
        (TypeKind::Ptr { .. }, TypeKind::Ptr { .. }) => true,
        (TypeKind::Int { bits: x, .. }, TypeKind::Int { bits: y, .. }) => x == y,
        (x, y) => x == y,
    }
}
