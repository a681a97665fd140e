//! Legalization: IR to the IR that instruction selection takes.
//!
//! First [`check`] refuses, located and in plain words, what BPF has no code for. Then each pass removes what the
//! machine lacks, in the order of [`legalize`]. Passes are plain functions over one function, or over the module
//! where signatures change.
//!
//! **Invariant:** what comes out has scalar values only, ends blocks in `Plain`, `If` and `Ret` only, and has no
//! critical edges.

mod bounded;
mod branches;
pub mod check;
mod critical;
mod divide;
mod edit;
mod memory;
mod stack;
mod switch;
mod sync;
mod tuples;

use larrow_ir::{Aux, Decls, Diagnostic, FuncId, Function, Module, TypeKind, Value};

use crate::TargetOptions;
use crate::ctx::{CtxField, SECTIONS, Section};

pub use bounded::lower_bounded;
pub use branches::{lower_compare_values, lower_cond_select};
pub use critical::split_critical_edges;
pub use divide::expand_signed_division;
pub use memory::expand_memory;
pub(crate) use memory::{alignment, misaligned};
pub use stack::check_stack;
pub use switch::lower_switch;
pub use sync::lower_sync;
pub use tuples::legalize_calls;

/// Legalizes a module for a target.
///
/// # Errors
/// What BPF cannot do, located.
pub fn legalize(module: &mut Module, options: &TargetOptions) -> Result<(), Vec<Diagnostic>> {
    check::check(module, options)?;
    legalize_calls(module)?;
    let ids: Vec<FuncId> = module.funcs.ids().collect();
    for id in ids {
        module.with_func(id, |func, decls| legalize_func(func, decls, options));
    }
    Ok(())
}

fn legalize_func(func: &mut Function, decls: &mut Decls, options: &TargetOptions) {
    let abort = abort_code(func);
    lower_switch(func, decls);
    lower_bounded(func, decls, abort);
    if !options.isa.has_sdiv() {
        expand_signed_division(func, decls);
    }
    expand_memory(func, decls);
    lower_sync(func, decls, options.load_acquire);
    lower_compare_values(func, decls);
    lower_cond_select(func);
    split_critical_edges(func);
}

/// What a function returns when it gives up: the section's code, or zero from a subprogram.
pub fn abort_code(func: &Function) -> u32 {
    func.section.as_deref().and_then(crate::ctx::section).map_or(0, |s| s.abort)
}

/// The field that a `CtxLoad` reads: of the entry's section, or in a subprogram of any section with such a context.
pub(crate) fn context_field(
    decls: &Decls,
    func: &Function,
    section: Option<&'static Section>,
    v: Value,
) -> Option<&'static CtxField> {
    let inst = func.inst(v);
    let Aux::Name(ref name) = inst.aux else { return None };
    if let Some(section) = section {
        return section.field(name);
    }
    let ctx = context_name(decls, func, inst.args[0])?;
    SECTIONS.iter().filter(|s| s.ctx == ctx).find_map(|s| s.field(name))
}

/// The name of the context that a value points to: `xdp` of `ptr<ctx xdp>`.
pub(crate) fn context_name<'a>(decls: &'a Decls, func: &Function, v: Value) -> Option<&'a str> {
    match decls.types.resolve(decls.types.pointee(func.ty(v))?) {
        TypeKind::Opaque(name) => Some(name),
        _ => None,
    }
}
