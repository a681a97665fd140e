//! The machine level: functions whose instructions are BPF's, before and after registers are assigned.
//!
//! One set of types serves both stages: `MachFunc<VReg>` comes out of selection, `MachFunc<Reg>` out of register
//! assignment. Three-address until then: an instruction that BPF has in two-address form says with
//! [`Role::DefReuse`] that its result takes its first operand's register.
//!
//! **Invariant:** [`MachOp::map`] is the only place that knows an instruction's operands, their order and their
//! constraints; the allocator's view and the rewriting afterwards both go through it.

mod op;
mod print;

use larrow_ir::cranelift_entity::packed_option::PackedOption;
use larrow_ir::{Block, FuncId, Pos, Value};
use smallvec::SmallVec;
use std::fmt;

pub use op::{AtomicKind, Base, Callee, MachOp, Mem, Regs, Rhs, Role, Symbol};
pub use print::{PrintReg, print};

/// A register before assignment: a value of the IR, or a temporary of the selection.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct VReg {
    /// Dense in its function, from 0.
    pub index: u32,
    /// The IR value that it holds.
    pub value: PackedOption<Value>,
}

/// `v12` for an IR value, `t3` for a temporary.
impl fmt::Display for VReg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.value.expand() {
            Some(v) => write!(f, "{v}"),
            None => write!(f, "t{}", self.index),
        }
    }
}

/// A block of a machine function, by its place in [`MachFunc::blocks`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Label(pub u32);

impl Label {
    /// The place in [`MachFunc::blocks`].
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// An instruction, and where it comes from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MachInst<R> {
    /// What it does.
    pub op: MachOp<R>,
    /// The IR instruction that it was selected for.
    pub value: PackedOption<Value>,
    /// That instruction's position.
    pub pos: Pos,
}

/// A block.
#[derive(Clone, Debug)]
pub struct MachBlock<R> {
    /// The IR block.
    pub block: Block,
    /// What the phis became; jumps here pass as many arguments. Empty after register assignment.
    pub params: SmallVec<[R; 4]>,
    /// The instructions; the last one, and only that, ends the block.
    pub insts: Vec<MachInst<R>>,
}

impl<R> MachBlock<R> {
    /// Where the block's end leads.
    pub fn successors(&self) -> SmallVec<[Label; 2]> {
        self.insts.last().map_or_else(SmallVec::new, |i| i.op.successors())
    }
}

/// A function.
#[derive(Clone, Debug)]
pub struct MachFunc<R> {
    /// Which function of the module.
    pub id: FuncId,
    /// Its blocks in reverse postorder; the first is the entry.
    pub blocks: Vec<MachBlock<R>>,
    /// How many virtual registers were given out.
    pub vregs: u32,
    /// How many spill slots of 8 bytes the assignment needed.
    pub spills: u32,
}
