//! The larrow command-line tool, as a library: what the tests and the binary share.
//!
//! [`engine`] runs a module in the interpreter or on the kernel, with the same inputs and the same observations;
//! [`packet`] makes packets to run it on; [`command`] is the tool itself.

pub mod command;
pub mod engine;
pub mod packet;
