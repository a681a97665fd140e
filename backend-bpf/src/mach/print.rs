//! Machine functions as text.
//!
//! ```text
//! b0:
//!     v0 = params
//!     v4 = u32 [v0 + 4]
//!     t7 = map @flows
//!     v9 = call map_lookup_elem(r1: t7, r2: v8)
//!     if v9 == 0 → b2, b1
//! ```

use std::fmt::{self, Display, Write};

use larrow_ir::Module;

use super::{Base, Callee, Label, MachBlock, MachFunc, MachOp, Mem, Rhs, Symbol, VReg};
use crate::isa::{AluOp, AtomicOp, Bits, Cond, Endian, MovSx, Reg, Width};

/// A register that can be printed in both its widths.
pub trait PrintReg: Copy {
    /// Writes the register, or its lower half.
    fn write(self, width: Width, f: &mut dyn Write) -> fmt::Result;
    /// Whether the register is one of the machine's.
    const PHYSICAL: bool;
}

impl PrintReg for VReg {
    fn write(self, width: Width, f: &mut dyn Write) -> fmt::Result {
        match width {
            Width::W64 => write!(f, "{self}"),
            Width::W32 => write!(f, "{self}.w"),
        }
    }
    const PHYSICAL: bool = false;
}

impl PrintReg for Reg {
    fn write(self, width: Width, f: &mut dyn Write) -> fmt::Result {
        match width {
            Width::W64 => write!(f, "{self}"),
            Width::W32 => write!(f, "{}", self.w()),
        }
    }
    const PHYSICAL: bool = true;
}

struct Show<R>(R, Width);

impl<R: PrintReg> Display for Show<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.write(self.1, f)
    }
}

fn r<R: PrintReg>(reg: R) -> Show<R> {
    Show(reg, Width::W64)
}

struct ShowRhs<R>(Rhs<R>, Width);

impl<R: PrintReg> Display for ShowRhs<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Rhs::Reg(reg) => reg.write(self.1, f),
            Rhs::Imm(imm) => write!(f, "{imm}"),
        }
    }
}

impl<R: PrintReg> Display for Mem<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('[')?;
        match self.base {
            Base::Reg(reg) => reg.write(Width::W64, f)?,
            Base::Slot(slot) => write!(f, "{slot}")?,
            Base::Spill(n) => write!(f, "spill{n}")?,
        }
        match self.off {
            0 => {}
            off if off < 0 => write!(f, " - {}", off.unsigned_abs())?,
            off => write!(f, " + {off}")?,
        }
        f.write_char(']')
    }
}

/// The spelling of an operation.
fn alu_text(op: AluOp) -> &'static str {
    match op {
        AluOp::Add => "+",
        AluOp::Sub => "-",
        AluOp::Mul => "*",
        AluOp::Div => "/",
        AluOp::Or => "|",
        AluOp::And => "&",
        AluOp::Lsh => "<<",
        AluOp::Rsh => ">>",
        AluOp::Mod => "%",
        AluOp::Xor => "^",
        AluOp::Mov => "mov",
        AluOp::Arsh => "s>>",
        AluOp::SDiv => "s/",
        AluOp::SMod => "s%",
    }
}

fn cond_text(cond: Cond) -> &'static str {
    match cond {
        Cond::Eq => "==",
        Cond::Ne => "!=",
        Cond::Gt => ">",
        Cond::Ge => ">=",
        Cond::Lt => "<",
        Cond::Le => "<=",
        Cond::Set => "&",
        Cond::Sgt => "s>",
        Cond::Sge => "s>=",
        Cond::Slt => "s<",
        Cond::Sle => "s<=",
    }
}

fn atomic_text(op: AtomicOp) -> &'static str {
    match op {
        AtomicOp::Add => "atomic add",
        AtomicOp::Or => "atomic or",
        AtomicOp::And => "atomic and",
        AtomicOp::Xor => "atomic xor",
        AtomicOp::FetchAdd => "atomic fetch_add",
        AtomicOp::FetchOr => "atomic fetch_or",
        AtomicOp::FetchAnd => "atomic fetch_and",
        AtomicOp::FetchXor => "atomic fetch_xor",
        AtomicOp::Xchg => "atomic xchg",
        AtomicOp::CmpXchg => "atomic cmpxchg",
    }
}

fn movsx_text(how: MovSx) -> (&'static str, Width) {
    match how {
        MovSx::S8To64 => ("(s8)", Width::W64),
        MovSx::S16To64 => ("(s16)", Width::W64),
        MovSx::S32To64 => ("(s32)", Width::W64),
        MovSx::S8To32 => ("(s8)", Width::W32),
        MovSx::S16To32 => ("(s16)", Width::W32),
    }
}

fn endian_text(order: Endian, bits: Bits) -> String {
    let order = match order {
        Endian::Le => "le",
        Endian::Be => "be",
        Endian::Bswap => "bswap",
    };
    let bits = match bits {
        Bits::B16 => 16,
        Bits::B32 => 32,
        Bits::B64 => 64,
    };
    format!("{order}{bits}")
}

/// Prints a function: a line per instruction, each ending in a newline.
pub fn print<R: PrintReg>(func: &MachFunc<R>, module: &Module) -> String {
    let mut out = String::new();
    Printer { func, module }.write(&mut out).expect("a string takes everything");
    out
}

struct Printer<'a, R> {
    func: &'a MachFunc<R>,
    module: &'a Module,
}

