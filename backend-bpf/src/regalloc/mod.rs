//! Register assignment with regalloc2's backtracking allocator.
//!
//! R0 to R9 are free in every function: the kernel saves R6 to R9 over a call. R10 is the frame pointer and not
//! the allocator's. What moves it inserts become copies, spills and reloads of whole registers.

mod adapter;
mod webs;

use regalloc2::{
    Algorithm, Allocation, Edit, InstOrEdit, MachineEnv, Output, PReg, PRegSet, RegClass, RegallocOptions,
};
use smallvec::SmallVec;

use crate::isa::{Reg, Size, Width};
use crate::mach::{Base, MachBlock, MachFunc, MachInst, MachOp, Mem, Rhs, VReg};
use adapter::Adapter;
use larrow_ir::Pos;
use larrow_ir::cranelift_entity::packed_option::PackedOption;

/// A machine register for the allocator.
pub(crate) fn preg(reg: Reg) -> PReg {
    PReg::new(usize::from(reg.number()), RegClass::Int)
}

fn reg(alloc: Allocation) -> Reg {
    let preg = alloc.as_reg().expect("every operand is constrained to a register");
    Reg::from_number(u8::try_from(preg.hw_enc()).expect("below 10")).expect("one of the ten registers")
}

/// Gives every virtual register a machine register.
///
/// # Errors
/// What the allocator says: that too many values are needed in registers at once by one instruction, or that
/// selection broke its rules.
pub(crate) fn assign(func: &MachFunc<VReg>) -> Result<MachFunc<Reg>, String> {
    let joined = func.vregs;
    let func = &*webs::cut(func);
    let adapter = Adapter::new(func, joined);
    let mut all = PRegSet::empty();
    for r in &Reg::ALL[..10] {
        all.add(preg(*r));
    }
    let none = PRegSet::empty();
    let env = MachineEnv {
        preferred_regs_by_class: [all, none, none],
        non_preferred_regs_by_class: [none; 3],
        scratch_by_class: [None; 3],
        fixed_stack_slots: Vec::new(),
    };
    let options = RegallocOptions {
        verbose_log: false,
        validate_ssa: cfg!(debug_assertions),
        algorithm: Algorithm::Ion,
    };
    let output = regalloc2::run(&adapter, &env, &options).map_err(|e| e.to_string())?;
    #[cfg(test)]
    check(&adapter, &env, &output);
    Ok(apply(func, &adapter, &output))
}

/// Proves that the assignment computes what the virtual registers did.
#[cfg(test)]
fn check(adapter: &Adapter, env: &MachineEnv, output: &Output) {
    let mut checker = regalloc2::checker::Checker::new(adapter, env);
    checker.prepare(output);
    checker.run().expect("the assignment is right");
}

fn apply(func: &MachFunc<VReg>, adapter: &Adapter, output: &Output) -> MachFunc<Reg> {
    let blocks = func.blocks.iter().enumerate().map(|(b, block)| {
        let mut insts = Vec::with_capacity(block.insts.len() + 4);
        let index = regalloc2::Block::new(b);
        let first = adapter.first_inst(b);
        let mut at = 0;
        for item in output.block_insts_and_edits(adapter, index) {
            match item {
                InstOrEdit::Edit(Edit::Move { from, to }) => {
                    let pos = block.insts.get(at).map_or(Pos::None, |i| i.pos);
                    insts.extend(moved(*from, *to, pos));
                }
                InstOrEdit::Inst(inst) => {
                    at = inst.index() - first;
                    let old = &block.insts[at];
                    at += 1;
                    if !matches!(old.op, MachOp::Params(_)) {
                        let mut allocs = output.inst_allocs(inst).iter();
                        let op =
                            old.op.map(|_, _| reg(*allocs.next().expect("an allocation for every operand")));
                        insts.push(MachInst { op, value: old.value, pos: old.pos });
                    }
                }
            }
        }
        MachBlock { block: block.block, params: SmallVec::new(), insts }
    });
    let spills = u32::try_from(output.num_spillslots).expect("fewer than 2³² spill slots");
    MachFunc { id: func.id, blocks: blocks.collect(), vregs: func.vregs, spills }
}

/// The instruction that a move of the allocator is; none if nothing moves.
fn moved(from: Allocation, to: Allocation, pos: Pos) -> Option<MachInst<Reg>> {
    let spill = |alloc: Allocation| {
        let slot = alloc.as_stack().expect("a register or a stack slot");
        let index = u32::try_from(slot.index()).expect("fewer than 2³² spill slots");
        Mem { base: Base::Spill(index), off: 0 }
    };
    let op = match (from.is_reg(), to.is_reg()) {
        (true, true) if from == to => return None,
        (true, true) => MachOp::Mov { width: Width::W64, dst: reg(to), src: reg(from) },
        (true, false) => MachOp::Store { size: Size::DW, mem: spill(to), src: Rhs::Reg(reg(from)) },
        (false, _) => MachOp::Load { size: Size::DW, dst: reg(to), mem: spill(from) },
    };
    Some(MachInst { op, value: PackedOption::default(), pos })
}
