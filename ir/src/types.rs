//! Types, interned per module, and their memory layout.
//!
//! Types keep Go's signedness for the reader and for debug information; operations carry their own, so the
//! verifier compares widths ([`TypeTable::same_width`]) and no cast stands between `i32` and `u32`.

use std::collections::HashMap;
use std::sync::Arc;

use cranelift_entity::{EntityRef, PrimaryMap};
use indexmap::IndexSet;

use crate::entity::{NamedId, Type};

/// What a pointer points into. The interpreter checks it; a target may restrict it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Space {
    /// Unknown, or several: `ptr<T>`.
    Any,
    /// A stack slot: `ptr<stack T>`.
    Stack,
    /// A program's context: `ptr<ctx xdp>`.
    Ctx,
    /// Packet bytes: `ptr<packet u8>`.
    Packet,
    /// A map's value: `ptr<map T>`.
    Map,
    /// A module-level variable: `ptr<global T>`.
    Global,
    /// The heap: `ptr<heap T>`.
    Heap,
}

impl Space {
    /// Every space but [`Space::Any`], with its spelling.
    pub const NAMED: [(Space, &'static str); 6] = [
        (Space::Stack, "stack"),
        (Space::Ctx, "ctx"),
        (Space::Packet, "packet"),
        (Space::Map, "map"),
        (Space::Global, "global"),
        (Space::Heap, "heap"),
    ];

    /// The spelling inside `ptr<…>`; empty for [`Space::Any`].
    pub fn name(self) -> &'static str {
        Self::NAMED.iter().find(|(s, _)| *s == self).map_or("", |(_, n)| n)
    }
}

/// Which channel operations a channel type allows.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ChanDir {
    /// `chan T`
    Both,
    /// `<-chan T`
    Recv,
    /// `chan<- T`
    Send,
}

impl ChanDir {
    /// Whether a value may be received.
    pub fn can_recv(self) -> bool {
        self != ChanDir::Send
    }
    /// Whether a value may be sent, and the channel closed.
    pub fn can_send(self) -> bool {
        self != ChanDir::Recv
    }
}

/// A field of a struct.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Field {
    /// The name, unique in its struct.
    pub name: Arc<str>,
    /// The type.
    pub ty: Type,
}

/// The shape of a type.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum TypeKind {
    /// No value: `unit`.
    Unit,
    /// `bool`, one byte in memory.
    Bool,
    /// `i8` … `i64`, `u8` … `u64`.
    Int {
        /// 8, 16, 32 or 64.
        bits: u8,
        /// Whether the source calls it signed; operations do not look at it.
        signed: bool,
    },
    /// `f32`, `f64`.
    Float {
        /// 32 or 64.
        bits: u8,
    },
    /// `ptr<space T>`
    Ptr {
        /// The pointee.
        to: Type,
        /// What it points into.
        space: Space,
    },
    /// `chan T`, `<-chan T`, `chan<- T`
    Chan {
        /// The element.
        elem: Type,
        /// The allowed directions.
        dir: ChanDir,
    },
    /// `[n]T`
    Array {
        /// The element.
        elem: Type,
        /// How many.
        len: u64,
    },
    /// `struct {a: T, …}`, or `packed struct {…}`
    Struct {
        /// In memory order.
        fields: Arc<[Field]>,
        /// No padding between fields or at the end, alignment 1.
        packed: bool,
    },
    /// `(T, U)`: several results of one op. Never in memory.
    Tuple(Arc<[Type]>),
    /// `func(T, U) -> R`
    Func {
        /// Parameter types.
        params: Arc<[Type]>,
        /// Result type.
        result: Type,
    },
    /// A named type, `%event`, declared by the module; may be recursive through pointers.
    Named(NamedId),
    /// A type known by name alone, such as the context `xdp` in `ptr<ctx xdp>`.
    Opaque(Arc<str>),
}

/// A named type's declaration: `type %event = struct {…}`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NamedType {
    /// Without the `%`.
    pub name: Arc<str>,
    /// What it stands for; `None` between a forward reference and the declaration.
    pub body: Option<Type>,
}

macro_rules! primitives {
    ($($name:ident = $index:literal $text:literal $kind:expr;)*) => {
        impl Type {
            $(
                #[doc = concat!("`", $text, "`")]
                pub const $name: Type = Type::at($index);
            )*
        }
        /// The types that every table holds at fixed ids, with their spelling.
        pub const PRIMITIVES: &[(Type, &str)] = &[$((Type::$name, $text)),*];
        fn primitive_kinds() -> Vec<TypeKind> {
            vec![$($kind),*]
        }
    };
}