impl<R: PrintReg> Printer<'_, R> {
    fn write(&self, out: &mut String) -> fmt::Result {
        for block in &self.func.blocks {
            self.write_block(block, out)?;
        }
        Ok(())
    }

    fn write_block(&self, block: &MachBlock<R>, out: &mut String) -> fmt::Result {
        write!(out, "{}", block.block)?;
        if !block.params.is_empty() {
            out.push('(');
            self.write_list(&block.params, out)?;
            out.push(')');
        }
        out.push_str(":\n");
        for inst in &block.insts {
            out.push_str("    ");
            self.write_op(&inst.op, out)?;
            out.push('\n');
        }
        Ok(())
    }

    fn write_list(&self, regs: &[R], out: &mut String) -> fmt::Result {
        for (i, &reg) in regs.iter().enumerate() {
            write!(out, "{}{}", if i == 0 { "" } else { ", " }, r(reg))?;
        }
        Ok(())
    }

    fn block(&self, label: Label) -> larrow_ir::Block {
        self.func.blocks[label.index()].block
    }

    fn symbol(&self, symbol: Symbol) -> String {
        match symbol {
            Symbol::Map(m) => format!("map @{}", self.module.decls.maps.name(m)),
            Symbol::MapValue(m, off) => format!("value of @{} + {off}", self.module.decls.maps.name(m)),
            Symbol::Global(g) => format!("address of @{}", self.module.decls.globals.name(g)),
            Symbol::Func(id) => format!("address of @{}", self.module.funcs.name(id)),
            Symbol::Call(id) => format!("@{}", self.module.funcs.name(id)),
        }
    }

    fn write_call(&self, callee: Callee, args: &[R], result: Option<R>, out: &mut String) -> fmt::Result {
        if let Some(result) = result {
            write!(out, "{} = ", r(result))?;
        }
        match callee {
            Callee::Helper(helper) => write!(out, "call {}(", helper.name)?,
            Callee::Func(id) => write!(out, "call @{}(", self.module.funcs.name(id))?,
        }
        for (i, (&arg, fixed)) in args.iter().zip(Reg::ARGS).enumerate() {
            out.push_str(if i == 0 { "" } else { ", " });
            // After assignment the argument *is* its register.
            if !R::PHYSICAL {
                write!(out, "{fixed}: ")?;
            }
            write!(out, "{}", r(arg))?;
        }
        out.push(')');
        Ok(())
    }

    fn write_op(&self, op: &MachOp<R>, out: &mut String) -> fmt::Result {
        match *op {
            MachOp::Params(ref regs) => {
                self.write_list(regs, out)?;
                write!(out, " = params")
            }
            MachOp::MovImm { dst, imm } => write!(out, "{} = {imm}", r(dst)),
            MachOp::Mov { width, dst, src } => write!(out, "{} = {}", Show(dst, width), Show(src, width)),
            MachOp::MovSx { how, dst, src } => {
                let (text, width) = movsx_text(how);
                write!(out, "{} = {text}{}", Show(dst, width), Show(src, width))
            }
            MachOp::Address { dst, symbol } => write!(out, "{} = {}", r(dst), self.symbol(symbol)),
            MachOp::FrameAddress { dst, slot, off } => write!(out, "{} = address of {slot} + {off}", r(dst)),
            MachOp::Alu { op, width, dst, lhs, rhs } => {
                let (dst, lhs, rhs) = (Show(dst, width), Show(lhs, width), ShowRhs(rhs, width));
                write!(out, "{dst} = {lhs} {} {rhs}", alu_text(op))
            }
            MachOp::Neg { width, dst, src } => write!(out, "{} = -{}", Show(dst, width), Show(src, width)),
            MachOp::Endian { order, bits, dst, src } => {
                write!(out, "{} = {} {}", r(dst), endian_text(order, bits), r(src))
            }
            MachOp::Load { size, dst, mem } => write!(out, "{} = {size} {mem}", r(dst)),
            MachOp::LoadSx { size, dst, mem } => {
                write!(out, "{} = s{} {mem}", r(dst), size.size().bits())
            }
            MachOp::LoadAcquire { size, dst, mem } => write!(out, "{} = acquire {size} {mem}", r(dst)),
            MachOp::Store { size, mem, src } => write!(out, "{size} {mem} = {}", ShowRhs(src, Width::W64)),
            MachOp::Atomic { op, width, mem, src } => {
                write!(out, "{} u{} {mem}, {}", atomic_text(op), width.bits(), r(src))
            }
            MachOp::AtomicFetch { op, width, dst, mem, src } => {
                write!(out, "{} = {} u{} {mem}, {}", r(dst), atomic_text(op), width.bits(), r(src))
            }
            MachOp::CmpXchg { width, dst, mem, expected, new } => {
                let (dst, expected, new) = (r(dst), r(expected), r(new));
                write!(out, "{dst} = atomic cmpxchg u{} {mem}, {expected}, {new}", width.bits())
            }
            MachOp::Call { callee, ref args, result } => self.write_call(callee, args, result, out),
            MachOp::Jump { to, ref args } => {
                write!(out, "goto {}", self.block(to))?;
                if !args.is_empty() {
                    out.push('(');
                    self.write_list(args, out)?;
                    out.push(')');
                }
                Ok(())
            }
            MachOp::Branch { cond, width, lhs, rhs, then, other } => {
                let (lhs, rhs) = (Show(lhs, width), ShowRhs(rhs, width));
                let (then, other) = (self.block(then), self.block(other));
                write!(out, "if {lhs} {} {rhs} → {then}, {other}", cond_text(cond))
            }
            MachOp::Ret(None) => write!(out, "exit"),
            MachOp::Ret(Some(value)) => write!(out, "exit {}", r(value)),
        }
    }
}
