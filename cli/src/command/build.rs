//! From the arguments to a compiled module.

use larrow_backend_bpf::bind::{BindMode, WouldBlock};
use larrow_backend_bpf::runtime::SelectOrder;
use larrow_backend_bpf::target::{self, Output};
use larrow_backend_bpf::{TargetOptions, llvm};
use larrow_ir::{Diagnostic, Module};
use larrow_passes::{Observer, Options, Pipeline, PipelineError};

use super::args::{self, TargetArgs};
use super::error::CliError;
use super::input::Input;
use super::inputs::made_up;
use crate::engine::{self, Inputs, Validate};

/// A module after the pipeline, and its object.
pub(super) struct Built {
    pub(super) module: Module,
    pub(super) output: Output,
}

/// The target's options.
pub(super) fn target_options(args: &TargetArgs) -> TargetOptions {
    TargetOptions {
        isa: args.mcpu,
        kernel: args.kernel,
        bind: match args.bind {
            args::Bind::Lookup => BindMode::Lookup,
            args::Bind::Direct => BindMode::Direct,
        },
        would_block: match args.would_block {
            args::WouldBlock::Poll => WouldBlock::Poll,
            args::WouldBlock::Reject => WouldBlock::Reject,
        },
        select_order: match args.select_order {
            args::Order::Random => SelectOrder::Random,
            args::Order::Source => SelectOrder::Source,
        },
        ..TargetOptions::default()
    }
}

/// The pipeline's options.
pub(super) fn pass_options(args: &TargetArgs, level: u8) -> Options {
    Options {
        level,
        required_only: args.required_only,
        disabled_rules: args.without_rule.iter().cloned().collect(),
        verify_each: args.verify_each,
        hooks: !args.no_hooks,
        ..Options::default()
    }
}

/// The pipeline, without the passes that are to be left out.
pub(super) fn pipeline(args: &TargetArgs, target: &TargetOptions) -> Result<Pipeline, CliError> {
    without(target::pipeline(target), args)
}

/// A pipeline without the passes that are to be left out.
fn without(mut pipeline: Pipeline, args: &TargetArgs) -> Result<Pipeline, CliError> {
    for name in &args.without {
        pipeline.disable(name).map_err(|error| no_pass(&error))?;
    }
    Ok(pipeline)
}

/// An edit of the pipeline that cannot be made.
pub(super) fn no_pass(error: &PipelineError) -> CliError {
    match error {
        PipelineError::Unknown { name, nearest } => {
            let nearest = nearest.as_deref();
            let error = CliError::usage(format!("there is no pass `{name}`")).tip(nearest);
            if nearest.is_some() { error } else { error.help("`larrow passes` lists them") }
        }
        other => CliError::usage(other.to_string()),
    }
}

/// Compiles a module; the notes and warnings stand in the output's report. Fails with the module as it was when
/// the errors were found.
pub(super) fn compile(
    input: &Input,
    args: &TargetArgs,
    target: &TargetOptions,
    level: u8,
    observers: &mut [&mut dyn Observer],
) -> Result<Built, CliError> {
    let pipeline = pipeline(args, target)?;
    let mut module = input.module.clone();
    let options = pass_options(args, level);
    let source = input.source();
    match target::compile(&mut module, &pipeline, &options, target, source.as_deref(), observers) {
        Ok(output) => Ok(Built { module, output }),
        Err(diagnostics) => Err(input.failed(diagnostics, module)),
    }
}

/// The module as LLVM IR: the pipeline as far as LLVM takes over.
pub(super) fn llvm_text(
    input: &Input,
    args: &TargetArgs,
    level: u8,
    observers: &mut [&mut dyn Observer],
) -> Result<String, CliError> {
    let target = target_options(args);
    let pipeline = without(llvm::pipeline(&target), args)?;
    let mut module = input.module.clone();
    if let Err(failure) = pipeline.run(&mut module, &pass_options(args, level), observers) {
        return Err(match failure.diagnostics() {
            [] => CliError::usage(failure.to_string()),
            found => input.failed(found.to_vec(), module),
        });
    }
    llvm::print(&module, target.isa).map_err(|found| input.failed(found, module))
}

/// How many inputs are made up to validate with.
const VALIDATED_ON: u32 = 20;

/// What `--validate` watches the passes with: every program entry, on the packet beside the module and on inputs
/// that are made up.
pub(super) fn validator(input: &Input, args: &TargetArgs) -> Validate {
    let funcs = input.module.funcs.iter().filter(|(_, f)| f.section.is_some());
    let like =
        Inputs { packet: input.packet(), seed: 42, select_order: select_order(args), ..Inputs::default() };
    let mut inputs = vec![like.clone()];
    inputs.extend(made_up(&input.module, &like, VALIDATED_ON));
    Validate::new(funcs.map(|(_, f)| f.name.to_string()).collect(), inputs)
}

/// How selects choose in the interpreter.
pub(super) fn select_order(args: &TargetArgs) -> engine::SelectOrder {
    match args.select_order {
        args::Order::Random => engine::SelectOrder::Rotation,
        args::Order::Source => engine::SelectOrder::Source,
    }
}

/// Shows notes and warnings, each once.
pub(super) fn show_report(input: &Input, built: &Built) {
    let mut seen: Vec<Diagnostic> = Vec::new();
    for diagnostic in input.locate(built.output.report.diagnostics.clone()) {
        if !seen.contains(&diagnostic) {
            seen.push(diagnostic);
        }
    }
    if !seen.is_empty() {
        super::output::diagnostic(&super::render::all(&seen, &input.text, Some(&built.module)));
    }
}
