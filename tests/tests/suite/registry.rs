//! Passes by name, each with a pipeline of its own.

use larrow_backend_bpf::bind::{BindChannels, BindMode, CountAborts, WouldBlock};
use larrow_backend_bpf::runtime::SelectOrder;
use larrow_ir::Module;
use larrow_passes::{Failure, Options, Pass, Pipeline, Report, generic};

/// The options of binding that a case asks for.
pub(crate) fn bind_options(options: &[(String, String)]) -> BindChannels {
    let mut bind = BindChannels::default();
    for (key, value) in options {
        match (key.as_str(), value.as_str()) {
            ("would-block", "reject") => bind.would_block = WouldBlock::Reject,
            ("would-block", "poll") => bind.would_block = WouldBlock::Poll,
            ("bind", "direct") => bind.mode = BindMode::Direct,
            ("bind", "lookup") => bind.mode = BindMode::Lookup,
            ("select-order", "source") => bind.select_order = SelectOrder::Source,
            ("select-order", "random") => bind.select_order = SelectOrder::Random,
            ("hooks" | "level", _) => {}
            _ => panic!("there is no option {key}={value}"),
        }
    }
    bind
}

/// The options of the pipeline that a case asks for, verifying after each pass.
pub(crate) fn pipeline_options(options: &[(String, String)], seed: u64) -> Options {
    let mut out = Options::checked(2, seed);
    for (key, value) in options {
        match key.as_str() {
            "hooks" => out.hooks = value == "on",
            "level" => out.level = value.parse().expect("a level"),
            _ => {}
        }
    }
    out
}

/// The target's rows that bind channels.
pub(crate) fn binding(options: &[(String, String)]) -> Vec<Pass> {
    vec![
        Pass::module("bind-channels", "give each channel its map", bind_options(options)),
        Pass::function("count-aborts", "count what aborts the program", CountAborts),
    ]
}

/// The row of a name.
pub(crate) fn pass(name: &str, options: &[(String, String)]) -> Pass {
    if let Ok(pass) = Pipeline::standard().remove(name) {
        return pass;
    }
    let generic = [
        generic::copyelim::copyelim(),
        generic::critical::critical(),
        generic::deadcode::deadcode(),
        generic::fuse::fuse(),
        generic::inline::inline(),
        generic::mem2reg::mem2reg(),
        generic::opt::opt(),
        generic::phielim::phielim(),
        generic::trim::trim(),
        generic::unused::unused_functions(),
    ];
    let mut rows = binding(options).into_iter().chain(generic);
    rows.find(|row| row.name == name).unwrap_or_else(|| panic!("there is no pass {name}"))
}

/// Runs one pass alone: its constraints on its neighbours are the pipeline's business.
pub(crate) fn run_alone(
    name: &str,
    options: &[(String, String)],
    module: &mut Module,
) -> Result<Report, Failure> {
    let mut row = pass(name, options);
    row.order.clear();
    Pipeline::new([row]).run(module, &pipeline_options(options, 7), &mut [])
}

/// The channel lowerings and the binding behind them.
pub(crate) fn lowered_and_bound(options: &[(String, String)]) -> Pipeline {
    let mut pipeline = Pipeline::default();
    pipeline.extend(larrow_passes::lowering());
    pipeline.extend(binding(options));
    pipeline
}
