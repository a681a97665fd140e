//! Returns of the same constant share one copy.

use std::collections::HashMap;

use larrow_ir::cranelift_entity::packed_option::PackedOption;
use smallvec::SmallVec;

use crate::isa::Reg;
use crate::mach::{Label, MachBlock, MachFunc, MachInst, MachOp};

/// Gives every constant that is returned in several places one block that returns it. Placed behind the last of
/// them, which then falls through, each other place saves an instruction.
pub(super) fn merge_ends(func: &mut MachFunc<Reg>) {
    let mut ends: HashMap<i64, Vec<usize>> = HashMap::new();
    let mut order = Vec::new();
    for (b, block) in func.blocks.iter().enumerate() {
        if let [
            ..,
            MachInst { op: MachOp::MovImm { dst: Reg::R0, imm }, .. },
            MachInst { op: MachOp::Ret(Some(_)), .. },
        ] = block.insts.as_slice()
        {
            let places = ends.entry(*imm).or_default();
            if places.is_empty() {
                order.push(*imm);
            }
            places.push(b);
        }
    }
    for imm in order {
        let places = &ends[&imm];
        if places.len() > 1 {
            share(func, places);
        }
    }
}

fn share(func: &mut MachFunc<Reg>, places: &[usize]) {
    // A block that does nothing else can be the shared one.
    let existing = places.iter().copied().find(|&b| func.blocks[b].insts.len() == 2);
    let shared = existing.unwrap_or_else(|| {
        let first = &mut func.blocks[places[0]];
        let at = first.insts.len() - 2;
        let block =
            MachBlock { block: first.block, params: SmallVec::new(), insts: first.insts.split_off(at) };
        let pos = block.insts[0].pos;
        let to = Label(u32::try_from(func.blocks.len()).expect("fewer than 2³² blocks"));
        let jump = MachOp::Jump { to, args: SmallVec::new() };
        func.blocks[places[0]].insts.push(MachInst { op: jump, value: PackedOption::default(), pos });
        func.blocks.push(block);
        func.blocks.len() - 1
    });
    for &b in places {
        let insts = &mut func.blocks[b].insts;
        if b == shared || matches!(insts.last().map(|i| &i.op), Some(MachOp::Jump { .. })) {
            continue;
        }
        let pos = insts[insts.len() - 2].pos;
        insts.truncate(insts.len() - 2);
        let to = Label(u32::try_from(shared).expect("fewer than 2³² blocks"));
        let jump = MachOp::Jump { to, args: SmallVec::new() };
        insts.push(MachInst { op: jump, value: PackedOption::default(), pos });
    }
}
