//! Typed indices. Their `Display` *is* the text format: errors, logs and printed modules share one spelling.

use cranelift_entity::entity_impl;

macro_rules! entities {
    ($($(#[$doc:meta])* $name:ident $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(u32);
        entity_impl!($name, $prefix);
    )*};
}

entities! {
    /// An instruction, which *is* the value it yields: `v7`. Never reused within a function.
    Value "v";
    /// A basic block: `b3`. Never reused within a function.
    Block "b";
    /// A stack slot of a function: `s0`.
    Slot "s";
    /// An interned type of a module.
    Type "ty";
    /// A named type of a module.
    NamedId "named";
    /// A function of a module.
    FuncId "func";
    /// A module-level channel.
    ChanId "chan";
    /// A module-level map.
    MapId "map";
    /// A module-level variable.
    GlobalId "global";
    /// A declared intrinsic.
    IntrinsicId "intrinsic";
    /// A counted place of the source, such as a receive: `site3`.
    SiteId "site";
    /// A source location that a plain `@line:col` cannot express: `l3`.
    LocId "l";
}

impl Type {
    /// A constant id: the primitives have fixed places in every table.
    pub(crate) const fn at(index: u32) -> Type {
        Type(index)
    }
}
