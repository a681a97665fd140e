//! The kinds of types BTF knows.

use std::fmt;

/// A type's number in its collection; 0 is `void`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct TypeId(pub u32);

impl TypeId {
    /// No type: what a `void*` points to, what a procedure returns.
    pub const VOID: Self = Self(0);

    /// Position in the collection; none for `void`.
    pub(super) fn index(self) -> Option<usize> {
        usize::try_from(self.0).ok()?.checked_sub(1)
    }

    pub(super) fn from_index(index: usize) -> Self {
        Self(u32::try_from(index + 1).expect("a collection of 2^32 types does not fit in memory"))
    }
}

impl fmt::Display for TypeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}]", self.0)
    }
}

/// How the bits of an integer are to be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IntEncoding {
    /// An unsigned number.
    Unsigned,
    /// A number in two's complement.
    Signed,
    /// A character.
    Char,
    /// A truth value.
    Bool,
}

/// Who sees a function. It decides how the verifier treats it: a static function is checked where it is called, a
/// global one alone, with its arguments' types as all it knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Linkage {
    /// Private to the object.
    Static,
    /// Visible outside.
    Global,
    /// Defined elsewhere.
    Extern,
}

/// Who sees a variable. libbpf wants an ELF symbol for each that is not static.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum VariableLinkage {
    /// Private to the object.
    Static,
    /// Visible outside.
    Global,
    /// Defined elsewhere.
    Extern,
}

/// A field of a structure or union.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Member {
    /// The field's name; empty for an anonymous structure or union inside.
    pub name: String,
    /// The field's type.
    pub ty: TypeId,
    /// Distance from the start of the structure, in bits.
    pub bit_offset: u32,
    /// Width in bits if this is a bit field, else 0.
    pub bitfield_size: u8,
}

impl Member {
    /// An ordinary field at a byte offset.
    pub fn new(name: &str, ty: TypeId, byte_offset: u32) -> Self {
        Self { name: name.into(), ty, bit_offset: byte_offset.saturating_mul(8), bitfield_size: 0 }
    }
}

/// A parameter of a function. An empty name with type `void` at the end stands for `...`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Parameter {
    /// The parameter's name; may be empty.
    pub name: String,
    /// The parameter's type.
    pub ty: TypeId,
}

impl Parameter {
    /// A parameter called `name`.
    pub fn new(name: &str, ty: TypeId) -> Self {
        Self { name: name.into(), ty }
    }
}

/// A named constant of an enumeration; an unsigned 64-bit value keeps its bits.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct EnumValue {
    /// The constant's name.
    pub name: String,
    /// Its value.
    pub value: i64,
}

/// A variable's place in a data section.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DataEntry {
    /// The variable (or function, in `.ksyms`).
    pub variable: TypeId,
    /// Distance from the start of the section, in bytes.
    pub offset: u32,
    /// Size in bytes.
    pub size: u32,
}

/// One type. An empty name means that the type has none.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[allow(
    missing_docs,
    reason = "the fields are those of the kernel's btf.rst; what is special is said at the variant"
)]
pub enum Type {
    /// The placeholder behind a reserved id; never in a file.
    Void,
    /// An integer of `size` bytes, of which `bits` bits from `bit_offset` on are used.
    Int { name: String, size: u32, encoding: IntEncoding, bit_offset: u8, bits: u8 },
    /// A pointer.
    Pointer { target: TypeId },
    /// `count` elements side by side.
    Array { element: TypeId, index: TypeId, count: u32 },
    /// A structure of `size` bytes.
    Struct { name: String, size: u32, members: Vec<Member> },
    /// A union of `size` bytes.
    Union { name: String, size: u32, members: Vec<Member> },
    /// An enumeration of at most 32 bits.
    Enum { name: String, size: u32, signed: bool, values: Vec<EnumValue> },
    /// A structure or union that is named but not described.
    Forward { name: String, is_union: bool },
    /// Another name for a type.
    Typedef { name: String, target: TypeId },
    /// `volatile`.
    Volatile { target: TypeId },
    /// `const`.
    Const { target: TypeId },
    /// `restrict`.
    Restrict { target: TypeId },
    /// A function; its parameters and result are in its prototype.
    Function { name: String, prototype: TypeId, linkage: Linkage },
    /// What a function takes and returns.
    FunctionProto { result: TypeId, parameters: Vec<Parameter> },
    /// A variable.
    Variable { name: String, ty: TypeId, linkage: VariableLinkage },
    /// The variables of an ELF section of `size` bytes.
    DataSection { name: String, size: u32, entries: Vec<DataEntry> },
    /// A floating-point number.
    Float { name: String, size: u32 },
    /// A tag on a declaration, or on its `component`-th member or parameter (-1: on the whole).
    DeclTag { name: String, target: TypeId, component: i32 },
    /// A tag on a pointer's target.
    TypeTag { name: String, target: TypeId },
    /// An enumeration of 64 bits.
    Enum64 { name: String, size: u32, signed: bool, values: Vec<EnumValue> },
}
