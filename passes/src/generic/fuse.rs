//! `fuse`: straight-line blocks become one, branches whose ways are one become plain, empty blocks go.
//!
//! ```text
//!     b0: … Plain → b1            b0: … …
//!     b1: ← b0 …            ⇒
//! ```
//!
//! A phi of a block with one predecessor becomes a `Copy`, which `copyelim` looks through where types allow.

use larrow_ir::{Block, Decls, Function, Op, Terminator, Value};

use super::trim::drop_empty;
use crate::manager::{Changed, FunctionPass, Pass, PassCx, PassResult};

/// The pass.
pub struct Fuse;

/// The row of `fuse`.
pub fn fuse() -> Pass {
    Pass::function("fuse", "merges straight-line blocks and drops empty ones", Fuse)
}

impl FunctionPass for Fuse {
    fn run(&self, func: &mut Function, _: &mut Decls, cx: &mut PassCx<'_>) -> PassResult {
        let plain = straighten(func);
        let empty = drop_empty(func);
        let merged = merge_chains(func);
        cx.count("branches to one block", plain);
        cx.count("empty blocks", empty);
        cx.count("merged blocks", merged);
        Ok(Changed::from(plain + empty + merged > 0))
    }
}

/// Makes branches plain whose edges all lead to one block with the same phi operands; how many.
fn straighten(func: &mut Function) -> u64 {
    let mut n = 0;
    for b in func.layout().to_vec() {
        let succs = func.term(b).successors();
        let Some((&to, rest)) = succs.split_first() else { continue };
        if rest.is_empty() || rest.iter().any(|&s| s != to) {
            continue;
        }
        let mine: Vec<usize> = (0..func.preds(to).len()).filter(|&i| func.preds(to)[i] == b).collect();
        let one_way = |phi: Value| mine.iter().all(|&i| func.args(phi)[i] == func.args(phi)[mine[0]]);
        if !func.phis(to).all(one_way) {
            continue;
        }
        let args: Vec<Value> = func.phis(to).map(|phi| func.args(phi)[mine[0]]).collect();
        let pos = func.block(b).term_pos;
        func.set_terminator(b, Terminator::Plain(to), pos);
        func.push_phi_args(to, &args);
        n += 1;
    }
    n
}

/// Appends each block to its only predecessor if that has no other successor; how many.
pub(crate) fn merge_chains(func: &mut Function) -> u64 {
    let mut n = 0;
    let entry = func.layout().first().copied();
    for b in func.layout().to_vec() {
        if !func.is_live_block(b) {
            continue;
        }
        while let &Terminator::Plain(next) = func.term(b) {
            if next == b || Some(next) == entry || func.preds(next).len() != 1 {
                break;
            }
            copy_phis(func, next);
            func.merge_into(b, next);
            n += 1;
        }
    }
    n
}

/// Makes the phis of a block with one predecessor copies.
fn copy_phis(func: &mut Function, b: Block) {
    let phis: Vec<Value> = func.phis(b).collect();
    for phi in phis {
        func.inst_mut(phi).op = Op::Copy;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generic::testing::{Fixture, assert_large, check};
    use larrow_ir::Type;

    #[test]
    fn a_chain_becomes_one_block_and_phis_copies() {
        let mut t = Fixture::new(Type::U32, &[Type::U32]);
        let x = t.func.params[0];
        let b0 = t.build(|b| {
            let (b0, b1, b2) = (b.block(), b.block(), b.block());
            b.switch_to(b0);
            b.jump(b1);
            b.switch_to(b1);
            let p = b.phi(Type::U32, &[x]);
            b.jump(b2);
            b.switch_to(b2);
            let y = b.add(p, p);
            b.ret(Some(y));
            b0
        });
        assert!(t.run(&Fuse).yes());
        check(&t.func);
        assert_eq!(t.func.layout(), [b0]);
        assert_eq!(t.ops(b0), ["Copy", "Add"]);
    }

    #[test]
    fn a_diamond_that_decides_a_phi_stays_and_one_that_does_not_goes() {
        for equal in [false, true] {
            let mut t = Fixture::new(Type::U32, &[Type::U32, Type::U32, Type::BOOL]);
            let (x, y, c) = (t.func.params[0], t.func.params[1], t.func.params[2]);
            t.build(|b| {
                let (b0, b1) = (b.block(), b.block());
                b.switch_to(b0);
                b.branch(c, b1, b1);
                b.switch_to(b1);
                let p = b.phi(Type::U32, &[x, if equal { x } else { y }]);
                b.ret(Some(p));
            });
            assert_eq!(t.run(&Fuse).yes(), equal);
            check(&t.func);
            assert_eq!(t.func.layout().len(), if equal { 1 } else { 2 });
        }
    }

    #[test]
    fn a_loop_to_the_entry_and_an_endless_loop_stay() {
        let mut t = Fixture::new(Type::UNIT, &[]);
        t.build(|b| {
            let (b0, b1, b2) = (b.block(), b.block(), b.block());
            b.switch_to(b0);
            b.jump(b1);
            b.switch_to(b1);
            b.jump(b2);
            b.switch_to(b2);
            b.jump(b1);
        });
        assert!(t.run(&Fuse).yes());
        check(&t.func);
        assert_eq!(t.func.layout().len(), 2);
        let loop_block = t.func.layout()[1];
        assert_eq!(*t.func.term(loop_block), Terminator::Plain(loop_block));
    }

    #[test]
    fn it_is_linear() {
        assert_large(&Fuse);
    }
}
