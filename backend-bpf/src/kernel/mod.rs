//! The running kernel, by raw `bpf(2)` calls: maps, types, programs, test runs.
//!
//! [`LoadedObject::load`] does what libbpf does with an object; [`Program::test_run`] runs a program once on given
//! input. Everything is closed when it is dropped. Nothing here needs more than `libc`.
//!
//! **Invariant:** every pointer handed to the kernel stands beside its length, and buffers the kernel writes to have
//! the size that the map or program was created with; only `sys` and `mmap` know the addresses.
#![expect(unsafe_code, reason = "system calls and memory shared with the kernel have no safe interface")]

mod info;
mod load;
mod log;
mod map;
mod mmap;
mod probe;
mod program;
mod run;
mod sys;
#[cfg(test)]
mod tests;

use std::io;

use crate::object::ObjectError;

pub use info::ProgramInfo;
pub use load::{LoadOptions, LoadedObject};
pub use log::{LogLevel, VerifierStats};
pub use map::{Entry, Map, UpdateMode, possible_cpus};
pub use mmap::MappedValues;
pub use probe::{Kernel, KernelVersion, StatsGuard, Unavailable};
pub use program::{LoadedBtf, Program};
pub use run::{RunInput, TestRun};

/// What can go wrong between us and the kernel.
#[derive(Debug, thiserror::Error)]
pub enum KernelError {
    /// The kernel refused a call.
    #[error("{what}: {source}")]
    Call {
        /// What was to be done, and to what.
        what: String,
        /// The kernel's answer.
        source: io::Error,
    },
    /// The verifier rejected a program.
    #[error("the verifier rejected program `{program}`: {source}\n{log}")]
    Rejected {
        /// The program.
        program: String,
        /// The verifier's log, with source lines if the object has them.
        log: String,
        /// The kernel's answer.
        source: io::Error,
    },
    /// The kernel rejected the types.
    #[error("the kernel rejected the BTF: {source}\n{log}")]
    BtfRejected {
        /// What it says about them.
        log: String,
        /// The kernel's answer.
        source: io::Error,
    },
    /// The object itself is wrong.
    #[error(transparent)]
    Object(#[from] ObjectError),
    /// A program's section has a name that says nothing.
    #[error("program `{program}`: section `{section}` is of no known kind; known are {known}")]
    UnknownSection {
        /// The program.
        program: String,
        /// Its section.
        section: String,
        /// The names that are known.
        known: String,
    },
    /// The object needs what this loader does not do.
    #[error("{what}")]
    Unsupported {
        /// What it is.
        what: String,
    },
    /// A key, value or input of the wrong size.
    #[error("{what} is {got} bytes long; {expected}")]
    Size {
        /// Which buffer, of which map or program.
        what: String,
        /// How long it is.
        got: usize,
        /// How long it should be.
        expected: String,
    },
}

impl KernelError {
    fn call(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::Call { what, source }
    }

    /// The kernel's error number, if it was the kernel that refused.
    pub fn errno(&self) -> Option<i32> {
        match self {
            Self::Call { source, .. } | Self::Rejected { source, .. } | Self::BtfRejected { source, .. } => {
                source.raw_os_error()
            }
            Self::Object(_) | Self::UnknownSection { .. } | Self::Unsupported { .. } | Self::Size { .. } => {
                None
            }
        }
    }
}
