//! Branches on what is known: `If true`, `Switch 7`, `If (Not c)`.

use larrow_ir::{Block, Function, Op, Terminator, Value};

use crate::manager::PassCx;

/// Simplifies the terminators of a function; whether any changed.
pub(super) fn fold(func: &mut Function, cx: &mut PassCx<'_>) -> bool {
    let mut changed = false;
    for b in func.layout().to_vec() {
        if cx.rule_enabled("negated-branch") && un_negate(func, b) {
            cx.count("negated-branch", 1);
            changed = true;
        }
        if cx.rule_enabled("constant-branch")
            && let Some(edge) = taken(func, b)
        {
            take(func, b, edge);
            cx.count("constant-branch", 1);
            changed = true;
        }
    }
    changed
}

/// `If (Not c) → x, y` becomes `If c → y, x`.
fn un_negate(func: &mut Function, b: Block) -> bool {
    let Terminator::If { cond, then, other } = *func.term(b) else { return false };
    // Two edges to one block keep their order in its predecessor list.
    if func.inst(cond).op != Op::Not || then == other {
        return false;
    }
    let inner = func.args(cond)[0];
    func.block_mut(b).term = Terminator::If { cond: inner, then: other, other: then };
    true
}

/// The edge that a branch on a constant takes.
fn taken(func: &Function, b: Block) -> Option<usize> {
    match func.term(b) {
        Terminator::If { cond, .. } => Some(usize::from(func.inst(*cond).int_const()? == 0)),
        Terminator::Switch { on, cases, .. } => {
            let bits = func.inst(*on).int_const()?;
            Some(cases.iter().position(|(case, _)| *case == bits).unwrap_or(cases.len()))
        }
        Terminator::Plain(_) | Terminator::Ret(_) | Terminator::Panic(_) | Terminator::Exit => None,
    }
}

/// Leaves one edge of a block, with its phi operands.
pub(crate) fn take(func: &mut Function, b: Block, edge: usize) {
    let to = func.term(b).successors()[edge];
    let at = func.pred_index(b, edge);
    let args: Vec<Value> = func.phis(to).map(|phi| func.args(phi)[at]).collect();
    let pos = func.block(b).term_pos;
    func.set_terminator(b, Terminator::Plain(to), pos);
    func.push_phi_args(to, &args);
}
