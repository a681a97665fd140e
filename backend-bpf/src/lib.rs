//! Larrow's eBPF backend: binding, legalization, selection, register assignment, encoding, BTF and ELF.

pub mod bind;
pub mod btf;
pub mod isa;
#[cfg(feature = "kernel")]
pub mod kernel;
pub mod object;
pub mod ring;
pub mod runtime;
