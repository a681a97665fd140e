//! Evaluation of pure ops on constants, exactly as the op table says.

use larrow_ir::Op;

/// The low `bits` bits.
pub fn mask(bits: u32) -> u64 {
    u64::MAX >> (64 - bits.clamp(1, 64))
}

/// `x`, of `bits` bits, as a signed number.
fn signed(bits: u32, x: u64) -> i64 {
    let shift = 64 - bits;
    ((x << shift) as i64) >> shift
}

/// What a pure op yields on constant operands: bits, zero above `to`, the result's width. `args` are the
/// operands' widths and bits; booleans have one bit. `None` if the op is not pure, has no constant result, or
/// yields a NaN, whose bits the op does not say.
pub fn eval(op: Op, to: u32, args: &[(u32, u64)]) -> Option<u64> {
    let result = match *args {
        [(bits, x)] => unary(op, bits, to, x),
        [(bits, x), (_, y)] => binary(op, bits, x, y),
        [(_, c), (_, x), (_, y)] if op == Op::CondSelect => Some(if c & 1 == 1 { x } else { y }),
        _ => None,
    };
    result.map(|bits| bits & mask(to))
}

fn unary(op: Op, bits: u32, to: u32, x: u64) -> Option<u64> {
    match op {
        Op::Neg => Some(x.wrapping_neg()),
        Op::Com | Op::Not => Some(!x),
        Op::Bswap => Some(x.swap_bytes() >> (64 - bits)),
        Op::SignExt => Some(signed(bits, x) as u64),
        Op::ZeroExt | Op::Trunc | Op::Copy => Some(x),
        Op::NegF => Some(x ^ (1 << (bits - 1))),
        Op::IntToFloat => from_f64_or_f32(to, signed(bits, x) as f64, signed(bits, x) as f32),
        Op::UintToFloat => from_f64_or_f32(to, x as f64, x as f32),
        Op::FloatToInt => Some(float_to_int(bits, to, x)),
        Op::FloatToUint => Some(float_to_uint(bits, to, x)),
        Op::FloatCast if bits == 32 => float_result(64, f64::from(f32::from_bits(x as u32))),
        Op::FloatCast => {
            let narrow = f64::from_bits(x) as f32;
            (!narrow.is_nan()).then(|| u64::from(narrow.to_bits()))
        }
        other => nothing(other),
    }
}

fn binary(op: Op, bits: u32, x: u64, y: u64) -> Option<u64> {
    let (sx, sy) = (signed(bits, x), signed(bits, y));
    let count = (y & u64::from(bits - 1)) as u32;
    let truth = |b: bool| Some(u64::from(b));
    match op {
        Op::Add => Some(x.wrapping_add(y)),
        Op::Sub => Some(x.wrapping_sub(y)),
        Op::Mul => Some(x.wrapping_mul(y)),
        Op::Div => Some(if sy == 0 { 0 } else { sx.wrapping_div(sy) as u64 }),
        Op::DivU => Some(x.checked_div(y).unwrap_or(0)),
        Op::Mod => Some(if sy == 0 { x } else { sx.wrapping_rem(sy) as u64 }),
        Op::ModU => Some(x.checked_rem(y).unwrap_or(x)),
        Op::And => Some(x & y),
        Op::Or => Some(x | y),
        Op::Xor => Some(x ^ y),
        Op::Lsh => Some(x << count),
        Op::Rsh => Some((sx >> count) as u64),
        Op::RshU => Some(x >> count),
        Op::Eq => truth(x == y),
        Op::Neq => truth(x != y),
        Op::Less => truth(sx < sy),
        Op::Leq => truth(sx <= sy),
        Op::LessU => truth(x < y),
        Op::LeqU => truth(x <= y),
        Op::AddF | Op::SubF | Op::MulF | Op::DivF => float_arithmetic(op, bits, x, y),
        Op::EqF | Op::NeqF | Op::LessF | Op::LeqF => float_compare(op, bits, x, y),
        other => nothing(other),
    }
}

/// The ops without a constant result: the rest of the table, spelled out nowhere because any op that this
/// module does not know is simply left alone.
fn nothing(_: Op) -> Option<u64> {
    None
}

fn float(bits: u32, x: u64) -> f64 {
    if bits == 32 { f64::from(f32::from_bits(x as u32)) } else { f64::from_bits(x) }
}

fn float_result(bits: u32, x: f64) -> Option<u64> {
    from_f64_or_f32(bits, x, x as f32)
}

fn from_f64_or_f32(bits: u32, wide: f64, narrow: f32) -> Option<u64> {
    let out = if bits == 32 { u64::from(narrow.to_bits()) } else { wide.to_bits() };
    (!wide.is_nan()).then_some(out)
}

