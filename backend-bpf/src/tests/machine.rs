//! Every integer op at every width and level on the kernel, against Rust's own arithmetic.

use larrow_ir::{FuncBuilder, Module, Op, Type, Value};

use super::build::{arg, compile, done, dump, put, syscall, uint};
use crate::emit;
use crate::isa::Isa;
use crate::kernel::{Kernel, LoadedObject, RunInput};

/// Whether BPF can be used; says so if not.
pub(super) fn privileged(test: &str) -> bool {
    match Kernel::probe() {
        Ok(_) => true,
        Err(reason) => {
            #[expect(clippy::print_stderr, reason = "a skipped test must be seen")]
            {
                eprintln!("SKIPPED {test}: {reason}");
            }
            false
        }
    }
}

/// Compiles and loads; what the verifier says fails the test, with the code.
pub(super) fn load(module: &Module, isa: Isa) -> LoadedObject {
    let compiled = compile(module, isa);
    let object = emit(&compiled, None).expect("an object");
    match LoadedObject::load(&object) {
        Ok(loaded) => loaded,
        Err(error) => panic!("{isa}: {error}\n{}", dump(&compiled)),
    }
}

/// Runs a `syscall` program on words; returns them afterwards.
pub(super) fn run(loaded: &LoadedObject, words: &[u64]) -> Vec<u64> {
    let ctx = Some(words.iter().flat_map(|w| w.to_le_bytes()).collect());
    let program = loaded.program("main").expect("it is there");
    let out = program.test_run(&RunInput { ctx, ..RunInput::default() }).expect("it runs");
    out.ctx_out.chunks_exact(8).map(|c| u64::from_le_bytes(c.try_into().expect("of 8 bytes"))).collect()
}

pub(super) fn sext(x: u64, bits: u32) -> i64 {
    (x << (64 - bits)).cast_signed() >> (64 - bits)
}

pub(super) fn mask(bits: u32) -> u64 {
    u64::MAX >> (64 - bits)
}

/// What an op means, on zero-extended operands.
pub(super) fn eval(op: Op, x: u64, y: u64, bits: u32) -> u64 {
    let (sx, sy) = (sext(x, bits), sext(y, bits));
    let count = y & u64::from(bits - 1);
    let wide = match op {
        Op::Add => x.wrapping_add(y),
        Op::Sub => x.wrapping_sub(y),
        Op::Mul => x.wrapping_mul(y),
        Op::Div => (if sy == 0 { 0 } else { sx.wrapping_div(sy) }).cast_unsigned(),
        Op::Mod => (if sy == 0 { sx } else { sx.wrapping_rem(sy) }).cast_unsigned(),
        Op::DivU => x.checked_div(y).unwrap_or(0),
        Op::ModU => x.checked_rem(y).unwrap_or(x),
        Op::And => x & y,
        Op::Or => x | y,
        Op::Xor => x ^ y,
        Op::Lsh => x << count,
        Op::Rsh => (sx >> count).cast_unsigned(),
        Op::RshU => x >> count,
        Op::Neg => x.wrapping_neg(),
        Op::Com => !x,
        Op::Bswap => x.swap_bytes() >> (64 - bits),
        Op::Eq => u64::from(x == y),
        Op::Neq => u64::from(x != y),
        Op::Less => u64::from(sx < sy),
        Op::Leq => u64::from(sx <= sy),
        Op::LessU => u64::from(x < y),
        Op::LeqU => u64::from(x <= y),
        _ => panic!("{op} is not in this table"),
    };
    wide & mask(bits)
}

pub(super) const BINARY: [Op; 13] = [
    Op::Add,
    Op::Sub,
    Op::Mul,
    Op::Div,
    Op::Mod,
    Op::DivU,
    Op::ModU,
    Op::And,
    Op::Or,
    Op::Xor,
    Op::Lsh,
    Op::Rsh,
    Op::RshU,
];
pub(super) const COMPARE: [Op; 6] = [Op::Eq, Op::Neq, Op::Less, Op::Leq, Op::LessU, Op::LeqU];

/// Values around the edges of a width, with dirt above where they are narrowed.
fn edges(bits: u32) -> Vec<u64> {
    let top = 1u64 << (bits - 1);
    let mut out = vec![0, 1, 2, 7, top - 1, top, top + 1, mask(bits), mask(bits) - 1, 0x5a5a_1234_8765_a5a5];
    out.push(u64::from(bits) - 1);
    out.push(u64::from(bits));
    out
}

fn binary(op: Op, bits: u32, isa: Isa, rhs: Option<u64>) -> LoadedObject {
    let mut module = Module::new("arith.go");
    syscall(&mut module, |build, ctx| {
        let x = arg(build, ctx, 0, bits);
        let y = match rhs {
            Some(c) => build.int(uint(bits), c),
            None => arg(build, ctx, 1, bits),
        };
        let ty = if COMPARE.contains(&op) { Type::BOOL } else { uint(bits) };
        let z = build.op(op, ty, &[x, y]);
        put(build, ctx, 2, z);
        if COMPARE.contains(&op) {
            branch_on(build, ctx, z);
        }
        done(build);
    });
    load(&module, isa)
}

