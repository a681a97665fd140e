//! Larrow's pass manager, pipeline and passes.
//!
//! A [`Pass`] is one row: a name, what it breaks, where it may stand and why, and a body. A [`Pipeline`] is an
//! ordered list of rows that can be edited by name, checked, and run over a module while [`Observer`]s watch.
//! [`Trace`] is the observer that everything shown to the user renders from.
//!
//! **Invariant:** this crate knows no target. A target contributes rows and analyses from outside.

pub mod generic;
pub mod lower;
pub mod manager;
mod standard;

pub use manager::{
    Analysis, AnalysisCache, Body, Changed, Counters, Delta, Dump, Edit, Event, Facts, Failure, FunctionPass,
    FunctionText, Header, Hook, HookPoint, ModuleAnalysis, ModulePass, Observer, Options, Order, Origin,
    Outcome, Pass, PassCx, PassResult, Pipeline, PipelineError, Relation, Remark, Report, Rewriter, Row,
    Step, Timings, Trace, diff,
};
pub use standard::{generic_early, generic_late, lowering};
