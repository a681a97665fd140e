//! Programs on the kernel: memory, calls, control flow, maps, packets.

use larrow_ir::{GlobalDecl, GlobalSection, LookupRole, MapDecl, MapKind, Module, Op, Pos, Space, Type};

use super::build::{arg, compile, done, program, put, subprogram, syscall, uint};
use super::machine::{load, privileged, run};
use crate::emit;
use crate::isa::Isa;
use crate::kernel::{LoadedObject, RunInput, UpdateMode};

fn array(
    module: &mut Module,
    name: &str,
    kind: MapKind,
    key: Type,
    value: Type,
    entries: u32,
) -> larrow_ir::MapId {
    let decl = MapDecl { kind, key, value, max_entries: entries, flags: 0, pos: Pos::None };
    module.decls.maps.insert(name, decl).expect("a fresh name")
}

#[test]
fn many_values_live_across_calls_are_spilled() {
    if !privileged("many_values_live_across_calls_are_spilled") {
        return;
    }
    for isa in Isa::ALL {
        let mut module = Module::new("spill.go");
        let twist = subprogram(&mut module, "twist", &[Type::U64, Type::U64], Type::U64, |build, p| {
            let sum = build.mul(p[0], p[1]);
            let three = build.int(Type::U64, 3);
            let out = build.add(sum, three);
            build.ret(Some(out));
        });
        syscall(&mut module, |build, ctx| {
            let x = arg(build, ctx, 0, 64);
            let live: Vec<_> = (1..20)
                .map(|n| {
                    let n = build.int(Type::U64, n * 0x1_0000_0001);
                    build.mul(x, n)
                })
                .collect();
            let mut sum = x;
            for &v in &live {
                sum = build.call(Type::U64, twist, &[sum, v]);
            }
            for &v in &live {
                sum = build.xor(sum, v);
            }
            put(build, ctx, 1, sum);
            done(build);
        });
        let compiled = compile(&module, isa);
        let main = compiled.funcs.iter().find(|f| &*f.name == "main").expect("it is there");
        assert!(main.spills > 8, "this is a test of spilling: {}", main.spills);
        let loaded = load(&module, isa);
        for x in [0u64, 1, 5, 0xdead_beef_0bad_cafe] {
            let live: Vec<u64> = (1..20).map(|n: u64| x.wrapping_mul(n * 0x1_0000_0001)).collect();
            let sum = live.iter().fold(x, |sum, &v| sum.wrapping_mul(v).wrapping_add(3));
            let want = live.iter().fold(sum, |sum, &v| sum ^ v);
            assert_eq!(run(&loaded, &[x, 0, 0, 0, 0, 0, 0, 0])[1], want, "{x:#x} on {isa}");
        }
    }
}

#[test]
fn loops_phis_and_swaps() {
    if !privileged("loops_phis_and_swaps") {
        return;
    }
    for isa in Isa::ALL {
        let mut module = Module::new("fib.go");
        // Fibonacci by exchanging two phis; the count is bounded so that the verifier sees an end.
        syscall(&mut module, |build, ctx| {
            let n = arg(build, ctx, 0, 32);
            let n = build.bounded(n, 1, 40);
            let (zero, one, first) =
                (build.int(Type::U64, 0), build.int(Type::U64, 1), build.int(Type::U32, 0));
            let (entry, head, body, end) = (build.current(), build.block(), build.block(), build.block());
            build.jump(head);
            build.switch_to(head);
            let a = build.phi(Type::U64, &[zero]);
            let b = build.phi(Type::U64, &[one]);
            let i = build.phi(Type::U32, &[first]);
            let more = build.less_u(i, n);
            build.branch(more, body, end);
            build.switch_to(body);
            let sum = build.add(a, b);
            let step = build.int(Type::U32, 1);
            let next = build.add(i, step);
            build.jump(head);
            build.func.push_phi_args(head, &[b, sum, next]);
            build.switch_to(end);
            put(build, ctx, 1, a);
            done(build);
            let _ = entry;
        });
        let loaded = load(&module, isa);
        for n in [1u64, 2, 10, 40] {
            let (mut a, mut b) = (0u64, 1u64);
            for _ in 0..n {
                (a, b) = (b, a + b);
            }
            assert_eq!(run(&loaded, &[n, 0, 0, 0, 0, 0, 0, 0])[1], a, "{n} on {isa}");
        }
        assert_eq!(run(&loaded, &[41, 7, 0, 0, 0, 0, 0, 0])[1], 7, "out of bounds gives up");
        assert_eq!(run(&loaded, &[0, 7, 0, 0, 0, 0, 0, 0])[1], 7, "out of bounds gives up");
    }
}

