//! A function's control-flow graph as petgraph sees it, without a copy: any of its algorithms that works on a
//! directed graph takes a [`CfgRef`].

use cranelift_entity::{EntityRef, EntitySet};
use petgraph::Direction;
use petgraph::visit::{
    Data, GraphBase, GraphRef, IntoEdgeReferences, IntoEdges, IntoEdgesDirected, IntoNeighbors,
    IntoNeighborsDirected, IntoNodeIdentifiers, NodeCount, NodeIndexable, VisitMap, Visitable,
};
use smallvec::SmallVec;

use crate::entity::Block;
use crate::function::Function;

/// A function's blocks and edges. Every edge has an entry in its target's predecessor list, as the verifier
/// demands.
#[derive(Clone, Copy, Debug)]
pub struct CfgRef<'a>(pub &'a Function);

/// An edge: from, to, and no weight.
pub type Edge = (Block, Block, &'static ());

type Neighbors = smallvec::IntoIter<[Block; 4]>;
type Edges = smallvec::IntoIter<[Edge; 4]>;

impl CfgRef<'_> {
    fn edges_from(self, b: Block) -> SmallVec<[Edge; 4]> {
        self.0.term(b).successors().into_iter().map(|to| (b, to, &())).collect()
    }
}

impl GraphBase for CfgRef<'_> {
    type NodeId = Block;
    type EdgeId = (Block, Block);
}
impl GraphRef for CfgRef<'_> {}

impl Data for CfgRef<'_> {
    type NodeWeight = ();
    type EdgeWeight = ();
}

impl IntoNeighbors for CfgRef<'_> {
    type Neighbors = Neighbors;
    fn neighbors(self, b: Block) -> Neighbors {
        self.0.term(b).successors().into_iter()
    }
}

impl IntoNeighborsDirected for CfgRef<'_> {
    type NeighborsDirected = Neighbors;
    fn neighbors_directed(self, b: Block, direction: Direction) -> Neighbors {
        match direction {
            Direction::Outgoing => self.neighbors(b),
            Direction::Incoming => SmallVec::from_slice(self.0.preds(b)).into_iter(),
        }
    }
}

impl<'a> IntoNodeIdentifiers for CfgRef<'a> {
    type NodeIdentifiers = std::iter::Copied<std::slice::Iter<'a, Block>>;
    fn node_identifiers(self) -> Self::NodeIdentifiers {
        self.0.layout().iter().copied()
    }
}

impl IntoEdgeReferences for CfgRef<'_> {
    type EdgeRef = Edge;
    type EdgeReferences = std::vec::IntoIter<Edge>;
    fn edge_references(self) -> Self::EdgeReferences {
        let all: Vec<Edge> = self.0.layout().iter().flat_map(|&b| self.edges_from(b)).collect();
        all.into_iter()
    }
}

impl IntoEdges for CfgRef<'_> {
    type Edges = Edges;
    fn edges(self, b: Block) -> Edges {
        self.edges_from(b).into_iter()
    }
}

impl IntoEdgesDirected for CfgRef<'_> {
    type EdgesDirected = Edges;
    fn edges_directed(self, b: Block, direction: Direction) -> Edges {
        match direction {
            Direction::Outgoing => self.edges(b),
            Direction::Incoming => {
                let edges: SmallVec<[Edge; 4]> = self.0.preds(b).iter().map(|&p| (p, b, &())).collect();
                edges.into_iter()
            }
        }
    }
}

impl NodeCount for CfgRef<'_> {
    fn node_count(&self) -> usize {
        self.0.layout().len()
    }
}

impl NodeIndexable for CfgRef<'_> {
    fn node_bound(&self) -> usize {
        self.0.num_blocks()
    }
    fn to_index(&self, b: Block) -> usize {
        b.index()
    }
    fn from_index(&self, i: usize) -> Block {
        Block::new(i)
    }
}

/// The nodes that a walk has seen.
#[derive(Clone, Debug)]
pub struct Seen<K: EntityRef>(EntitySet<K>);

impl<K: EntityRef> Seen<K> {
    /// Nothing seen, with room for ids below `bound`.
    pub fn none(bound: usize) -> Seen<K> {
        Seen(EntitySet::with_capacity(bound))
    }
    /// Forgets.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}

impl<K: EntityRef> VisitMap<K> for Seen<K> {
    fn visit(&mut self, node: K) -> bool {
        self.0.insert(node)
    }
    fn is_visited(&self, node: &K) -> bool {
        self.0.contains(*node)
    }
    fn unvisit(&mut self, node: K) -> bool {
        self.0.remove(node)
    }
}

impl Visitable for CfgRef<'_> {
    type Map = Seen<Block>;
    fn visit_map(&self) -> Seen<Block> {
        Seen::none(self.0.num_blocks())
    }
    fn reset_map(&self, map: &mut Seen<Block>) {
        map.clear();
    }
}

#[cfg(test)]
mod tests {
    use petgraph::algo::dominators::simple_fast;
    use petgraph::algo::{has_path_connecting, kosaraju_scc};

    use super::CfgRef;
    use crate::cfg::draw::{Random, b, blocks, graph};
    use crate::cfg::{DomTree, Rpo};

    #[test]
    fn components_come_out() {
        let func = graph("0>1 1>2 2>1 2>3");
        let mut found = kosaraju_scc(CfgRef(&func));
        found.iter_mut().for_each(|c| c.sort_unstable());
        assert_eq!(found, [blocks([3]), blocks([1, 2]), blocks([0])]);
        assert!(has_path_connecting(CfgRef(&func), b(0), b(3), None));
    }

    #[test]
    fn petgraph_finds_the_same_dominators() {
        let mut random = Random(3);
        for _ in 0..1000 {
            let func = random.graph(20);
            let (ours, theirs) = (DomTree::compute(&func), simple_fast(CfgRef(&func), func.entry()));
            for &x in Rpo::compute(&func).blocks() {
                assert_eq!(ours.idom(x), theirs.immediate_dominator(x));
            }
        }
    }
}
