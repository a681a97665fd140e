//! A definition stands before each of its uses, on every path.

use cranelift_entity::SecondaryMap;

use crate::cfg::DomTree;
use crate::entity::{Block, Value};
use crate::op::Op;

use super::Checker;

impl Checker<'_> {
    /// Linear: the tree answers in constant time, and inside a block positions do.
    pub(super) fn dominance(&mut self) {
        let tree = DomTree::compute(self.func);
        let place = self.places();
        for &b in self.func.layout() {
            if !tree.is_reachable(b) {
                self.at_block(b, format!("{b} cannot be reached"));
                continue;
            }
            for &v in &self.func.block(b).insts {
                if !self.exists(v) || self.func.home(v) != Some(b) {
                    continue;
                }
                if self.func.inst(v).op == Op::Phi {
                    self.phi_operands(&tree, b, v);
                } else {
                    self.operands(&tree, &place, b, v);
                }
            }
            if let Some(v) = self.func.term(b).operand().filter(|&v| self.is_usable(v))
                && self.func.home(v).is_some_and(|home| !tree.dominates(home, b))
            {
                self.at_block(b, format!("{b} ends in a use of {v}, which does not dominate it"));
            }
        }
    }

    /// The place of each instruction in its block, from 1; a value listed twice is reported.
    fn places(&mut self) -> SecondaryMap<Value, u32> {
        let mut place: SecondaryMap<Value, u32> = SecondaryMap::with_capacity(self.func.num_values());
        for &b in self.func.layout() {
            for (i, &v) in (1..).zip(&self.func.block(b).insts) {
                if self.exists(v) && self.func.home(v) == Some(b) {
                    if place[v] != 0 {
                        self.at_value(v, format!("{v} stands in {b} twice"));
                    }
                    place[v] = i;
                }
            }
        }
        place
    }

    fn operands(&mut self, tree: &DomTree, place: &SecondaryMap<Value, u32>, b: Block, v: Value) {
        for &arg in &self.func.inst(v).args {
            if !self.is_usable(arg) {
                continue;
            }
            let Some(home) = self.func.home(arg) else { continue };
            if home == b && place[arg] >= place[v] {
                self.at_value(v, format!("operand {arg} is defined only after its use"));
            } else if home != b && !tree.dominates(home, b) {
                self.at_value(
                    v,
                    format!("operand {arg}, defined in {home}, does not dominate its use in {b}"),
                );
            }
        }
    }

    fn phi_operands(&mut self, tree: &DomTree, b: Block, v: Value) {
        for (&arg, &pred) in self.func.inst(v).args.iter().zip(self.func.preds(b)) {
            if !self.is_usable(arg) || !tree.is_reachable(pred) {
                continue;
            }
            if self.func.home(arg).is_some_and(|home| !tree.dominates(home, pred)) {
                self.at_value(v, format!("operand {arg} does not dominate the end of predecessor {pred}"));
            }
        }
    }
}
