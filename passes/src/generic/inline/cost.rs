//! What a function costs the inliner.

use larrow_ir::{Effects, Function, Op, Terminator};

/// Whether an instruction calls code.
fn is_call(func: &Function, v: larrow_ir::Value) -> bool {
    func.inst(v).effects().any(Effects::CALLS)
}

/// Whether a function calls anything: it is no leaf.
pub(super) fn calls_anything(func: &Function) -> bool {
    func.iter_insts().any(|(_, v)| is_call(func, v))
}

/// One for each instruction that becomes code and for each branch, `call_cost` more for each call.
pub(super) fn cost(func: &Function, call_cost: u64) -> u64 {
    let insts: u64 = func
        .iter_insts()
        .map(|(_, v)| match func.inst(v).op {
            // Names for what is there already.
            Op::Const | Op::Phi | Op::Copy | Op::Extract | Op::Tuple | Op::LocalAddr => 0,
            _ if is_call(func, v) => 1 + call_cost,
            _ => 1,
        })
        .sum();
    let branches = func.layout().iter().filter(|&&b| match func.term(b) {
        Terminator::If { .. } | Terminator::Switch { .. } | Terminator::Panic(_) => true,
        Terminator::Plain(_) | Terminator::Ret(_) | Terminator::Exit => false,
    });
    insts + branches.count() as u64
}
