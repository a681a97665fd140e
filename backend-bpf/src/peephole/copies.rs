//! Copies, reloads and spills of what is there already, block by block.
//!
//! Each register and each spill slot has the number of the value that it holds. A move to where that value is
//! already goes; a reload of a value that some register holds becomes a copy of that register.

use std::collections::HashMap;

use crate::isa::{Reg, Size, Width};
use crate::mach::{Base, MachFunc, MachInst, MachOp, Mem, Rhs};

use super::live::{Set, accesses};

/// Removes what copies nothing.
pub(super) fn remove_redundant_copies(func: &mut MachFunc<Reg>) {
    let mut values = Values { next: 0, regs: [0; 11], spills: HashMap::new() };
    for block in &mut func.blocks {
        values.forget();
        block.insts.retain_mut(|inst| values.keep(inst));
    }
}

struct Values {
    next: u32,
    regs: [u32; 11],
    spills: HashMap<u32, u32>,
}

impl Values {
    fn fresh(&mut self) -> u32 {
        self.next += 1;
        self.next
    }

    fn forget(&mut self) {
        for r in 0..self.regs.len() {
            self.regs[r] = self.fresh();
        }
        self.spills.clear();
    }

    fn of(&self, reg: Reg) -> u32 {
        self.regs[usize::from(reg.number())]
    }

    fn set(&mut self, reg: Reg, value: u32) {
        self.regs[usize::from(reg.number())] = value;
    }

    /// Whether an instruction is needed; updates what is known.
    fn keep(&mut self, inst: &mut MachInst<Reg>) -> bool {
        match inst.op {
            MachOp::Mov { width: Width::W64, dst, src } => self.copy(dst, self.of(src)),
            MachOp::Load { size: Size::DW, dst, mem: Mem { base: Base::Spill(n), .. } } => {
                let Some(&value) = self.spills.get(&n) else {
                    let value = self.fresh();
                    self.spills.insert(n, value);
                    self.set(dst, value);
                    return true;
                };
                if let Some(src) = Reg::ALL[..10].iter().copied().find(|&r| self.of(r) == value) {
                    inst.op = MachOp::Mov { width: Width::W64, dst, src };
                }
                self.copy(dst, value)
            }
            MachOp::Store { mem: Mem { base: Base::Spill(n), .. }, src: Rhs::Reg(src), .. } => {
                let value = self.of(src);
                self.spills.insert(n, value) != Some(value)
            }
            _ => {
                let (_, writes) = accesses(&inst.op);
                for r in Reg::ALL {
                    if writes.any(Set::of(r)) {
                        let value = self.fresh();
                        self.set(r, value);
                    }
                }
                true
            }
        }
    }

    /// Records a copy; whether it changes anything.
    fn copy(&mut self, dst: Reg, value: u32) -> bool {
        let changes = self.of(dst) != value;
        self.set(dst, value);
        changes
    }
}
