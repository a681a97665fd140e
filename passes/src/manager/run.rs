//! The loop.

use std::time::Instant;

use larrow_ir::{Diagnostic, Entity, FuncId, Module, Severity};
use thiserror::Error;

use super::analysis::AnalysisCache;
use super::cx::PassCx;
use super::observe::{Event, Observer, Outcome};
use super::options::Options;
use super::pass::{Body, Changed, Pass, PassResult};
use super::pipeline::{Pipeline, PipelineError};
use super::shuffle;

/// What a run that went through has to say.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Warnings and notes of all passes.
    pub diagnostics: Vec<Diagnostic>,
    /// The names of the passes that changed something, in order.
    pub changed: Vec<String>,
}

/// Why a run ended early.
#[derive(Clone, Debug, Error)]
#[non_exhaustive]
pub enum Failure {
    /// The pipeline itself is wrong.
    #[error("the pipeline is wrong: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Pipeline(Vec<PipelineError>),
    /// The input has errors that a pass found.
    #[error("{} in pass {pass}", first_error(diagnostics))]
    Input {
        /// The pass.
        pass: String,
        /// Everything reported so far; at least one error.
        diagnostics: Vec<Diagnostic>,
    },
    /// A pass broke the module, or said something untrue about what it did. A bug of the pass.
    #[error("{} after pass {pass}", first_error(diagnostics))]
    Broken {
        /// The pass; `input` if the module was wrong before the first.
        pass: String,
        /// What is wrong.
        diagnostics: Vec<Diagnostic>,
    },
}

impl Failure {
    /// The diagnostics to show; none for a wrong pipeline.
    pub fn diagnostics(&self) -> &[Diagnostic] {
        match self {
            Failure::Pipeline(_) => &[],
            Failure::Input { diagnostics, .. } | Failure::Broken { diagnostics, .. } => diagnostics,
        }
    }
    /// The pass that it happened in or after.
    pub fn pass(&self) -> Option<&str> {
        match self {
            Failure::Pipeline(_) => None,
            Failure::Input { pass, .. } | Failure::Broken { pass, .. } => Some(pass),
        }
    }
}

fn first_error(diagnostics: &[Diagnostic]) -> &str {
    let error = diagnostics.iter().find(|d| d.severity == Severity::Error).or(diagnostics.first());
    error.map_or("an unnamed error", |d| &d.message)
}

/// A run under way.
struct Run<'a, 'o> {
    options: &'a Options,
    cache: AnalysisCache,
    observers: &'a mut [&'o mut dyn Observer],
    report: Report,
    shuffler: Option<shuffle::Random>,
}

impl Pipeline {
    /// Runs the pipeline over a module. After an error the module is in the state that the failing pass left.
    pub fn run(
        &self,
        module: &mut Module,
        options: &Options,
        observers: &mut [&mut dyn Observer],
    ) -> Result<Report, Failure> {
        self.check().map_err(Failure::Pipeline)?;
        let passes = self.describe(options);
        observers.iter_mut().for_each(|o| o.start(module, &passes));
        let shuffler = options.shuffle.map(shuffle::Random::new);
        let mut run =
            Run { options, cache: AnalysisCache::default(), observers, report: Report::default(), shuffler };
        if options.verify_each {
            broken("input", verify(module, None))?;
        }
        for (index, row) in self.rows().iter().filter(|row| self.runs(row, options)).enumerate() {
            run.pass(index, &row.pass, module)?;
        }
        Ok(run.report)
    }
}

fn broken(pass: &str, diagnostics: Vec<Diagnostic>) -> Result<(), Failure> {
    if diagnostics.is_empty() {
        return Ok(());
    }
    Err(Failure::Broken { pass: pass.to_string(), diagnostics })
}

fn verify(module: &Module, func: Option<FuncId>) -> Vec<Diagnostic> {
    super::verify::verify(module, func)
}

