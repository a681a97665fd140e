//! A diamond one of whose sides only moves something is a triangle with the move in front.
//!
//! ```text
//! if c → T, F                      r = 0
//! T: r = 1; goto J      becomes    if c → T, J
//! F: r = 0; goto J                 T: r = 1; goto J
//! ```
//!
//! One jump less. Right if the branch does not read the register and the other side does not want its old value.

use crate::isa::Reg;
use crate::mach::{Label, MachFunc, MachOp};

use super::dead::as_move;
use super::live::{Set, accesses, live_in};

/// Moves such a side's move in front of its branch.
pub(super) fn hoist_moves(func: &mut MachFunc<Reg>) {
    let live = live_in(func);
    let mut preds = vec![0u32; func.blocks.len()];
    for block in &func.blocks {
        for to in block.successors() {
            preds[to.index()] += 1;
        }
    }
    for b in 0..func.blocks.len() {
        let Some(MachOp::Branch { then, other, .. }) = func.blocks[b].insts.last().map(|i| i.op.clone())
        else {
            continue;
        };
        // The side that comes later goes: the other one then falls through to the join.
        if then != other && !hoist(func, &live, &preds, b, (other, then)) {
            hoist(func, &live, &preds, b, (then, other));
        }
    }
}

fn hoist(func: &mut MachFunc<Reg>, live: &[Set], preds: &[u32], b: usize, sides: (Label, Label)) -> bool {
    let (side, rest) = (sides.0.index(), sides.1.index());
    let [only, end] = func.blocks[side].insts.as_slice() else { return false };
    let (Some((dst, _)), &MachOp::Jump { to, .. }) = (as_move(&only.op), &end.op) else { return false };
    // Without a diamond there is no jump to save.
    let joins = match func.blocks[rest].insts.last().map(|i| &i.op) {
        Some(MachOp::Jump { to: too, .. }) => *too == to && func.blocks[rest].insts.len() > 1,
        _ => false,
    };
    let last = func.blocks[b].insts.len() - 1;
    let (reads, _) = accesses(&func.blocks[b].insts[last].op);
    if !joins || preds[side] != 1 || reads.has(dst) || live[rest].has(dst) || to.index() == side {
        return false;
    }
    let moved = only.clone();
    let block = &mut func.blocks[b];
    if let MachOp::Branch { then, other, .. } = &mut block.insts[last].op {
        let edge = if *then == sides.0 { then } else { other };
        *edge = to;
    }
    block.insts.insert(last, moved);
    true
}