#[test]
fn a_switch_takes_the_right_arm() {
    if !privileged("a_switch_takes_the_right_arm") {
        return;
    }
    for isa in Isa::ALL {
        for bits in [8, 32, 64] {
            let cases: Vec<u64> = [0u64, 3, 4, 9, 77, 128, 200, 255, 1 << 31, u64::MAX]
                .into_iter()
                .filter(|&c| bits == 64 || c < 1 << bits)
                .collect();
            let mut module = Module::new("switch.go");
            syscall(&mut module, |build, ctx| {
                let x = arg(build, ctx, 0, bits);
                let blocks: Vec<_> = cases.iter().map(|&c| (c, build.block())).collect();
                let (default, join) = (build.block(), build.block());
                build.switch(x, &blocks, default);
                let mut values = Vec::new();
                for (n, &(_, b)) in (100..).zip(&blocks) {
                    build.switch_to(b);
                    values.push(build.int(Type::U64, n));
                    build.jump(join);
                }
                build.switch_to(default);
                values.push(build.int(Type::U64, 1));
                build.jump(join);
                build.switch_to(join);
                let out = build.phi(Type::U64, &values);
                put(build, ctx, 1, out);
                done(build);
            });
            let loaded = load(&module, isa);
            for x in cases.iter().copied().chain([1, 2, 5, 100, 201, 1 << 30]) {
                let seen = if bits == 64 { x } else { x & ((1 << bits) - 1) };
                let want = (100..).zip(&cases).find(|(_, c)| **c == seen).map_or(1, |(n, _)| n);
                assert_eq!(run(&loaded, &[x, 0, 0, 0, 0, 0, 0, 0])[1], want, "{x:#x} at {bits} on {isa}");
            }
        }
    }
}

#[test]
fn selects_negations_and_truth_values() {
    if !privileged("selects_negations_and_truth_values") {
        return;
    }
    for isa in Isa::ALL {
        let mut module = Module::new("select.go");
        syscall(&mut module, |build, ctx| {
            let (x, y) = (arg(build, ctx, 0, 64), arg(build, ctx, 1, 64));
            let less = build.less(x, y);
            let min = build.cond_select(less, x, y);
            put(build, ctx, 2, min);
            let not = build.not(less);
            put(build, ctx, 3, not);
            let same = build.eq(x, y);
            let either = build.or(same, less);
            let max = build.cond_select(either, y, x);
            put(build, ctx, 4, max);
            let (then, other) = (build.block(), build.block());
            build.branch(not, then, other);
            build.switch_to(then);
            let one = build.int(Type::U64, 1);
            put(build, ctx, 5, one);
            done(build);
            build.switch_to(other);
            done(build);
        });
        let loaded = load(&module, isa);
        for (x, y) in [(1i64, 2), (2, 1), (-1, 1), (5, 5), (i64::MIN, i64::MAX)] {
            let out = run(&loaded, &[x.cast_unsigned(), y.cast_unsigned(), 0, 0, 0, 0, 0, 0]);
            let want =
                [x.min(y).cast_unsigned(), u64::from(x >= y), x.max(y).cast_unsigned(), u64::from(x >= y)];
            assert_eq!(out[2..6], want, "{x} {y} on {isa}");
        }
    }
}

