//! Results that nobody reads.

use crate::isa::Reg;
use crate::mach::{Base, MachFunc, MachOp, Mem};

use super::live::{Set, accesses, live_in, live_out};

/// Removes computations and loads whose result is not live, and spills that are never reloaded.
pub(super) fn remove_dead(func: &mut MachFunc<Reg>) {
    let live = live_in(func);
    let mut reloaded = vec![false; func.spills as usize];
    for b in 0..func.blocks.len() {
        let mut out = live_out(func, &live, b);
        let insts = &mut func.blocks[b].insts;
        let mut kept = Vec::with_capacity(insts.len());
        for inst in insts.drain(..).rev() {
            let (reads, writes) = accesses(&inst.op);
            if is_pure(&inst.op) && !writes.any(out) {
                continue;
            }
            out = out.minus(writes).union(reads);
            if let MachOp::Load { mem: Mem { base: Base::Spill(n), .. }, .. } = inst.op {
                reloaded[n as usize] = true;
            }
            kept.push(inst);
        }
        kept.reverse();
        *insts = kept;
    }
    for block in &mut func.blocks {
        block.insts.retain(|inst| match inst.op {
            MachOp::Store { mem: Mem { base: Base::Spill(n), .. }, .. } => reloaded[n as usize],
            _ => true,
        });
    }
}

/// Whether an instruction does nothing but compute its result.
fn is_pure(op: &MachOp<Reg>) -> bool {
    match op {
        MachOp::MovImm { .. }
        | MachOp::Mov { .. }
        | MachOp::MovSx { .. }
        | MachOp::Address { .. }
        | MachOp::FrameAddress { .. }
        | MachOp::Alu { .. }
        | MachOp::Neg { .. }
        | MachOp::Endian { .. }
        | MachOp::Load { .. }
        | MachOp::LoadSx { .. } => true,
        MachOp::Params(_)
        | MachOp::LoadAcquire { .. }
        | MachOp::Store { .. }
        | MachOp::Atomic { .. }
        | MachOp::AtomicFetch { .. }
        | MachOp::CmpXchg { .. }
        | MachOp::Call { .. }
        | MachOp::Jump { .. }
        | MachOp::Branch { .. }
        | MachOp::Ret(_) => false,
    }
}

/// The one register that a move writes, and what it reads, if it is a move of a constant or a register.
pub(super) fn as_move(op: &MachOp<Reg>) -> Option<(Reg, Set)> {
    match *op {
        MachOp::MovImm { dst, .. } => Some((dst, Set::default())),
        MachOp::Mov { dst, src, .. } => Some((dst, Set::of(src))),
        _ => None,
    }
}
