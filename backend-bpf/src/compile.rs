//! The way from a lowered module to BPF instructions.

use std::sync::Arc;

use larrow_ir::{Diagnostic, Entity, FuncId, Function, Module};

use crate::bind::{BindMode, WouldBlock};
use crate::frame::Frame;
use crate::isa::{Isa, Kernel};
use crate::layout::{self, Code};
use crate::mach::{MachFunc, print};
use crate::runtime::SelectOrder;
use crate::{ctx, legalize, peephole, regalloc, select};

/// What code is made for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TargetOptions {
    /// The level of the instruction set.
    pub isa: Isa,
    /// The oldest kernel that must take the program; `None` does not restrict helpers.
    pub kernel: Option<Kernel>,
    /// Use acquire loads (kernel 6.15) instead of a load and a full barrier.
    pub load_acquire: bool,
    /// How a program gets at a channel's ring.
    pub bind: BindMode,
    /// What becomes of a channel operation that would block.
    pub would_block: WouldBlock,
    /// Where a select starts to look.
    pub select_order: SelectOrder,
    /// Keep the text of every machine stage in [`CompiledFunc::stages`].
    pub stages: bool,
}

impl Default for TargetOptions {
    fn default() -> Self {
        TargetOptions {
            isa: Isa::V3,
            kernel: None,
            load_acquire: false,
            bind: BindMode::default(),
            would_block: WouldBlock::default(),
            select_order: SelectOrder::default(),
            stages: false,
        }
    }
}

/// A machine stage of a function, as text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stage {
    /// `select`, `assign-registers` or `peephole`.
    pub name: &'static str,
    /// An instruction a line.
    pub text: String,
}

/// A compiled function.
#[derive(Clone, Debug)]
pub struct CompiledFunc {
    /// Which function of the module.
    pub id: FuncId,
    /// Its name.
    pub name: Arc<str>,
    /// The program section that it is the entry of.
    pub section: Option<Arc<str>>,
    /// Its instructions.
    pub code: Code,
    /// Its frame in bytes, before the kernel rounds up.
    pub frame: u32,
    /// How many spill slots are in the frame.
    pub spills: u32,
    /// The machine stages, if asked for.
    pub stages: Vec<Stage>,
}

/// A compiled module.
#[derive(Clone, Debug)]
pub struct CompiledModule {
    /// The legalized module: what code was made from, and what printed names refer to.
    pub module: Module,
    /// Entries and subprograms, in the order of the module.
    pub funcs: Vec<CompiledFunc>,
}

/// Compiles every function of a module whose channel ops are lowered and bound.
///
/// # Errors
/// Located diagnostics: an op that BPF has no code for, too many arguments, recursion, frames past the stack, a
/// helper or a context field that the section lacks, an unknown section.
pub fn compile_module(module: &Module, options: &TargetOptions) -> Result<CompiledModule, Vec<Diagnostic>> {
    let mut module = module.clone();
    legalize::legalize(&mut module, options)?;
    generate(module, options)
}

/// Makes code of a legalized module.
///
/// # Errors
/// As for [`compile_module`], for what shows only in the code: frames.
pub(crate) fn generate(module: Module, options: &TargetOptions) -> Result<CompiledModule, Vec<Diagnostic>> {
    let mut errors = Vec::new();
    let mut funcs = Vec::new();
    let mut frames = Vec::new();
    for (id, func) in module.funcs.iter() {
        match compile_func(&module, id, func, options) {
            Ok((compiled, frame)) => {
                funcs.push(compiled);
                frames.push((id, frame));
            }
            Err(found) => errors.extend(found),
        }
    }
    if errors.is_empty() {
        errors = legalize::check_stack(&module, &frames);
    }
    if errors.is_empty() { Ok(CompiledModule { module, funcs }) } else { Err(errors) }
}

/// Compiles one function of a legalized module.
fn compile_func(
    module: &Module,
    id: FuncId,
    func: &Function,
    options: &TargetOptions,
) -> Result<(CompiledFunc, Frame), Vec<Diagnostic>> {
    let section = func.section.as_deref().and_then(ctx::section);
    let context = select::Context { decls: &module.decls, options, section };
    let mut stages = Vec::new();
    let mut stage = |name, text: &dyn Fn() -> String| {
        if options.stages {
            stages.push(Stage { name, text: text() });
        }
    };
    let selected = select::select(id, func, context)?;
    stage("select", &|| print(&selected, module));
    let assigned = regalloc::assign(&selected).map_err(|why| {
        let message = format!("no registers could be assigned: {why}");
        vec![Diagnostic::error(message).on(Entity::Func(id)).at(func.pos)]
    })?;
    stage("assign-registers", &|| print(&assigned, module));
    let polished: MachFunc<_> = peephole::peephole(assigned);
    stage("peephole", &|| print(&polished, module));
    let frame = Frame::new(func, &module.decls, polished.spills);
    let code = layout::assemble(&polished, &frame, options.isa);
    let compiled = CompiledFunc {
        id,
        name: func.name.clone(),
        section: func.section.clone(),
        code,
        frame: frame.size,
        spills: polished.spills,
        stages,
    };
    Ok((compiled, frame))
}
