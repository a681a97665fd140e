//! Hook points: where an embedder's rewriters run.
//!
//! A [`Rewriter`] sees the package, each function and each instruction, in that order, at one of three points.
//! Each point is a row of the pipeline under its own name, so that what rewriters do is traced and verified
//! like any pass.

use std::fmt;

use larrow_ir::{Decls, Function, Module, Value};

use super::cx::PassCx;
use super::pass::{Changed, PassResult};

/// Where rewriters run.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum HookPoint {
    /// After a function is built, before anything else.
    AfterBuild,
    /// At the entry of lowering: channel ops are still there.
    LowerEntry,
    /// Before a package is written: the last change before emission.
    BeforeWrite,
}

impl HookPoint {
    /// Every point in pipeline order.
    pub const ALL: [HookPoint; 3] = [HookPoint::AfterBuild, HookPoint::LowerEntry, HookPoint::BeforeWrite];

    /// The name of its row.
    pub fn name(self) -> &'static str {
        match self {
            HookPoint::AfterBuild => "after-build",
            HookPoint::LowerEntry => "lower-entry",
            HookPoint::BeforeWrite => "before-write",
        }
    }
    pub(crate) fn doc(self) -> &'static str {
        match self {
            HookPoint::AfterBuild => "runs the rewriters registered for just-built functions",
            HookPoint::LowerEntry => "runs the rewriters registered for the entry of lowering",
            HookPoint::BeforeWrite => "runs the rewriters registered for just before a package is written",
        }
    }
}

impl fmt::Display for HookPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// An embedder's rewriting of a package, of its functions, of their instructions. Each method does nothing
/// unless overridden.
pub trait Rewriter {
    /// Its name, for remarks and errors.
    fn name(&self) -> &str;

    /// Once, before the functions.
    fn package(&self, module: &mut Module, cx: &mut PassCx<'_>) -> PassResult {
        let _ = (module, cx);
        Ok(Changed::No)
    }

    /// Once per function, before its instructions.
    fn function(&self, func: &mut Function, decls: &mut Decls, cx: &mut PassCx<'_>) -> PassResult {
        let _ = (func, decls, cx);
        Ok(Changed::No)
    }

    /// Once per instruction, in layout order. Instructions that rewriting adds are not visited; those that it
    /// removes are skipped.
    fn instruction(
        &self,
        func: &mut Function,
        at: Value,
        decls: &mut Decls,
        cx: &mut PassCx<'_>,
    ) -> PassResult {
        let _ = (func, at, decls, cx);
        Ok(Changed::No)
    }
}

/// The body of a hook point's row.
pub struct Hook {
    pub(crate) point: HookPoint,
    pub(crate) rewriters: Vec<Box<dyn Rewriter>>,
}

impl Hook {
    pub(crate) fn new(point: HookPoint) -> Hook {
        Hook { point, rewriters: Vec::new() }
    }
    /// Which point it is.
    pub fn point(&self) -> HookPoint {
        self.point
    }
    /// How many rewriters are registered.
    pub fn len(&self) -> usize {
        self.rewriters.len()
    }
    /// Whether none is registered, so that the row is skipped.
    pub fn is_empty(&self) -> bool {
        self.rewriters.is_empty()
    }

    /// Runs every rewriter over the module. Errors name their rewriter.
    pub(crate) fn run(&self, module: &mut Module, cx: &mut PassCx<'_>) -> PassResult {
        let mut changed = Changed::No;
        for rewriter in &self.rewriters {
            let done = run_one(&**rewriter, module, cx)
                .map_err(|d| Box::new(d.note(format!("reported by the rewriter {}", rewriter.name()))))?;
            cx.count(rewriter.name().to_string(), u64::from(done.yes()));
            changed |= done;
        }
        Ok(changed)
    }
}

fn run_one(rewriter: &dyn Rewriter, module: &mut Module, cx: &mut PassCx<'_>) -> PassResult {
    let mut changed = rewriter.package(module, cx)?;
    let ids: Vec<_> = module.funcs.ids().collect();
    for id in ids {
        changed |= cx.for_func(id, |cx| {
            module.with_func(id, |func, decls| -> PassResult {
                let mut changed = rewriter.function(func, decls, cx)?;
                let values: Vec<Value> = func.iter_insts().map(|(_, v)| v).collect();
                for v in values {
                    if func.is_live(v) {
                        changed |= rewriter.instruction(func, v, decls, cx)?;
                    }
                }
                Ok(changed)
            })
        })?;
    }
    Ok(changed)
}