#[test]
fn memory_of_every_size_on_the_stack() {
    if !privileged("memory_of_every_size_on_the_stack") {
        return;
    }
    for isa in Isa::ALL {
        let mut module = Module::new("memory.go");
        syscall(&mut module, |build, ctx| {
            let x = arg(build, ctx, 0, 64);
            let fields =
                [("a", Type::U8), ("b", Type::U32), ("c", Type::U16), ("d", Type::U64), ("e", Type::U8)];
            for packed in [false, true] {
                let ty = build.decls.types.structure(&fields, packed);
                let size = build.decls.types.size(ty);
                let offsets = build.decls.types.field_offsets(ty).expect("a struct");
                let (one, two) = (build.slot(ty), build.slot(ty));
                let (from, to) = (build.local_addr(one), build.local_addr(two));
                build.mem_zero(from, size);
                build.mem_zero(to, size);
                for ((_, field), &offset) in fields.iter().zip(&offsets) {
                    let narrow = if *field == Type::U64 { x } else { build.trunc(*field, x) };
                    let at = build.ptr_offset(*field, from, offset);
                    build.store(at, narrow);
                }
                build.mem_copy(to, from, size);
                let mut sum = build.int(Type::U64, 0);
                for ((_, field), &offset) in fields.iter().zip(&offsets) {
                    let at = build.ptr_offset(*field, to, offset);
                    let narrow = build.load(*field, at);
                    let wide = if *field == Type::U64 { narrow } else { build.zero_ext(Type::U64, narrow) };
                    let shifted = {
                        let three = build.int(Type::U64, 3);
                        build.lsh(sum, three)
                    };
                    sum = build.add(shifted, wide);
                }
                put(build, ctx, if packed { 2 } else { 1 }, sum);
            }
            done(build);
        });
        let loaded = load(&module, isa);
        for x in [0u64, 0x0123_4567_89ab_cdef, u64::MAX] {
            let parts = [x & 0xff, x & 0xffff_ffff, x & 0xffff, x, x & 0xff];
            let want = parts.iter().fold(0u64, |sum, &p| (sum << 3).wrapping_add(p));
            let out = run(&loaded, &[x, 0, 0, 0, 0, 0, 0, 0]);
            assert_eq!((out[1], out[2]), (want, want), "{x:#x} on {isa}");
        }
    }
}

#[test]
fn sign_extending_loads_and_immediate_stores() {
    if !privileged("sign_extending_loads_and_immediate_stores") {
        return;
    }
    for isa in Isa::ALL {
        let mut module = Module::new("ldsx.go");
        syscall(&mut module, |build, ctx| {
            for (n, bits, value) in [(1, 8, 0x80u64), (2, 16, 0x8001), (3, 32, 0xffff_fffe), (4, 64, 1 << 40)]
            {
                let ty = uint(bits);
                let slot = build.slot(ty);
                let at = build.local_addr(slot);
                let constant = build.int(ty, value);
                build.store(at, constant);
                let x = build.load(ty, at);
                let wide = if bits < 64 { build.sign_ext(Type::U64, x) } else { x };
                put(build, ctx, n, wide);
            }
            done(build);
        });
        let out = run(&load(&module, isa), &[0; 8]);
        let want = [(-128i64).cast_unsigned(), (-32767i64).cast_unsigned(), (-2i64).cast_unsigned(), 1 << 40];
        assert_eq!(out[1..5], want, "{isa}");
    }
}