primitives! {
    UNIT = 0 "unit" TypeKind::Unit;
    BOOL = 1 "bool" TypeKind::Bool;
    I8 = 2 "i8" TypeKind::Int { bits: 8, signed: true };
    I16 = 3 "i16" TypeKind::Int { bits: 16, signed: true };
    I32 = 4 "i32" TypeKind::Int { bits: 32, signed: true };
    I64 = 5 "i64" TypeKind::Int { bits: 64, signed: true };
    U8 = 6 "u8" TypeKind::Int { bits: 8, signed: false };
    U16 = 7 "u16" TypeKind::Int { bits: 16, signed: false };
    U32 = 8 "u32" TypeKind::Int { bits: 32, signed: false };
    U64 = 9 "u64" TypeKind::Int { bits: 64, signed: false };
    F32 = 10 "f32" TypeKind::Float { bits: 32 };
    F64 = 11 "f64" TypeKind::Float { bits: 64 };
}

/// Size and alignment in bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Layout {
    /// Bytes, a multiple of `align`.
    pub size: u64,
    /// A power of two.
    pub align: u64,
}

impl Layout {
    const fn scalar(size: u64) -> Layout {
        Layout { size, align: size }
    }
}

/// `n` rounded up to a multiple of `align`, a power of two; saturates.
pub fn align_up(n: u64, align: u64) -> u64 {
    n.saturating_add(align - 1) & !(align - 1)
}

/// The types of one module: a structural interner, so equal shapes have equal ids.
#[derive(Clone, Debug)]
pub struct TypeTable {
    kinds: IndexSet<TypeKind>,
    named: PrimaryMap<NamedId, NamedType>,
    names: HashMap<Arc<str>, NamedId>,
}

impl Default for TypeTable {
    fn default() -> Self {
        TypeTable {
            kinds: primitive_kinds().into_iter().collect(),
            named: PrimaryMap::new(),
            names: HashMap::new(),
        }
    }
}

impl TypeTable {
    /// The id of a shape.
    pub fn intern(&mut self, kind: TypeKind) -> Type {
        Type::new(self.kinds.insert_full(kind).0)
    }

    /// The id of a shape, if it is in use.
    pub fn find(&self, kind: &TypeKind) -> Option<Type> {
        self.kinds.get_index_of(kind).map(Type::new)
    }

    /// The shape as written: a named type stays a name.
    pub fn kind(&self, ty: Type) -> &TypeKind {
        self.kinds.get_index(ty.index()).expect("a type id comes from its own table")
    }

    /// The shape behind a name, and any other type's own shape. An undeclared name is an empty struct's worth
    /// of nothing: [`TypeKind::Unit`].
    pub fn resolve(&self, ty: Type) -> &TypeKind {
        let mut kind = self.kind(ty);
        // A chain of names is as long as the table at most; a cycle of bare names resolves to unit.
        for _ in 0..=self.named.len() {
            match kind {
                TypeKind::Named(id) => match self.named[*id].body {
                    Some(body) => kind = self.kind(body),
                    None => return self.kind(Type::UNIT),
                },
                _ => return kind,
            }
        }
        self.kind(Type::UNIT)
    }

    /// How many distinct types there are.
    pub fn len(&self) -> usize {
        self.kinds.len()
    }

    /// Never true: the primitives are always there.
    pub fn is_empty(&self) -> bool {
        self.kinds.is_empty()
    }

    /// The named types in declaration order.
    pub fn named(&self) -> &PrimaryMap<NamedId, NamedType> {
        &self.named
    }

    /// The named type of this name, declared or forward-referenced now.
    pub fn named_type(&mut self, name: &str) -> Type {
        let id = self.names.get(name).copied().unwrap_or_else(|| {
            let name: Arc<str> = name.into();
            let id = self.named.push(NamedType { name: name.clone(), body: None });
            self.names.insert(name, id);
            id
        });
        self.intern(TypeKind::Named(id))
    }

    /// Gives a named type its meaning. Returns `false` if it had one already and keeps the first.
    pub fn define(&mut self, name: &str, body: Type) -> bool {
        let named = self.named_type(name);
        let TypeKind::Named(id) = *self.kind(named) else { unreachable!("named_type interns a name") };
        let slot = &mut self.named[id].body;
        let fresh = slot.is_none();
        slot.get_or_insert(body);
        fresh
    }

