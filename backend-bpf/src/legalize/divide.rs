//! Signed division for levels without it: magnitudes are divided unsigned, then the sign is put back.
//!
//! With s = x >> (n − 1), x's sign as 0 or −1, the magnitude is (x ^ s) − s, and the same formula gives a
//! magnitude its sign back. The least value is its own magnitude, as an unsigned number the right one; so
//! MIN / −1 = MIN and MIN % −1 = 0. By zero the unsigned forms give 0 and the dividend, as they should.

use larrow_ir::{Aux, Decls, Function, Op, Type, Value};

use super::edit::{Editor, rewrite};

/// Expands every `Div` and `Mod`.
pub fn expand_signed_division(func: &mut Function, decls: &mut Decls) -> bool {
    rewrite(func, decls, |edit, v| match edit.func.inst(v).op {
        Op::Div => {
            expand(edit, v, Op::DivU);
            true
        }
        Op::Mod => {
            expand(edit, v, Op::ModU);
            true
        }
        _ => false,
    })
}

fn expand(edit: &mut Editor<'_>, v: Value, unsigned: Op) {
    let (ty, x, y) = (edit.func.ty(v), edit.func.args(v)[0], edit.func.args(v)[1]);
    let (x_sign, x_size) = magnitude(edit, ty, x);
    let (y_sign, y_size) = magnitude(edit, ty, y);
    let size = edit.op(unsigned, ty, &[x_size, y_size]);
    // A quotient is negative if one operand is, a remainder if the dividend is.
    let sign = if unsigned == Op::DivU { edit.op(Op::Xor, ty, &[x_sign, y_sign]) } else { x_sign };
    let flipped = edit.op(Op::Xor, ty, &[size, sign]);
    edit.become_op(v, Op::Sub, &[flipped, sign], Aux::None);
}

/// The sign of a value, as 0 or −1, and its magnitude.
fn magnitude(edit: &mut Editor<'_>, ty: Type, x: Value) -> (Value, Value) {
    let bits = edit.decls.types.bits(ty).unwrap_or(64);
    if let Some(c) = edit.func.inst(x).int_const() {
        let mask = u64::MAX >> (64 - bits);
        let negative = c >> (bits - 1) & 1 == 1;
        let size = if negative { c.wrapping_neg() & mask } else { c };
        return (edit.int(ty, if negative { mask } else { 0 }), edit.int(ty, size));
    }
    let by = edit.int(ty, u64::from(bits - 1));
    let sign = edit.op(Op::Rsh, ty, &[x, by]);
    let flipped = edit.op(Op::Xor, ty, &[x, sign]);
    (sign, edit.op(Op::Sub, ty, &[flipped, sign]))
}
