//! Pointers, loads, stores and atomics.

use larrow_ir::{Aux, Op, Slot, Type, Value};

use super::{Need, Selector, type_width};
use crate::isa::{AluOp, AtomicOp, Narrow, Size, Width};
use crate::mach::{Base, MachOp, Mem, Rhs, VReg};

impl Selector<'_> {
    /// A pointer as what it starts from and a constant distance, folding constant moves as far as the distance
    /// fits a memory operand's 16 bits.
    fn folded(&self, mut ptr: Value) -> (Value, i32) {
        let mut off = 0i32;
        loop {
            let inst = self.func.inst(ptr);
            if inst.op != Op::PtrAdd {
                return (ptr, off);
            }
            let by = self.constant(inst.args[1]).and_then(|c| i32::try_from(c.cast_signed()).ok());
            let sum = by.and_then(|by| off.checked_add(by)).filter(|&sum| i16::try_from(sum).is_ok());
            let Some(sum) = sum else { return (ptr, off) };
            (ptr, off) = (inst.args[0], sum);
        }
    }

    /// A stack slot and a distance into it, if that is all that the pointer is.
    pub(super) fn stack_address(&self, ptr: Value) -> Option<(Slot, i32)> {
        let (base, off) = self.folded(ptr);
        match (self.func.inst(base).op, &self.func.inst(base).aux) {
            (Op::LocalAddr, Aux::Slot(slot)) => Some((*slot, off)),
            _ => None,
        }
    }

    fn memory(&mut self, ptr: Value) -> Mem<VReg> {
        if let Some((slot, off)) = self.stack_address(ptr) {
            return Mem { base: Base::Slot(slot), off };
        }
        let (base, off) = self.folded(ptr);
        Mem { base: Base::Reg(self.reg(base, Need::Full)), off }
    }

    /// `PtrAdd`: always 64 bits wide, the pointer on the left.
    pub(super) fn pointer_add(&mut self, v: Value) {
        let dst = self.own_reg(v);
        let (base, off) = self.folded(v);
        if base != v {
            let lhs = self.reg(base, Need::Full);
            return self.alu_imm(AluOp::Add, Width::W64, dst, lhs, off);
        }
        let (ptr, by) = (self.func.args(v)[0], self.func.args(v)[1]);
        let lhs = self.reg(ptr, Need::Full);
        let rhs = self.exact_rhs(by, Width::W64, Need::Full);
        self.alu(AluOp::Add, Width::W64, dst, lhs, rhs);
    }

    fn type_size(&self, ty: Type) -> Size {
        Self::size_of(type_width(self.context.decls, ty))
    }

    /// `Load`, or the sign-extending load that it becomes together with its only use.
    pub(super) fn load(&mut self, v: Value) {
        let inst = self.func.inst(v);
        let (size, ptr) = (self.type_size(inst.ty), inst.args[0]);
        if let Some(extension) = self.extended_by[v].expand() {
            let narrow = match size {
                Size::B => Narrow::B,
                Size::H => Narrow::H,
                Size::W | Size::DW => Narrow::W,
            };
            let (dst, mem) = (self.own_reg(extension), self.memory(ptr));
            return self.push(MachOp::LoadSx { size: narrow, dst, mem });
        }
        let (dst, mem) = (self.own_reg(v), self.memory(ptr));
        self.push(MachOp::Load { size, dst, mem });
    }

    /// `AtomicLoad`, which is left where the target has acquire loads.
    pub(super) fn load_acquire(&mut self, v: Value) {
        let inst = self.func.inst(v);
        let size = self.type_size(inst.ty);
        let (dst, mem) = (self.own_reg(v), self.memory(inst.args[0]));
        self.push(MachOp::LoadAcquire { size, dst, mem });
    }

    /// `Store`: a constant goes as an immediate, and only as many bits of a register count as are stored.
    pub(super) fn store(&mut self, v: Value) {
        let (ptr, x) = (self.func.args(v)[0], self.func.args(v)[1]);
        let width = self.width(x);
        let size = Self::size_of(width);
        let mem = self.memory(ptr);
        let imm = self.constant(x).map(|c| super::int::sign_extended(c, width.max(8)));
        let src = match imm.and_then(|c| i32::try_from(c).ok()) {
            Some(imm) => Rhs::Imm(imm),
            // A bool is stored as a byte, so all of the byte counts.
            None => Rhs::Reg(self.reg(x, if width == 1 { Need::Full } else { Need::Low })),
        };
        self.push(MachOp::Store { size, mem, src });
    }

    fn atomic_width(&mut self, v: Value, x: Value) -> Option<Width> {
        match self.width(x) {
            32 => Some(Width::W32),
            64 => Some(Width::W64),
            _ => {
                self.error(v, "atomics have 32 or 64 bits");
                None
            }
        }
    }

    /// The read-modify-write ops. Without a result type they become the forms without one, which order nothing.
    pub(super) fn atomic(&mut self, v: Value) {
        let inst = self.func.inst(v);
        let (ptr, x) = (inst.args[0], inst.args[1]);
        let Some(width) = self.atomic_width(v, x) else { return };
        let fetches = inst.ty != Type::UNIT;
        let op = match (inst.op, fetches) {
            (Op::AtomicAdd, false) => AtomicOp::Add,
            (Op::AtomicAnd, false) => AtomicOp::And,
            (Op::AtomicOr, false) => AtomicOp::Or,
            (Op::AtomicXor, false) => AtomicOp::Xor,
            (Op::AtomicAdd, true) => AtomicOp::FetchAdd,
            (Op::AtomicAnd, true) => AtomicOp::FetchAnd,
            (Op::AtomicOr, true) => AtomicOp::FetchOr,
            (Op::AtomicXor, true) => AtomicOp::FetchXor,
            _ => AtomicOp::Xchg,
        };
        let (src, mem) = (self.reg(x, Need::Low), self.memory(ptr));
        if fetches || op == AtomicOp::Xchg {
            let dst = if fetches { self.own_reg(v) } else { self.temp() };
            self.push(MachOp::AtomicFetch { op, width, dst, mem, src });
        } else {
            self.push(MachOp::Atomic { op, width, mem, src });
        }
    }

    /// `AtomicCas`
    pub(super) fn compare_and_swap(&mut self, v: Value) {
        let args = self.func.args_of(v);
        let Some(width) = self.atomic_width(v, args[2]) else { return };
        let dst = self.own_reg(v);
        let expected = self.reg(args[1], Need::Low);
        let (mem, new) = (self.memory(args[0]), self.reg(args[2], Need::Low));
        self.push(MachOp::CmpXchg { width, dst, mem, expected, new });
    }
}
