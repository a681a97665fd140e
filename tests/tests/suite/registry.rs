//! Passes by name, each with a pipeline of its own.

use larrow_backend_bpf::bind::{BindMode, WouldBlock};
use larrow_backend_bpf::runtime::SelectOrder;
use larrow_backend_bpf::{TargetOptions, target};
use larrow_ir::Module;
use larrow_passes::{Failure, Options, Pipeline, Report};

/// The options of the target that a case asks for.
pub(crate) fn target_options(options: &[(String, String)]) -> TargetOptions {
    let mut target = TargetOptions::default();
    for (key, value) in options {
        match (key.as_str(), value.as_str()) {
            ("would-block", "reject") => target.would_block = WouldBlock::Reject,
            ("would-block", "poll") => target.would_block = WouldBlock::Poll,
            ("bind", "direct") => target.bind = BindMode::Direct,
            ("bind", "lookup") => target.bind = BindMode::Lookup,
            ("select-order", "source") => target.select_order = SelectOrder::Source,
            ("select-order", "random") => target.select_order = SelectOrder::Random,
            ("hooks" | "level" | "required-only" | "kernel", _) => {}
            _ => panic!("there is no option {key}={value}"),
        }
    }
    target
}

/// The options of the pipeline that a case asks for, verifying after each pass.
pub(crate) fn pipeline_options(options: &[(String, String)], seed: u64) -> Options {
    let mut out = Options::checked(2, seed);
    for (key, value) in options {
        match key.as_str() {
            "hooks" => out.hooks = value == "on",
            "required-only" => out.required_only = value == "on",
            "level" => out.level = value.parse().expect("a level"),
            _ => {}
        }
    }
    out
}

/// Runs one pass alone, as its row stands in the target's pipeline; its constraints on its neighbours are the
/// pipeline's business. What has no order is shuffled from the seed, if there is one.
pub(crate) fn run_alone(
    name: &str,
    options: &[(String, String)],
    seed: Option<u64>,
    module: &mut Module,
) -> Result<Report, Failure> {
    let mut pipeline = target::pipeline(&target_options(options));
    let mut row = pipeline.remove(name).unwrap_or_else(|e| panic!("{e}"));
    row.order.clear();
    let options = Options { shuffle: seed, ..pipeline_options(options, 0) };
    Pipeline::new([row]).run(module, &options, &mut [])
}

/// The target's pipeline up to where machine code begins to show: what any engine for IR can run.
pub(crate) fn portable(options: &[(String, String)]) -> Pipeline {
    let mut pipeline = target::pipeline(&target_options(options));
    let names: Vec<String> = pipeline.names().map(str::to_string).collect();
    let legal = names.iter().position(|n| n == "lower-panic").expect("a row of the target");
    for name in &names[legal..] {
        if name != "before-write" {
            pipeline.remove(name).expect("just listed");
        }
    }
    pipeline
}

/// The channel lowerings and the binding behind them, without the generic rows.
pub(crate) fn lowered_and_bound(options: &[(String, String)]) -> Pipeline {
    let mut pipeline = portable(options);
    let mut wanted: Vec<String> = larrow_passes::lowering().iter().map(|p| p.name.to_string()).collect();
    wanted.extend(["bind-channels".to_string(), "count-aborts".to_string()]);
    let names: Vec<String> = pipeline.names().map(str::to_string).collect();
    for name in names.iter().filter(|n| !wanted.contains(n)) {
        pipeline.remove(name).expect("just listed");
    }
    pipeline
}
