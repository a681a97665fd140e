//! A machine function as regalloc2 wants to see it.

use regalloc2::{
    Block, Function, Inst, InstRange, Operand, OperandConstraint, OperandKind, OperandPos, PRegSet, RegClass,
};

use super::preg;
use crate::isa::Reg;
use crate::mach::{MachFunc, MachOp, Role, VReg};

/// Flat tables over instructions and blocks.
pub(super) struct Adapter {
    operands: Vec<Operand>,
    /// Where the operands of each instruction start, and the end of the last.
    operand_starts: Vec<u32>,
    clobbers: Vec<Clobbers>,
    ends: Vec<End>,
    /// The first instruction of each block, and the end of the last.
    block_starts: Vec<u32>,
    succs: Vec<Vec<Block>>,
    preds: Vec<Vec<Block>>,
    params: Vec<Vec<regalloc2::VReg>>,
    /// What each block's jump passes on.
    args: Vec<Vec<regalloc2::VReg>>,
    vregs: usize,
    /// R1 to R5, and the same with R0.
    lost: [PRegSet; 2],
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Clobbers {
    None,
    Arguments,
    ArgumentsAndResult,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    No,
    Branch,
    Return,
}

fn vreg(reg: VReg) -> regalloc2::VReg {
    regalloc2::VReg::new(reg.index as usize, RegClass::Int)
}

fn operand(role: Role, reg: VReg) -> Operand {
    use OperandConstraint as C;
    use OperandKind::{Def, Use};
    use OperandPos::{Early, Late};
    let (constraint, kind, pos) = match role {
        Role::Use => (C::Reg, Use, Early),
        Role::UseIn(fixed) => (C::FixedReg(preg(fixed)), Use, Early),
        Role::Def => (C::Reg, Def, Late),
        Role::DefIn(fixed) => (C::FixedReg(preg(fixed)), Def, Late),
        Role::DefReuse => (C::Reuse(0), Def, Late),
    };
    Operand::new(vreg(reg), constraint, kind, pos)
}

impl Adapter {
    /// Registers from `joined` on do not share their operand's register.
    pub(super) fn new(func: &MachFunc<VReg>, joined: u32) -> Adapter {
        let blocks = func.blocks.len();
        let insts = func.blocks.iter().map(|b| b.insts.len()).sum();
        let mut arguments = PRegSet::empty();
        for r in Reg::ARGS {
            arguments.add(preg(r));
        }
        let mut all = arguments;
        all.add(preg(Reg::R0));
        let mut adapter = Adapter {
            operands: Vec::with_capacity(insts * 3),
            operand_starts: Vec::with_capacity(insts + 1),
            clobbers: Vec::with_capacity(insts),
            ends: Vec::with_capacity(insts),
            block_starts: Vec::with_capacity(blocks + 1),
            succs: Vec::with_capacity(blocks),
            preds: vec![Vec::new(); blocks],
            params: Vec::with_capacity(blocks),
            args: Vec::with_capacity(blocks),
            vregs: func.vregs as usize,
            lost: [arguments, all],
        };
        for (b, block) in func.blocks.iter().enumerate() {
            adapter.block_starts.push(index(adapter.ends.len()));
            for inst in &block.insts {
                adapter.push(&inst.op, joined);
            }
            let succs: Vec<Block> = block.successors().iter().map(|l| Block::new(l.index())).collect();
            for succ in &succs {
                adapter.preds[succ.index()].push(Block::new(b));
            }
            adapter.succs.push(succs);
            adapter.params.push(block.params.iter().map(|&p| vreg(p)).collect());
            let args = match block.insts.last().map(|i| &i.op) {
                Some(MachOp::Jump { args, .. }) => args.iter().map(|&a| vreg(a)).collect(),
                _ => Vec::new(),
            };
            adapter.args.push(args);
        }
        adapter.block_starts.push(index(adapter.ends.len()));
        adapter.operand_starts.push(index(adapter.operands.len()));
        adapter
    }

    fn push(&mut self, op: &MachOp<VReg>, joined: u32) {
        self.operand_starts.push(index(self.operands.len()));
        op.map(|role, reg| {
            let alone = role == Role::DefReuse && reg.index >= joined;
            self.operands.push(operand(if alone { Role::Def } else { role }, reg));
        });
        self.clobbers.push(match op {
            MachOp::Call { result: Some(_), .. } => Clobbers::Arguments,
            MachOp::Call { result: None, .. } => Clobbers::ArgumentsAndResult,
            _ => Clobbers::None,
        });
        self.ends.push(match op {
            MachOp::Jump { .. } | MachOp::Branch { .. } => End::Branch,
            MachOp::Ret(_) => End::Return,
            _ => End::No,
        });
    }

    /// The number of a block's first instruction.
    pub(super) fn first_inst(&self, block: usize) -> usize {
        self.block_starts[block] as usize
    }
}

fn index(n: usize) -> u32 {
    u32::try_from(n).expect("fewer than 2³² instructions and operands")
}

impl Function for Adapter {
    fn num_insts(&self) -> usize {
        self.ends.len()
    }
    fn num_blocks(&self) -> usize {
        self.succs.len()
    }
    fn entry_block(&self) -> Block {
        Block::new(0)
    }
    fn block_insns(&self, block: Block) -> InstRange {
        let at = |b: usize| Inst::new(self.block_starts[b] as usize);
        InstRange::new(at(block.index()), at(block.index() + 1))
    }
    fn block_succs(&self, block: Block) -> &[Block] {
        &self.succs[block.index()]
    }
    fn block_preds(&self, block: Block) -> &[Block] {
        &self.preds[block.index()]
    }
    fn block_params(&self, block: Block) -> &[regalloc2::VReg] {
        &self.params[block.index()]
    }
    fn is_ret(&self, inst: Inst) -> bool {
        self.ends[inst.index()] == End::Return
    }
    fn is_branch(&self, inst: Inst) -> bool {
        self.ends[inst.index()] == End::Branch
    }
    fn branch_blockparams(&self, block: Block, _inst: Inst, _succ: usize) -> &[regalloc2::VReg] {
        &self.args[block.index()]
    }
    fn inst_operands(&self, inst: Inst) -> &[Operand] {
        let i = inst.index();
        &self.operands[self.operand_starts[i] as usize..self.operand_starts[i + 1] as usize]
    }
    fn inst_clobbers(&self, inst: Inst) -> PRegSet {
        match self.clobbers[inst.index()] {
            Clobbers::None => PRegSet::empty(),
            Clobbers::Arguments => self.lost[0],
            Clobbers::ArgumentsAndResult => self.lost[1],
        }
    }
    fn num_vregs(&self) -> usize {
        self.vregs
    }
    fn spillslot_size(&self, _class: RegClass) -> usize {
        1
    }
}
