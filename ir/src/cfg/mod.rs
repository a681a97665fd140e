//! Analyses of control flow. Each is a value that `compute` makes from a [`crate::Function`], that knows nothing
//! of how the function changes afterwards, and that can be compared with a fresh one to prove a cached one right.
//!
//! Unreachable blocks are legal input everywhere: they are in no order, no tree and no loop.
//!
//! **Invariant:** every edge leads to a live block (what the verifier checks first).

pub mod callgraph;
pub mod domtree;
pub mod frontier;
pub mod graph;
pub mod liveness;
pub mod loops;
pub mod order;

#[cfg(test)]
pub(crate) mod draw;

pub use callgraph::{CallGraph, CallKind};
pub use domtree::{DomTree, PostDomTree};
pub use frontier::Frontier;
pub use graph::CfgRef;
pub use liveness::{Death, Liveness, UsePoint};
pub use loops::{Loop, LoopData, LoopForest};
pub use order::Rpo;
