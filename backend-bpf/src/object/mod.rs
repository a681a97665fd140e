//! A BPF object file: what it holds, independent of who produced it, with a writer, a reader and a linker.
//!
//! [`Object`] is a plain description: programs, the functions they share, maps, global data, types. [`write()`] makes
//! an ELF file of it that bpftool, libbpf, aya and cilium/ebpf load; [`read()`] takes such a file, or one of clang's,
//! apart again; [`link()`] gives one program with the functions it needs appended, as the kernel wants it.
//!
//! **Invariant:** code is bytes in the BPF instruction format, 8 a slot. An instruction with a relocation leaves the
//! relocated fields to whoever resolves it: what the bytes hold there is ignored.

mod check;
mod declare;
mod link;
mod map;
mod read;
mod section;
mod slot;
mod symbols;
#[cfg(test)]
pub(crate) mod tests;
mod write;

use crate::btf::{Btf, BtfError, TypeId};

#[cfg(feature = "kernel")]
pub(crate) use declare::complete;
#[cfg(feature = "kernel")]
pub(crate) use link::link_checked;
pub use link::{Linked, Placed, link};
pub use map::{Layout, MapKind, MapSpec};
pub use read::read;
pub use section::{ProgramKind, ProgramSection};
#[cfg(feature = "kernel")]
pub(crate) use slot::{PSEUDO_MAP_FD, PSEUDO_MAP_VALUE, SLOT, set_immediate, set_src};
#[cfg(feature = "kernel")]
pub(crate) use write::line_record;
pub use write::write;

/// Everything an object file holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Object {
    /// What the kernel runs, each in an ELF section that says what kind it is.
    pub programs: Vec<Program>,
    /// Functions that programs, and each other, call; they live in `.text`.
    pub subprograms: Vec<Function>,
    /// Maps, declared in `.maps`.
    pub maps: Vec<MapSpec>,
    /// Global data: `.rodata`, `.data`, `.bss` and their like, one map each when loaded.
    pub globals: Vec<DataSection>,
    /// The licence, such as `GPL` or `Dual MIT/GPL`; many helpers want one compatible with the GPL.
    pub license: String,
    /// Types that functions, maps and data refer to. The writer adds what declares maps and sections itself.
    pub btf: Btf,
    /// Further sections that are not loaded.
    pub custom: Vec<CustomSection>,
    /// How many relocations against the running kernel's types (CO-RE) the file has. The reader counts them; nothing
    /// here applies them, and the loader refuses objects that have any.
    pub core_relocations: u32,
}

/// A function that the kernel can run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// The ELF section, such as `xdp`; see [`ProgramSection`]. Several programs may share one.
    pub section: String,
    /// Its code.
    pub function: Function,
}

/// A function's code and what is known of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Function {
    /// Its symbol.
    pub name: String,
    /// Instructions, 8 bytes a slot, little-endian.
    pub code: Vec<u8>,
    /// What is not known before loading, by offset.
    pub relocations: Vec<Relocation>,
    /// Source positions, by offset, each valid up to the next.
    pub lines: Vec<Line>,
    /// Its BTF type, a [`Type::Function`](crate::btf::Type::Function): global for programs, static for subprograms
    /// that are to be verified in their callers' context. Without one the writer makes one up.
    pub btf: Option<TypeId>,
}

/// An instruction that refers to something outside its function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relocation {
    /// Byte offset of the instruction in its function.
    pub offset: u32,
    /// What it refers to.
    pub target: Target,
}

/// What an instruction refers to. Indices are positions in the [`Object`]'s lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// `ldimm64` of a map.
    Map(usize),
    /// `call` of a subprogram.
    Subprogram(usize),
    /// `ldimm64` of an address in global data.
    GlobalData {
        /// Which of [`Object::globals`].
        section: usize,
        /// Byte offset in it.
        offset: u32,
    },
    /// `ldimm64` of a subprogram's address, for a callback.
    FunctionAddress(usize),
    /// A symbol that the object does not define (a kernel function or variable). The reader gives it; writer and
    /// loader refuse it.
    Extern(String),
}

/// The source position of an instruction and those after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Byte offset of the instruction in its function.
    pub offset: u32,
    /// The file's name.
    pub file: String,
    /// Line, from 1; 0 is unknown.
    pub line: u32,
    /// Column, from 1; 0 is unknown.
    pub column: u32,
    /// The line itself, for the verifier's log.
    pub text: String,
}

/// A section of global data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataSection {
    /// `.rodata`, `.data`, `.bss`, or one of these with `.` and more. Of the latter libbpf 1.1 (bpftool 7.1) takes
    /// `.data.x` and `.rodata.x` but not `.bss.x`.
    pub name: String,
    /// Whether programs may write, and how it starts out.
    pub contents: Contents,
    /// Alignment in bytes, a power of two.
    pub align: u32,
    /// Named variables, by offset.
    pub symbols: Vec<DataSymbol>,
}

/// What a data section starts out with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Contents {
    /// Bytes nobody may change.
    ReadOnly(Vec<u8>),
    /// Bytes programs may change.
    Data(Vec<u8>),
    /// This many zero bytes, which take no room in the file.
    Zeroed(u32),
}

impl Contents {
    /// The size in bytes.
    pub fn size(&self) -> usize {
        match self {
            Self::ReadOnly(bytes) | Self::Data(bytes) => bytes.len(),
            Self::Zeroed(size) => *size as usize,
        }
    }
}

/// A variable in a data section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataSymbol {
    /// Its name.
    pub name: String,
    /// Byte offset in the section.
    pub offset: u32,
    /// Size in bytes.
    pub size: u32,
    /// The type of its value. The section is described in BTF if all of its variables have one.
    pub btf: Option<TypeId>,
}

/// A section that is in the file for its readers alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomSection {
    /// Its name, such as `.larrow.sites`.
    pub name: String,
    /// Its contents.
    pub bytes: Vec<u8>,
}

/// What is wrong with an object, or with the file of one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ObjectError {
    /// The types are wrong.
    #[error("in .BTF: {0}")]
    Btf(#[from] BtfError),
    /// The line and function tables are wrong.
    #[error("in .BTF.ext: {0}")]
    BtfExt(BtfError),
    /// An instruction, relocation or line of a function is wrong.
    #[error("function `{function}`, byte {offset}: {what}")]
    Code {
        /// The function's name.
        function: String,
        /// Byte offset in it.
        offset: u64,
        /// What is wrong.
        what: String,
    },
    /// Something else is wrong.
    #[error("{place}: {what}")]
    Invalid {
        /// Which section, map or symbol.
        place: String,
        /// What is wrong.
        what: String,
    },
}

impl ObjectError {
    pub(crate) fn invalid(place: impl Into<String>, what: impl Into<String>) -> Self {
        Self::Invalid { place: place.into(), what: what.into() }
    }
}
