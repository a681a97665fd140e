//! Reverse postorder: every block before its successors, back edges aside.

use cranelift_entity::SecondaryMap;
use smallvec::SmallVec;

use crate::entity::Block;
use crate::function::Function;

/// The reachable blocks in reverse postorder, and the place of each.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rpo {
    order: Vec<Block>,
    /// The place plus one; 0 for an unreachable block.
    place: SecondaryMap<Block, u32>,
}

impl Rpo {
    /// Walks the function depth first from its entry, successors in order. Linear; a function without blocks has
    /// an empty order.
    pub fn compute(func: &Function) -> Rpo {
        let mut order = postorder(func);
        order.reverse();
        let mut place = SecondaryMap::with_capacity(func.num_blocks());
        for (i, &b) in order.iter().enumerate() {
            place[b] = u32::try_from(i + 1).expect("fewer than 2³² blocks");
        }
        Rpo { order, place }
    }

    /// The reachable blocks, the entry first.
    pub fn blocks(&self) -> &[Block] {
        &self.order
    }
    /// The reachable blocks, every block behind its successors but for back edges.
    pub fn postorder(&self) -> impl DoubleEndedIterator<Item = Block> + ExactSizeIterator + '_ {
        self.order.iter().rev().copied()
    }
    /// A block's place in the order, from 0; `None` if it cannot be reached.
    pub fn place(&self, b: Block) -> Option<usize> {
        (self.place[b] as usize).checked_sub(1)
    }
    /// Whether control can get there.
    pub fn is_reachable(&self, b: Block) -> bool {
        self.place[b] != 0
    }
    /// Whether an edge goes back or stays: only such edges close cycles. False for unreachable ends.
    pub fn is_retreating(&self, from: Block, to: Block) -> bool {
        self.is_reachable(from) && self.is_reachable(to) && self.place[to] <= self.place[from]
    }
}

/// Iterative, so that the depth of the graph costs no stack.
fn postorder(func: &Function) -> Vec<Block> {
    let Some(&entry) = func.layout().first() else { return Vec::new() };
    let mut seen: SecondaryMap<Block, bool> = SecondaryMap::with_capacity(func.num_blocks());
    let mut done = Vec::with_capacity(func.layout().len());
    let mut open: Vec<(Block, SmallVec<[Block; 4]>)> = Vec::new();
    let mut enter = |b: Block, open: &mut Vec<(Block, SmallVec<[Block; 4]>)>| {
        if !std::mem::replace(&mut seen[b], true) {
            let mut rest = func.term(b).successors();
            rest.reverse();
            open.push((b, rest));
        }
    };
    enter(entry, &mut open);
    while let Some((b, rest)) = open.last_mut() {
        match rest.pop() {
            Some(next) => enter(next, &mut open),
            None => {
                done.push(*b);
                open.pop();
            }
        }
    }
    done
}

#[cfg(test)]
mod tests {
    use super::Rpo;
    use crate::cfg::draw::{b, blocks, graph};

    #[test]
    fn a_diamond_puts_the_join_last() {
        let rpo = Rpo::compute(&graph("0>1 0>2 1>3 2>3"));
        assert_eq!(rpo.blocks(), blocks([0, 2, 1, 3]));
        assert_eq!(rpo.postorder().collect::<Vec<_>>(), blocks([3, 1, 2, 0]));
    }

    #[test]
    fn a_loop_retreats_to_its_header_only() {
        let rpo = Rpo::compute(&graph("0>1 1>2 2>1 1>3"));
        assert!(rpo.is_retreating(b(2), b(1)) && !rpo.is_retreating(b(1), b(2)));
        assert_eq!(rpo.place(b(0)), Some(0));
    }

    #[test]
    fn an_unreachable_block_has_no_place() {
        let rpo = Rpo::compute(&graph("0>1 2>1 2>2"));
        assert_eq!(rpo.place(b(2)), None);
        assert!(!rpo.is_retreating(b(2), b(2)));
        assert_eq!(rpo.blocks().len(), 2);
    }

    #[test]
    fn a_long_chain_needs_no_stack() {
        let text: Vec<String> = (0..50_000).map(|i| format!("{i}>{}", i + 1)).collect();
        assert_eq!(Rpo::compute(&graph(&text.join(" "))).blocks().len(), 50_001);
    }
}
