//! `trim`: drops blocks that only jump on.
//!
//! ```text
//!     b1: … Plain → b2        b1: … Plain → b3
//!     b2: ← b1                                       b3: v = Phi x (b2), …
//!         Plain → b3     ⇒
//! ```
//!
//! Whoever jumped there jumps on by itself. A branch into a block with phis keeps its empty block: the edge
//! that it would make is critical, and would have to be split again.

use larrow_ir::{Block, Decls, Function, Terminator, Value};

use super::deadcode::reachable;
use crate::manager::{Changed, FunctionPass, Pass, PassCx, PassResult};

/// The pass.
pub struct Trim;

/// The row of `trim`.
pub fn trim() -> Pass {
    Pass::function("trim", "drops blocks that only jump on", Trim)
}

impl FunctionPass for Trim {
    fn run(&self, func: &mut Function, _: &mut Decls, cx: &mut PassCx<'_>) -> PassResult {
        let n = drop_empty(func);
        cx.count("empty blocks", n);
        Ok(Changed::from(n > 0))
    }
}

/// Drops empty blocks; how many edges were sent on. Targets come before those that jump to them, so that each
/// edge is sent on once.
pub(crate) fn drop_empty(func: &mut Function) -> u64 {
    let mut sent = 0;
    let mut dead = Vec::new();
    let entry = func.layout().first().copied();
    for e in postorder(func) {
        let &Terminator::Plain(to) = func.term(e) else { continue };
        if !func.block(e).insts.is_empty() || to == e || Some(e) == entry {
            continue;
        }
        let at = func.pred_index(e, 0);
        let args: Vec<Value> = func.phis(to).map(|phi| func.args(phi)[at]).collect();
        for p in func.preds(e).to_vec() {
            let succs = func.term(p).successors();
            let Some(edge) = succs.iter().position(|&s| s == e) else { continue };
            if args.is_empty() || succs.len() == 1 {
                func.redirect(p, edge, to, &args);
                sent += 1;
            }
        }
        if func.preds(e).is_empty() {
            // Its own edge goes now: left for later, such edges would pile up at the end of a long chain.
            func.set_terminator(e, Terminator::Exit, func.block(e).term_pos);
            dead.push(e);
        }
    }
    func.remove_blocks(&dead);
    sent
}

/// The reachable blocks, each behind its successors but for back edges.
pub(crate) fn postorder(func: &Function) -> Vec<Block> {
    let mut seen = cranelift_entity::EntitySet::with_capacity(func.num_blocks());
    let mut out = Vec::new();
    let mut open: Vec<(Block, usize)> = func.layout().first().map(|&b| (b, 0)).into_iter().collect();
    seen.extend(open.iter().map(|(b, _)| *b));
    let mut succs: Vec<_> = open.iter().map(|(b, _)| func.term(*b).successors()).collect();
    while let Some((b, next)) = open.last_mut() {
        let rest = succs.last().expect("a list per open block");
        match rest.get(*next) {
            Some(&to) => {
                *next += 1;
                if seen.insert(to) {
                    open.push((to, 0));
                    succs.push(func.term(to).successors());
                }
            }
            None => {
                out.push(*b);
                open.pop();
                succs.pop();
            }
        }
    }
    debug_assert_eq!(out.len(), reachable(func).iter().count());
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generic::testing::{Fixture, assert_large, check};
    use larrow_ir::Type;

    #[test]
    fn jumps_go_on_and_phis_keep_their_operands() {
        let mut t = Fixture::new(Type::U32, &[Type::U32, Type::U32, Type::BOOL]);
        let (x, y, c) = (t.func.params[0], t.func.params[1], t.func.params[2]);
        let bs = t.build(|b| {
            let bs: Vec<Block> = (0..6).map(|_| b.block()).collect();
            b.switch_to(bs[0]);
            b.branch(c, bs[1], bs[2]);
            b.switch_to(bs[1]);
            let z = b.add(x, y);
            b.jump(bs[3]);
            b.switch_to(bs[2]);
            b.jump(bs[5]);
            b.switch_to(bs[3]);
            b.jump(bs[4]);
            b.switch_to(bs[4]);
            b.jump(bs[5]);
            b.switch_to(bs[5]);
            let p = b.phi(Type::U32, &[x, z]);
            b.ret(Some(p));
            bs
        });
        assert!(t.run(&Trim).yes());
        check(&t.func);
        // b2 stays: b0 branches, and b5 has a phi.
        assert_eq!(t.func.layout(), [bs[0], bs[1], bs[2], bs[5]]);
        assert_eq!(t.func.preds(bs[5]), [bs[2], bs[1]]);
        assert!(!t.run(&Trim).yes());
    }

    #[test]
    fn a_branch_goes_through_where_no_phi_asks() {
        let mut t = Fixture::new(Type::UNIT, &[Type::BOOL]);
        let c = t.func.params[0];
        let bs = t.build(|b| {
            let bs: Vec<Block> = (0..4).map(|_| b.block()).collect();
            b.switch_to(bs[0]);
            b.switch(c, &[(0, bs[1]), (1, bs[1])], bs[2]);
            b.switch_to(bs[1]);
            b.jump(bs[3]);
            b.switch_to(bs[2]);
            b.jump(bs[3]);
            b.switch_to(bs[3]);
            b.ret(None);
            bs
        });
        assert!(t.run(&Trim).yes());
        check(&t.func);
        assert_eq!(t.func.preds(bs[3]), [bs[0], bs[0], bs[0]]);
    }

    #[test]
    fn it_is_linear() {
        assert_large(&Trim);
    }
}
