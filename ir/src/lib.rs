//! Larrow's SSA IR: Go's channel operations as first-class ops, in the flavour of Go's `cmd/compile` (values in
//! blocks, `Phi` as an op) on Cranelift's data structures.
//!
//! A [`Module`] holds [`Function`]s and the declarations they share ([`Decls`]): types, channels, maps, globals,
//! sites. [`FuncBuilder`] builds; [`op`] is the table of ops; [`text`] prints and parses.
//!
//! **Invariant:** this crate knows no target and no pass.

pub mod builder;
pub mod cfg;
pub mod diag;
pub mod entity;
mod equal;
pub mod function;
pub mod generate;
pub mod inst;
pub mod module;
pub mod nearest;
pub mod op;
pub mod runtime;
pub mod text;
pub mod types;
pub mod verify;

pub use builder::FuncBuilder;
pub use cranelift_entity;
pub use diag::{Diagnostic, Entity, Severity, Span};
pub use entity::{
    Block, ChanId, FuncId, GlobalId, IntrinsicId, LocId, MapId, NamedId, SiteId, Slot, Type, Value,
};
pub use function::{BlockData, FuncKind, Function, SlotData};
pub use inst::{Args, Aux, Inst, LookupRole, PanicWith, Pos, RecvForm, SelectCase, SelectShape, Terminator};
pub use module::{
    ChanDecl, Decls, GlobalDecl, GlobalSection, IntrinsicDecl, LocData, MapDecl, MapKind, Module, Named,
    SiteDecl, SiteKind,
};
pub use nearest::{edit_distance, nearest};
pub use op::{AuxKind, Effects, Family, Op, Rule};
pub use runtime::{RuntimeFn, RuntimeSig, status};
pub use types::{ChanDir, Field, Layout, NamedType, Space, TypeKind, TypeTable, align_up};
pub use verify::{verify, verify_func};
