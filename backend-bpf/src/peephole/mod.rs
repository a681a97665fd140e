//! Clean-up after register assignment: copies that copy nothing, results that nobody reads, diamonds that are
//! triangles, and ends of the function that are alike.

mod copies;
mod dead;
mod ends;
mod live;
mod triangles;

use crate::isa::Reg;
use crate::mach::MachFunc;

/// Improves a function over machine registers; what it computes stays.
pub(crate) fn peephole(mut func: MachFunc<Reg>) -> MachFunc<Reg> {
    copies::remove_redundant_copies(&mut func);
    dead::remove_dead(&mut func);
    triangles::hoist_moves(&mut func);
    ends::merge_ends(&mut func);
    func
}