/// A sum, difference, product or quotient of two `f32` rounded to `f64` and then to `f32` is the rounded exact
/// one: 53 bits are more than 2·24 + 1 (Figueroa, "When is double rounding innocuous?", 1995).
fn float_arithmetic(op: Op, bits: u32, x: u64, y: u64) -> Option<u64> {
    let (x, y) = (float(bits, x), float(bits, y));
    let result = match op {
        Op::AddF => x + y,
        Op::SubF => x - y,
        Op::MulF => x * y,
        Op::DivF => x / y,
        other => return nothing(other),
    };
    float_result(bits, result)
}

fn float_compare(op: Op, bits: u32, x: u64, y: u64) -> Option<u64> {
    let (x, y) = (float(bits, x), float(bits, y));
    let truth = match op {
        Op::EqF => x == y,
        Op::NeqF => x != y,
        Op::LessF => x < y,
        Op::LeqF => x <= y,
        other => return nothing(other),
    };
    Some(u64::from(truth))
}

/// Towards zero, saturating, NaN is 0: what Rust's `as` does, at every width.
fn float_to_int(bits: u32, to: u32, x: u64) -> u64 {
    let x = float(bits, x);
    (match to {
        8 => i64::from(x as i8),
        16 => i64::from(x as i16),
        32 => i64::from(x as i32),
        _ => x as i64,
    }) as u64
}

fn float_to_uint(bits: u32, to: u32, x: u64) -> u64 {
    let x = float(bits, x);
    match to {
        8 => u64::from(x as u8),
        16 => u64::from(x as u16),
        32 => u64::from(x as u32),
        _ => x as u64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edges_are_what_the_op_table_says() {
        let cases: [(Op, u64, u64, u64); 14] = [
            (Op::Div, 7, 0, 0),
            (Op::DivU, 7, 0, 0),
            (Op::Mod, 0xf9, 0, 0xf9),
            (Op::ModU, 7, 0, 7),
            (Op::Div, 0x80, 0xff, 0x80),
            (Op::Mod, 0x80, 0xff, 0),
            (Op::Div, 0xf9, 2, 0xfd),
            (Op::Mod, 0xf9, 2, 0xff),
            (Op::Lsh, 1, 9, 2),
            (Op::Rsh, 0x80, 15, 0xff),
            (Op::RshU, 0x80, 7, 1),
            (Op::Less, 0x80, 0x7f, 1),
            (Op::LessU, 0x80, 0x7f, 0),
            (Op::Sub, 0, 1, 0xff),
        ];
        for (op, x, y, want) in cases {
            assert_eq!(
                eval(op, if op.name().starts_with("Less") { 1 } else { 8 }, &[(8, x), (8, y)]),
                Some(want),
                "{op} {x} {y}"
            );
        }
        assert_eq!(eval(Op::Div, 64, &[(64, 1 << 63), (64, u64::MAX)]), Some(1 << 63));
        assert_eq!(eval(Op::Mod, 64, &[(64, 1 << 63), (64, u64::MAX)]), Some(0));
    }

    #[test]
    fn conversions_keep_or_extend_the_sign() {
        assert_eq!(eval(Op::SignExt, 32, &[(8, 0x80)]), Some(0xffff_ff80));
        assert_eq!(eval(Op::ZeroExt, 32, &[(8, 0x80)]), Some(0x80));
        assert_eq!(eval(Op::Trunc, 8, &[(32, 0x1234)]), Some(0x34));
        assert_eq!(eval(Op::Bswap, 16, &[(16, 0x1234)]), Some(0x3412));
        assert_eq!(eval(Op::Neg, 16, &[(16, 1)]), Some(0xffff));
        assert_eq!(eval(Op::Not, 1, &[(1, 1)]), Some(0));
    }

    #[test]
    fn floats_saturate_and_nan_is_left_alone() {
        let f = |x: f64| (64, x.to_bits());
        assert_eq!(eval(Op::FloatToInt, 8, &[f(300.0)]), Some(0x7f));
        assert_eq!(eval(Op::FloatToInt, 8, &[f(-300.0)]), Some(0x80));
        assert_eq!(eval(Op::FloatToInt, 64, &[f(f64::NAN)]), Some(0));
        assert_eq!(eval(Op::FloatToUint, 16, &[f(-1.0)]), Some(0));
        assert_eq!(eval(Op::DivF, 64, &[f(0.0), f(0.0)]), None);
        assert_eq!(eval(Op::DivF, 64, &[f(1.0), f(4.0)]), Some(0.25f64.to_bits()));
        let g = |x: f32| (32, u64::from(x.to_bits()));
        assert_eq!(eval(Op::AddF, 32, &[g(0.1), g(0.2)]), Some(u64::from((0.1f32 + 0.2f32).to_bits())));
        assert_eq!(eval(Op::IntToFloat, 32, &[(64, u64::MAX)]), Some(u64::from((-1f32).to_bits())));
    }

    #[test]
    fn effects_have_no_constant() {
        assert_eq!(eval(Op::Load, 8, &[(64, 1)]), None);
        assert_eq!(eval(Op::Bounded, 8, &[(8, 1)]), None);
    }
}
