//! Which registers are live at the start of each block.

use crate::isa::Reg;
use crate::mach::{MachFunc, MachOp, Role};

/// Registers by number.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) struct Set(u16);

impl Set {
    pub(super) fn of(reg: Reg) -> Set {
        Set(1 << reg.number())
    }
    pub(super) fn has(self, reg: Reg) -> bool {
        self.0 & Set::of(reg).0 != 0
    }
    pub(super) fn any(self, other: Set) -> bool {
        self.0 & other.0 != 0
    }
    pub(super) fn union(self, other: Set) -> Set {
        Set(self.0 | other.0)
    }
    pub(super) fn minus(self, other: Set) -> Set {
        Set(self.0 & !other.0)
    }
}

/// What a call loses: R0 to R5.
pub(super) const LOST: Set = Set(0b11_1111);

/// What an instruction reads and writes.
pub(super) fn accesses(op: &MachOp<Reg>) -> (Set, Set) {
    let (mut reads, mut writes) = (Set::default(), Set::default());
    op.map(|role, reg| match role {
        Role::Use | Role::UseIn(_) => reads = reads.union(Set::of(reg)),
        Role::Def | Role::DefIn(_) | Role::DefReuse => writes = writes.union(Set::of(reg)),
    });
    if op.is_call() {
        writes = writes.union(LOST);
    }
    (reads, writes)
}

/// The registers live at the start of each block, by iteration to a fixed point from the last block on.
pub(super) fn live_in(func: &MachFunc<Reg>) -> Vec<Set> {
    let transfer = |block: &crate::mach::MachBlock<Reg>| {
        let (mut read, mut written) = (Set::default(), Set::default());
        for inst in &block.insts {
            let (reads, writes) = accesses(&inst.op);
            read = read.union(reads.minus(written));
            written = written.union(writes);
        }
        (read, written)
    };
    let blocks: Vec<(Set, Set)> = func.blocks.iter().map(transfer).collect();
    let mut live = vec![Set::default(); func.blocks.len()];
    loop {
        let mut changed = false;
        for b in (0..func.blocks.len()).rev() {
            let out = live_out(func, &live, b);
            let (read, written) = blocks[b];
            let now = read.union(out.minus(written));
            changed |= now != live[b];
            live[b] = now;
        }
        if !changed {
            return live;
        }
    }
}

/// The registers live at the end of a block.
pub(super) fn live_out(func: &MachFunc<Reg>, live: &[Set], block: usize) -> Set {
    let succs = func.blocks[block].successors();
    succs.iter().fold(Set::default(), |out, to| out.union(live[to.index()]))
}
