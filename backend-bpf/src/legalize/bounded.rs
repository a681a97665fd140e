//! `Bounded` as a branch that the verifier understands.
//!
//! The check is on the operand's own register and the result is a copy of it made behind the check, in the block
//! where what the check proved holds. So a spill of the result carries its bounds, and one of the operand does not
//! matter. The operand is zero-extended, which the verifier sees at its definition.

use larrow_ir::{Aux, Block, Decls, Function, Inst, Op, Pos, Terminator, Type, Value};

/// Lowers every `Bounded`; one that fails returns `abort`, or zero from a subprogram.
pub fn lower_bounded(func: &mut Function, decls: &mut Decls, abort: u32) -> bool {
    let mut trap = None;
    for b in func.layout().to_vec() {
        // From the end, so that each split moves a short tail.
        for i in (0..func.block(b).insts.len()).rev() {
            let v = func.block(b).insts[i];
            if func.inst(v).op == Op::Bounded {
                let pos = func.inst(v).pos;
                let trap = *trap.get_or_insert_with(|| trap_block(func, decls, abort, pos));
                lower_one(func, b, i, v, trap, decls);
            }
        }
    }
    trap.is_some()
}

fn lower_one(func: &mut Function, b: Block, at: usize, v: Value, trap: Block, decls: &Decls) {
    let inst = func.inst(v).clone();
    let Aux::Bounds { lo, hi } = inst.aux else { return };
    let x = inst.args[0];
    let tail = func.split_block(b, at);
    let copy = func.inst_mut(v);
    copy.op = Op::Copy;
    copy.aux = Aux::None;
    let width = decls.types.bits(inst.ty).unwrap_or(64);
    let mut from = b;
    if lo > 0 {
        let next = func.add_block();
        // x < lo
        guard(func, from, (x, lo), true, (trap, next), inst.pos);
        from = next;
    }
    if hi < u64::MAX >> (64 - width) {
        guard(func, from, (x, hi), false, (trap, tail), inst.pos);
    } else {
        func.set_terminator(from, Terminator::Plain(tail), inst.pos);
    }
}

/// Ends `b`: to the first target if `x` is below the bound, or above it.
fn guard(func: &mut Function, b: Block, (x, bound): (Value, u64), below: bool, to: (Block, Block), pos: Pos) {
    let constant = func.append(b, Inst::new(Op::Const, func.ty(x), &[]).with(Aux::Int(bound)).at(pos));
    let args = if below { [x, constant] } else { [constant, x] };
    let cond = func.append(b, Inst::new(Op::LessU, Type::BOOL, &args).at(pos));
    func.set_terminator(b, Terminator::If { cond, then: to.0, other: to.1 }, pos);
}

fn trap_block(func: &mut Function, decls: &mut Decls, abort: u32, pos: Pos) -> Block {
    let b = func.add_block();
    give_up(func, decls, b, abort, pos);
    b
}

/// Ends a block by returning the abort code.
pub(super) fn give_up(func: &mut Function, decls: &mut Decls, b: Block, abort: u32, pos: Pos) {
    let result = func.result;
    let value = decls.types.is_scalar(result).then(|| {
        let aux = if decls.types.is_int(result) || result == Type::BOOL {
            Aux::Int(u64::from(abort))
        } else {
            Aux::Nil
        };
        func.append(b, Inst::new(Op::Const, result, &[]).with(aux).at(pos))
    });
    func.set_terminator(b, Terminator::Ret(value), pos);
}
