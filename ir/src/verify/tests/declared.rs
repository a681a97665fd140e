//! Declarations.

use super::*;

fn declares(change: impl FnOnce(&mut Module), expected: &[&str]) {
    let mut module = declarations();
    change(&mut module);
    assert_eq!(messages(&module), expected);
}

fn chan(elem: impl FnOnce(&mut Module) -> Type, cap: u64) -> impl FnOnce(&mut Module) {
    move |m| {
        let elem = elem(m);
        let ty = m.decls.types.chan(ChanDir::Both, elem);
        m.decls.chans.insert("c", ChanDecl { ty, cap, storage: None, pos: Pos::None }).expect("fresh");
    }
}

#[test]
fn channels() {
    declares(chan(|_| Type::U32, 16), &[]);
    declares(chan(|m| m.decls.types.array(Type::U8, 65535), 1), &[]);
    let large = "channel element type too large (>64kB)";
    declares(chan(|m| m.decls.types.array(Type::U8, 65536), 1), &[large]);
    declares(chan(|m| m.decls.types.tuple(&[]), 1), &["channel element type () has no layout"]);
    declares(chan(|_| Type::U8, u64::MAX), &["capacity 18446744073709551615 of channel @c overflows int"]);
    declares(
        |m| {
            let decl = ChanDecl { ty: Type::U8, cap: 0, storage: None, pos: Pos::None };
            m.decls.chans.insert("c", decl).expect("fresh");
        },
        &["channel @c is declared as u8"],
    );
}

#[test]
fn channel_addresses_keep_the_declared_direction() {
    let with = |decl: ChanDir, taken: ChanDir| {
        messages(&module(|f, _| {
            let ty = f.decls.types.chan(decl, Type::U32);
            let id = f.decls.chans.insert("c", ChanDecl { ty, cap: 1, storage: None, pos: Pos::None });
            let ty = f.decls.types.chan(taken, Type::U32);
            f.op_with(Op::ChanAddr, ty, &[], Aux::Chan(id.expect("fresh")));
        }))
    };
    assert_eq!(with(ChanDir::Both, ChanDir::Recv), [""; 0]);
    assert_eq!(with(ChanDir::Recv, ChanDir::Both), ["ChanAddr yields <-chan u32 here, not chan u32"]);
}

fn map(kind: MapKind, key: Type, value: Type, max_entries: u32) -> impl FnOnce(&mut Module) {
    move |m| {
        let decl = MapDecl { kind, key, value, max_entries, flags: 0, pos: Pos::None };
        m.decls.maps.insert("m", decl).expect("fresh");
    }
}

#[test]
fn maps() {
    let (u32, unit) = (Type::U32, Type::UNIT);
    declares(map(MapKind::Hash, unit, u32, 1), &["map @m is of kind hash, which needs a key"]);
    declares(map(MapKind::Stack, u32, u32, 1), &["map @m is of kind stack, which takes no key"]);
    declares(map(MapKind::Hash, u32, u32, 0), &["map @m has room for no element"]);
    declares(map(MapKind::Hash, u32, unit, 1), &["value unit of map @m has no size"]);
    declares(
        map(MapKind::Array, Type::U64, u32, 1),
        &["map @m is of kind array: its key has 32 bits, not u64"],
    );
}

#[test]
fn variables() {
    let variable = |section, init: &[u8]| {
        let init = init.to_vec();
        move |m: &mut Module| {
            let decl = GlobalDecl { ty: Type::U16, section, init, pos: Pos::None };
            m.decls.globals.insert("g", decl).expect("fresh");
        }
    };
    declares(variable(GlobalSection::Data, &[1, 2]), &[]);
    declares(variable(GlobalSection::Rodata, &[1]), &["variable @g has 1 bytes of value and 2 of type"]);
    declares(variable(GlobalSection::Bss, &[0, 0]), &["variable @g in bss has 2 bytes of value"]);
}

#[test]
fn types_sites_intrinsics_names() {
    declares(|m| _ = m.decls.types.named_type("t"), &["type %t is used but not declared"]);
    declares(
        |m| {
            let twin = m.decls.sites[SiteId::new(0)].clone();
            m.decls.sites.push(SiteDecl { chan: Some(crate::entity::ChanId::new(3)), ..twin });
        },
        &["two sites are named \"recv@a.go:1:1\"", "site1 names a channel that does not exist"],
    );
    declares(
        |m| {
            let decl = IntrinsicDecl { ty: Type::U8, effects: Effects::PURE, pos: Pos::None };
            m.decls.intrinsics.insert("i", decl).expect("fresh");
        },
        &["intrinsic @i is u8, not a function"],
    );
    declares(
        |m| m.funcs[FuncId::new(0)].name = "other".into(),
        &["the function calls itself @other, the module @callee"],
    );
}

#[test]
fn channels_of_themselves_end() {
    let module = module(|f, _| {
        let types = &mut f.decls.types;
        let (x, y) = (types.named_type("x"), types.named_type("y"));
        let (cx, cy) = (types.chan(ChanDir::Both, x), types.chan(ChanDir::Both, y));
        types.define("x", cx);
        types.define("y", cy);
        let nil = f.nil(cx);
        f.op(Op::Copy, cy, &[nil]);
    });
    // Whether they count as one type matters less than that there is an answer.
    assert!(messages(&module).len() <= 1);
}
