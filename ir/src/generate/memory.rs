//! Slots, variables, atomics, the packet, the heap.

use crate::entity::{GlobalId, Type, Value};
use crate::module::GlobalSection;
use crate::op::Op;
use crate::types::{Space, TypeKind};

use super::func::FuncGen;

impl FuncGen<'_> {
    /// Loads what a pointer points to, or stores to it.
    fn load_or_store(&mut self, at: Value, ty: Type, writable: bool) {
        if writable && self.random.one_in(2) {
            let x = self.value(ty);
            self.b.store(at, x);
        } else {
            let v = self.b.load(ty, at);
            self.offer(v);
        }
    }

    /// Writes a scalar and reads it back.
    pub(super) fn slot_scalar(&mut self) {
        let ty = self.random.pick(&[Type::U32, Type::U64]);
        if let Some(at) = self.cell_or_param(ty) {
            self.load_or_store(at, ty, true);
        }
    }

    /// An element of an array behind a pointer, at an index that is proved.
    fn element(&mut self, base: Value, elem: Type, len: u64) -> Value {
        let index = self.index(len - 1);
        let size = self.b.decls.types.size(elem);
        let scale = self.b.int(Type::U64, size);
        let offset = self.b.mul(index, scale);
        self.b.ptr_add(elem, base, offset)
    }

    pub(super) fn slot_array(&mut self) {
        if let Some(base) = self.cell_or_param(self.world.array) {
            let at = self.element(base, Type::U32, 4);
            self.load_or_store(at, Type::U32, true);
        }
    }

    /// A scalar field of a struct behind a pointer: its address and its type.
    fn field(&mut self, base: Value, ty: Type) -> Option<(Value, Type)> {
        let types = &self.b.decls.types;
        let TypeKind::Struct { fields, .. } = types.resolve(ty) else { return None };
        let index = self.random.below(fields.len());
        let (field, offset) = (fields[index].ty, types.field_offsets(ty)?[index]);
        Some((self.b.ptr_offset(field, base, offset), field))
    }

    /// Loads or stores something behind a pointer to any type that is generated.
    pub(super) fn access(&mut self, base: Value, ty: Type, writable: bool) {
        match *self.b.decls.types.resolve(ty) {
            TypeKind::Struct { .. } => {
                if let Some((at, field)) = self.field(base, ty) {
                    self.load_or_store(at, field, writable);
                }
            }
            TypeKind::Array { elem, len } => {
                let at = self.element(base, elem, len);
                self.load_or_store(at, elem, writable);
            }
            _ => self.load_or_store(base, ty, writable),
        }
    }

    pub(super) fn slot_struct(&mut self) {
        if let Some(base) = self.cell(self.world.pair) {
            self.access(base, self.world.pair, true);
        }
    }

    /// Copies a whole object, or zeroes one.
    pub(super) fn block_memory(&mut self) {
        let ty = self.random.pick(&[self.world.array, self.world.pair]);
        let slots: Vec<_> =
            self.cells.iter().filter(|(_, have)| *have == ty).map(|(slot, _)| *slot).collect();
        let size = self.b.decls.types.size(ty);
        let global = self.random.pick_from(&self.variables_of(ty));
        match (&slots[..], global) {
            (&[from, to, ..], _) => {
                let (to, from) = (self.b.local_addr(to), self.b.local_addr(from));
                self.b.mem_copy(to, from, size);
            }
            (&[slot], Some(global)) => {
                let (to, from) = (self.b.local_addr(slot), self.b.global_addr(global));
                self.b.mem_copy(to, from, size);
            }
            (&[slot], None) => {
                let at = self.b.local_addr(slot);
                self.b.mem_zero(at, size);
            }
            ([], _) => {}
        }
    }

    /// The variables of a type.
    fn variables_of(&self, ty: Type) -> Vec<GlobalId> {
        self.world.globals.iter().copied().filter(|&g| self.b.decls.globals[g].ty == ty).collect()
    }

    pub(super) fn variable(&mut self) {
        let global = self.random.pick(&self.world.globals);
        let decl = &self.b.decls.globals[global];
        let (ty, writable) = (decl.ty, decl.section != GlobalSection::Rodata);
        let base = self.b.global_addr(global);
        self.access(base, ty, writable);
    }

    // ---- atomics ---------------------------------------------------------------------------------------------

    /// Writable memory of 32 or 64 bits in a slot or a variable.
    fn word(&mut self) -> Option<(Value, Type)> {
        let ty = self.random.pick(&[Type::U32, Type::U64]);
        let writable = |g: &GlobalId| self.b.decls.globals[*g].section != GlobalSection::Rodata;
        let globals: Vec<GlobalId> = self.variables_of(ty).into_iter().filter(writable).collect();
        if let Some(global) = self.random.pick_from(&globals)
            && self.random.one_in(2)
        {
            return Some((self.b.global_addr(global), ty));
        }
        Some((self.cell_or_param(ty)?, ty))
    }

    pub(super) fn atomic(&mut self) {
        if let Some((at, ty)) = self.word() {
            self.atomic_on(at, ty);
        }
    }

    /// A read-modify-write of 32 or 64 bits.
    pub(super) fn atomic_on(&mut self, at: Value, ty: Type) {
        let x = self.value(ty);
        match self.random.below(8) {
            0..=3 => {
                let op = self.random.pick(&[Op::AtomicAdd, Op::AtomicAnd, Op::AtomicOr, Op::AtomicXor]);
                if self.random.one_in(2) {
                    self.op(op, Type::UNIT, &[at, x]);
                } else {
                    let old = self.op(op, ty, &[at, x]);
                    self.offer(old);
                }
            }
            4 | 5 => {
                let old = self.b.atomic_xchg(at, x);
                self.offer(old);
            }
            _ => {
                let expected = if self.random.one_in(2) { self.b.load(ty, at) } else { self.value(ty) };
                let old = self.b.atomic_cas(at, expected, x);
                self.offer(old);
            }
        }
    }

    pub(super) fn atomic_access(&mut self) {
        if let Some((at, ty)) = self.word() {
            if self.random.one_in(2) {
                let x = self.value(ty);
                self.b.atomic_store(at, x);
            } else {
                let v = self.b.atomic_load(ty, at);
                self.offer(v);
            }
        }
    }

    pub(super) fn sync(&mut self) {
        self.b.sync();
    }

    // ---- the packet ------------------------------------------------------------------------------------------

    /// Reads the packet's bounds, and returns early from a packet that is too short.
    pub(super) fn open_packet(&mut self, ctx: Value) {
        if !self.world.profile.packet {
            return;
        }
        let need = 8 * self.random.range(1, 8) as u64;
        let byte = self.b.decls.types.ptr(Space::Packet, Type::U8);
        let data = self.b.ctx_load(byte, ctx, "data");
        let end = self.b.ctx_load(byte, ctx, "data_end");
        let last = self.b.ptr_offset(Type::U8, data, need);
        let short = self.b.less_u(end, last);
        let (out, rest) = (self.b.block(), self.b.block());
        self.b.branch(short, out, rest);
        self.b.switch_to(out);
        let pass = self.b.int(self.result, 2);
        self.b.ret(Some(pass));
        self.b.switch_to(rest);
        self.packet = Some((data, need));
    }

    /// An aligned scalar within the packet.
    fn packet_word(&mut self) -> Option<(Value, Type)> {
        let (data, size) = self.packet?;
        let ty = self.random.pick(&[Type::U8, Type::U16, Type::U32, Type::U64]);
        let width = self.b.decls.types.size(ty);
        let offset = width * self.random.below((size / width) as usize) as u64;
        Some((self.b.ptr_offset(ty, data, offset), ty))
    }

    pub(super) fn packet_read(&mut self) {
        if let Some((at, ty)) = self.packet_word() {
            let v = self.b.load(ty, at);
            self.offer(v);
        }
    }

    pub(super) fn packet_write(&mut self) {
        if let Some((at, ty)) = self.packet_word() {
            let x = self.value(ty);
            self.b.store(at, x);
        }
    }

    // ---- outside of BPF --------------------------------------------------------------------------------------

    /// A fresh object, written and read.
    pub(super) fn heap(&mut self) {
        let ty = self.random.pick(&[Type::U64, self.world.array, self.world.pair]);
        let at = self.b.new_object(ty);
        for _ in 0..self.random.range(1, 3) {
            self.access(at, ty, true);
        }
    }

    /// Pointers into one object compare by offset; any pointer compares with nil.
    pub(super) fn pointer_order(&mut self) {
        let Some(base) = self.cell(self.world.array) else { return };
        let (x, y) = (self.element(base, Type::U32, 4), self.element(base, Type::U32, 4));
        let op = self.random.pick(&[Op::LessU, Op::LeqU, Op::Eq, Op::Neq]);
        let v = self.op(op, Type::BOOL, &[x, y]);
        self.offer(v);
    }
}
