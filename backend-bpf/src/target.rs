//! The target as a whole: its rows in the pipeline, and the way from a module to an object.
//!
//! ```text
//! generic · channels · bind-channels count-aborts · inline · generic again · lower-panic · check-bpf · legalize …
//!     · select · assign-registers · peephole · object
//! ```

use larrow_ir::{Diagnostic, Entity, Module};
use larrow_passes::{Changed, Facts, Observer, Options, Pass, PassCx, PassResult, Pipeline, Report};

use crate::bind::{BindChannels, CountAborts};
use crate::compile::{CompiledModule, TargetOptions, generate};
use crate::legalize;
use crate::object::{self, Object};
use crate::panic::lower_panic;

/// What compiling a module gives.
#[derive(Debug)]
pub struct Output {
    /// The object's description: what a loader takes.
    pub object: Object,
    /// The object file.
    pub bytes: Vec<u8>,
    /// The functions at their machine stages, and the module that they were made from.
    pub compiled: CompiledModule,
    /// What the pipeline reports: notes and warnings.
    pub report: Report,
}

/// The standard pipeline with this target's rows in it. Composed pipelines are checked like this one.
pub fn pipeline(target: &TargetOptions) -> Pipeline {
    let mut pipeline = Pipeline::standard();
    let expect = "the standard pipeline has this row";
    let bind = BindChannels {
        mode: target.bind,
        would_block: target.would_block,
        select_order: target.select_order,
    };
    for row in [count_aborts(), bind_channels(bind)] {
        pipeline.insert_after("check-lowered", row).expect(expect);
    }
    for row in legal_rows(target) {
        pipeline.insert_before("before-write", row).expect(expect);
    }
    pipeline
}

/// The row that gives each channel its map.
fn bind_channels(bind: BindChannels) -> Pass {
    Pass::module("bind-channels", "give each channel its map and each channel call its function", bind)
        .required()
        .needs("check-lowered", "it binds runtime calls and knows no channel op")
        .after("insert-map-lookup", "the hook reads the status of the runtime call")
        .before("inline", "levels differ by what the inliner does with the runtime functions")
}

/// The row that counts aborts.
fn count_aborts() -> Pass {
    Pass::function("count-aborts", "count each place that aborts the program", CountAborts)
        .required()
        .needs("bind-channels", "it makes the panics of channel operations explicit")
        .before("inline", "copies of a place count together")
}

/// The rows that leave only what selection takes, in order.
fn legal_rows(target: &TargetOptions) -> Vec<Pass> {
    let isa = target.isa;
    let acquire = target.load_acquire;
    let options = target.clone();
    let check = move |module: &mut Module, cx: &mut PassCx<'_>| -> PassResult {
        if let Err(errors) = legalize::check::check(module, &options) {
            errors.into_iter().for_each(|e| cx.report(e));
        }
        Ok(Changed::No)
    };
    vec![
        Pass::module("lower-panic", "carry panics up the call chain as a flag", lower_panic)
            .required()
            .after("inline", "a panic in the program's entry is a plain return"),
        Pass::module("check-bpf", "refuse what BPF has no code for", check)
            .required()
            .breaks(Facts::NONE)
            .needs("lower-panic", "a panic has no code"),
        Pass::module("legalize-calls", "pass tuples in registers or through memory", legalize_calls)
            .required()
            .needs("check-bpf", "arguments are counted as the user wrote them"),
        function_row("lower-switch", "Switch → compares", |func, decls| {
            legalize::lower_switch(func, decls)
        }),
        function_row("lower-bounded", "Bounded → compare and abort", |func, decls| {
            let abort = legalize::abort_code(func);
            legalize::lower_bounded(func, decls, abort)
        }),
        function_row(
            "expand-signed-division",
            "signed division from unsigned, below v4",
            move |func, decls| !isa.has_sdiv() && legalize::expand_signed_division(func, decls),
        ),
        function_row("expand-memory", "MemCopy and MemZero → loads and stores", |func, decls| {
            legalize::expand_memory(func, decls)
        }),
        function_row("lower-sync", "Sync → a fetching atomic, or an acquire load", move |func, decls| {
            legalize::lower_sync(func, decls, acquire)
        }),
        function_row(
            "lower-compare-values",
            "comparisons that are used as values → branches",
            legalize::lower_compare_values,
        ),
        function_row("lower-cond-select", "CondSelect → branches", |func, _| {
            legalize::lower_cond_select(func)
        }),
        function_row("split-critical-edges", "an edge's moves need a block", |func, _| {
            legalize::split_critical_edges(func)
        })
        .after("lower-cond-select", "every branch stands by now"),
    ]
}

fn function_row(
    name: &'static str,
    doc: &'static str,
    body: impl Fn(&mut larrow_ir::Function, &mut larrow_ir::Decls) -> bool + 'static,
) -> Pass {
    let run = move |func: &mut larrow_ir::Function, decls: &mut larrow_ir::Decls, _: &mut PassCx<'_>| {
        Ok(Changed::from(body(func, decls)))
    };
    Pass::function(name, doc, run).required().after("legalize-calls", "signatures are final")
}

fn legalize_calls(module: &mut Module, cx: &mut PassCx<'_>) -> PassResult {
    match legalize::legalize_calls(module) {
        Ok(changed) => Ok(Changed::from(changed)),
        Err(errors) => {
            errors.into_iter().for_each(|e| cx.report(e));
            Ok(Changed::No)
        }
    }
}

/// Runs a pipeline; a failure of its own is a diagnostic too.
pub(crate) fn run(
    module: &mut Module,
    pipeline: &Pipeline,
    options: &Options,
    observers: &mut [&mut dyn Observer],
) -> Result<Report, Vec<Diagnostic>> {
    pipeline.run(module, options, observers).map_err(|failure| match failure.diagnostics() {
        [] => vec![Diagnostic::error(failure.to_string()).on(Entity::Module)],
        found => found.to_vec(),
    })
}

/// Runs a pipeline and makes the object. `source` is the text of the module's source file, for the lines that
/// the verifier's log shows.
///
/// # Errors
/// The diagnostics of the pass that found errors; a compiler's own failure is a diagnostic too.
pub fn compile(
    module: &mut Module,
    pipeline: &Pipeline,
    options: &Options,
    target: &TargetOptions,
    source: Option<&str>,
    observers: &mut [&mut dyn Observer],
) -> Result<Output, Vec<Diagnostic>> {
    let report = run(module, pipeline, options, observers)?;
    let compiled = generate(module.clone(), target)?;
    let fail = |error: &dyn std::fmt::Display| vec![Diagnostic::error(error.to_string()).on(Entity::Module)];
    let object = crate::emit(&compiled, source).map_err(|e| fail(&e))?;
    let bytes = object::write(&object).map_err(|e| fail(&e))?;
    Ok(Output { object, bytes, compiled, report })
}
