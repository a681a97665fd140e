//! Memory beyond plain loads and stores.

use crate::code::{AtomicOp, BulkOp, Inst};
use crate::run::Interp;
use crate::trap::Fallible;
use crate::value::{Ptr, Region, RegionKind, Val};

use super::Flow;

/// The address of a slot of the frame.
pub(super) fn slot_address(slots: &[Region], inst: &Inst) -> Val {
    Val::Ptr(Ptr { region: slots[inst.imm as usize], offset: 0 })
}

impl Interp<'_> {
    /// Copies, zeroes, allocates.
    pub(super) fn bulk(&mut self, op: BulkOp, inst: &Inst, regs: &mut [Val]) -> Fallible<Flow> {
        let a = regs[inst.a as usize].ptr();
        match op {
            BulkOp::New => {
                let region = self.memory.place(RegionKind::Heap, inst.imm, true)?;
                regs[inst.dst as usize] = Val::Ptr(Ptr { region, offset: 0 });
            }
            BulkOp::Copy => self.memory.copy(a, regs[inst.b as usize].ptr(), inst.imm)?,
            BulkOp::Zero => self.memory.zero(a, inst.imm)?,
        }
        Ok(None)
    }

    /// Atomic accesses. One program runs at a time, so that plain accesses at aligned places are atomic.
    pub(super) fn atomic(&mut self, op: AtomicOp, inst: &Inst, regs: &mut [Val]) -> Fallible<Flow> {
        let (ptr, size) = (regs[inst.a as usize].ptr(), usize::from(inst.bits / 8));
        let operand = regs[inst.b as usize].bits();
        let old = if op == AtomicOp::Store { 0 } else { self.memory.atomic_load(ptr, size)? };
        let new = match op {
            AtomicOp::Load => None,
            AtomicOp::Store | AtomicOp::Xchg => Some(operand),
            AtomicOp::Add => Some(old.wrapping_add(operand)),
            AtomicOp::And => Some(old & operand),
            AtomicOp::Or => Some(old | operand),
            AtomicOp::Xor => Some(old ^ operand),
            AtomicOp::Cas => (old == operand).then(|| regs[inst.c as usize].bits()),
        };
        if let Some(new) = new {
            self.memory.atomic_store(ptr, size, new & (u64::MAX >> (64 - u32::from(inst.bits))))?;
        }
        if inst.imm > 0 {
            regs[inst.dst as usize] = Val::Int(old);
        }
        Ok(None)
    }
}
