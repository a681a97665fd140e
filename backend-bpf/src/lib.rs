//! Larrow's eBPF backend: binding, legalization, selection, register assignment, encoding, BTF and ELF.

pub mod isa;
