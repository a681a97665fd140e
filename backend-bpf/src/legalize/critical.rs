//! Edges that the register allocator can put moves on.

use larrow_ir::{Block, Function, Op, Terminator, Value};

/// Puts a block on every edge from a block with several successors to one with several predecessors, keeps the
/// entry free of predecessors, and makes a phi with one operand a copy.
pub fn split_critical_edges(func: &mut Function) -> bool {
    let mut changed = enter_once(func);
    for b in func.layout().to_vec() {
        let succs = func.term(b).successors();
        if succs.len() < 2 {
            continue;
        }
        for (edge, &to) in succs.iter().enumerate() {
            if func.preds(to).len() > 1 {
                func.split_edge(b, edge);
                changed = true;
            }
        }
    }
    for b in func.layout().to_vec() {
        if func.preds(b).len() == 1 {
            let phis: Vec<Value> = func.phis(b).collect();
            changed |= !phis.is_empty();
            for phi in phis {
                func.inst_mut(phi).op = Op::Copy;
            }
        }
    }
    changed
}

/// A fresh entry in front of one that is jumped to.
fn enter_once(func: &mut Function) -> bool {
    let old = func.entry();
    if func.preds(old).is_empty() {
        return false;
    }
    let fresh: Block = func.add_block();
    func.set_terminator(fresh, Terminator::Plain(old), func.pos);
    let mut order = func.layout().to_vec();
    order.rotate_right(1);
    func.set_layout(order);
    true
}
