//! Values of a running program, and how they lie in memory.

use larrow_ir::{FuncId, Type, TypeKind, TypeTable};
use smallvec::SmallVec;

/// What a pointer points into.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum RegionKind {
    /// Nothing: nil moved by some bytes.
    Null,
    /// A slot of a frame.
    Stack,
    /// A heap object.
    Heap,
    /// A module-level variable.
    Global,
    /// The packet.
    Packet,
    /// The program's context.
    Ctx,
    /// A map's value.
    Map,
}

impl RegionKind {
    /// How messages name it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            RegionKind::Null => "nil",
            RegionKind::Stack => "a stack slot",
            RegionKind::Heap => "a heap object",
            RegionKind::Global => "a variable",
            RegionKind::Packet => "the packet",
            RegionKind::Ctx => "the context",
            RegionKind::Map => "a map value",
        }
    }
}

/// A region of memory. Of a map's value, `index` is the value's number and `tag` the map's; of the others,
/// `index` is the object's number and `tag` tells it from earlier objects of that number.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Region {
    pub(crate) kind: RegionKind,
    pub(crate) tag: u16,
    pub(crate) index: u32,
}

impl Region {
    pub(crate) const NULL: Region = Region { kind: RegionKind::Null, tag: 0, index: 0 };

    /// What it is.
    pub fn kind(self) -> RegionKind {
        self.kind
    }
}

/// A pointer: a region, and bytes from its start, which need not lie inside.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Ptr {
    /// What it points into.
    pub region: Region,
    /// Bytes from the region's start.
    pub offset: i64,
}

/// A scalar value. Tuples are several of them.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Val {
    /// No value.
    #[default]
    Unit,
    /// A number: the bits of an integer, a bool (0 or 1) or a float, zero above the type's width.
    Int(u64),
    /// The nil pointer, channel or function.
    Nil,
    /// A pointer.
    Ptr(Ptr),
    /// A channel: the interpreter's number of it.
    Chan(u32),
    /// A function.
    Func(FuncId),
}

/// The scalars that a function returned: none, one, or a tuple's members.
pub type Vals = SmallVec<[Val; 2]>;

impl Val {
    /// The bits of a number; 0 for anything else, which the verifier excludes where numbers are asked for.
    #[inline]
    pub(crate) fn bits(self) -> u64 {
        match self {
            Val::Int(bits) => bits,
            Val::Unit | Val::Nil | Val::Ptr(_) | Val::Chan(_) | Val::Func(_) => 0,
        }
    }

    /// The number, if it is one.
    pub fn as_int(self) -> Option<u64> {
        match self {
            Val::Int(bits) => Some(bits),
            Val::Unit | Val::Nil | Val::Ptr(_) | Val::Chan(_) | Val::Func(_) => None,
        }
    }

    /// A truth value.
    pub fn bool(value: bool) -> Val {
        Val::Int(u64::from(value))
    }

    /// The pointer moved by bytes, modulo 2⁶⁴. Nil moved and moved back is nil again.
    #[inline]
    pub(crate) fn moved(self, bytes: u64) -> Val {
        let (region, offset) = match self {
            Val::Ptr(p) => (p.region, p.offset),
            Val::Nil | Val::Unit | Val::Int(_) | Val::Chan(_) | Val::Func(_) => (Region::NULL, 0),
        };
        let offset = offset.wrapping_add(bytes as i64);
        if region.kind == RegionKind::Null && offset == 0 {
            return Val::Nil;
        }
        Val::Ptr(Ptr { region, offset })
    }

    /// The pointer to use; nil is one into nowhere.
    #[inline]
    pub(crate) fn ptr(self) -> Ptr {
        match self {
            Val::Ptr(p) => p,
            Val::Nil | Val::Unit | Val::Int(_) | Val::Chan(_) | Val::Func(_) => {
                Ptr { region: Region::NULL, offset: 0 }
            }
        }
    }
}

/// How a scalar lies in memory.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Repr {
    /// Nowhere.
    None,
    /// One byte, 0 or 1.
    Bool,
    /// A number of so many bytes.
    Num(u8),
    /// A pointer, channel or function: 8 bytes.
    Ref,
}

impl Repr {
    pub(crate) fn of(types: &TypeTable, ty: Type) -> Repr {
        match types.resolve(ty) {
            TypeKind::Bool => Repr::Bool,
            TypeKind::Int { bits, .. } | TypeKind::Float { bits } => Repr::Num(bits / 8),
            TypeKind::Ptr { .. } | TypeKind::Chan { .. } | TypeKind::Func { .. } => Repr::Ref,
            TypeKind::Unit
            | TypeKind::Array { .. }
            | TypeKind::Struct { .. }
            | TypeKind::Tuple(_)
            | TypeKind::Named(_)
            | TypeKind::Opaque(_) => Repr::None,
        }
    }

    pub(crate) fn size(self) -> usize {
        match self {
            Repr::None => 0,
            Repr::Bool => 1,
            Repr::Num(bytes) => usize::from(bytes),
            Repr::Ref => 8,
        }
    }

    /// The value of zeroed memory.
    pub(crate) fn zero(self) -> Val {
        match self {
            Repr::None => Val::Unit,
            Repr::Bool | Repr::Num(_) => Val::Int(0),
            Repr::Ref => Val::Nil,
        }
    }

    /// Whether a value from outside is one of this kind.
    pub(crate) fn admits(self, val: Val) -> bool {
        match (self, val) {
            (Repr::None, val) => val == Val::Unit,
            (Repr::Bool, Val::Int(bits)) => bits <= 1,
            (Repr::Num(bytes), Val::Int(bits)) => bytes >= 8 || bits >> (8 * u32::from(bytes)) == 0,
            (Repr::Ref, Val::Nil | Val::Ptr(_) | Val::Chan(_) | Val::Func(_)) => true,
            (Repr::Bool | Repr::Num(_), Val::Unit | Val::Nil | Val::Ptr(_) | Val::Chan(_) | Val::Func(_))
            | (Repr::Ref, Val::Unit | Val::Int(_)) => false,
        }
    }
}

/// The scalars that make up a value of a type: one, none, or a tuple's, flattened.
pub(crate) fn scalars(types: &TypeTable, ty: Type, out: &mut Vec<Repr>) {
    match types.resolve(ty) {
        TypeKind::Tuple(items) => items.iter().for_each(|&item| scalars(types, item, out)),
        TypeKind::Unit
        | TypeKind::Bool
        | TypeKind::Int { .. }
        | TypeKind::Float { .. }
        | TypeKind::Ptr { .. }
        | TypeKind::Chan { .. }
        | TypeKind::Array { .. }
        | TypeKind::Struct { .. }
        | TypeKind::Func { .. }
        | TypeKind::Named(_)
        | TypeKind::Opaque(_) => match Repr::of(types, ty) {
            Repr::None => {}
            repr @ (Repr::Bool | Repr::Num(_) | Repr::Ref) => out.push(repr),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_takes_two_words() {
        assert_eq!(size_of::<Val>(), 16);
    }

    #[test]
    fn nil_moved_and_back_is_nil() {
        let moved = Val::Nil.moved(8);
        assert_ne!(moved, Val::Nil);
        assert_eq!(moved.moved(8u64.wrapping_neg()), Val::Nil);
    }
}
