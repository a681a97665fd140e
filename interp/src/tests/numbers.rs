//! Arithmetic against Rust's own, at every width.

use larrow_ir::{Op, Type};

use super::{module, number};
use crate::{Interp, Options, Prng, Val};

const WIDTHS: [(Type, u32); 4] = [(Type::U8, 8), (Type::U16, 16), (Type::U32, 32), (Type::U64, 64)];

/// Rust's answer to an op at a width, computed in the width's own types.
macro_rules! rust {
    ($op:expr, $x:expr, $y:expr, $u:ty, $i:ty) => {{
        let (x, y) = ($x as $u, $y as $u);
        let (sx, sy) = (x as $i, y as $i);
        let b = <$u>::BITS;
        let r: $u = match $op {
            Op::Add => x.wrapping_add(y),
            Op::Sub => x.wrapping_sub(y),
            Op::Mul => x.wrapping_mul(y),
            Op::Div => {
                if y == 0 {
                    0
                } else {
                    sx.wrapping_div(sy) as $u
                }
            }
            Op::DivU => {
                if y == 0 {
                    0
                } else {
                    x / y
                }
            }
            Op::Mod => {
                if y == 0 {
                    x
                } else {
                    sx.wrapping_rem(sy) as $u
                }
            }
            Op::ModU => {
                if y == 0 {
                    x
                } else {
                    x % y
                }
            }
            Op::And => x & y,
            Op::Or => x | y,
            Op::Xor => x ^ y,
            Op::Lsh => x.wrapping_shl(y as u32 % b),
            Op::Rsh => sx.wrapping_shr(y as u32 % b) as $u,
            Op::RshU => x.wrapping_shr(y as u32 % b),
            Op::Neg => x.wrapping_neg(),
            Op::Com => !x,
            Op::Bswap => x.swap_bytes(),
            Op::Eq => (x == y) as $u,
            Op::Neq => (x != y) as $u,
            Op::Less => (sx < sy) as $u,
            Op::Leq => (sx <= sy) as $u,
            Op::LessU => (x < y) as $u,
            Op::LeqU => (x <= y) as $u,
            other => panic!("{other}"),
        };
        r as u64
    }};
}

fn rust(op: Op, bits: u32, x: u64, y: u64) -> u64 {
    match bits {
        8 => rust!(op, x, y, u8, i8),
        16 => rust!(op, x, y, u16, i16),
        32 => rust!(op, x, y, u32, i32),
        _ => rust!(op, x, y, u64, i64),
    }
}

const BINARY: [Op; 13] = [
    Op::Add,
    Op::Sub,
    Op::Mul,
    Op::Div,
    Op::DivU,
    Op::Mod,
    Op::ModU,
    Op::And,
    Op::Or,
    Op::Xor,
    Op::Lsh,
    Op::Rsh,
    Op::RshU,
];
const COMPARE: [Op; 6] = [Op::Eq, Op::Neq, Op::Less, Op::Leq, Op::LessU, Op::LeqU];
const UNARY: [Op; 3] = [Op::Neg, Op::Com, Op::Bswap];

/// Edge values and random ones.
fn samples(bits: u32, rng: &mut Prng) -> Vec<u64> {
    let mask = u64::MAX >> (64 - bits);
    let top = 1u64 << (bits - 1);
    let mut out = vec![0, 1, 2, 7, u64::from(bits), top - 1, top, top + 1, mask - 1, mask];
    for _ in 0..14 {
        let wide = u64::from(rng.next_u32()) << 32 | u64::from(rng.next_u32());
        out.push((wide >> (rng.next_u32() % bits)) & mask);
    }
    out
}

