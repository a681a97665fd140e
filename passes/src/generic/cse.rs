//! `cse`: a pure value that is computed already where control comes from is not computed again.
//!
//! A walk of the dominator tree keeps the values computed on the way down, keyed by op, type, payload and
//! operands; an equal one further down is replaced by the first. Only ops without any effect take part, so no
//! load, and no `Bounded`: what a check proved belongs to the place of the check.

use std::collections::HashMap;

use larrow_ir::cfg::DomTree;
use larrow_ir::{Args, Aux, Block, Decls, Function, Op, Type, Value};

use super::replace::Replacements;
use crate::manager::{Changed, Facts, FunctionPass, Pass, PassCx, PassResult};

/// The pass.
pub struct Cse;

/// The row of `cse`.
pub fn cse() -> Pass {
    Pass::function("cse", "replaces pure values by equal ones that dominate them", Cse).breaks(Facts::VALUES)
}

/// What makes two values equal.
#[derive(PartialEq, Eq, Hash)]
struct Key {
    op: Op,
    ty: Type,
    args: Args,
    aux: Aux,
}

impl FunctionPass for Cse {
    fn run(&self, func: &mut Function, decls: &mut Decls, cx: &mut PassCx<'_>) -> PassResult {
        let tree = cx.analysis::<DomTree>(func);
        let mut walk = Walk { func, decls, known: HashMap::new(), replaced: Replacements::default() };
        walk.run(&tree);
        let replaced = walk.replaced;
        let n = replaced.count();
        cx.count("values", n);
        replaced.apply(func);
        Ok(Changed::from(n > 0))
    }
}

struct Walk<'a> {
    func: &'a Function,
    decls: &'a Decls,
    /// The first value of each kind, with the block that it stands in.
    known: HashMap<Key, (Value, Block)>,
    replaced: Replacements,
}

impl Walk<'_> {
    /// Blocks in preorder of the dominator tree. An entry of a subtree that the walk has left is told by its
    /// block, which does not dominate the one at hand, and is overwritten.
    fn run(&mut self, tree: &DomTree) {
        for b in tree.preorder() {
            for &v in &self.func.block(b).insts {
                let Some(key) = self.key(v) else { continue };
                match self.known.get(&key) {
                    Some(&(first, home)) if tree.dominates(home, b) => self.replaced.set(v, first),
                    Some(_) | None => {
                        self.known.insert(key, (v, b));
                    }
                }
            }
        }
    }

    fn key(&mut self, v: Value) -> Option<Key> {
        let inst = self.func.inst(v);
        let movable = match inst.op {
            // Phis belong to their block, and what asks about a call to the call; copies are copyelim's.
            Op::Phi | Op::Param | Op::Copy | Op::Status | Op::Bounded => false,
            _ => self.decls.effects(inst).is_pure(),
        };
        if !movable {
            return None;
        }
        let mut args: Args = inst.args.iter().map(|&a| self.replaced.get(a)).collect();
        if commutes(inst.op) {
            args.sort_unstable();
        }
        Some(Key { op: inst.op, ty: inst.ty, args, aux: inst.aux.clone() })
    }
}

fn commutes(op: Op) -> bool {
    matches!(op, Op::Add | Op::Mul | Op::And | Op::Or | Op::Xor | Op::Eq | Op::Neq)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generic::testing::{Fixture, assert_large, check};

    #[test]
    fn a_dominating_value_is_taken_and_a_sibling_or_a_load_or_a_check_is_not() {
        let mut t = Fixture::new(Type::U32, &[Type::U32, Type::U32, Type::BOOL]);
        let (x, y, c) = (t.func.params[0], t.func.params[1], t.func.params[2]);
        let bs = t.build(|b| {
            let bs: Vec<Block> = (0..3).map(|_| b.block()).collect();
            b.switch_to(bs[0]);
            let slot = b.slot(Type::U32);
            let p = b.local_addr(slot);
            b.store(p, x);
            let sum = b.add(x, y);
            b.store(p, sum);
            b.branch(c, bs[1], bs[2]);
            b.switch_to(bs[1]);
            let again = b.add(y, x);
            let only = b.mul(x, y);
            let one = b.bounded(again, 0, 9);
            let two = b.bounded(again, 0, 9);
            let all = b.add(one, two);
            let out = b.add(all, only);
            b.ret(Some(out));
            b.switch_to(bs[2]);
            let sibling = b.mul(x, y);
            let l = b.load(Type::U32, p);
            let m = b.load(Type::U32, p);
            let s = b.add(l, m);
            let out = b.add(s, sibling);
            b.ret(Some(out));
            bs
        });
        assert!(t.run(&Cse).yes());
        check(&t.func);
        assert_eq!(t.counters["values"], 1);
        assert_eq!(t.ops(bs[1]), ["Mul", "Bounded", "Bounded", "Add", "Add"]);
        assert_eq!(t.ops(bs[2]), ["Mul", "Load", "Load", "Add", "Add"]);
    }

    #[test]
    fn chains_of_equal_values_collapse() {
        let mut t = Fixture::new(Type::U32, &[Type::U32]);
        let x = t.func.params[0];
        let b0 = t.build(|b| {
            let b0 = b.block();
            b.switch_to(b0);
            let (one, uno) = (b.int(Type::U32, 1), b.int(Type::U32, 1));
            let (y, z) = (b.add(x, one), b.add(uno, x));
            let d = b.sub(y, z);
            b.ret(Some(d));
            b0
        });
        assert!(t.run(&Cse).yes());
        check(&t.func);
        assert_eq!(t.ops(b0), ["Const", "Add", "Sub"]);
    }

    #[test]
    fn it_is_linear() {
        assert_large(&Cse);
    }
}
