//! What can be refused, and the kernel's code for it.

use std::fmt;

use crate::cells::MAX_BYTES;
use crate::kind::MapKind;

/// The kernel's error numbers that maps answer with, as positive values.
pub mod errno {
    /// Operation not permitted.
    pub const EPERM: i32 = 1;
    /// No such entry.
    pub const ENOENT: i32 = 2;
    /// Too big: the map is full, or an index or a size is out of range.
    pub const E2BIG: i32 = 7;
    /// Out of memory.
    pub const ENOMEM: i32 = 12;
    /// Permission denied: what the program verifier answers.
    pub const EACCES: i32 = 13;
    /// The entry exists.
    pub const EEXIST: i32 = 17;
    /// Invalid argument.
    pub const EINVAL: i32 = 22;
    /// Operation not supported (a number internal to the kernel that still reaches user space).
    pub const ENOTSUPP: i32 = 524;
}

use errno::*;

/// An operation on a map, for messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// Find a value by key.
    Lookup,
    /// Write a value by key.
    Update,
    /// Remove an element by key.
    Delete,
    /// Find and remove an element.
    LookupAndDelete,
    /// Step to the next key.
    NextKey,
    /// Add an element to a queue or stack.
    Push,
    /// Take an element from a queue or stack.
    Pop,
    /// Read the element that a pop would take.
    Peek,
    /// Take the address of a value without a lookup.
    DirectValue,
    /// Forbid further writes by user space.
    Freeze,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Operation::Lookup => "lookup",
            Operation::Update => "update",
            Operation::Delete => "delete",
            Operation::LookupAndDelete => "lookup-and-delete",
            Operation::NextKey => "next-key",
            Operation::Push => "push",
            Operation::Pop => "pop",
            Operation::Peek => "peek",
            Operation::DirectValue => "direct value",
            Operation::Freeze => "freeze",
        })
    }
}

/// Why an operation on a map was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MapError {
    /// No such element, or the queue is empty.
    #[error("no such element")]
    NotFound,
    /// `BPF_NOEXIST`, and the element exists.
    #[error("the element exists")]
    Exists,
    /// No room for another element.
    #[error("the map is full ({max_entries} entries)")]
    Full {
        /// How many elements fit.
        max_entries: u32,
    },
    /// An array index past the end, in an update.
    #[error("index {index} is out of range for {max_entries} entries")]
    OutOfRange {
        /// The index asked for.
        index: u32,
        /// How many there are.
        max_entries: u32,
    },
    /// Flags unknown, contradictory, or without meaning for the operation.
    #[error("invalid flags {flags:#x}")]
    BadFlags {
        /// As given.
        flags: u64,
    },
    /// A key of the wrong size. The kernel takes an address and cannot see this.
    #[error("the key has {got} bytes where the map has {expected}")]
    KeySize {
        /// Bytes the map wants.
        expected: usize,
        /// Bytes given.
        got: usize,
    },
    /// A value of the wrong size. The kernel takes an address and cannot see this.
    #[error("the value has {got} bytes where the map has {expected}")]
    ValueSize {
        /// Bytes the map wants.
        expected: usize,
        /// Bytes given.
        got: usize,
    },
    /// A CPU number that the map was not made for.
    #[error("cpu {cpu} is out of range for {cpus}")]
    BadCpu {
        /// As given.
        cpu: u32,
        /// How many there are.
        cpus: u32,
    },
    /// The operation has no meaning for this kind of map. Where a program does it, the kernel mostly refuses the
    /// program at load already.
    #[error("{operation} is not for a map of kind {kind}")]
    NotForKind {
        /// What was tried.
        operation: Operation,
        /// On what.
        kind: MapKind,
    },
    /// The kernel knows the operation and does not offer it for this map.
    #[error("{operation} is not supported on this map of kind {kind}")]
    Unsupported {
        /// What was tried.
        operation: Operation,
        /// On what.
        kind: MapKind,
    },
    /// User space may not, because the map is frozen or was made read-only or write-only for it.
    #[error("{operation} is not permitted to user space on this map")]
    NotPermitted {
        /// What was tried.
        operation: Operation,
    },
    /// A program tried to write into a map made with `BPF_F_RDONLY_PROG`. The kernel refuses such a program at
    /// load, with this code.
    #[error("{operation} by a program on a map that programs may only read")]
    ReadOnlyForPrograms {
        /// What was tried.
        operation: Operation,
    },
    /// The map would grow past [`MAX_BYTES`], or the allocator gave nothing.
    #[error("out of memory")]
    NoMemory,
}

