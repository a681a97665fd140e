//! Natural loops, how they nest, and what cycles are none.
//!
//! A *natural loop* has a header that dominates every block of it; an edge back to the header is a *back edge*.
//! Loops of different headers are disjoint or nested. A cycle without such a header is *irreducible*: control
//! enters it in several places, and no loop stands for it.

use cranelift_entity::packed_option::PackedOption;
use cranelift_entity::{PrimaryMap, SecondaryMap, entity_impl};
use petgraph::algo::kosaraju_scc;
use petgraph::visit::EdgeFiltered;

use crate::cfg::graph::CfgRef;
use crate::cfg::{DomTree, Rpo};
use crate::entity::Block;
use crate::function::Function;

/// A loop of a [`LoopForest`]; inner loops have greater numbers than the loops around them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Loop(u32);
entity_impl!(Loop, "loop");

/// What is known of a loop.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LoopData {
    /// Dominates every block of the loop.
    pub header: Block,
    /// The blocks that jump back to the header, in order of their ids.
    pub latches: Vec<Block>,
    /// The loop right around this one.
    pub parent: Option<Loop>,
    /// 1 for an outermost loop.
    pub depth: u32,
    /// Every block of the loop and of the loops in it, in reverse postorder: the header first.
    pub blocks: Vec<Block>,
}

/// The loops of a function.
#[derive(Clone, PartialEq, Debug)]
pub struct LoopForest {
    loops: PrimaryMap<Loop, LoopData>,
    innermost: SecondaryMap<Block, PackedOption<Loop>>,
    irreducible: Vec<Vec<Block>>,
}

impl LoopForest {
    // ---- reading ---------------------------------------------------------------------------------------------

