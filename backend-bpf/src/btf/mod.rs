//! BTF, the kernel's type format: a collection of types, its binary form, and the `.BTF.ext` tables beside it.
//!
//! [`Btf`] is what a producer fills: types are added, equal types share an id, and names stay ordinary strings.
//! [`encode`](Btf::to_bytes) and [`decode`](Btf::parse) translate to and from the `.BTF` section. The format is the
//! kernel's `Documentation/bpf/btf.rst`.
//!
//! **Invariant:** a [`TypeId`] is the type's position, counted from 1 (0 is `void`), in memory as in the file.

mod decode;
mod encode;
pub mod ext;
mod layout;
mod strings;
mod types;

use std::collections::HashMap;

pub use decode::StringTable;
pub use encode::is_valid_name;
pub use strings::Strings;
pub use types::{
    DataEntry, EnumValue, IntEncoding, Linkage, Member, Parameter, Type, TypeId, VariableLinkage,
};

/// What is wrong with a collection of types, or with the bytes of one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BtfError {
    /// A name the kernel would refuse, and for which libbpf silently drops all BTF.
    #[error("type {id}: the name `{name}` is not letters, digits, `_` and `.` with no digit in front")]
    BadName {
        /// The type that has the name, or whose member or parameter has it.
        id: TypeId,
        /// The name itself.
        name: String,
    },
    /// A reference to a type that does not exist.
    #[error("type {id} refers to type {target}, but the last type is {last}")]
    DanglingReference {
        /// The referring type.
        id: TypeId,
        /// What it refers to.
        target: TypeId,
        /// The last id in use.
        last: TypeId,
    },
    /// More members, values or parameters than the format's 16-bit count can say.
    #[error("type {id} has {count} members; the format holds 65535")]
    TooMany {
        /// The offending type.
        id: TypeId,
        /// How many it has.
        count: usize,
    },
    /// A field holds a value its bits have no room for.
    #[error("type {id}: {what}")]
    OutOfRange {
        /// The offending type.
        id: TypeId,
        /// Which field, and its limit.
        what: &'static str,
    },
    /// A reserved id was never defined.
    #[error("type {id} was reserved and never defined")]
    Undefined {
        /// The reserved id.
        id: TypeId,
    },
    /// The type has no size: void, a function, a forward declaration, a cycle.
    #[error("type {id} has no size")]
    Unsized {
        /// The type asked about.
        id: TypeId,
    },
    /// The bytes are no BTF.
    #[error("malformed BTF at byte {offset}: {what}")]
    Malformed {
        /// Where in the section, in bytes.
        offset: usize,
        /// What was expected there.
        what: String,
    },
}

/// A collection of types; equal types added twice share one id.
#[derive(Debug, Clone, Default)]
pub struct Btf {
    types: Vec<Type>,
    ids: HashMap<Type, TypeId>,
}

impl PartialEq for Btf {
    fn eq(&self, other: &Self) -> bool {
        self.types == other.types
    }
}

impl Eq for Btf {}

impl Btf {
    /// A collection that holds nothing but `void`.
    pub fn new() -> Self {
        Self::default()
    }

    /// The id of `ty`, added unless a structurally equal type is there already.
    ///
    /// Names and references are checked when the collection is encoded, so that a producer may add in any order.
    pub fn add(&mut self, ty: Type) -> TypeId {
        if let Some(&id) = self.ids.get(&ty) {
            return id;
        }
        let id = self.push(ty.clone());
        self.ids.insert(ty, id);
        id
    }

    /// An id for a type that is yet to be [defined](Self::define): how a structure points to itself.
    pub fn reserve(&mut self) -> TypeId {
        self.push(Type::Void)
    }

    /// Says what the id that [`reserve`](Self::reserve) gave stands for; replaces what an id stood for before.
    /// An id that is not of this collection is ignored.
    pub fn define(&mut self, id: TypeId, ty: Type) {
        let Some(index) = id.index() else { return };
        if let Some(slot) = self.types.get_mut(index) {
            let old = std::mem::replace(slot, ty);
            if self.ids.get(&old) == Some(&id) {
                self.ids.remove(&old);
            }
        }
    }

    /// The type behind `id`; none for `void` and for ids out of range.
    pub fn get(&self, id: TypeId) -> Option<&Type> {
        self.types.get(id.index()?)
    }

    /// All types with their ids, in order.
    pub fn iter(&self) -> impl Iterator<Item = (TypeId, &Type)> {
        self.types.iter().enumerate().map(|(index, ty)| (TypeId::from_index(index), ty))
    }

    /// How many types there are, `void` not counted.
    pub fn len(&self) -> usize {
        self.types.len()
    }

    /// Whether there is nothing but `void`.
    pub fn is_empty(&self) -> bool {
        self.types.is_empty()
    }

    /// The data section named `name`, if there is one.
    pub fn data_section(&self, name: &str) -> Option<TypeId> {
        let found = |ty: &Type| matches!(ty, Type::DataSection { name: found, .. } if found == name);
        self.iter().find(|(_, ty)| found(ty)).map(|(id, _)| id)
    }

    /// An integer type of `size` bytes (1, 2, 4, 8 or 16).
    pub fn int(&mut self, name: &str, size: u8, encoding: IntEncoding) -> TypeId {
        let bits = size.saturating_mul(8);
        self.add(Type::Int { name: name.into(), size: size.into(), encoding, bit_offset: 0, bits })
    }

    /// A pointer to `target`.
    pub fn pointer(&mut self, target: TypeId) -> TypeId {
        self.add(Type::Pointer { target })
    }

    /// An array of `count` elements; the index type is C's `int`, which is added with it.
    pub fn array(&mut self, element: TypeId, count: u32) -> TypeId {
        let index = self.int("int", 4, IntEncoding::Signed);
        self.add(Type::Array { element, index, count })
    }

    /// A function named `name` with the given parameters, its prototype added with it.
    pub fn function(
        &mut self,
        name: &str,
        linkage: Linkage,
        result: TypeId,
        parameters: Vec<Parameter>,
    ) -> TypeId {
        let prototype = self.add(Type::FunctionProto { result, parameters });
        self.add(Type::Function { name: name.into(), prototype, linkage })
    }

    /// Appends without looking for an equal type: what a reader needs to keep the file's ids.
    fn push(&mut self, ty: Type) -> TypeId {
        self.types.push(ty);
        TypeId::from_index(self.types.len() - 1)
    }
}

#[cfg(test)]
mod tests;
