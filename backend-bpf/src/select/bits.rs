//! How many low bits of a value may be set: the rest are known zeros.
//!
//! One forward walk in reverse postorder; a phi is as wide as its type. Sound for values as they are when
//! zero-extended, which is what asking for [`Need::Full`](super::Need) of an operand ensures.

use larrow_ir::cranelift_entity::SecondaryMap;
use larrow_ir::{Aux, Block, Decls, Function, Op, Value};

use super::type_width;

/// The number of low bits of each value that may be set.
pub(crate) fn known_bits(func: &Function, decls: &Decls, order: &[Block]) -> SecondaryMap<Value, u8> {
    let mut bits = SecondaryMap::with_capacity(func.num_values());
    for &p in &func.params {
        bits[p] = type_width(decls, func.ty(p));
    }
    for &b in order {
        for &v in &func.block(b).insts {
            bits[v] = transfer(func, decls, &bits, v);
        }
    }
    bits
}

fn transfer(func: &Function, decls: &Decls, bits: &SecondaryMap<Value, u8>, v: Value) -> u8 {
    let inst = func.inst(v);
    let width = type_width(decls, inst.ty);
    let of = |i: usize| bits[inst.args[i]];
    let amount = |i: usize| {
        let count = func.inst(inst.args[i]).int_const()?;
        Some(u8::try_from(count & u64::from(width.max(8) - 1)).expect("a count below 64"))
    };
    let known = match inst.op {
        Op::Const => match inst.aux {
            Aux::Int(value) => significant(value),
            _ => width,
        },
        Op::And => of(0).min(of(1)),
        Op::Or | Op::Xor => of(0).max(of(1)),
        Op::Add => of(0).max(of(1)).saturating_add(1),
        Op::Mul => of(0).saturating_add(of(1)),
        Op::DivU => of(0),
        // The remainder by zero is the dividend.
        Op::ModU => match func.inst(inst.args[1]).int_const() {
            Some(n) if n > 0 => of(0).min(significant(n - 1)),
            _ => of(0),
        },
        Op::Lsh => amount(1).map_or(width, |n| of(0).saturating_add(n)),
        Op::RshU => amount(1).map_or(of(0), |n| of(0).saturating_sub(n)),
        Op::ZeroExt | Op::Trunc | Op::Copy => of(0),
        Op::SignExt => {
            let narrow = type_width(decls, func.ty(inst.args[0]));
            if of(0) < narrow { of(0) } else { width }
        }
        Op::CondSelect => of(1).max(of(2)),
        _ => width,
    };
    known.min(width)
}

fn significant(value: u64) -> u8 {
    u8::try_from(64 - value.leading_zeros()).expect("at most 64 bits")
}
