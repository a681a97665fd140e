//! The pass manager: rows, their order, the loop that runs them, and what watches it.

mod analysis;
mod cx;
mod diff;
mod observe;
mod options;
mod pass;
mod pipeline;
mod rewrite;
mod run;
mod shuffle;
mod trace;
mod verify;

pub use analysis::{Analysis, AnalysisCache, ModuleAnalysis};
pub use cx::{Counters, Origin, PassCx, Remark};
pub use diff::{Edit, diff};
pub use observe::{Dump, Event, Observer, Outcome, Timings};
pub use options::Options;
pub use pass::{Body, Changed, Facts, FunctionPass, ModulePass, Order, Pass, PassResult, Relation};
pub use pipeline::{Pipeline, PipelineError, Row};
pub use rewrite::{Hook, HookPoint, Rewriter};
pub use run::{Failure, Report};
#[cfg(test)]
pub(crate) use shuffle::Random;
pub use trace::{Delta, FunctionText, Header, Step, Trace};
