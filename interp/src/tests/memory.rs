//! Memory: what it keeps, and every way to misuse it.

use larrow_ir::{
    FuncBuilder, FuncId, GlobalDecl, GlobalSection, LookupRole, MapDecl, MapKind, Module, Op, Pos, Type,
    Value,
};

use super::{add, interp, module, number, returned, trap};
use crate::{Options, TrapKind, Val};

/// Names, traps and programs that misuse memory.
type Misuse = (&'static str, TrapKind, fn(&mut FuncBuilder<'_>));

fn slot(b: &mut FuncBuilder<'_>, ty: Type) -> Value {
    let s = b.slot(ty);
    b.local_addr(s)
}

fn nil_ptr(b: &mut FuncBuilder<'_>) -> Value {
    let ty = b.decls.types.ptr(larrow_ir::Space::Any, Type::U32);
    b.nil(ty)
}

fn pair(b: &mut FuncBuilder<'_>) -> Type {
    b.decls.types.array(Type::U64, 2)
}

const MISUSES: &[Misuse] = &[
    ("reads byte 0, which nothing has written", TrapKind::Uninitialised, |b| {
        let p = slot(b, Type::U32);
        b.load(Type::U32, p);
    }),
    ("accesses 4 bytes at offset 4 of a stack slot of 4 bytes", TrapKind::OutOfBounds, |b| {
        let p = slot(b, Type::U32);
        let q = b.ptr_offset(Type::U32, p, 4);
        b.load(Type::U32, q);
    }),
    ("accesses 4 bytes at offset -4 of a stack slot of 4 bytes", TrapKind::OutOfBounds, |b| {
        let p = slot(b, Type::U32);
        let q = b.ptr_offset(Type::U32, p, 4u64.wrapping_neg());
        let x = b.int(Type::U32, 1);
        b.store(q, x);
    }),
    ("uses a nil pointer", TrapKind::Nil, |b| {
        let p = nil_ptr(b);
        b.load(Type::U32, p);
    }),
    ("uses a nil pointer moved by 8 bytes", TrapKind::Nil, |b| {
        let p = nil_ptr(b);
        let q = b.ptr_offset(Type::U32, p, 8);
        b.load(Type::U32, q);
    }),
    ("offset 2 of a stack slot is no multiple of 4", TrapKind::Misaligned, |b| {
        let p = slot(b, Type::U64);
        b.mem_zero(p, 8);
        let q = b.ptr_offset(Type::U32, p, 2);
        b.load(Type::U32, q);
    }),
    ("reads a pointer as a number", TrapKind::Provenance, |b| {
        let p = slot(b, Type::U64);
        b.store(p, p);
        b.load(Type::U64, p);
    }),
    ("reads the number 0x7 as a pointer", TrapKind::Provenance, |b| {
        let p = slot(b, Type::U64);
        let seven = b.int(Type::U64, 7);
        b.store(p, seven);
        let ty = b.func.ty(p);
        b.load(ty, p);
    }),
    ("reads byte 1, which nothing has written", TrapKind::Uninitialised, |b| {
        // A byte over a pointer: what is left of it is garbage.
        let p = slot(b, Type::U64);
        b.store(p, p);
        let x = b.int(Type::U8, 1);
        b.store(p, x);
        b.load(Type::U64, p);
    }),
    ("copies part of a pointer", TrapKind::Provenance, |b| {
        let ty = pair(b);
        let p = slot(b, ty);
        b.store(p, p);
        let q = b.ptr_offset(Type::U64, p, 8);
        b.mem_copy(q, p, 4);
    }),
    ("source and destination of a copy overlap", TrapKind::Overlap, |b| {
        let ty = pair(b);
        let p = slot(b, ty);
        b.mem_zero(p, 16);
        let q = b.ptr_offset(Type::U64, p, 4);
        b.mem_copy(q, p, 8);
    }),
    ("reads 2 as a bool", TrapKind::BadValue, |b| {
        let p = slot(b, Type::U8);
        let two = b.int(Type::U8, 2);
        b.store(p, two);
        b.load(Type::BOOL, p);
    }),
    ("9 is not in [0..8]", TrapKind::Bounds, |b| {
        let x = b.int(Type::U32, 9);
        b.bounded(x, 0, 8);
    }),
    (
        "orders a pointer into a stack slot and one into another object, a stack slot",
        TrapKind::Unordered,
        |b| {
            let (p, q) = (slot(b, Type::U8), slot(b, Type::U8));
            b.less_u(p, q);
        },
    ),
];

#[test]
fn each_misuse_is_a_located_trap() {
    for &(message, kind, build) in MISUSES {
        let m = module(Type::UNIT, &[], |b, _| {
            build(b);
            b.ret(None);
        });
        let trap = trap(&m);
        assert_eq!((trap.message.as_str(), trap.kind), (message, kind));
        assert_eq!((trap.func, trap.pos), (FuncId::from_u32(0), Pos::At { line: 3, col: 7 }));
        assert!(trap.value.is_some() && trap.to_string().starts_with("@f v"), "{trap}");
    }
}