    /// `ptr<space to>`
    pub fn ptr(&mut self, space: Space, to: Type) -> Type {
        self.intern(TypeKind::Ptr { to, space })
    }

    /// `chan elem` with a direction.
    pub fn chan(&mut self, dir: ChanDir, elem: Type) -> Type {
        self.intern(TypeKind::Chan { elem, dir })
    }

    /// `[len]elem`
    pub fn array(&mut self, elem: Type, len: u64) -> Type {
        self.intern(TypeKind::Array { elem, len })
    }

    /// `(a, b, …)`
    pub fn tuple(&mut self, items: &[Type]) -> Type {
        self.intern(TypeKind::Tuple(items.into()))
    }

    /// `struct {…}` or `packed struct {…}`
    pub fn structure(&mut self, fields: &[(&str, Type)], packed: bool) -> Type {
        let fields = fields.iter().map(|&(name, ty)| Field { name: name.into(), ty }).collect();
        self.intern(TypeKind::Struct { fields, packed })
    }

    /// `func(params) -> result`
    pub fn func(&mut self, params: &[Type], result: Type) -> Type {
        self.intern(TypeKind::Func { params: params.into(), result })
    }

    /// A type known by its name alone.
    pub fn opaque(&mut self, name: &str) -> Type {
        self.intern(TypeKind::Opaque(name.into()))
    }

    /// The width of a scalar in bits: `bool` 1, pointers and channels 64. `None` for everything else.
    pub fn bits(&self, ty: Type) -> Option<u32> {
        match self.resolve(ty) {
            TypeKind::Bool => Some(1),
            TypeKind::Int { bits, .. } | TypeKind::Float { bits } => Some(u32::from(*bits)),
            TypeKind::Ptr { .. } | TypeKind::Chan { .. } | TypeKind::Func { .. } => Some(64),
            TypeKind::Unit
            | TypeKind::Array { .. }
            | TypeKind::Struct { .. }
            | TypeKind::Tuple(_)
            | TypeKind::Named(_)
            | TypeKind::Opaque(_) => None,
        }
    }

    /// Whether values of this type are SSA values of one register: numbers, bool, pointers, channels.
    pub fn is_scalar(&self, ty: Type) -> bool {
        self.bits(ty).is_some()
    }

    /// Whether this is an integer of any width (not bool).
    pub fn is_int(&self, ty: Type) -> bool {
        matches!(self.resolve(ty), TypeKind::Int { .. })
    }

    /// Whether this is `f32` or `f64`.
    pub fn is_float(&self, ty: Type) -> bool {
        matches!(self.resolve(ty), TypeKind::Float { .. })
    }

    /// Whether this is a pointer.
    pub fn is_ptr(&self, ty: Type) -> bool {
        matches!(self.resolve(ty), TypeKind::Ptr { .. })
    }

    /// Whether this lives in memory only: an array or a struct.
    pub fn is_aggregate(&self, ty: Type) -> bool {
        matches!(self.resolve(ty), TypeKind::Array { .. } | TypeKind::Struct { .. })
    }

    /// The pointee, if this is a pointer.
    pub fn pointee(&self, ty: Type) -> Option<Type> {
        match self.resolve(ty) {
            TypeKind::Ptr { to, .. } => Some(*to),
            _ => None,
        }
    }

    /// The space, if this is a pointer.
    pub fn space(&self, ty: Type) -> Option<Space> {
        match self.resolve(ty) {
            TypeKind::Ptr { space, .. } => Some(*space),
            _ => None,
        }
    }

    /// Element and direction, if this is a channel.
    pub fn chan_parts(&self, ty: Type) -> Option<(Type, ChanDir)> {
        match self.resolve(ty) {
            TypeKind::Chan { elem, dir } => Some((*elem, *dir)),
            _ => None,
        }
    }

    /// The members of a tuple; none for any other type.
    pub fn tuple_items(&self, ty: Type) -> &[Type] {
        match self.resolve(ty) {
            TypeKind::Tuple(items) => items,
            _ => &[],
        }
    }

    /// Whether two types hold the same bits: integers of one width whatever their sign, pointers whatever
    /// their pointee and space, channels of one element whatever their direction, tuples member by member.
    pub fn same_width(&self, a: Type, b: Type) -> bool {
        self.same_width_within(a, b, 64)
    }