    /// The loops, each behind the loops around it.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (Loop, &LoopData)> {
        self.loops.iter()
    }
    /// How many loops there are.
    pub fn len(&self) -> usize {
        self.loops.len()
    }
    /// Whether there is no loop.
    pub fn is_empty(&self) -> bool {
        self.loops.is_empty()
    }
    /// One loop.
    pub fn get(&self, l: Loop) -> &LoopData {
        &self.loops[l]
    }
    /// The innermost loop around a block.
    pub fn innermost(&self, b: Block) -> Option<Loop> {
        self.innermost[b].expand()
    }
    /// How many loops are around a block.
    pub fn depth(&self, b: Block) -> u32 {
        self.innermost(b).map_or(0, |l| self.loops[l].depth)
    }
    /// Whether a block is the header of a loop.
    pub fn is_header(&self, b: Block) -> bool {
        self.innermost(b).is_some_and(|l| self.loops[l].header == b)
    }
    /// Whether a loop is another or lies in it. Linear in the depth.
    pub fn is_within(&self, inner: Loop, outer: Loop) -> bool {
        let mut at = Some(inner);
        while let Some(l) = at.filter(|&l| l > outer) {
            at = self.loops[l].parent;
        }
        at == Some(outer)
    }
    /// Whether a block belongs to a loop. Linear in the depth.
    pub fn contains(&self, l: Loop, b: Block) -> bool {
        self.innermost(b).is_some_and(|inner| self.is_within(inner, l))
    }
    /// The irreducible cycles, each as its blocks in reverse postorder.
    pub fn irreducible(&self) -> &[Vec<Block>] {
        &self.irreducible
    }
    /// Whether every cycle is a natural loop.
    pub fn is_reducible(&self) -> bool {
        self.irreducible.is_empty()
    }

    // ---- computing -------------------------------------------------------------------------------------------

    /// The loops of a function.
    pub fn compute(func: &Function) -> LoopForest {
        LoopForest::with(func, &DomTree::compute(func), &Rpo::compute(func))
    }

    /// The same over a tree and an order that are at hand. Near linear, but for the blocks' lists, which hold a
    /// block once per loop around it.
    pub fn with(func: &Function, tree: &DomTree, rpo: &Rpo) -> LoopForest {
        let mut forest =
            LoopForest { loops: PrimaryMap::new(), innermost: SecondaryMap::new(), irreducible: Vec::new() };
        forest.find_headers(func, tree, rpo);
        forest.find_bodies(func, tree);
        forest.set_depths();
        forest.list_blocks(rpo);
        forest.find_irreducible(func, tree, rpo);
        forest
    }

    /// Headers in reverse postorder, so that outer loops get smaller numbers.
    fn find_headers(&mut self, func: &Function, tree: &DomTree, rpo: &Rpo) {
        for &header in rpo.blocks() {
            let preds = func.preds(header).iter().copied();
            let mut latches: Vec<Block> =
                preds.filter(|&p| tree.is_reachable(p) && tree.dominates(header, p)).collect();
            latches.sort_unstable();
            latches.dedup();
            if !latches.is_empty() {
                self.loops.push(LoopData { header, latches, parent: None, depth: 0, blocks: Vec::new() });
            }
        }
    }

    /// From the innermost loop out: everything that reaches a latch without passing the header. A loop found
    /// before is crossed in one step, from whatever block of it to its header.
    fn find_bodies(&mut self, func: &Function, tree: &DomTree) {
        // The outermost loop found so far around each loop, with compressed paths.
        let mut outer: SecondaryMap<Loop, PackedOption<Loop>> = SecondaryMap::new();
        let mut open = Vec::new();
        for l in self.loops.keys().rev() {
            let header = self.loops[l].header;
            open.extend_from_slice(&self.loops[l].latches);
            while let Some(b) = open.pop() {
                let entered = match self.innermost(b) {
                    None => {
                        self.innermost[b] = l.into();
                        b
                    }
                    Some(inner) => {
                        let top = find_outermost(&mut outer, inner);
                        if top == l {
                            continue;
                        }
                        outer[top] = l.into();
                        self.loops[top].parent = Some(l);
                        self.loops[top].header
                    }
                };
                if entered != header {
                    open.extend(func.preds(entered).iter().filter(|&&p| tree.is_reachable(p)));
                }
            }
            self.innermost[header] = l.into();
        }
    }

    fn set_depths(&mut self) {
        for l in self.loops.keys() {
            let around = self.loops[l].parent.map_or(0, |p| self.loops[p].depth);
            self.loops[l].depth = around + 1;
        }
    }

    fn list_blocks(&mut self, rpo: &Rpo) {
        for &b in rpo.blocks() {
            let mut at = self.innermost(b);
            while let Some(l) = at {
                self.loops[l].blocks.push(b);
                at = self.loops[l].parent;
            }
        }
    }

    /// Without its back edges a reducible graph has no cycle: what is left cyclic is irreducible.
    fn find_irreducible(&mut self, func: &Function, tree: &DomTree, rpo: &Rpo) {
        // Every cycle has a retreating edge; in a reducible graph, as nearly all are, each is a back edge.
        let stray = |from, to| rpo.is_retreating(from, to) && !tree.dominates(to, from);
        if !rpo.blocks().iter().any(|&b| func.preds(b).iter().any(|&p| stray(p, b))) {
            return;
        }
        let forward = EdgeFiltered::from_fn(CfgRef(func), |(from, to, _)| {
            rpo.is_reachable(from) && !tree.dominates(to, from)
        });
        for mut cycle in kosaraju_scc(&forward) {
            if cycle.len() > 1 {
                cycle.sort_by_key(|&b| rpo.place(b));
                self.irreducible.push(cycle);
            }
        }
        self.irreducible.sort_by_key(|cycle| rpo.place(cycle[0]));
    }
}

