//! Dominance frontiers: where a definition's reach ends, and so where phis go (Cooper, Harvey and Kennedy, *A
//! Simple, Fast Dominance Algorithm*, 2001, fig. 5).

use cranelift_entity::SecondaryMap;

use crate::cfg::DomTree;
use crate::entity::Block;
use crate::function::Function;

/// For each block, the blocks that it dominates a predecessor of but does not strictly dominate.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Frontier {
    blocks: SecondaryMap<Block, Vec<Block>>,
}

impl Frontier {
    /// The frontiers of every reachable block.
    pub fn compute(func: &Function) -> Frontier {
        Frontier::with(func, &DomTree::compute(func))
    }

    /// The same over a tree that is at hand. Linear in the size of the result.
    pub fn with(func: &Function, tree: &DomTree) -> Frontier {
        let mut blocks: SecondaryMap<Block, Vec<Block>> = SecondaryMap::with_capacity(func.num_blocks());
        for &join in func.layout() {
            for &pred in func.preds(join) {
                if !tree.is_reachable(pred) {
                    continue;
                }
                let mut runner = Some(pred);
                // Whoever walked here before from another edge of this join went on to the same end.
                while let Some(at) = runner.filter(|&at| Some(at) != tree.idom(join)) {
                    if blocks[at].last() == Some(&join) {
                        break;
                    }
                    blocks[at].push(join);
                    runner = tree.idom(at);
                }
            }
        }
        Frontier { blocks }
    }

    /// The frontier of a block, in layout order; empty if it is unreachable.
    pub fn of(&self, b: Block) -> &[Block] {
        &self.blocks[b]
    }
}

#[cfg(test)]
mod tests {
    use super::Frontier;
    use crate::cfg::DomTree;
    use crate::cfg::draw::{Random, b, blocks, graph};

    #[test]
    fn both_arms_of_a_diamond_end_at_the_join() {
        let frontier = Frontier::compute(&graph("0>1 0>2 1>3 2>3"));
        assert_eq!((frontier.of(b(1)), frontier.of(b(2))), (&blocks([3])[..], &blocks([3])[..]));
        assert!(frontier.of(b(0)).is_empty() && frontier.of(b(3)).is_empty());
    }

    #[test]
    fn a_header_is_in_its_own_frontier() {
        let frontier = Frontier::compute(&graph("0>1 1>2 2>1 1>3"));
        assert_eq!((frontier.of(b(1)), frontier.of(b(2))), (&blocks([1])[..], &blocks([1])[..]));
    }

    #[test]
    fn random_graphs_match_the_definition() {
        let mut random = Random(11);
        for _ in 0..1000 {
            let func = random.graph(12);
            let (tree, frontier) = (DomTree::compute(&func), Frontier::compute(&func));
            for &x in func.layout().iter().filter(|&&x| tree.is_reachable(x)) {
                let expected: Vec<_> = func
                    .layout()
                    .iter()
                    .copied()
                    .filter(|&y| {
                        let mut preds = func.preds(y).iter().filter(|&&p| tree.is_reachable(p));
                        preds.any(|&p| tree.dominates(x, p)) && !tree.strictly_dominates(x, y)
                    })
                    .collect();
                assert_eq!(frontier.of(x), expected, "{x}");
            }
        }
    }
}
