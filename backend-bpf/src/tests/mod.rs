//! Whole functions through the code generator; with the `kernel` feature, run by the kernel.

mod build;
mod diagnose;
#[cfg(feature = "kernel")]
mod machine;
#[cfg(feature = "kernel")]
mod programs;
#[cfg(feature = "kernel")]
mod random;
mod shape;