fn find_outermost(outer: &mut SecondaryMap<Loop, PackedOption<Loop>>, l: Loop) -> Loop {
    let mut top = l;
    while let Some(up) = outer[top].expand() {
        top = up;
    }
    let mut at = l;
    while let Some(up) = outer[at].expand() {
        outer[at] = top.into();
        at = up;
    }
    top
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::LoopForest;
    use crate::cfg::draw::{Random, b, blocks, from_edges, graph};
    use crate::cfg::{DomTree, Rpo};
    use crate::entity::Block;
    use crate::function::Function;

    #[test]
    fn two_nested_loops() {
        //  0 → 1 ⇄ 2 ⟲    and 1 → 3
        let forest = LoopForest::compute(&graph("0>1 1>2 2>2 2>1 1>3"));
        assert_eq!(forest.len(), 2);
        let (outer, inner) = (forest.innermost(b(1)).unwrap(), forest.innermost(b(2)).unwrap());
        assert_eq!(forest.get(outer).blocks, blocks([1, 2]));
        assert_eq!(forest.get(inner).blocks, blocks([2]));
        assert_eq!(forest.get(inner).parent, Some(outer));
        assert_eq!([0, 1, 2, 3].map(|i| forest.depth(b(i))), [0, 1, 2, 0]);
        assert!(forest.is_header(b(2)) && forest.contains(outer, b(2)) && !forest.contains(inner, b(1)));
        assert!(forest.is_reducible());
    }

    #[test]
    fn two_latches_make_one_loop() {
        let forest = LoopForest::compute(&graph("0>1 1>2 1>3 2>1 3>1 3>4"));
        let (_, data) = forest.iter().next().unwrap();
        assert_eq!((forest.len(), &data.latches), (1, &blocks([2, 3])));
    }

    #[test]
    fn two_loops_in_a_row_inside_one() {
        //  1 ( 2⟲ 3⟲ 4 ) 5
        let forest = LoopForest::compute(&graph("0>1 1>2 2>2 2>3 3>3 3>4 4>1 4>5"));
        assert_eq!([1, 2, 3, 4, 5].map(|i| forest.depth(b(i))), [1, 2, 2, 1, 0]);
    }

    #[test]
    fn a_cycle_with_two_entries_is_no_loop() {
        let forest = LoopForest::compute(&graph("0>1 0>2 1>2 2>1 2>3"));
        assert!(forest.is_empty());
        assert_eq!(forest.irreducible().len(), 1);
        assert_eq!(forest.irreducible()[0].iter().collect::<BTreeSet<_>>(), blocks([1, 2]).iter().collect());
    }

    #[test]
    fn an_irreducible_cycle_inside_a_loop_leaves_the_loop() {
        let forest = LoopForest::compute(&graph("0>1 1>2 1>3 2>3 3>2 3>4 4>1 4>5"));
        assert_eq!((forest.len(), forest.irreducible().len()), (1, 1));
        assert_eq!(forest.depth(b(3)), 1);
    }

    #[test]
    fn an_unreachable_cycle_is_no_loop() {
        let forest = LoopForest::compute(&graph("0>3 1>2 2>1 2>3"));
        assert!(forest.is_empty() && forest.is_reducible());
    }

    /// The oracle: a loop's body by the definition, everything that reaches a latch inside the header's reach.
    fn body(func: &Function, tree: &DomTree, header: Block) -> BTreeSet<Block> {
        let mut body = BTreeSet::from([header]);
        let back = |&&p: &&Block| tree.is_reachable(p) && tree.dominates(header, p);
        let mut open: Vec<Block> = func.preds(header).iter().filter(back).copied().collect();
        while let Some(x) = open.pop() {
            if body.insert(x) {
                open.extend(func.preds(x).iter().filter(|&&p| tree.is_reachable(p)));
            }
        }
        body
    }

    #[test]
    fn random_graphs_match_the_definition() {
        let mut random = Random(5);
        for _ in 0..3000 {
            let func = random.graph(14);
            let (tree, rpo) = (DomTree::compute(&func), Rpo::compute(&func));
            let forest = LoopForest::with(&func, &tree, &rpo);
            for (l, data) in forest.iter() {
                let body = body(&func, &tree, data.header);
                assert_eq!(data.blocks.iter().copied().collect::<BTreeSet<_>>(), body);
                assert_eq!(data.blocks[0], data.header);
                assert!(data.parent.is_none_or(|p| p < l && forest.contains(p, data.header)));
            }
            for &x in func.layout() {
                let around = forest.iter().filter(|(_, d)| d.blocks.contains(&x)).count();
                assert_eq!(forest.depth(x) as usize, around);
            }
            let stray = rpo
                .blocks()
                .iter()
                .any(|&x| func.preds(x).iter().any(|&p| rpo.is_retreating(p, x) && !tree.dominates(x, p)));
            assert_eq!(forest.is_reducible(), !stray);
        }
    }

    #[test]
    fn deep_nests_are_not_quadratic_to_find() {
        // 0 → 1 → … → n, and n − i → 1 + i for the i-th level: n/2 loops, each in the one before.
        let n = 2000;
        let mut edges: Vec<_> = (0..n).map(|i| (i, i + 1)).collect();
        edges.extend((1..n / 2).map(|i| (n - i, i)));
        let forest = LoopForest::compute(&from_edges(n + 1, &edges));
        assert_eq!(forest.len(), n / 2 - 1);
        assert_eq!(forest.depth(b(n / 2)) as usize, n / 2 - 1);
    }
}
