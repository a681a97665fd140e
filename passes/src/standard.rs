//! The standard pipeline: its rows in order, with the reasons for it.

use crate::lower;
use crate::manager::{HookPoint, Pass, Pipeline};

/// The generic rows before channels are lowered.
pub fn generic_early() -> Vec<Pass> {
    Vec::new()
}

/// The rows that lower channel ops to runtime calls.
pub fn lowering() -> Vec<Pass> {
    lower::rows()
}

/// The generic rows after lowering, the inliner among them.
pub fn generic_late() -> Vec<Pass> {
    Vec::new()
}

impl Pipeline {
    /// The pipeline that every target starts from: `after-build`, the early generic rows, `lower-entry`, the
    /// channel lowerings, the late generic rows, `before-write`. A target inserts its own rows by name: binding
    /// before `inline`, legalization before `before-write`.
    pub fn standard() -> Pipeline {
        let mut pipeline = Pipeline::default();
        pipeline.push_hook(HookPoint::AfterBuild);
        pipeline.extend(generic_early());
        pipeline.push_hook(HookPoint::LowerEntry);
        pipeline.extend(lowering());
        pipeline.extend(generic_late());
        pipeline.push_hook(HookPoint::BeforeWrite);
        pipeline
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_standard_pipeline_keeps_its_constraints() {
        Pipeline::standard().check().unwrap();
    }
}
