//! The standard pipeline: its rows in order, with the reasons for it.

use crate::generic::copyelim::copyelim;
use crate::generic::critical::critical;
use crate::generic::cse::cse;
use crate::generic::deadcode::deadcode;
use crate::generic::fuse::fuse;
use crate::generic::inline::inline;
use crate::generic::mem2reg::mem2reg;
use crate::generic::opt::opt;
use crate::generic::phielim::phielim;
use crate::generic::shortcircuit::shortcircuit;
use crate::generic::trim::trim;
use crate::generic::unused::unused_functions;
use crate::lower;
use crate::manager::{HookPoint, Pass, Pipeline};

/// The generic rows before channels are lowered. Front ends keep variables in slots and copy freely; lowering
/// reads better, and does less, on values.
pub fn generic_early() -> Vec<Pass> {
    vec![
        deadcode().named("early-deadcode"),
        mem2reg()
            .named("early-mem2reg")
            .after("early-deadcode", "stores in blocks that never run are no stores"),
        copyelim().named("early-copyelim").after("early-mem2reg", "loads became copies"),
        phielim()
            .named("early-phielim")
            .after("early-copyelim", "a phi of copies of one value has one value"),
        opt()
            .named("early-opt")
            .after("early-phielim", "rules look at what defines an operand, not through phis"),
    ]
}

/// The rows that lower channel ops to runtime calls.
pub fn lowering() -> Vec<Pass> {
    lower::rows()
}

/// The generic rows after lowering, the inliner among them.
pub fn generic_late() -> Vec<Pass> {
    let mut rows = vec![inline().after("check-lowered", "runtime calls are what there is to inline")];
    rows.extend(after_inlining());
    rows.extend(last());
    rows
}

/// What inlining makes possible. A slot that a runtime call wrote through can live in values only once the call
/// is gone.
fn after_inlining() -> Vec<Pass> {
    vec![
        mem2reg().after("inline", "a slot whose address a call takes stays in memory"),
        copyelim().after("mem2reg", "loads became copies"),
        phielim().after("copyelim", "a phi of copies of one value has one value"),
        opt().after("phielim", "rules look at what defines an operand, not through phis"),
        deadcode().after("opt", "branches on constants leave blocks that never run"),
        shortcircuit()
            .after("deadcode", "a block that still holds unneeded values does not look empty")
            .after("phielim", "phis of one value hide that a block decides nothing"),
        cse().after("opt", "rules bring equal values into one form"),
        fuse()
            .after("shortcircuit", "threading leaves chains of blocks")
            .after("deadcode", "an unreachable predecessor keeps blocks apart"),
        copyelim()
            .named("late-copyelim")
            .after("fuse", "the phi of a block with one predecessor became a copy"),
        phielim().named("late-phielim").after("late-copyelim", "a phi of copies of one value has one value"),
        opt().named("late-opt").after("late-phielim", "threading settles what phis left open"),
        deadcode()
            .named("late-deadcode")
            .after("late-opt", "branches on constants leave blocks that never run"),
        fuse().named("late-fuse").after("late-deadcode", "dropped blocks leave chains"),
        copyelim()
            .named("last-copyelim")
            .after("late-fuse", "the phi of a block with one predecessor became a copy"),
    ]
}

/// What stands last: nothing after these rows may undo them.
fn last() -> Vec<Pass> {
    vec![unused_functions(), trim().after("late-fuse", "fusing drops what is empty at less cost"), critical()]
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

    #[test]
    fn every_constraint_names_a_row_and_gives_a_reason() {
        let pipeline = Pipeline::standard();
        for order in pipeline.rows().iter().flat_map(|row| &row.pass.order) {
            assert!(pipeline.get(&order.other).is_some(), "{}", order.other);
            assert!(!order.reason.is_empty());
        }
    }

    #[test]
    fn swapping_two_rows_is_noticed() {
        let mut pipeline = Pipeline::standard();
        let row = pipeline.remove("mem2reg").unwrap();
        pipeline.insert_before("inline", row).unwrap();
        let errors = pipeline.check().unwrap_err();
        assert_eq!(
            errors[0].to_string(),
            "inline must run before mem2reg, because a slot whose address a call takes stays in memory"
        );
    }

    #[test]
    fn the_whole_pipeline_takes_large_functions() {
        use crate::generic::testing::{long_block, many_blocks};
        for make in [long_block, many_blocks] {
            let t = make(10_000);
            let mut module = larrow_ir::Module { decls: t.decls, ..larrow_ir::Module::default() };
            module.add_func(t.func).unwrap();
            Pipeline::standard().run(&mut module, &crate::Options::default(), &mut []).unwrap();
            larrow_ir::verify(&module).unwrap();
        }
    }
}
