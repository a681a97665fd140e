//! Maps: by key, as queues and stacks, and without a call.

use crate::entity::{MapId, Type, Value};
use crate::inst::LookupRole;
use crate::module::MapKind;
use crate::op::Op;
use crate::types::Space;

use super::func::FuncGen;

impl FuncGen<'_> {
    /// A slot with a key in it. Keys are few, so that they meet.
    fn key(&mut self) -> Option<Value> {
        let at = self.cell(Type::U32)?;
        let x = self.value(Type::U32);
        let mask = self.b.int(Type::U32, 7);
        let key = self.b.and(x, mask);
        self.b.store(at, key);
        Some(at)
    }

    /// A slot of a type with something in it.
    fn filled(&mut self, ty: Type) -> Option<Value> {
        let at = self.cell(ty)?;
        if self.b.decls.types.is_scalar(ty) {
            let x = self.value(ty);
            self.b.store(at, x);
        } else {
            self.access(at, ty, true);
        }
        Some(at)
    }

    fn keyed_map(&mut self) -> (MapId, Type) {
        let map = self.random.pick(&self.world.keyed);
        (map, self.b.decls.maps[map].value)
    }

    /// Looks a key up and goes to its value if there is one.
    pub(super) fn look_up(&mut self) {
        let (map, value) = self.keyed_map();
        let bind = self.world.profile.has_runtime_calls()
            && self.b.decls.maps[map].kind == MapKind::Array
            && self.random.one_in(3);
        let role = if bind { LookupRole::Bind } else { LookupRole::Plain };
        let Some(key) = self.key() else { return };
        let at = self.b.map_lookup(map, role, key);
        self.if_found(at, |g| {
            if g.random.one_in(3) && g.b.decls.types.is_scalar(value) {
                g.atomic_on(at, value);
            } else {
                g.access(at, value, true);
                g.access(at, value, true);
            }
        });
    }

    /// Says what is to be said of a pointer, unless it is nil.
    pub(super) fn if_found(&mut self, at: Value, found: impl FnOnce(&mut Self)) {
        let (before, mark) = (self.acc, self.pool.len());
        let ty = self.b.func.ty(at);
        let nil = self.b.nil(ty);
        let is_there = self.b.neq(at, nil);
        let (then, join) = (self.b.block(), self.b.block());
        self.b.branch(is_there, then, join);
        self.b.switch_to(then);
        self.depth += 1;
        found(self);
        self.depth -= 1;
        self.pool.truncate(mark);
        let after = self.acc;
        self.b.jump(join);
        self.b.switch_to(join);
        self.acc = self.b.phi(Type::U64, &[before, after]);
        self.offer(is_there);
    }

    pub(super) fn update(&mut self) {
        let (map, value) = self.keyed_map();
        // The key has the slot of that type; a value of it is the first element of an array.
        let value = if value == Type::U32 { self.filled(self.world.array) } else { self.filled(value) };
        let (Some(value), Some(key)) = (value, self.key()) else { return };
        let flags = self.random.below(3) as u32;
        let v = self.b.map_update(map, key, value, flags);
        self.offer(v);
    }

    pub(super) fn delete(&mut self) {
        let (map, _) = self.keyed_map();
        if let Some(key) = self.key() {
            let v = self.b.map_delete(map, key);
            self.offer(v);
        }
    }

    /// Pushes, pops or peeks.
    pub(super) fn queue(&mut self) {
        let map = self.random.pick(&self.world.queues);
        let value = self.b.decls.maps[map].value;
        let op = self.random.pick(&[Op::MapPush, Op::MapPush, Op::MapPop, Op::MapPeek]);
        let Some(at) = self.filled(value) else { return };
        // BPF_EXIST lets a push to a full one drop the oldest.
        let flags = if op == Op::MapPush { self.random.pick(&[0, 0, 2]) } else { 0 };
        let v = self.b.map_value_io(op, map, at, flags);
        self.offer(v);
        let v = self.b.load(value, at);
        self.offer(v);
    }

    /// The value of a one-element array.
    pub(super) fn map_value(&mut self) {
        let Some(map) = self.world.single else { return };
        let (ty, offset) = self.random.pick(&[(Type::U64, 0), (Type::U32, 8)]);
        let at = self.b.map_value(ty, map, offset);
        if self.random.one_in(2) {
            self.atomic_on(at, ty);
        } else {
            self.access(at, ty, true);
        }
    }

    /// Counts in the record of a site, as the instrumentation does.
    pub(super) fn site_record(&mut self) {
        let Some(records) = self.world.records else { return };
        let Some(at) = self.cell(Type::U32) else { return };
        let site = self.random.below(self.world.sites.len()) as u64;
        let site = self.b.int(Type::U32, site);
        self.b.store(at, site);
        let record = self.b.map_lookup(records, LookupRole::Site, at);
        self.if_found(record, |g| {
            debug_assert_eq!(g.b.decls.types.space(g.b.func.ty(record)), Some(Space::Map));
            let at = g.b.ptr_offset(Type::U64, record, 8);
            g.atomic_on(at, Type::U64);
        });
    }
}