#[test]
fn tuples_come_back_packed_or_through_memory() {
    if !privileged("tuples_come_back_packed_or_through_memory") {
        return;
    }
    for isa in Isa::ALL {
        let mut module = Module::new("tuple.go");
        let small = module.decls.types.tuple(&[Type::U16, Type::BOOL, Type::U32]);
        let wide = module.decls.types.tuple(&[Type::I64, Type::BOOL]);
        let parts = subprogram(&mut module, "parts", &[Type::U64], small, |build, p| {
            let low = build.trunc(Type::U16, p[0]);
            let by = build.int(Type::U64, 32);
            let high = build.rsh_u(p[0], by);
            let high = build.trunc(Type::U32, high);
            let zero = build.int(Type::U32, 0);
            let any = build.neq(high, zero);
            let out = build.tuple(&[low, any, high]);
            build.ret(Some(out));
        });
        let pair = subprogram(&mut module, "pair", &[Type::U64], wide, |build, p| {
            let zero = build.int(Type::U64, 0);
            let negative = build.less(p[0], zero);
            let out = build.neg(p[0]);
            let out = build.tuple(&[out, negative]);
            build.ret(Some(out));
        });
        syscall(&mut module, |build, ctx| {
            let x = arg(build, ctx, 0, 64);
            let three = build.call(small, parts, &[x]);
            for i in 0..3 {
                let member = build.extract(three, i);
                put(build, ctx, u64::from(i) + 1, member);
            }
            let two = build.call(wide, pair, &[x]);
            for i in 0..2 {
                let member = build.extract(two, i);
                put(build, ctx, u64::from(i) + 4, member);
            }
            done(build);
        });
        let loaded = load(&module, isa);
        for x in [5u64, 0x1234_5678_9abc_def0, u64::MAX - 3] {
            let out = run(&loaded, &[x, 9, 9, 9, 9, 9, 0, 0]);
            let negative = u64::from(x.cast_signed() < 0);
            let want = [x & 0xffff, u64::from(x >> 32 != 0), x >> 32, x.wrapping_neg(), negative];
            assert_eq!(out[1..6], want, "{x:#x} on {isa}");
        }
    }
}

#[test]
fn atomics_and_barriers() {
    if !privileged("atomics_and_barriers") {
        return;
    }
    for (isa, acquire) in [(Isa::V3, false), (Isa::V4, false), (Isa::V4, true)] {
        let mut module = Module::new("atomic.go");
        let map = array(&mut module, "cells", MapKind::Array, Type::U32, Type::U64, 1);
        syscall(&mut module, |build, ctx| {
            let key = build.slot(Type::U32);
            let (at, zero) = (build.local_addr(key), build.int(Type::U32, 0));
            build.store(at, zero);
            let cell = build.map_lookup(map, LookupRole::Plain, at);
            let nil = {
                let ty = build.func.ty(cell);
                build.nil(ty)
            };
            let missing = build.eq(cell, nil);
            let (absent, present) = (build.block(), build.block());
            build.branch(missing, absent, present);
            build.switch_to(absent);
            done(build);
            build.switch_to(present);
            let x = arg(build, ctx, 0, 64);
            build.atomic_store(cell, x);
            let ops = [Op::AtomicAdd, Op::AtomicOr, Op::AtomicAnd, Op::AtomicXor, Op::AtomicXchg];
            for (n, op) in (1..).zip(ops) {
                let by = build.int(Type::U64, 0x3f5);
                let old = build.op(op, Type::U64, &[cell, by]);
                put(build, ctx, n, old);
            }
            let by = build.int(Type::U64, 1);
            build.op(Op::AtomicAdd, Type::UNIT, &[cell, by]);
            build.sync();
            let (want, new) = (build.int(Type::U64, 0x3f6), build.int(Type::U64, 99));
            let old = build.atomic_cas(cell, want, new);
            put(build, ctx, 6, old);
            let now = build.atomic_load(Type::U64, cell);
            put(build, ctx, 7, now);
            done(build);
        });
        let compiled = crate::compile_module(
            &module,
            &crate::TargetOptions { isa, load_acquire: acquire, ..crate::TargetOptions::default() },
        );
        let object = emit(&compiled.expect("compiles"), None).expect("an object");
        let loaded = LoadedObject::load(&object).expect("the verifier takes it");
        let out = run(&loaded, &[1000, 0, 0, 0, 0, 0, 0, 0]);
        let a = 1000 + 0x3f5;
        let (b, c) = (a | 0x3f5, (a | 0x3f5) & 0x3f5);
        assert_eq!(out[1..], [1000, a, b, c, c ^ 0x3f5, 0x3f6, 99], "{isa}");
    }
}