#[test]
fn a_slot_of_a_returned_function_dangles_however_often_its_place_is_reused() {
    let mut m = Module::new("t.go");
    let ptr = m.decls.types.ptr(larrow_ir::Space::Any, Type::U32);
    let leak = add(&mut m, "leak", ptr, &[], |b, _| {
        let p = slot(b, Type::U32);
        let x = b.int(Type::U32, 1);
        b.store(p, x);
        b.ret(Some(p));
    });
    add(&mut m, "f", Type::U32, &[], |b, _| {
        let p = b.call(ptr, leak, &[]);
        b.call(ptr, leak, &[]);
        let x = b.load(Type::U32, p);
        b.ret(Some(x));
    });
    let trap = trap(&m);
    assert_eq!(trap.kind, TrapKind::Dangling);
    assert_eq!(trap.message, "uses a pointer to a slot of a function that has returned");
}

#[test]
fn pointers_keep_their_provenance_through_memory_and_copies() {
    let m = module(Type::U64, &[], |b, _| {
        let ty = pair(b);
        let (a, target) = (slot(b, ty), slot(b, Type::U64));
        let x = b.int(Type::U64, 77);
        b.store(target, x);
        b.store(a, target);
        let q = b.ptr_offset(Type::U64, a, 8);
        b.mem_copy(q, a, 8);
        let ptr = b.func.ty(target);
        let back = b.load(ptr, q);
        let value = b.load(Type::U64, back);
        b.ret(Some(value));
    });
    assert_eq!(number(&m, &[]), 77);
}

#[test]
fn zeroed_memory_is_nil_and_false_and_zero() {
    let m = module(Type::BOOL, &[], |b, _| {
        let p = b.new_object(Type::U64);
        let ty = b.func.ty(p);
        let loaded = b.load(ty, p);
        let nil = b.nil(ty);
        let same = b.eq(loaded, nil);
        b.ret(Some(same));
    });
    assert_eq!(returned(&m, &[]), [Val::Int(1)]);
}

fn with_global(section: GlobalSection) -> Module {
    let mut m = Module::new("t.go");
    let init = vec![1, 2, 3, 4];
    let decl = GlobalDecl { ty: Type::U32, section, init, pos: Pos::None };
    let g = m.decls.globals.insert("g", decl).unwrap();
    add(&mut m, "f", Type::U32, &[], |b, _| {
        let p = b.global_addr(g);
        let old = b.load(Type::U32, p);
        let x = b.int(Type::U32, 9);
        b.store(p, x);
        b.ret(Some(old));
    });
    m
}

#[test]
fn globals_live_on_and_constants_stay() {
    let m = with_global(GlobalSection::Data);
    let mut interp = interp(&m);
    assert_eq!(interp.run("f", &[]).unwrap().value(), Some(Val::Int(0x0403_0201)));
    assert_eq!(interp.global("g").unwrap(), [9, 0, 0, 0]);
    let error = interp.set_global("g", &[1]).unwrap_err();
    assert_eq!(error.to_string(), "@g takes 4 bytes, not 1");

    let trap = trap(&with_global(GlobalSection::Rodata));
    assert_eq!((trap.kind, trap.message.as_str()), (TrapKind::ReadOnly, "writes to a constant variable"));
}

#[test]
fn atomics_do_what_their_names_say() {
    let table = [
        (Op::AtomicAdd, 0xff, 0x0fu64.wrapping_add(0xff)),
        (Op::AtomicAnd, 0x3c, 0x0c),
        (Op::AtomicOr, 0x30, 0x3f),
        (Op::AtomicXor, 0xff, 0xf0),
        (Op::AtomicXchg, 0x55, 0x55),
    ];
    for (op, operand, want) in table {
        let result = {
            let mut m = Module::new("t.go");
            let tuple = m.decls.types.tuple(&[Type::U64, Type::U64]);
            add(&mut m, "f", tuple, &[], |b, _| {
                let p = slot(b, Type::U64);
                let x = b.int(Type::U64, 0x0f);
                b.atomic_store(p, x);
                let y = b.int(Type::U64, operand);
                let old = b.op(op, Type::U64, &[p, y]);
                let new = b.atomic_load(Type::U64, p);
                let both = b.tuple(&[old, new]);
                b.ret(Some(both));
            });
            returned(&m, &[])
        };
        assert_eq!(result, [Val::Int(0x0f), Val::Int(want)], "{op}");
    }
}

#[test]
fn compare_and_swap_swaps_only_what_it_expects() {
    let m = module(Type::U32, &[Type::U32], |b, p| {
        let at = slot(b, Type::U32);
        let one = b.int(Type::U32, 1);
        b.store(at, one);
        let new = b.int(Type::U32, 5);
        b.atomic_cas(at, p[0], new);
        let now = b.load(Type::U32, at);
        b.ret(Some(now));
    });
    assert_eq!((number(&m, &[1]), number(&m, &[2])), (5, 1));
}

