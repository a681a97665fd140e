//! A target: a stack machine with a variable per value, printed as text.
//!
//! Like every target it does three things. It adds its rows to the standard pipeline, with the reasons for where they
//! stand: [`legalize`] turns what the machine lacks into what it has, [`check`] refuses the rest with its place. It runs
//! that pipeline. It makes code of what is left ([`emit`]), and need not look for errors any more.
//!
//! Neither `larrow-ir` nor `larrow-passes` has heard of it.

pub mod check;
pub mod emit;
pub mod legalize;

use larrow_ir::{Diagnostic, Entity, Module};
use larrow_passes::{Options, Pipeline};

pub use emit::{Code, Insn};

/// The standard pipeline with this target's rows.
pub fn pipeline() -> Pipeline {
    let mut pipeline = Pipeline::standard();
    for row in [legalize::row(), check::row()] {
        pipeline.insert_before("before-write", row).expect("the standard pipeline has this row");
    }
    pipeline
}

/// Compiles each function that is left after inlining.
///
/// # Errors
/// Located diagnostics for what the machine cannot do.
pub fn compile(module: &mut Module, options: &Options) -> Result<Vec<Code>, Vec<Diagnostic>> {
    pipeline().run(module, options, &mut []).map_err(|failure| match failure.diagnostics() {
        [] => vec![Diagnostic::error(failure.to_string()).on(Entity::Module)],
        found => found.to_vec(),
    })?;
    Ok(module.funcs.iter().map(|(_, func)| emit::function(func, &module.decls)).collect())
}
