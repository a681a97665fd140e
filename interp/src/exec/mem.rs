//! Memory beyond plain loads and stores.

use crate::code::{Inst, Kind, RmwOp};
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
    pub(super) fn bulk(&mut self, inst: &Inst, regs: &mut [Val]) -> Fallible<Flow> {
        let a = regs[inst.a as usize].ptr();
        if inst.kind == Kind::New {
            let region = self.memory.place(RegionKind::Heap, inst.imm, true)?;
            regs[inst.dst as usize] = Val::Ptr(Ptr { region, offset: 0 });
        } else if inst.kind == Kind::MemCopy {
            self.memory.copy(a, regs[inst.b as usize].ptr(), inst.imm)?;
        } else {
            self.memory.zero(a, inst.imm)?;
        }
        Ok(None)
    }

    /// Atomic accesses. One program runs at a time, so that plain accesses at aligned places are atomic.
    pub(super) fn atomic(&mut self, inst: &Inst, regs: &mut [Val]) -> Fallible<Flow> {
        let (ptr, size) = (regs[inst.a as usize].ptr(), usize::from(inst.bits / 8));
        let operand = regs[inst.b as usize].bits();
        if inst.kind == Kind::AtomicStore {
            self.memory.atomic_store(ptr, size, operand)?;
            return Ok(None);
        }
        let old = self.memory.atomic_load(ptr, size)?;
        let new = match inst.kind {
            Kind::AtomicRmw(op) => Some(update(op, old, operand) & (u64::MAX >> (64 - u32::from(inst.bits)))),
            Kind::AtomicCas => (old == operand).then(|| regs[inst.c as usize].bits()),
            // A load; the loop sends nothing else here.
            _ => None,
        };
        if let Some(new) = new {
            self.memory.atomic_store(ptr, size, new)?;
        }
        if !matches!(inst.kind, Kind::AtomicRmw(_)) || inst.imm > 0 {
            regs[inst.dst as usize] = Val::Int(old);
        }
        Ok(None)
    }
}

fn update(op: RmwOp, old: u64, operand: u64) -> u64 {
    match op {
        RmwOp::Add => old.wrapping_add(operand),
        RmwOp::And => old & operand,
        RmwOp::Or => old | operand,
        RmwOp::Xor => old ^ operand,
        RmwOp::Xchg => operand,
    }
}
