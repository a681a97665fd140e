//! Machine instructions and their operands.

use larrow_ir::{FuncId, GlobalId, MapId, Slot};
use smallvec::SmallVec;

use super::Label;
use crate::helpers::Helper;
use crate::isa::{AluOp, AtomicOp, Bits, Cond, Endian, MovSx, Narrow, Reg, Size, Width};

/// Arguments of a call, of which there are at most five.
pub type Regs<R> = SmallVec<[R; 5]>;

/// A second operand.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rhs<R> {
    /// A register.
    Reg(R),
    /// An immediate, sign-extended to the operation's width.
    Imm(i32),
}

/// What a memory operand starts from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Base<R> {
    /// A pointer.
    Reg(R),
    /// A stack slot of the function.
    Slot(Slot),
    /// A spill slot.
    Spill(u32),
}

/// A memory operand: a start and a distance in bytes, which fits 16 bits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mem<R> {
    /// Where it starts.
    pub base: Base<R>,
    /// Bytes from there.
    pub off: i32,
}

/// An address that loading makes known.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Symbol {
    /// A map.
    Map(MapId),
    /// Bytes into the value of a one-element array.
    MapValue(MapId, u32),
    /// A variable.
    Global(GlobalId),
    /// A function's address, for a callback.
    Func(FuncId),
    /// A function, to be called.
    Call(FuncId),
}

/// What a call calls.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Callee {
    /// A helper of the kernel.
    Helper(&'static Helper),
    /// A function of the module.
    Func(FuncId),
}

/// The read-modify-write forms whose result replaces the source register.
pub type AtomicKind = AtomicOp;

/// What a register is to an instruction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// Read.
    Use,
    /// Read from this register.
    UseIn(Reg),
    /// Written.
    Def,
    /// Written in this register.
    DefIn(Reg),
    /// Written in the register of the first operand.
    DefReuse,
}

/// What an instruction does.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum MachOp<R> {
    /// The parameters, in R1 to R5. Gone after register assignment.
    Params(Regs<R>),
    /// `dst = imm`
    MovImm {
        /// Written.
        dst: R,
        /// All 64 bits.
        imm: i64,
    },
    /// `dst = src`; 32 bits wide it clears the upper half. The wide one takes its operand's register where it can.
    Mov {
        /// How much is copied.
        width: Width,
        /// Written.
        dst: R,
        /// Read.
        src: R,
    },
    /// `dst = sign-extended src`
    MovSx {
        /// From and to how many bits.
        how: MovSx,
        /// Written.
        dst: R,
        /// Read.
        src: R,
    },
    /// `dst = address of symbol`, two slots.
    Address {
        /// Written.
        dst: R,
        /// What is addressed.
        symbol: Symbol,
    },
    /// `dst = address of a stack slot + off`, two instructions.
    FrameAddress {
        /// Written.
        dst: R,
        /// The slot.
        slot: Slot,
        /// Bytes into it.
        off: i32,
    },
    /// `dst = lhs op rhs`, two-address: `dst` is `lhs`'s register.
    Alu {
        /// Any but `Mov`.
        op: AluOp,
        /// On how many bits; 32 clear the upper half.
        width: Width,
        /// Written.
        dst: R,
        /// Read.
        lhs: R,
        /// Read.
        rhs: Rhs<R>,
    },
    /// `dst = -src`, two-address.
    Neg {
        /// On how many bits.
        width: Width,
        /// Written.
        dst: R,
        /// Read.
        src: R,
    },
    /// `dst = src` in another byte order, two-address.
    Endian {
        /// Which.
        order: Endian,
        /// Of how many bits; those above are cleared.
        bits: Bits,
        /// Written.
        dst: R,
        /// Read.
        src: R,
    },
    /// `dst = [mem]`, zero-extended.
    Load {
        /// How much.
        size: Size,
        /// Written.
        dst: R,
        /// From where.
        mem: Mem<R>,
    },
    /// `dst = [mem]`, sign-extended to 64 bits.
    LoadSx {
        /// How much.
        size: Narrow,
        /// Written.
        dst: R,
        /// From where.
        mem: Mem<R>,
    },
    /// `dst = [mem]`, and later accesses stay behind it.
    LoadAcquire {
        /// How much.
        size: Size,
        /// Written.
        dst: R,
        /// From where.
        mem: Mem<R>,
    },
    /// `[mem] = src`
    Store {
        /// How much.
        size: Size,
        /// To where.
        mem: Mem<R>,
        /// What.
        src: Rhs<R>,
    },
    /// `[mem] op= src`, without a result.
    Atomic {
        /// A form without a result.
        op: AtomicKind,
        /// 32 or 64 bits.
        width: Width,
        /// Where.
        mem: Mem<R>,
        /// With what.
        src: R,
    },
    /// `dst = old [mem]; [mem] op= src`: `dst` is `src`'s register.
    AtomicFetch {
        /// A fetching form.
        op: AtomicKind,
        /// 32 or 64 bits.
        width: Width,
        /// Written.
        dst: R,
        /// Where.
        mem: Mem<R>,
        /// With what.
        src: R,
    },
    /// `dst = old [mem]; if it is expected, [mem] = new`: expected and result in R0.
    CmpXchg {
        /// 32 or 64 bits.
        width: Width,
        /// Written.
        dst: R,
        /// Where.
        mem: Mem<R>,
        /// What must be there.
        expected: R,
        /// What then is.
        new: R,
    },
    /// A call: arguments in R1 to R5, result in R0.
    Call {
        /// Whom.
        callee: Callee,
        /// With what.
        args: Regs<R>,
        /// The result, if it is used.
        result: Option<R>,
    },
    /// Ends the block: goes on there.
    Jump {
        /// Where.
        to: Label,
        /// What its parameters become.
        args: SmallVec<[R; 4]>,
    },
    /// Ends the block: goes on at one of two places.
    Branch {
        /// How the operands compare.
        cond: Cond,
        /// In how many bits.
        width: Width,
        /// Read.
        lhs: R,
        /// Read.
        rhs: Rhs<R>,
        /// If they do.
        then: Label,
        /// If they do not.
        other: Label,
    },
    /// Ends the block and the function; the result in R0.
    Ret(Option<R>),
}

