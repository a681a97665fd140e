//! `critical`: puts a block on every edge from a block with several successors to one with several predecessors.
//!
//! Whoever places moves for phis needs a place that belongs to the edge alone.

use larrow_ir::{Decls, Function};

use crate::manager::{Changed, FunctionPass, Pass, PassCx, PassResult};

/// The pass.
pub struct Critical;

/// The row of `critical`.
pub fn critical() -> Pass {
    Pass::function("critical", "splits critical edges", Critical)
        .required()
        .after("fuse", "fusing drops the empty blocks that splitting makes")
        .after("trim", "trimming joins the edges that splitting parts")
        .after("shortcircuit", "threading makes critical edges")
}

impl FunctionPass for Critical {
    fn run(&self, func: &mut Function, _: &mut Decls, cx: &mut PassCx<'_>) -> PassResult {
        let mut split = 0;
        for b in func.layout().to_vec() {
            let succs = func.term(b).successors();
            if succs.len() < 2 {
                continue;
            }
            let critical: Vec<usize> =
                (0..succs.len()).filter(|&edge| func.preds(succs[edge]).len() > 1).collect();
            split += critical.len() as u64;
            for edge in critical {
                func.split_edge(b, edge);
            }
        }
        cx.count("edges", split);
        Ok(Changed::from(split > 0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generic::testing::{Fixture, assert_large, check};
    use larrow_ir::Type;

    #[test]
    fn both_edges_of_a_branch_to_one_block_are_split() {
        let mut t = Fixture::new(Type::U32, &[Type::U32, Type::U32, Type::BOOL]);
        let (x, y, c) = (t.func.params[0], t.func.params[1], t.func.params[2]);
        let (b0, b1) = t.build(|b| {
            let (b0, b1) = (b.block(), b.block());
            b.switch_to(b0);
            b.branch(c, b1, b1);
            b.switch_to(b1);
            let p = b.phi(Type::U32, &[x, y]);
            b.ret(Some(p));
            (b0, b1)
        });
        assert!(t.run(&Critical).yes());
        check(&t.func);
        let succs = t.func.term(b0).successors();
        assert_eq!(t.func.preds(b1), &succs[..]);
        assert_eq!(t.func.args(t.func.block(b1).insts[0]), [x, y]);
        assert!(!t.run(&Critical).yes());
    }

    #[test]
    fn it_is_linear() {
        assert_large(&Critical);
    }
}
