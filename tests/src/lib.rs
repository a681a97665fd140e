//! Every test that crosses crates: corpora, snapshots, differential and kernel tests.

pub mod differential;
pub mod large;
pub mod llc;

/// The README's Rust is compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub mod readme {}