/// Writes 1 or 0 to the context's fourth word by a branch on `cond`.
fn branch_on(build: &mut FuncBuilder<'_>, ctx: Value, cond: Value) {
    let (then, other, join) = (build.block(), build.block(), build.block());
    build.branch(cond, then, other);
    build.switch_to(then);
    let one = build.int(Type::U64, 1);
    put(build, ctx, 3, one);
    build.jump(join);
    build.switch_to(other);
    let zero = build.int(Type::U64, 0);
    put(build, ctx, 3, zero);
    build.jump(join);
    build.switch_to(join);
}

fn check_binary(ops: &[Op]) {
    for isa in Isa::ALL {
        for bits in [8, 16, 32, 64] {
            for &op in ops {
                let variable = binary(op, bits, isa, None);
                for x in edges(bits) {
                    for y in edges(bits) {
                        let want = eval(op, x & mask(bits), y & mask(bits), bits);
                        let out = run(&variable, &[x, y, 77, want, 0, 0, 0, 0]);
                        assert_eq!(out[2], want, "{op} {x:#x} {y:#x} at {bits} bits on {isa}");
                        if COMPARE.contains(&op) {
                            assert_eq!(out[3], want, "branch on {op} {x:#x} {y:#x} at {bits} bits on {isa}");
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn arithmetic_of_variables() {
    if privileged("arithmetic_of_variables") {
        check_binary(&BINARY);
    }
}

#[test]
fn comparisons_of_variables() {
    if privileged("comparisons_of_variables") {
        check_binary(&COMPARE);
    }
}

#[test]
fn operations_with_constants() {
    if !privileged("operations_with_constants") {
        return;
    }
    for isa in Isa::ALL {
        for bits in [8, 16, 32, 64] {
            for op in BINARY.into_iter().chain(COMPARE) {
                for y in edges(bits) {
                    let y = y & mask(bits);
                    let constant = binary(op, bits, isa, Some(y));
                    for x in edges(bits) {
                        let want = eval(op, x & mask(bits), y, bits);
                        let out = run(&constant, &[x, 0, 77, want, 0, 0, 0, 0]);
                        assert_eq!(out[2], want, "{op} {x:#x}, constant {y:#x} at {bits} bits on {isa}");
                        assert_eq!(out[3], want, "branch on {op} {x:#x}, {y:#x} at {bits} bits on {isa}");
                    }
                }
            }
        }
    }
}

#[test]
fn unary_operations_and_conversions() {
    if !privileged("unary_operations_and_conversions") {
        return;
    }
    for isa in Isa::ALL {
        for bits in [8, 16, 32, 64] {
            let mut module = Module::new("unary.go");
            syscall(&mut module, |build, ctx| {
                let x = arg(build, ctx, 0, bits);
                let (neg, com) = (build.neg(x), build.com(x));
                put(build, ctx, 1, neg);
                put(build, ctx, 2, com);
                if bits > 8 {
                    let swapped = build.bswap(x);
                    put(build, ctx, 3, swapped);
                }
                for (n, to) in [(4, 16), (5, 32), (6, 64)] {
                    if to > bits {
                        let wide = build.sign_ext(uint(to), x);
                        put(build, ctx, n, wide);
                    }
                }
                // What is computed narrow and then widened must be clean above.
                let sum = build.add(neg, com);
                let wide = if bits < 64 { build.zero_ext(Type::U64, sum) } else { sum };
                let one = build.int(Type::U64, 1);
                let shifted = build.rsh_u(wide, one);
                put(build, ctx, 7, shifted);
                done(build);
            });
            let loaded = load(&module, isa);
            for x in edges(bits) {
                let y = x & mask(bits);
                let out = run(&loaded, &[x, 0, 0, 0, 0, 0, 0, 0]);
                assert_eq!(out[1], eval(Op::Neg, y, 0, bits), "neg {y:#x} at {bits} on {isa}");
                assert_eq!(out[2], eval(Op::Com, y, 0, bits), "com {y:#x} at {bits} on {isa}");
                if bits > 8 {
                    assert_eq!(out[3], eval(Op::Bswap, y, 0, bits), "bswap {y:#x} at {bits} on {isa}");
                }
                for (n, to) in [(4, 16), (5, 32), (6, 64)] {
                    let want = if to > bits { sext(y, bits).cast_unsigned() & mask(to) } else { 0 };
                    assert_eq!(out[n], want, "sign extension of {y:#x} from {bits} to {to} on {isa}");
                }
                let sum = eval(Op::Neg, y, 0, bits).wrapping_add(eval(Op::Com, y, 0, bits)) & mask(bits);
                assert_eq!(out[7], sum >> 1, "sum for {y:#x} at {bits} on {isa}");
            }
        }
    }
}
