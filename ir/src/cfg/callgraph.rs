//! Who calls whom in a module.

use std::collections::{HashMap, HashSet, VecDeque};

use indexmap::IndexMap;
use petgraph::Direction;
use petgraph::algo::kosaraju_scc;
use petgraph::visit::{
    GraphBase, GraphRef, IntoNeighbors, IntoNeighborsDirected, IntoNodeIdentifiers, Visitable,
};

use crate::cfg::graph::Seen;
use crate::entity::FuncId;
use crate::inst::Aux;
use crate::module::Module;
use crate::op::Op;

/// How a function comes to run another.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum CallKind {
    /// Calls it.
    Call,
    /// Starts it as a goroutine.
    Go,
    /// Takes its address.
    Address,
}

/// The functions of a module and the edges between them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct CallGraph {
    /// From each function, sorted, an edge once.
    edges: IndexMap<FuncId, Vec<(FuncId, CallKind)>>,
    /// The same edges from their other end.
    callers: IndexMap<FuncId, Vec<(FuncId, CallKind)>>,
    bottom_up: Vec<Vec<FuncId>>,
    recursion: Vec<Vec<FuncId>>,
}

impl CallGraph {
    /// The call graph of a module. Names of functions that do not exist are left out.
    pub fn compute(module: &Module) -> CallGraph {
        let mut graph = CallGraph::default();
        for (id, func) in module.funcs.iter() {
            let callees = func.iter_insts().filter_map(|(_, v)| {
                let inst = func.inst(v);
                match (edge_kind(inst.op)?, &inst.aux) {
                    (kind, Aux::Func(callee)) => Some((*callee, kind)),
                    _ => None,
                }
            });
            let mut edges: Vec<_> = callees.filter(|(to, _)| module.funcs.get(*to).is_some()).collect();
            edges.sort_unstable();
            edges.dedup();
            graph.edges.insert(id, edges);
        }
        for (&id, callees) in &graph.edges {
            for &(to, kind) in callees {
                graph.callers.entry(to).or_default().push((id, kind));
            }
        }
        graph.bottom_up = graph.components(|_| true);
        let calling = graph.components(|kind| kind == CallKind::Call);
        graph.recursion = calling.iter().filter_map(|component| graph.cycle_in(component)).collect();
        graph.recursion.sort_unstable();
        graph
    }

    /// What a function calls, starts, or takes the address of: sorted, each once.
    pub fn callees(&self, func: FuncId) -> &[(FuncId, CallKind)] {
        self.edges.get(&func).map_or(&[], Vec::as_slice)
    }

    /// What calls, starts, or takes the address of a function: in module order, each once per kind.
    pub fn callers(&self, func: FuncId) -> &[(FuncId, CallKind)] {
        self.callers.get(&func).map_or(&[], Vec::as_slice)
    }

    /// Groups of functions that reach one another, callees before callers. A group of more than one is mutually
    /// recursive, by calls or by other edges.
    pub fn bottom_up(&self) -> &[Vec<FuncId>] {
        &self.bottom_up
    }

    /// A shortest cycle of calls for each group of functions that call one another, from its least id on; the
    /// last calls the first.
    pub fn recursion(&self) -> &[Vec<FuncId>] {
        &self.recursion
    }

    /// `@f → @g → @f`
    pub fn spell_cycle(module: &Module, cycle: &[FuncId]) -> String {
        let names = cycle.iter().chain(cycle.first()).map(|&f| format!("@{}", module.funcs.name(f)));
        names.collect::<Vec<_>>().join(" → ")
    }

    /// The strongly connected components over some kinds of edges, each sorted, callees first.
    fn components(&self, takes: fn(CallKind) -> bool) -> Vec<Vec<FuncId>> {
        let mut groups = kosaraju_scc(CallsRef { graph: self, takes });
        groups.iter_mut().for_each(|c| c.sort_unstable());
        groups
    }

    /// A shortest way from the first function of a component back to itself by calls.
    fn cycle_in(&self, component: &[FuncId]) -> Option<Vec<FuncId>> {
        let (&start, members) = (component.first()?, component.iter().collect::<HashSet<_>>());
        let mut came_from: HashMap<FuncId, FuncId> = HashMap::new();
        let mut open = VecDeque::from([start]);
        while let Some(at) = open.pop_front() {
            for &(to, _) in self.callees(at).iter().filter(|(_, kind)| *kind == CallKind::Call) {
                if to == start {
                    let back = std::iter::successors(Some(at), |f| came_from.get(f).copied());
                    let mut cycle: Vec<FuncId> = back.collect();
                    cycle.reverse();
                    return Some(cycle);
                }
                if members.contains(&to) && !came_from.contains_key(&to) {
                    came_from.insert(to, at);
                    open.push_back(to);
                }
            }
        }
        None
    }
}

