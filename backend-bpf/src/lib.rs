//! Larrow's eBPF backend: binding, legalization, selection, register assignment, encoding, BTF and ELF.
//!
//! [`compile_module`] takes a module without channel ops to instructions, [`emit`] those to an [`object::Object`].

pub mod bind;
pub mod btf;
mod compile;
pub mod ctx;
mod emit;
pub mod frame;
pub mod helpers;
pub mod isa;
#[cfg(feature = "kernel")]
pub mod kernel;
pub mod layout;
pub mod legalize;
pub mod llvm;
pub mod mach;
pub mod object;
mod panic;
mod peephole;
mod regalloc;
pub mod ring;
pub mod runtime;
mod select;
pub mod target;
#[cfg(test)]
mod tests;

pub use compile::{CompiledFunc, CompiledModule, Stage, TargetOptions, compile_module};
pub use emit::{EmitError, SITES_SECTION, btf_type, emit};