impl MapError {
    /// The kernel's error number, positive. A helper returns it negated.
    #[must_use]
    pub fn errno(&self) -> i32 {
        match self {
            MapError::NotFound => ENOENT,
            MapError::Exists => EEXIST,
            MapError::Full { .. } => E2BIG,
            MapError::OutOfRange { .. } => E2BIG,
            MapError::BadFlags { .. } => EINVAL,
            MapError::KeySize { .. } => EINVAL,
            MapError::ValueSize { .. } => EINVAL,
            MapError::BadCpu { .. } => EINVAL,
            MapError::NotForKind { .. } => EINVAL,
            MapError::Unsupported { .. } => ENOTSUPP,
            MapError::NotPermitted { .. } => EPERM,
            MapError::ReadOnlyForPrograms { .. } => EACCES,
            MapError::NoMemory => ENOMEM,
        }
    }
}

/// A definition that the kernel would refuse, located by the map's name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("map `{map}`: {problem}")]
pub struct DefError {
    /// The map's name.
    pub map: String,
    /// What is wrong.
    pub problem: DefProblem,
}

/// What is wrong with a definition.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DefProblem {
    /// The key's size is fixed by the kind.
    #[error("a map of kind {kind} has keys of {expected} bytes, not {got}")]
    KeySize {
        /// The kind.
        kind: MapKind,
        /// Bytes it wants.
        expected: u32,
        /// Bytes given.
        got: u32,
    },
    /// A hash needs a key.
    #[error("the key has no bytes")]
    ZeroKey,
    /// A value needs bytes.
    #[error("the value has no bytes")]
    ZeroValue,
    /// A map needs entries.
    #[error("max_entries is zero")]
    ZeroEntries,
    /// Key and value are larger than the kernel takes for this kind.
    #[error("an element of {bytes} bytes is past the {limit} that a map of kind {kind} takes")]
    ElementTooBig {
        /// The kind.
        kind: MapKind,
        /// Bytes the kernel would count.
        bytes: u64,
        /// The most it takes.
        limit: u64,
    },
    /// More entries than the kernel takes for this kind.
    #[error("{got} entries are past the {limit} that a map of kind {kind} takes")]
    TooManyEntries {
        /// The kind.
        kind: MapKind,
        /// Entries given.
        got: u32,
        /// The most it takes.
        limit: u32,
    },
    /// Flags that this kind does not take.
    #[error("a map of kind {kind} does not take the flags {flags:#x}")]
    UnknownFlags {
        /// The kind.
        kind: MapKind,
        /// Those not taken.
        flags: u32,
    },
    /// LRU maps are always preallocated.
    #[error("a map of kind {kind} is always preallocated: BPF_F_NO_PREALLOC is not supported")]
    LruNoPrealloc {
        /// The kind.
        kind: MapKind,
    },
    /// Read-only and write-only at once, for user space or for programs.
    #[error("read-only and write-only exclude each other (flags {flags:#x})")]
    NoAccess {
        /// The two flags.
        flags: u32,
    },
    /// Not a rule of the kernel's: a machine has a CPU.
    #[error("a machine has at least one cpu")]
    NoCpus,
    /// More memory than a map in this process may take. The kernel's own limit depends on the machine.
    #[error("the values need {bytes} bytes, past the limit of {MAX_BYTES}")]
    TooMuchMemory {
        /// Bytes needed at creation.
        bytes: u64,
    },
}

impl DefProblem {
    /// The kernel's error number, positive.
    #[must_use]
    pub fn errno(&self) -> i32 {
        match self {
            DefProblem::KeySize { .. } => EINVAL,
            DefProblem::ZeroKey => EINVAL,
            DefProblem::ZeroValue => EINVAL,
            DefProblem::ZeroEntries => EINVAL,
            DefProblem::ElementTooBig { .. } => E2BIG,
            DefProblem::TooManyEntries { .. } => E2BIG,
            DefProblem::UnknownFlags { .. } => EINVAL,
            DefProblem::LruNoPrealloc { .. } => ENOTSUPP,
            DefProblem::NoAccess { .. } => EINVAL,
            DefProblem::NoCpus => EINVAL,
            DefProblem::TooMuchMemory { .. } => ENOMEM,
        }
    }
}

/// Why a set of maps could not be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SetError {
    /// One of the definitions is refused.
    #[error(transparent)]
    Def(#[from] DefError),
    /// Two maps of one name.
    #[error("map `{name}` is defined twice")]
    Duplicate {
        /// The name.
        name: String,
    },
}
