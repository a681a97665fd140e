//! Arithmetic: total at every width, as the op table says.

use std::cmp::Ordering;

use crate::code::{CmpOp, Code, ConvOp, FloatOp, Inst, IntOp};
use crate::trap::{Fallible, TrapKind, fault};
use crate::value::Val;

/// All ones at a width of 1 to 64 bits.
#[inline]
fn mask(bits: u8) -> u64 {
    u64::MAX >> (64 - u32::from(bits))
}

/// A number of a width as a signed one.
#[inline]
pub(super) fn signed(x: u64, bits: u8) -> i64 {
    let unused = 64 - u32::from(bits);
    ((x << unused) as i64) >> unused
}

#[inline]
pub(super) fn int(op: IntOp, inst: &Inst, regs: &[Val]) -> Val {
    let x = regs[inst.a as usize].bits();
    let y = regs[inst.b as usize].bits();
    Val::Int(int_op(op, inst.bits, x, y))
}

/// An integer operation on canonical operands. The result is canonical.
#[inline]
fn int_op(op: IntOp, bits: u8, x: u64, y: u64) -> u64 {
    let count = y as u32 & (u32::from(bits) - 1);
    let result = match op {
        IntOp::Add => x.wrapping_add(y),
        IntOp::Sub => x.wrapping_sub(y),
        IntOp::Mul => x.wrapping_mul(y),
        IntOp::Div if y == 0 => 0,
        IntOp::Div => signed(x, bits).wrapping_div(signed(y, bits)) as u64,
        IntOp::DivU => x.checked_div(y).unwrap_or(0),
        IntOp::Mod if y == 0 => x,
        IntOp::Mod => signed(x, bits).wrapping_rem(signed(y, bits)) as u64,
        IntOp::ModU => x.checked_rem(y).unwrap_or(x),
        IntOp::And => x & y,
        IntOp::Or => x | y,
        IntOp::Xor => x ^ y,
        IntOp::Lsh => x << count,
        IntOp::Rsh => (signed(x, bits) >> count) as u64,
        IntOp::RshU => x >> count,
        IntOp::Neg => x.wrapping_neg(),
        IntOp::Com => !x,
        IntOp::Bswap => x.swap_bytes() >> (64 - u32::from(bits)),
        IntOp::Not => x ^ 1,
    };
    result & mask(bits)
}

pub(super) fn compare(op: CmpOp, inst: &Inst, regs: &[Val]) -> Fallible<Val> {
    let (x, y) = (regs[inst.a as usize], regs[inst.b as usize]);
    let bits = inst.bits;
    let floats = || (to_f64(x.bits(), bits), to_f64(y.bits(), bits));
    let truth = match op {
        CmpOp::Eq => x == y,
        CmpOp::Neq => x != y,
        CmpOp::Less => signed(x.bits(), bits) < signed(y.bits(), bits),
        CmpOp::Leq => signed(x.bits(), bits) <= signed(y.bits(), bits),
        CmpOp::LessU => unsigned_order(x, y)?.is_lt(),
        CmpOp::LeqU => unsigned_order(x, y)?.is_le(),
        CmpOp::EqF => floats().0 == floats().1,
        CmpOp::NeqF => floats().0 != floats().1,
        CmpOp::LessF => floats().0 < floats().1,
        CmpOp::LeqF => floats().0 <= floats().1,
    };
    Ok(Val::bool(truth))
}

/// Numbers by value, pointers into one object by offset; nil comes before every pointer.
#[inline]
fn unsigned_order(x: Val, y: Val) -> Fallible<Ordering> {
    if let (Val::Int(x), Val::Int(y)) = (x, y) {
        return Ok(x.cmp(&y));
    }
    match (x == Val::Nil, y == Val::Nil) {
        (true, true) => Ok(Ordering::Equal),
        (true, false) => Ok(Ordering::Less),
        (false, true) => Ok(Ordering::Greater),
        (false, false) => {
            let (x, y) = (x.ptr(), y.ptr());
            if x.region == y.region {
                return Ok(x.offset.cmp(&y.offset));
            }
            let (x, y) = (x.region.kind.name(), y.region.kind.name());
            fault(TrapKind::Unordered, format!("orders a pointer into {x} and one into another object, {y}"))
        }
    }
}

pub(super) fn bounded(code: &Code, inst: &Inst, regs: &[Val]) -> Fallible<Val> {
    let x = regs[inst.a as usize].bits();
    let (lo, hi) = code.bounds[inst.imm as usize];
    if (lo..=hi).contains(&x) {
        return Ok(Val::Int(x));
    }
    fault(TrapKind::Bounds, format!("{x} is not in [{lo}..{hi}]"))
}

/// A float of 32 or 64 bits, widened; exact.
fn to_f64(x: u64, bits: u8) -> f64 {
    if bits == 32 { f64::from(f32::from_bits(x as u32)) } else { f64::from_bits(x) }
}

pub(super) fn float(op: FloatOp, inst: &Inst, regs: &[Val]) -> Val {
    let x = regs[inst.a as usize].bits();
    let y = regs[inst.b as usize].bits();
    Val::Int(if inst.bits == 32 {
        let (a, b) = (f32::from_bits(x as u32), f32::from_bits(y as u32));
        let result = match op {
            FloatOp::Add => a + b,
            FloatOp::Sub => a - b,
            FloatOp::Mul => a * b,
            FloatOp::Div => a / b,
            FloatOp::Neg => f32::from_bits(x as u32 ^ (1 << 31)),
        };
        u64::from(result.to_bits())
    } else {
        let (a, b) = (f64::from_bits(x), f64::from_bits(y));
        let result = match op {
            FloatOp::Add => a + b,
            FloatOp::Sub => a - b,
            FloatOp::Mul => a * b,
            FloatOp::Div => a / b,
            FloatOp::Neg => f64::from_bits(x ^ (1 << 63)),
        };
        result.to_bits()
    })
}

pub(super) fn convert(op: ConvOp, inst: &Inst, regs: &[Val]) -> Val {
    let x = regs[inst.a as usize].bits();
    let (from, to) = (inst.from, inst.bits);
    Val::Int(match op {
        ConvOp::SignExt => signed(x, from) as u64 & mask(to),
        ConvOp::ZeroExt => x,
        ConvOp::Trunc => x & mask(to),
        ConvOp::IntToFloat if to == 32 => u64::from((signed(x, from) as f32).to_bits()),
        ConvOp::IntToFloat => (signed(x, from) as f64).to_bits(),
        ConvOp::UintToFloat if to == 32 => u64::from((x as f32).to_bits()),
        ConvOp::UintToFloat => (x as f64).to_bits(),
        ConvOp::FloatToInt => float_to_int(to_f64(x, from), to) & mask(to),
        ConvOp::FloatToUint => float_to_uint(to_f64(x, from), to),
        ConvOp::FloatCast if to == 32 => u64::from((to_f64(x, from) as f32).to_bits()),
        ConvOp::FloatCast => to_f64(x, from).to_bits(),
    })
}

/// Rust's casts saturate at the target's own width and make NaN 0, as the op does.
fn float_to_int(x: f64, bits: u8) -> u64 {
    match bits {
        8 => x as i8 as u64,
        16 => x as i16 as u64,
        32 => x as i32 as u64,
        _ => x as i64 as u64,
    }
}

fn float_to_uint(x: f64, bits: u8) -> u64 {
    match bits {
        8 => u64::from(x as u8),
        16 => u64::from(x as u16),
        32 => u64::from(x as u32),
        _ => x as u64,
    }
}