impl Run<'_, '_> {
    fn pass(&mut self, index: usize, pass: &Pass, module: &mut Module) -> Result<(), Failure> {
        let mut ids: Vec<FuncId> = module.funcs.ids().collect();
        if let Some(random) = &mut self.shuffler {
            shuffle::shuffle(module, random);
            random.permute(&mut ids);
            self.cache.invalidate(super::Facts::VALUES);
        }
        let changed = match &pass.body {
            Body::Function(body) => {
                let mut changed = Changed::No;
                for id in ids {
                    changed |= self.step(index, pass, module, Some(id), |module, cx| {
                        module.with_func(id, |func, decls| body.run(func, decls, cx))
                    })?;
                }
                changed
            }
            Body::Module(body) => self.step(index, pass, module, None, |module, cx| body.run(module, cx))?,
            Body::Hook(hook) => self.step(index, pass, module, None, |module, cx| hook.run(module, cx))?,
        };
        if changed.yes() {
            self.report.changed.push(pass.name.to_string());
        }
        self.end_on_errors(pass)
    }

    fn end_on_errors(&mut self, pass: &Pass) -> Result<(), Failure> {
        if self.report.diagnostics.iter().all(|d| d.severity != Severity::Error) {
            return Ok(());
        }
        let diagnostics = std::mem::take(&mut self.report.diagnostics);
        Err(Failure::Input { pass: pass.name.to_string(), diagnostics })
    }

    /// Runs a pass over one function or the module, with all that surrounds it.
    fn step(
        &mut self,
        index: usize,
        pass: &Pass,
        module: &mut Module,
        func: Option<FuncId>,
        body: impl FnOnce(&mut Module, &mut PassCx<'_>) -> PassResult,
    ) -> Result<Changed, Failure> {
        let before = Event { index, pass, module, func };
        self.observers.iter_mut().for_each(|o| o.before_pass(&before));
        let fingerprint = self.options.verify_each.then(|| super::verify::fingerprint(module, func));

        let mut cx = PassCx::new(self.options, &mut self.cache, func);
        let start = Instant::now();
        let result = body(module, &mut cx);
        let time = start.elapsed();
        let PassCx { counters, remarks, origins, mut diagnostics, .. } = cx;
        // A pass that gave up may have changed the function before it did.
        let changed = match result {
            Ok(changed) => changed,
            Err(diagnostic) => {
                diagnostics.push(*diagnostic);
                Changed::Yes
            }
        };
        if changed.yes() {
            match func {
                Some(id) => self.cache.invalidate_func(id, pass.breaks),
                None => self.cache.invalidate(pass.breaks),
            }
        }
        let outcome = Outcome { changed: changed.yes(), time, counters, remarks, origins, diagnostics };
        let failed = outcome.diagnostics.iter().any(|d| d.severity == Severity::Error);

        let after = Event { index, pass, module, func };
        let mut found = Vec::new();
        for observer in self.observers.iter_mut() {
            found.extend(observer.after_pass(&after, &outcome).err().into_iter().flatten());
        }
        if let (Some(fingerprint), false) = (fingerprint, failed) {
            found.extend(self.check_claims(&after, &outcome, fingerprint));
        }
        self.report.diagnostics.extend(outcome.diagnostics);
        broken(&pass.name, found)?;
        Ok(changed)
    }

    /// Verifies, and holds the pass to what it reported and to what its row says that it breaks.
    fn check_claims(&self, event: &Event<'_>, outcome: &Outcome, fingerprint: u64) -> Vec<Diagnostic> {
        let (module, func) = (event.module, event.func);
        let mut found = verify(module, func);
        let entity = func.map_or(Entity::Module, Entity::Func);
        if !outcome.changed && super::verify::fingerprint(module, func) != fingerprint {
            found.push(Diagnostic::error("the pass reports no change but made one").on(entity));
        }
        if found.is_empty() {
            let stale = self.cache.stale(module, func).into_iter();
            found.extend(stale.map(|(id, name)| {
                let message =
                    format!("the cached {name} is stale, and the row breaks {} only", event.pass.breaks);
                Diagnostic::error(message).on(id.map_or(Entity::Module, Entity::Func))
            }));
        }
        found
    }
}
