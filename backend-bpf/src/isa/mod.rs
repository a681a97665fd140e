//! The BPF instruction set: one row of a table per instruction, from which everything else expands.
//!
//! * [`Inst`] is one instruction with its operands; its constructors are what code generation calls.
//! * [`Opcode`] names the row, [`Kind`] says what it does in a form to match exhaustively.
//! * [`encode`] and [`decode`] go to bytes and back; `Display` prints the kernel's syntax; [`Listing`] prints programs.
//! * [`Inst::reads`] and [`Inst::writes`] are the registers an instruction touches, for peepholes and checks.
//! * [`Isa`] and [`Feature`] say what a target takes.
//!
//! **Invariant:** nothing here knows of maps, sections or virtual registers. A program is a list of instructions, its
//! unit of position is the slot of eight bytes, and two-slot instructions count twice.

mod build;
mod codec;
mod effects;
mod inst;
mod kind;
mod level;
mod listing;
mod opcode;
mod reg;
mod table;
mod text;

#[cfg(test)]
mod cases;
#[cfg(test)]
mod random;

pub use build::Src;
pub use codec::{DecodeError, DecodeFault, Field, SLOT_BYTES, decode, decode_one, encode};
pub use effects::RegSet;
pub use inst::{ImmRange, Inst, JumpRange};
pub use kind::{AluOp, AtomicOp, Bits, Callee, Cond, Endian, Imm64, Kind, MovSx, Operand, Packet};
pub use level::{Feature, Isa, Kernel, UnknownIsa};
pub use listing::{Listing, NoNames, ProgramNames};
pub use opcode::{Opcode, Row, Spec};
pub use reg::{LowHalf, Narrow, Reg, Size, Width};
#[allow(unused_imports, reason = "for the machine, which has an arm per row")]
pub(crate) use table::for_each_inst;
