//! Validation by running: after every pass that changed something the program is run again, and must do the same.

use larrow_ir::{Diagnostic, Entity, Module};
use larrow_passes::{Event, Observer, Outcome};

use super::{EngineError, Inputs, Observed, interp};

/// An observer that runs programs in the interpreter before the first pass and after each pass that changed
/// something, and ends the pipeline at the first difference. It is a test on these inputs, not a proof.
///
/// Each observation is compared with the one before, so that counts at sites are held too from the pass on that
/// makes them.
#[derive(Debug)]
pub struct Validate {
    entries: Vec<String>,
    inputs: Vec<Inputs>,
    /// The last observation, by entry and input.
    last: Vec<Vec<Observed>>,
    checks: usize,
    error: Option<Diagnostic>,
}

impl Validate {
    /// Runs these functions on these inputs.
    pub fn new(entries: Vec<String>, inputs: Vec<Inputs>) -> Validate {
        Validate { entries, inputs, last: Vec::new(), checks: 0, error: None }
    }

    /// How many times a function was run after a pass and found to do the same.
    pub fn checks(&self) -> usize {
        self.checks
    }

    fn observe(&self, module: &Module) -> Result<Vec<Vec<Observed>>, EngineError> {
        let all = |entry: &String| self.inputs.iter().map(|i| interp(module, entry, i)).collect();
        self.entries.iter().map(all).collect()
    }

    /// The first difference: in words, with what it was found on.
    fn difference(&self, now: &[Vec<Observed>]) -> Option<String> {
        for (entry, (before, after)) in self.entries.iter().zip(self.last.iter().zip(now)) {
            for (n, (before, after)) in before.iter().zip(after).enumerate() {
                if let Some(difference) = before.differences(after).first() {
                    return Some(format!("@{entry} on input {n}: {difference}"));
                }
            }
        }
        None
    }
}

impl Observer for Validate {
    fn start(&mut self, module: &Module, _: &str) {
        match self.observe(module) {
            Ok(observed) => self.last = observed,
            Err(why) => {
                self.error = Some(Diagnostic::error(format!("the program cannot be validated: {why}")));
            }
        }
    }

    fn after_pass(&mut self, event: &Event<'_>, outcome: &Outcome) -> Result<(), Vec<Diagnostic>> {
        if let Some(error) = self.error.take() {
            return Err(vec![error.on(Entity::Module)]);
        }
        // What a pass refused may be half done.
        if !outcome.changed || has_errors(outcome) {
            return Ok(());
        }
        let entity = event.func.map_or(Entity::Module, Entity::Func);
        let fail = |message: String| Err(vec![Diagnostic::error(message).on(entity)]);
        let pass = &event.pass.name;
        let mut now = match self.observe(event.module) {
            Ok(now) => now,
            Err(why) => return fail(format!("after pass `{pass}` the program cannot be run: {why}")),
        };
        if let Some(difference) = self.difference(&now) {
            return fail(format!("pass `{pass}` changed what the program does: {difference}"));
        }
        self.checks += now.iter().map(Vec::len).sum::<usize>();
        // A stage that cannot know the counts leaves the last known ones to be compared with.
        for (now, last) in now.iter_mut().flatten().zip(self.last.iter_mut().flatten()) {
            if now.sites.is_empty() {
                now.sites = std::mem::take(&mut last.sites);
            }
        }
        self.last = now;
        Ok(())
    }
}

fn has_errors(outcome: &Outcome) -> bool {
    outcome.diagnostics.iter().any(|d| d.severity == larrow_ir::Severity::Error)
}