#[test]
fn maps_are_looked_up_updated_and_deleted_from() {
    if !privileged("maps_are_looked_up_updated_and_deleted_from") {
        return;
    }
    for isa in Isa::ALL {
        let mut module = Module::new("maps.go");
        let key = module.decls.types.structure(&[("port", Type::U16), ("host", Type::U32)], true);
        let flows = array(&mut module, "flows", MapKind::Hash, key, Type::U64, 8);
        let queue = array(&mut module, "waiting", MapKind::Queue, Type::UNIT, Type::U32, 4);
        syscall(&mut module, |build, ctx| {
            let (key_slot, value_slot) = (build.slot(key), build.slot(Type::U64));
            let (k, v) = (build.local_addr(key_slot), build.local_addr(value_slot));
            let port = arg(build, ctx, 0, 16);
            let host = arg(build, ctx, 1, 32);
            build.store(k, port);
            let at = build.ptr_offset(Type::U32, k, 2);
            build.store(at, host);
            let wide = build.zero_ext(Type::U64, host);
            build.store(v, wide);
            let status = build.map_update(flows, k, v, 0);
            put(build, ctx, 2, status);
            let found = build.map_lookup(flows, LookupRole::Plain, k);
            let nil = {
                let ty = build.func.ty(found);
                build.nil(ty)
            };
            let there = build.neq(found, nil);
            let (yes, no) = (build.block(), build.block());
            build.branch(there, yes, no);
            build.switch_to(no);
            done(build);
            build.switch_to(yes);
            let x = build.load(Type::U64, found);
            put(build, ctx, 3, x);
            let gone = build.map_delete(flows, k);
            put(build, ctx, 4, gone);
            let again = build.map_delete(flows, k);
            put(build, ctx, 5, again);
            let item = build.slot(Type::U32);
            let item = build.local_addr(item);
            build.store(item, host);
            let pushed = build.map_value_io(Op::MapPush, queue, item, 0);
            build.mem_zero(item, 4);
            let popped = build.map_value_io(Op::MapPop, queue, item, 0);
            let both = build.or(pushed, popped);
            put(build, ctx, 6, both);
            let back = build.load(Type::U32, item);
            put(build, ctx, 7, back);
            done(build);
        });
        let out = run(&load(&module, isa), &[443, 0xc0a8_0001, 9, 9, 9, 9, 9, 9]);
        let absent = (-2i64).cast_unsigned();
        assert_eq!(out[2..], [0, 0xc0a8_0001, 0, absent, 0, 0xc0a8_0001], "{isa}");
    }
}

#[test]
fn variables_and_helpers() {
    if !privileged("variables_and_helpers") {
        return;
    }
    for isa in Isa::ALL {
        let mut module = Module::new("globals.go");
        let mut declare = |name: &str, ty, section, init| {
            module
                .decls
                .globals
                .insert(name, GlobalDecl { ty, section, init, pos: Pos::None })
                .expect("fresh")
        };
        let limit = declare("limit", Type::U32, GlobalSection::Rodata, vec![42, 0, 0, 0]);
        let pad = declare("pad", Type::U8, GlobalSection::Bss, Vec::new());
        let hits = declare("hits", Type::U64, GlobalSection::Bss, Vec::new());
        syscall(&mut module, |build, ctx| {
            let at = build.global_addr(limit);
            let x = build.load(Type::U32, at);
            put(build, ctx, 1, x);
            let at = build.global_addr(pad);
            let one = build.int(Type::U8, 7);
            build.store(at, one);
            let at = build.global_addr(hits);
            let old = build.load(Type::U64, at);
            let by = build.int(Type::U64, 5);
            let new = build.add(old, by);
            build.store(at, new);
            let random = build.call_helper(Type::U32, "get_prandom_u32", &[]);
            put(build, ctx, 2, random);
            let now = build.call_helper(Type::U64, "bpf_ktime_get_ns", &[]);
            put(build, ctx, 3, now);
            done(build);
        });
        let loaded = load(&module, isa);
        run(&loaded, &[0; 8]);
        let out = run(&loaded, &[0; 8]);
        assert_eq!(out[1], 42);
        assert!(out[2] <= u64::from(u32::MAX) && out[3] > 0);
        let bss = loaded.map(".bss").expect("it is there");
        let bytes = bss.lookup(&[0; 4]).expect("an array").expect("its only entry");
        assert_eq!((bytes[0], bytes[8]), (7, 10), "{isa}");
    }
}