#[test]
fn integers_agree_with_rust_at_every_width() {
    let mut rng = Prng::new(7);
    for (ty, bits) in WIDTHS {
        let samples = samples(bits, &mut rng);
        for op in BINARY.into_iter().chain(COMPARE).chain(UNARY) {
            let unary = UNARY.contains(&op);
            let result = if COMPARE.contains(&op) { Type::BOOL } else { ty };
            let module = module(result, &[ty, ty], |b, p| {
                let r = b.op(op, result, if unary { &p[..1] } else { p });
                b.ret(Some(r));
            });
            let mut interp = Interp::new(&module, Options::default()).unwrap();
            for &x in &samples {
                for &y in &samples {
                    if bits == 8 && op == Op::Bswap {
                        continue;
                    }
                    let got = interp.run("f", &[Val::Int(x), Val::Int(y)]).unwrap().value();
                    assert_eq!(got, Some(Val::Int(rust(op, bits, x, y))), "{op} {bits} {x:#x} {y:#x}");
                }
            }
        }
    }
}

fn convert(op: Op, from: Type, to: Type, x: u64) -> u64 {
    let m = module(to, &[from], |b, p| {
        let r = b.op(op, to, p);
        b.ret(Some(r));
    });
    number(&m, &[x])
}

#[test]
fn conversions_have_edges() {
    let f = |x: f64| x.to_bits();
    let table = [
        (Op::SignExt, Type::U8, Type::U32, 0x80, 0xffff_ff80),
        (Op::ZeroExt, Type::U8, Type::U64, 0x80, 0x80),
        (Op::ZeroExt, Type::BOOL, Type::U64, 1, 1),
        (Op::Trunc, Type::U64, Type::U16, 0x1_2345, 0x2345),
        (Op::IntToFloat, Type::U8, Type::F64, 0xff, f(-1.0)),
        (Op::UintToFloat, Type::U8, Type::F64, 0xff, f(255.0)),
        (Op::UintToFloat, Type::U64, Type::F32, u64::MAX, u64::from(18_446_744_073_709_551_615f32.to_bits())),
        (Op::FloatToInt, Type::F64, Type::I8, f(1000.0), 127),
        (Op::FloatToInt, Type::F64, Type::I8, f(-1000.0), 0x80),
        (Op::FloatToInt, Type::F64, Type::I32, f(-1.9), 0xffff_ffff),
        (Op::FloatToInt, Type::F64, Type::I64, f(f64::NAN), 0),
        (Op::FloatToInt, Type::F64, Type::I64, f(1e300), i64::MAX as u64),
        (Op::FloatToUint, Type::F64, Type::U16, f(70000.0), 65535),
        (Op::FloatToUint, Type::F64, Type::U16, f(-1.0), 0),
        (Op::FloatCast, Type::F64, Type::F32, f(0.1), u64::from(0.1f32.to_bits())),
        (Op::FloatCast, Type::F32, Type::F64, u64::from(0.5f32.to_bits()), f(0.5)),
    ];
    for (op, from, to, x, want) in table {
        assert_eq!(convert(op, from, to, x), want, "{op} {x:#x}");
    }
}

#[test]
fn floats_are_ieee() {
    let nan = f64::NAN.to_bits();
    let table = [
        (Op::AddF, 0.1, 0.2, 0.1 + 0.2),
        (Op::SubF, 1.0, 3.0, -2.0),
        (Op::MulF, 1e200, 1e200, f64::INFINITY),
        (Op::DivF, 1.0, 0.0, f64::INFINITY),
    ];
    for (op, x, y, want) in table {
        let m = module(Type::F64, &[Type::F64, Type::F64], |b, p| {
            let r = b.op(op, Type::F64, p);
            b.ret(Some(r));
        });
        assert_eq!(number(&m, &[f64::to_bits(x), f64::to_bits(y)]), f64::to_bits(want), "{op}");
    }
    for (op, want) in [(Op::EqF, 0), (Op::NeqF, 1), (Op::LessF, 0), (Op::LeqF, 0)] {
        let m = module(Type::BOOL, &[Type::F64, Type::F64], |b, p| {
            let r = b.op(op, Type::BOOL, p);
            b.ret(Some(r));
        });
        assert_eq!(number(&m, &[nan, nan]), want, "{op}");
    }
    let neg = module(Type::F32, &[Type::F32], |b, p| {
        let r = b.neg_f(p[0]);
        b.ret(Some(r));
    });
    assert_eq!(number(&neg, &[0]), 1 << 31);
}