impl<R: Copy> Rhs<R> {
    fn map<Q>(self, f: &mut impl FnMut(Role, R) -> Q) -> Rhs<Q> {
        match self {
            Rhs::Reg(r) => Rhs::Reg(f(Role::Use, r)),
            Rhs::Imm(imm) => Rhs::Imm(imm),
        }
    }
}

impl<R: Copy> Mem<R> {
    fn map<Q>(self, f: &mut impl FnMut(Role, R) -> Q) -> Mem<Q> {
        let base = match self.base {
            Base::Reg(r) => Base::Reg(f(Role::Use, r)),
            Base::Slot(s) => Base::Slot(s),
            Base::Spill(n) => Base::Spill(n),
        };
        Mem { base, off: self.off }
    }
}

impl<R: Copy> MachOp<R> {
    /// The same instruction over other registers. Calls `f` with each register in the order in which the
    /// allocator sees them: what a result reuses comes first, results come last. Arguments of a jump are not
    /// among them; they are dropped.
    pub fn map<Q>(&self, mut f: impl FnMut(Role, R) -> Q) -> MachOp<Q> {
        let f = &mut f;
        match *self {
            MachOp::Params(ref regs) => {
                let defs = regs.iter().zip(Reg::ARGS).map(|(&r, fixed)| f(Role::DefIn(fixed), r));
                MachOp::Params(defs.collect())
            }
            MachOp::MovImm { dst, imm } => MachOp::MovImm { dst: f(Role::Def, dst), imm },
            MachOp::Mov { width, dst, src } => {
                let src = f(Role::Use, src);
                let role = if width == Width::W64 { Role::DefReuse } else { Role::Def };
                MachOp::Mov { width, dst: f(role, dst), src }
            }
            MachOp::MovSx { how, dst, src } => {
                let src = f(Role::Use, src);
                MachOp::MovSx { how, dst: f(Role::Def, dst), src }
            }
            MachOp::Address { dst, symbol } => MachOp::Address { dst: f(Role::Def, dst), symbol },
            MachOp::FrameAddress { dst, slot, off } => {
                MachOp::FrameAddress { dst: f(Role::Def, dst), slot, off }
            }
            MachOp::Alu { op, width, dst, lhs, rhs } => {
                let lhs = f(Role::Use, lhs);
                let rhs = rhs.map(f);
                MachOp::Alu { op, width, dst: f(Role::DefReuse, dst), lhs, rhs }
            }
            MachOp::Neg { width, dst, src } => {
                let src = f(Role::Use, src);
                MachOp::Neg { width, dst: f(Role::DefReuse, dst), src }
            }
            MachOp::Endian { order, bits, dst, src } => {
                let src = f(Role::Use, src);
                MachOp::Endian { order, bits, dst: f(Role::DefReuse, dst), src }
            }
            MachOp::Load { size, dst, mem } => {
                let mem = mem.map(f);
                MachOp::Load { size, dst: f(Role::Def, dst), mem }
            }
            MachOp::LoadSx { size, dst, mem } => {
                let mem = mem.map(f);
                MachOp::LoadSx { size, dst: f(Role::Def, dst), mem }
            }
            MachOp::LoadAcquire { size, dst, mem } => {
                let mem = mem.map(f);
                MachOp::LoadAcquire { size, dst: f(Role::Def, dst), mem }
            }
            MachOp::Store { size, mem, src } => {
                let mem = mem.map(f);
                MachOp::Store { size, mem, src: src.map(f) }
            }
            MachOp::Atomic { op, width, mem, src } => {
                let src = f(Role::Use, src);
                MachOp::Atomic { op, width, mem: mem.map(f), src }
            }
            MachOp::AtomicFetch { op, width, dst, mem, src } => {
                let src = f(Role::Use, src);
                let mem = mem.map(f);
                MachOp::AtomicFetch { op, width, dst: f(Role::DefReuse, dst), mem, src }
            }
            MachOp::CmpXchg { width, dst, mem, expected, new } => {
                let expected = f(Role::UseIn(Reg::R0), expected);
                let mem = mem.map(f);
                let new = f(Role::Use, new);
                MachOp::CmpXchg { width, dst: f(Role::DefIn(Reg::R0), dst), mem, expected, new }
            }
            MachOp::Call { callee, ref args, result } => {
                let args = args.iter().zip(Reg::ARGS).map(|(&r, fixed)| f(Role::UseIn(fixed), r)).collect();
                MachOp::Call { callee, args, result: result.map(|r| f(Role::DefIn(Reg::R0), r)) }
            }
            MachOp::Jump { to, .. } => MachOp::Jump { to, args: SmallVec::new() },
            MachOp::Branch { cond, width, lhs, rhs, then, other } => {
                let lhs = f(Role::Use, lhs);
                MachOp::Branch { cond, width, lhs, rhs: rhs.map(f), then, other }
            }
            MachOp::Ret(value) => MachOp::Ret(value.map(|r| f(Role::UseIn(Reg::R0), r))),
        }
    }