#[test]
fn a_packet_is_parsed() {
    if !privileged("a_packet_is_parsed") {
        return;
    }
    for isa in Isa::ALL {
        let mut module = Module::new("parse.go");
        program(&mut module, "filter", "xdp", "xdp", |build, ctx| {
            let bytes = build.decls.types.ptr(Space::Packet, Type::U8);
            let data = build.ctx_load(bytes, ctx, "data");
            let end = build.ctx_load(bytes, ctx, "data_end");
            let (short, rest) = (build.block(), build.block());
            let header = build.ptr_offset(Type::U8, data, 34);
            let beyond = build.less_u(end, header);
            build.branch(beyond, short, rest);
            build.switch_to(short);
            let one = build.int(Type::U32, 1);
            build.ret(Some(one));
            build.switch_to(rest);
            // The length of the IP header is a variable index, bounded for the verifier.
            let at = build.ptr_offset(Type::U8, data, 14);
            let first = build.load(Type::U8, at);
            let low = build.int(Type::U8, 15);
            let words = build.and(first, low);
            let words = build.bounded(words, 5, 15);
            let two = build.int(Type::U8, 2);
            let length = build.lsh(words, two);
            let length = build.zero_ext(Type::U64, length);
            let transport = build.ptr_add(Type::U8, at, length);
            let needed = build.ptr_offset(Type::U8, transport, 4);
            let (ok, bad) = (build.block(), build.block());
            let fits = build.leq_u(needed, end);
            build.branch(fits, ok, bad);
            build.switch_to(bad);
            let one = build.int(Type::U32, 1);
            build.ret(Some(one));
            build.switch_to(ok);
            let port = build.ptr_offset(Type::U16, transport, 2);
            let port = build.load(Type::U16, port);
            let port = build.bswap(port);
            let eighty = build.int(Type::U16, 80);
            let http = build.eq(port, eighty);
            let (pass, drop) = (build.int(Type::U32, 2), build.int(Type::U32, 1));
            let out = build.cond_select(http, pass, drop);
            build.ret(Some(out));
        });
        let loaded = load(&module, isa);
        let program = loaded.program("filter").expect("it is there");
        let packet = |first: u8, port: u16, len: usize| {
            let mut data = vec![0u8; len];
            data[14] = first;
            let at = 14 + usize::from(first & 15) * 4 + 2;
            if at + 2 <= len {
                data[at..at + 2].copy_from_slice(&port.to_be_bytes());
            }
            program.test_run(&RunInput { data, ..RunInput::default() }).expect("it runs").retval
        };
        assert_eq!(packet(0x45, 80, 64), 2, "{isa}");
        assert_eq!(packet(0x45, 81, 64), 1, "{isa}");
        assert_eq!(packet(0x48, 80, 64), 2, "{isa}");
        assert_eq!(packet(0x44, 80, 64), 0, "a header too short is out of bounds: aborted");
        assert_eq!(packet(0x4f, 80, 64), 1, "past the end");
        assert_eq!(packet(0x45, 80, 30), 1, "short");
    }
}