    /// `fuel` bounds the nesting: two channels of themselves under different names would have no end.
    fn same_width_within(&self, a: Type, b: Type, fuel: u32) -> bool {
        if a == b {
            return true;
        }
        let Some(fuel) = fuel.checked_sub(1) else { return false };
        match (self.resolve(a), self.resolve(b)) {
            (TypeKind::Int { bits: x, .. }, TypeKind::Int { bits: y, .. }) => x == y,
            (TypeKind::Ptr { .. }, TypeKind::Ptr { .. }) => true,
            (TypeKind::Chan { elem: x, .. }, TypeKind::Chan { elem: y, .. }) => {
                x == y || self.same_width_within(*x, *y, fuel)
            }
            (TypeKind::Tuple(x), TypeKind::Tuple(y)) => {
                x.len() == y.len()
                    && x.iter().zip(y.iter()).all(|(x, y)| self.same_width_within(*x, *y, fuel))
            }
            (x, y) => x == y,
        }
    }

    /// Size and alignment in memory; `None` for what has none (tuples, opaque types, recursion without a
    /// pointer, sizes past 2⁶³).
    pub fn layout(&self, ty: Type) -> Option<Layout> {
        self.layout_within(ty, 64, &mut HashMap::new())
    }

    /// `fuel` bounds the nesting, so that a type that contains itself has no layout rather than no end. `known`
    /// keeps shared parts from being laid out once per path to them, of which there may be 2⁶⁴.
    fn layout_within(&self, ty: Type, fuel: u32, known: &mut HashMap<Type, Layout>) -> Option<Layout> {
        let fuel = fuel.checked_sub(1)?;
        match self.resolve(ty) {
            TypeKind::Unit => Some(Layout { size: 0, align: 1 }),
            TypeKind::Bool => Some(Layout::scalar(1)),
            TypeKind::Int { bits, .. } | TypeKind::Float { bits } => {
                Some(Layout::scalar(u64::from(*bits) / 8))
            }
            TypeKind::Ptr { .. } | TypeKind::Chan { .. } | TypeKind::Func { .. } => Some(Layout::scalar(8)),
            TypeKind::Array { elem, len } => {
                let elem = self.layout_within(*elem, fuel, known)?;
                let size = elem.size.checked_mul(*len).filter(|s| *s < 1 << 63)?;
                Some(Layout { size, align: elem.align })
            }
            TypeKind::Struct { fields, packed } => {
                if let Some(layout) = known.get(&ty) {
                    return Some(*layout);
                }
                let (end, align) = self.place_fields(fields, *packed, fuel, known, |_, _| ())?;
                let layout = Layout { size: align_up(end, align), align };
                known.insert(ty, layout);
                Some(layout)
            }
            TypeKind::Tuple(_) | TypeKind::Opaque(_) | TypeKind::Named(_) => None,
        }
    }

    /// Walks a struct's fields in memory order; returns the end of the last and the alignment.
    fn place_fields(
        &self,
        fields: &[Field],
        packed: bool,
        fuel: u32,
        known: &mut HashMap<Type, Layout>,
        mut each: impl FnMut(usize, u64),
    ) -> Option<(u64, u64)> {
        let (mut offset, mut align) = (0u64, 1u64);
        for (i, field) in fields.iter().enumerate() {
            let layout = self.layout_within(field.ty, fuel, known)?;
            let field_align = if packed { 1 } else { layout.align };
            offset = align_up(offset, field_align);
            align = align.max(field_align);
            each(i, offset);
            offset = offset.checked_add(layout.size).filter(|s| *s < 1 << 63)?;
        }
        Some((offset, align))
    }

    /// The byte offset of each field of a struct, in order; `None` if this is no struct or has no layout.
    pub fn field_offsets(&self, ty: Type) -> Option<Vec<u64>> {
        let TypeKind::Struct { fields, packed } = self.resolve(ty) else { return None };
        let mut offsets = Vec::with_capacity(fields.len());
        self.place_fields(fields, *packed, 64, &mut HashMap::new(), |_, offset| offsets.push(offset))?;
        Some(offsets)
    }

    /// Size in bytes, 0 for a type without layout.
    pub fn size(&self, ty: Type) -> u64 {
        self.layout(ty).map_or(0, |l| l.size)
    }
}