/// The kind of edge that an op's function payload makes.
fn edge_kind(op: Op) -> Option<CallKind> {
    if op == Op::Call {
        Some(CallKind::Call)
    } else if op == Op::Go {
        Some(CallKind::Go)
    } else if op == Op::FuncAddr {
        Some(CallKind::Address)
    } else {
        None
    }
}

/// The call graph over some kinds of edges, as petgraph sees it.
#[derive(Clone, Copy)]
struct CallsRef<'a> {
    graph: &'a CallGraph,
    takes: fn(CallKind) -> bool,
}

impl<'a> CallsRef<'a> {
    fn among(self, edges: &'a [(FuncId, CallKind)]) -> Neighbors<'a> {
        Neighbors { edges: edges.iter(), takes: self.takes }
    }
}

struct Neighbors<'a> {
    edges: std::slice::Iter<'a, (FuncId, CallKind)>,
    takes: fn(CallKind) -> bool,
}

impl Iterator for Neighbors<'_> {
    type Item = FuncId;
    fn next(&mut self) -> Option<FuncId> {
        self.edges.find(|(_, kind)| (self.takes)(*kind)).map(|(to, _)| *to)
    }
}

impl GraphBase for CallsRef<'_> {
    type NodeId = FuncId;
    type EdgeId = (FuncId, FuncId);
}
impl GraphRef for CallsRef<'_> {}

impl<'a> IntoNeighbors for CallsRef<'a> {
    type Neighbors = Neighbors<'a>;
    fn neighbors(self, func: FuncId) -> Neighbors<'a> {
        self.among(self.graph.callees(func))
    }
}

impl<'a> IntoNeighborsDirected for CallsRef<'a> {
    type NeighborsDirected = Neighbors<'a>;
    fn neighbors_directed(self, func: FuncId, direction: Direction) -> Neighbors<'a> {
        match direction {
            Direction::Outgoing => self.neighbors(func),
            Direction::Incoming => self.among(self.graph.callers(func)),
        }
    }
}

impl<'a> IntoNodeIdentifiers for CallsRef<'a> {
    type NodeIdentifiers = std::iter::Copied<indexmap::map::Keys<'a, FuncId, Vec<(FuncId, CallKind)>>>;
    fn node_identifiers(self) -> Self::NodeIdentifiers {
        self.graph.edges.keys().copied()
    }
}

impl Visitable for CallsRef<'_> {
    type Map = Seen<FuncId>;
    fn visit_map(&self) -> Seen<FuncId> {
        Seen::none(self.graph.edges.len())
    }
    fn reset_map(&self, map: &mut Seen<FuncId>) {
        map.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::{CallGraph, CallKind};
    use crate::entity::{FuncId, Type};
    use crate::function::Function;
    use crate::inst::{Aux, Inst};
    use crate::module::Module;
    use crate::op::Op;
    use cranelift_entity::EntityRef;

    fn module(count: usize, edges: &[(usize, Op, usize)]) -> Module {
        let mut module = Module::new("");
        for i in 0..count {
            let mut func = Function::new(&format!("f{i}"), Type::UNIT);
            let b = func.add_block();
            for &(_, op, to) in edges.iter().filter(|(from, ..)| *from == i) {
                func.append(b, Inst::new(op, Type::UNIT, &[]).with(Aux::Func(FuncId::new(to))));
            }
            module.add_func(func).expect("fresh");
        }
        module
    }

    fn ids<const N: usize>(ids: [usize; N]) -> Vec<FuncId> {
        ids.into_iter().map(FuncId::new).collect()
    }

    #[test]
    fn callees_come_first() {
        let graph = CallGraph::compute(&module(3, &[(0, Op::Call, 1), (1, Op::Go, 2), (0, Op::Call, 1)]));
        assert_eq!(graph.bottom_up(), [ids([2]), ids([1]), ids([0])]);
        assert_eq!(graph.callees(FuncId::new(0)), [(FuncId::new(1), CallKind::Call)]);
        assert!(graph.recursion().is_empty());
    }

    #[test]
    fn recursion_is_named() {
        let module = module(4, &[(0, Op::Call, 1), (1, Op::Call, 2), (2, Op::Call, 1), (3, Op::Call, 3)]);
        let graph = CallGraph::compute(&module);
        assert_eq!(graph.recursion(), [ids([1, 2]), ids([3])]);
        assert_eq!(CallGraph::spell_cycle(&module, &graph.recursion()[0]), "@f1 → @f2 → @f1");
    }

    #[test]
    fn starting_oneself_is_no_recursion() {
        let graph = CallGraph::compute(&module(2, &[(0, Op::Go, 0), (0, Op::FuncAddr, 1), (1, Op::Call, 9)]));
        assert!(graph.recursion().is_empty());
        assert_eq!(graph.bottom_up(), [ids([1]), ids([0])]);
        assert_eq!(graph.callees(FuncId::new(1)), []);
    }
}
