//! How code looks and how long making it takes.

use larrow_ir::{Function, Module, Op, Type};

use super::build::{arg, compile, done, dump, put, subprogram, syscall};
use crate::isa::Isa;

/// The final instructions of `main` as text, a line each.
fn listing(module: &Module, isa: Isa) -> Vec<String> {
    let compiled = compile(module, isa);
    let main = compiled.funcs.iter().find(|f| &*f.name == "main").expect("it is there");
    main.code.insts.iter().map(ToString::to_string).collect()
}

#[test]
fn constants_offsets_and_comparisons_fold() {
    let mut module = Module::new("fold.go");
    syscall(&mut module, |build, ctx| {
        let x = arg(build, ctx, 0, 64);
        let five = build.int(Type::U64, 5);
        let sum = build.add(five, x);
        let (then, other) = (build.block(), build.block());
        let limit = build.int(Type::U64, 100);
        let cond = build.less_u(limit, sum);
        build.branch(cond, then, other);
        build.switch_to(then);
        let seven = build.int(Type::U64, 7);
        put(build, ctx, 3, seven);
        done(build);
        build.switch_to(other);
        done(build);
    });
    let code = listing(&module, Isa::V3);
    // Load, add, branch, immediate store, and one copy of the result and the exit.
    assert_eq!(code.len(), 6, "{code:#?}");
    assert!(code.iter().any(|l| l.contains("*(u64 *)(r1 + 0x18) = 0x7")), "{code:#?}");
}

#[test]
fn narrow_chains_are_masked_once() {
    let mut module = Module::new("narrow.go");
    syscall(&mut module, |build, ctx| {
        let (x, y) = (arg(build, ctx, 0, 8), arg(build, ctx, 1, 8));
        let mut sum = build.add(x, y);
        for _ in 0..4 {
            sum = build.mul(sum, y);
        }
        put(build, ctx, 2, sum);
        done(build);
    });
    let code = listing(&module, Isa::V3);
    assert_eq!(code.iter().filter(|l| l.contains("&=")).count(), 1, "{code:#?}");
}

#[test]
fn a_map_call_shows_map_and_key() {
    let mut module = Module::new("call.go");
    let twice = subprogram(&mut module, "twice", &[Type::U64], Type::U64, |build, p| {
        let out = build.add(p[0], p[0]);
        build.ret(Some(out));
    });
    syscall(&mut module, |build, ctx| {
        let x = arg(build, ctx, 0, 64);
        let y = build.call(Type::U64, twice, &[x]);
        put(build, ctx, 1, y);
        done(build);
    });
    let text = dump(&compile(&module, Isa::V3));
    assert!(text.contains("v3 = call @twice(r1: v2)") || text.contains("= call @twice(r1: "), "{text}");
    assert!(text.contains("r0 = call @twice(r1)"), "{text}");
}

/// A `syscall` program with one long block.
fn straight(values: u32) -> Module {
    let mut module = Module::new("long.go");
    syscall(&mut module, |build, ctx| {
        let x = arg(build, ctx, 0, 64);
        let mut v = x;
        for n in 0..values / 2 {
            let c = build.int(Type::U64, u64::from(n) | 1 << 33);
            v = build.op([Op::Add, Op::Xor, Op::Mul][n as usize % 3], Type::U64, &[v, c]);
        }
        put(build, ctx, 1, v);
        done(build);
    });
    module
}

/// A chain of diamonds of so many blocks.
fn diamonds(blocks: u32) -> Module {
    let mut module = Module::new("diamonds.go");
    syscall(&mut module, |build, ctx| {
        let x = arg(build, ctx, 0, 64);
        let mut v = x;
        for n in 0..blocks / 4 {
            let (then, other, join) = (build.block(), build.block(), build.block());
            let c = build.int(Type::U64, u64::from(n));
            let cond = build.less_u(v, c);
            build.branch(cond, then, other);
            build.switch_to(then);
            let a = build.add(v, c);
            build.jump(join);
            build.switch_to(other);
            let b = build.xor(v, x);
            build.jump(join);
            build.switch_to(join);
            v = build.phi(Type::U64, &[a, b]);
        }
        put(build, ctx, 1, v);
        done(build);
    });
    module
}

#[test]
fn code_grows_with_size() {
    let size = |module: &Module| -> usize {
        compile(module, Isa::V3).funcs.iter().map(|f| f.code.insts.len()).sum()
    };
    for make in [straight, diamonds] {
        let (small, large) = (size(&make(1_000)), size(&make(8_000)));
        assert!(small >= 1_000 && large < small * 9, "{large} instructions for eight times {small}");
    }
}

/// A function whose branches reach over more than 32767 slots.
pub(super) fn far_branches() -> Module {
    let mut module = straight(0);
    module.funcs = larrow_ir::Named::default();
    let mut func = Function::new("main", Type::U32);
    func.section = Some("syscall".into());
    let opaque = module.decls.types.opaque("syscall");
    let ty = module.decls.types.ptr(larrow_ir::Space::Ctx, opaque);
    let ctx = func.add_param(ty);
    let mut build = larrow_ir::FuncBuilder::new(&mut func, &mut module.decls);
    let entry = build.block();
    build.switch_to(entry);
    let x = arg(&mut build, ctx, 0, 64);
    let (near, far, end) = (build.block(), build.block(), build.block());
    let ten = build.int(Type::U64, 10);
    let low = build.less_u(x, ten);
    build.branch(low, near, far);
    build.switch_to(near);
    let mut v = x;
    for n in 0..11_500u64 {
        let c = build.int(Type::U64, n | 1 << 33);
        v = build.op([Op::Add, Op::Xor][n as usize % 2], Type::U64, &[v, c]);
    }
    build.jump(end);
    build.switch_to(far);
    let mut w = x;
    for n in 0..11_500u64 {
        let c = build.int(Type::U64, n | 1 << 34);
        w = build.op([Op::Xor, Op::Add][n as usize % 2], Type::U64, &[w, c]);
    }
    build.jump(end);
    build.switch_to(end);
    let out = build.phi(Type::U64, &[v, w]);
    put(&mut build, ctx, 1, out);
    done(&mut build);
    module.add_func(func).expect("a fresh name");
    module
}

/// What [`far_branches`] computes.
#[cfg(feature = "kernel")]
pub(super) fn far_result(x: u64) -> u64 {
    let near = x < 10;
    (0..11_500u64).fold(x, |v, n| {
        let c = n | if near { 1 << 33 } else { 1 << 34 };
        if (n % 2 == 0) == near { v.wrapping_add(c) } else { v ^ c }
    })
}

#[test]
fn far_branches_reach() {
    for isa in Isa::ALL {
        let compiled = compile(&far_branches(), isa);
        let code = &compiled.funcs[0].code;
        assert!(code.slots() > 2 * 34_000);
        let long = code.insts.iter().filter(|i| i.to_string().starts_with("gotol")).count();
        assert_eq!(long > 0, isa == Isa::V4, "{isa}");
    }
}
