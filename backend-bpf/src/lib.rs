//! Larrow's eBPF backend: binding, legalization, selection, register assignment, encoding, BTF and ELF.

mod compile;
pub mod ctx;
pub mod frame;
pub mod helpers;
pub mod isa;
pub mod layout;
pub mod legalize;
pub mod mach;
mod peephole;
mod regalloc;
mod select;

pub use compile::{CompiledFunc, CompiledModule, Stage, TargetOptions, compile_module};