fn map_decl(kind: MapKind, entries: u32) -> MapDecl {
    let key = if kind.is_keyed() { Type::U32 } else { Type::UNIT };
    MapDecl { kind, key, value: Type::U64, max_entries: entries, flags: 0, pos: Pos::None }
}

#[test]
fn map_values_are_memory_and_survive_deletion_within_the_run() {
    let mut m = Module::new("t.go");
    let map = m.decls.maps.insert("h", map_decl(MapKind::Hash, 4)).unwrap();
    let results = m.decls.types.tuple(&[Type::I64, Type::U64, Type::I64, Type::U64, Type::I64]);
    add(&mut m, "f", results, &[], |b, _| {
        let (key, value) = (slot(b, Type::U32), slot(b, Type::U64));
        let (k, v, one) = (b.int(Type::U32, 3), b.int(Type::U64, 40), b.int(Type::U64, 2));
        b.store(key, k);
        b.store(value, v);
        let put = b.map_update(map, key, value, 0);
        let p = b.map_lookup(map, LookupRole::Plain, key);
        b.atomic_add(p, one);
        let read = b.load(Type::U64, p);
        let gone = b.map_delete(map, key);
        let stale = b.load(Type::U64, p);
        let again = b.map_delete(map, key);
        let all = b.tuple(&[put, read, gone, stale, again]);
        b.ret(Some(all));
    });
    let enoent = Val::Int((-2i64) as u64);
    assert_eq!(returned(&m, &[]), [Val::Int(0), Val::Int(42), Val::Int(0), Val::Int(42), enoent]);
}

#[test]
fn queues_push_pop_and_peek() {
    let mut m = Module::new("t.go");
    let map = m.decls.maps.insert("q", map_decl(MapKind::Queue, 1)).unwrap();
    let results = m.decls.types.tuple(&[Type::I64, Type::I64, Type::I64, Type::U64, Type::I64, Type::I64]);
    add(&mut m, "f", results, &[], |b, _| {
        let (from, to) = (slot(b, Type::U64), slot(b, Type::U64));
        let v = b.int(Type::U64, 40);
        b.store(from, v);
        let put = b.map_value_io(Op::MapPush, map, from, 0);
        let full = b.map_value_io(Op::MapPush, map, from, 0);
        let peeked = b.map_value_io(Op::MapPeek, map, to, 0);
        let read = b.load(Type::U64, to);
        let popped = b.map_value_io(Op::MapPop, map, to, 0);
        let empty = b.map_value_io(Op::MapPop, map, to, 0);
        let all = b.tuple(&[put, full, peeked, read, popped, empty]);
        b.ret(Some(all));
    });
    let int = |x: i64| Val::Int(x as u64);
    assert_eq!(returned(&m, &[]), [int(0), int(-7), int(0), int(40), int(0), int(-2)]);
}

#[test]
fn a_key_must_be_written_and_a_map_takes_no_pointer() {
    let build = |store: bool| {
        let mut m = Module::new("t.go");
        let map = m.decls.maps.insert("a", map_decl(MapKind::Array, 1)).unwrap();
        add(&mut m, "f", Type::UNIT, &[], |b, _| {
            let key = slot(b, Type::U32);
            if store {
                let p = b.map_value(Type::U64, map, 0);
                b.store(p, key);
            } else {
                b.map_lookup(map, LookupRole::Site, key);
            }
            b.ret(None);
        });
        trap(&m).kind
    };
    assert_eq!((build(false), build(true)), (TrapKind::Uninitialised, TrapKind::Provenance));
}

#[test]
fn limits_are_located_errors() {
    let mut m = Module::new("t.go");
    let forever = add(&mut m, "spin", Type::UNIT, &[], |b, _| {
        let again = b.block();
        b.jump(again);
        b.switch_to(again);
        b.jump(again);
    });
    assert_eq!(forever, FuncId::from_u32(0));
    add(&mut m, "deep", Type::UNIT, &[], |b, _| {
        b.call(Type::UNIT, FuncId::from_u32(1), &[]);
        b.ret(None);
    });
    let big = m.decls.types.array(Type::U64, 1 << 30);
    add(&mut m, "big", Type::UNIT, &[], |b, _| {
        b.new_object(big);
        b.ret(None);
    });
    let options = Options { steps: 1000, depth: 50, ..Options::default() };
    let mut interp = crate::Interp::new(&m, options).unwrap();
    let kinds: Vec<_> = ["spin", "deep", "big"].map(|f| interp.run(f, &[]).unwrap_err().kind).to_vec();
    assert_eq!(kinds, [TrapKind::StepLimit, TrapKind::CallDepth, TrapKind::MemoryLimit]);
    let error = interp.run("nowhere", &[]).unwrap_err();
    assert_eq!(error.message, "there is no function of this name");
}
