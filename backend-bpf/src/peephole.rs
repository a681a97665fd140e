//! Clean-up after register assignment.

use crate::isa::{Isa, Reg, Width};
use crate::mach::{MachFunc, MachOp};

/// Removes what register assignment left over.
pub(crate) fn peephole(mut func: MachFunc<Reg>, _isa: Isa) -> MachFunc<Reg> {
    for block in &mut func.blocks {
        block.insts.retain(|i| !matches!(i.op, MachOp::Mov { width: Width::W64, dst, src } if dst == src));
    }
    func
}