    /// Whether this calls, and so loses R0 to R5.
    pub fn is_call(&self) -> bool {
        matches!(self, MachOp::Call { .. })
    }
}

impl<R> MachOp<R> {
    /// Where control goes on, in the order `then`, `other`; none unless this ends a block.
    pub fn successors(&self) -> SmallVec<[Label; 2]> {
        match self {
            MachOp::Jump { to, .. } => SmallVec::from_slice(&[*to]),
            MachOp::Branch { then, other, .. } => SmallVec::from_slice(&[*then, *other]),
            MachOp::Params(_)
            | MachOp::MovImm { .. }
            | MachOp::Mov { .. }
            | MachOp::MovSx { .. }
            | MachOp::Address { .. }
            | MachOp::FrameAddress { .. }
            | MachOp::Alu { .. }
            | MachOp::Neg { .. }
            | MachOp::Endian { .. }
            | MachOp::Load { .. }
            | MachOp::LoadSx { .. }
            | MachOp::LoadAcquire { .. }
            | MachOp::Store { .. }
            | MachOp::Atomic { .. }
            | MachOp::AtomicFetch { .. }
            | MachOp::CmpXchg { .. }
            | MachOp::Call { .. }
            | MachOp::Ret(_) => SmallVec::new(),
        }
    }
}