#[test]
fn a_bounded_index_into_a_map_value() {
    if !privileged("a_bounded_index_into_a_map_value") {
        return;
    }
    for isa in Isa::ALL {
        for bits in [32, 64] {
            let mut module = Module::new("index.go");
            let ring = module.decls.types.array(Type::U64, 16);
            let map = array(&mut module, "ring", MapKind::Array, Type::U32, ring, 1);
            syscall(&mut module, |build, ctx| {
                let key = build.slot(Type::U32);
                let key = build.local_addr(key);
                build.mem_zero(key, 4);
                let found = build.map_lookup(map, LookupRole::Plain, key);
                let nil = {
                    let ty = build.func.ty(found);
                    build.nil(ty)
                };
                let missing = build.eq(found, nil);
                let (absent, present) = (build.block(), build.block());
                build.branch(missing, absent, present);
                build.switch_to(absent);
                done(build);
                build.switch_to(present);
                let i = arg(build, ctx, 0, bits);
                let i = build.bounded(i, 0, 15);
                let i = if bits == 64 { i } else { build.zero_ext(Type::U64, i) };
                let eight = build.int(Type::U64, 8);
                let off = build.mul(i, eight);
                let at = build.ptr_add(Type::U64, found, off);
                let x = build.load(Type::U64, at);
                put(build, ctx, 1, x);
                done(build);
            });
            let loaded = load(&module, isa);
            let map = loaded.map("ring").expect("it is there");
            let values: Vec<u8> = (0..16u64).flat_map(|n| (n * n).to_le_bytes()).collect();
            map.update(&[0; 4], &values, UpdateMode::Any).expect("an array");
            assert_eq!(run(&loaded, &[15, 3, 0, 0, 0, 0, 0, 0])[1], 225, "{isa}");
            assert_eq!(run(&loaded, &[16, 3, 0, 0, 0, 0, 0, 0])[1], 3, "{isa}: out of bounds");
        }
    }
}

#[test]
fn far_branches_arrive() {
    if !privileged("far_branches_arrive") {
        return;
    }
    for isa in Isa::ALL {
        let loaded = load(&super::shape::far_branches(), isa);
        for x in [3, 10, u64::MAX] {
            assert_eq!(
                run(&loaded, &[x, 0, 0, 0, 0, 0, 0, 0])[1],
                super::shape::far_result(x),
                "{x} on {isa}"
            );
        }
    }
}

#[test]
fn a_value_is_addressed_directly() {
    if !privileged("a_value_is_addressed_directly") {
        return;
    }
    for isa in Isa::ALL {
        let mut module = Module::new("direct.go");
        let ring = module.decls.types.array(Type::U64, 4);
        let map = array(&mut module, "ring", MapKind::Array, Type::U32, ring, 1);
        syscall(&mut module, |build, ctx| {
            let x = arg(build, ctx, 0, 64);
            let at = build.map_value(Type::U64, map, 16);
            build.store(at, x);
            let next = build.ptr_offset(Type::U64, at, 8);
            let seven = build.int(Type::U64, 7);
            build.store(next, seven);
            let back = build.load(Type::U64, at);
            put(build, ctx, 1, back);
            done(build);
        });
        let loaded = load(&module, isa);
        assert_eq!(run(&loaded, &[33, 0, 0, 0, 0, 0, 0, 0])[1], 33);
        let bytes = loaded.map(".data.ring").expect("it is there").lookup(&[0; 4]).expect("an array");
        let bytes = bytes.expect("its only entry");
        assert_eq!((bytes[16], bytes[24]), (33, 7), "{isa}");
    }
}

#[test]
fn a_callback_runs_in_a_loop() {
    if !privileged("a_callback_runs_in_a_loop") {
        return;
    }
    let mut module = Module::new("loop.go");
    let word = module.decls.types.ptr(Space::Any, Type::U64);
    let each = subprogram(&mut module, "each", &[Type::U32, word], Type::U64, |build, p| {
        let sum = build.load(Type::U64, p[1]);
        let wide = build.zero_ext(Type::U64, p[0]);
        let sum = build.add(sum, wide);
        build.store(p[1], sum);
        let zero = build.int(Type::U64, 0);
        build.ret(Some(zero));
    });
    syscall(&mut module, |build, ctx| {
        let slot = build.slot(Type::U64);
        let at = build.local_addr(slot);
        build.mem_zero(at, 8);
        let rounds = build.int(Type::U32, 1000);
        let ty = build.decls.types.func(&[Type::U32, word], Type::U64);
        let callback = build.func_addr(ty, each);
        let flags = build.int(Type::U64, 0);
        let done_rounds = build.call_helper(Type::I64, "loop", &[rounds, callback, at, flags]);
        put(build, ctx, 1, done_rounds);
        let sum = build.load(Type::U64, at);
        put(build, ctx, 2, sum);
        done(build);
    });
    let out = run(&load(&module, Isa::V3), &[0; 8]);
    assert_eq!(out[1..3], [1000, 1000 * 999 / 2]);
}
