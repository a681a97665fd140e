//! One breach per check, complete both ways: the messages listed are all that comes out.

use cranelift_entity::EntityRef;

use crate::builder::FuncBuilder;
use crate::diag::Entity;
use crate::entity::{Block, FuncId, MapId, SiteId, Slot, Type, Value};
use crate::function::Function;
use crate::inst::{Aux, Inst, LookupRole, Pos, RecvForm, SelectCase, SelectShape, Terminator};
use crate::module::{
    ChanDecl, GlobalDecl, GlobalSection, IntrinsicDecl, MapDecl, MapKind, Module, SiteDecl, SiteKind,
};
use crate::op::{Effects, Op};
use crate::runtime::RuntimeFn;
use crate::types::{ChanDir, Space};

use super::{verify, verify_func};

/// `v0: u32, v1: u8, v2: bool, v3: f32, v4: ptr<u32>, v5: chan u32, v6: <-chan u32, v7: chan<- u32, v8: u64,
/// v9: chan [4]u8, v10: ptr<[4]u8>, v11: ptr<ctx xdp>, v12: f64`; what `body` adds goes into `b0`, which returns.
fn module(body: impl FnOnce(&mut FuncBuilder<'_>, &[Value])) -> Module {
    let mut module = declarations();
    let mut func = Function::new("f", Type::UNIT);
    let types = &mut module.decls.types;
    let bytes = types.array(Type::U8, 4);
    let xdp = types.opaque("xdp");
    let params = [
        Type::U32,
        Type::U8,
        Type::BOOL,
        Type::F32,
        types.ptr(Space::Any, Type::U32),
        types.chan(ChanDir::Both, Type::U32),
        types.chan(ChanDir::Recv, Type::U32),
        types.chan(ChanDir::Send, Type::U32),
        Type::U64,
        types.chan(ChanDir::Both, bytes),
        types.ptr(Space::Any, bytes),
        types.ptr(Space::Ctx, xdp),
        Type::F64,
    ];
    let params = params.map(|ty| func.add_param(ty));
    let mut build = FuncBuilder::new(&mut func, &mut module.decls);
    let entry = build.block();
    build.switch_to(entry);
    build.ret(None);
    body(&mut build, &params);
    module.add_func(func).expect("a fresh name");
    module
}

/// What the bodies refer to: `@callee(u32) -> u8`, `@hash`, `@queue`, `@one`, `@var`, `@tap`, a site.
fn declarations() -> Module {
    let mut module = Module::new("a.go");
    let mut callee = Function::new("callee", Type::U8);
    callee.add_param(Type::U32);
    let mut build = FuncBuilder::new(&mut callee, &mut module.decls);
    let entry = build.block();
    build.switch_to(entry);
    let seven = build.int(Type::U8, 7);
    build.ret(Some(seven));
    module.add_func(callee).expect("fresh");
    let map = |kind, key, max_entries| MapDecl {
        kind,
        key,
        value: Type::U64,
        max_entries,
        flags: 0,
        pos: Pos::None,
    };
    module.decls.maps.insert("hash", map(MapKind::Hash, Type::U32, 8)).expect("fresh");
    module.decls.maps.insert("queue", map(MapKind::Queue, Type::UNIT, 8)).expect("fresh");
    module.decls.maps.insert("one", map(MapKind::Array, Type::U32, 1)).expect("fresh");
    let var = GlobalDecl { ty: Type::U32, section: GlobalSection::Bss, init: Vec::new(), pos: Pos::None };
    module.decls.globals.insert("var", var).expect("fresh");
    let ty = module.decls.types.func(&[Type::U32], Type::BOOL);
    let tap = IntrinsicDecl { ty, effects: Effects::PURE, pos: Pos::None };
    module.decls.intrinsics.insert("tap", tap).expect("fresh");
    let site = SiteDecl { kind: SiteKind::Recv, name: "recv@a.go:1:1".into(), chan: None, pos: Pos::None };
    module.decls.sites.push(site);
    module
}

fn messages(module: &Module) -> Vec<String> {
    verify(module).err().unwrap_or_default().into_iter().map(|d| d.message).collect()
}

/// Exactly these messages come out of a body.
fn breaks(body: impl FnOnce(&mut FuncBuilder<'_>, &[Value]), expected: &[&str]) {
    assert_eq!(messages(&module(body)), expected);
}

/// No message comes out.
fn passes(body: impl FnOnce(&mut FuncBuilder<'_>, &[Value])) {
    breaks(body, &[]);
}

fn hash() -> MapId {
    MapId::new(0)
}
fn queue() -> MapId {
    MapId::new(1)
}
fn one() -> MapId {
    MapId::new(2)
}

fn b(i: usize) -> Block {
    Block::new(i)
}

mod core;
mod declared;
mod flow;
mod memory_and_calls;
mod mutation;
mod rendering;
