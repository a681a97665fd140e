//! What watches a run: events, and the observers that time and dump.

use std::time::Duration;

use larrow_ir::{Diagnostic, FuncId, Module};

use super::cx::{Counters, Origin, Remark};
use super::pass::Pass;

/// A pass about to run over something, or just done with it.
#[derive(Clone, Copy, Debug)]
pub struct Event<'a> {
    /// The place of the pass among those that run, from 0.
    pub index: usize,
    /// The pass.
    pub pass: &'a Pass,
    /// The module as it is at this moment.
    pub module: &'a Module,
    /// The function, in a function pass.
    pub func: Option<FuncId>,
}

/// What a pass did.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Whether it says that it changed anything.
    pub changed: bool,
    /// How long it took.
    pub time: Duration,
    /// How often its rules fired.
    pub counters: Counters,
    /// What it did and declined, in sentences.
    pub remarks: Vec<Remark>,
    /// Where the values come from that it made.
    pub origins: Vec<Origin>,
    /// What it reported; an error among them ends the pipeline after this pass.
    pub diagnostics: Vec<Diagnostic>,
}

/// Watches a run. In a function pass the methods are called around every function.
pub trait Observer {
    /// Before the first pass.
    fn start(&mut self, module: &Module, passes: &str) {
        let _ = (module, passes);
    }
    /// Before a pass runs.
    fn before_pass(&mut self, event: &Event<'_>) {
        let _ = event;
    }
    /// After a pass ran. Errors are reported as found after this pass, and end the pipeline.
    fn after_pass(&mut self, event: &Event<'_>, outcome: &Outcome) -> Result<(), Vec<Diagnostic>> {
        let _ = (event, outcome);
        Ok(())
    }
}

/// Sums the time of each pass over all functions, in pipeline order.
#[derive(Clone, Debug, Default)]
pub struct Timings {
    /// Name and total.
    pub passes: Vec<(String, Duration)>,
}

impl Observer for Timings {
    fn after_pass(&mut self, event: &Event<'_>, outcome: &Outcome) -> Result<(), Vec<Diagnostic>> {
        match self.passes.last_mut() {
            Some((name, time)) if *name == event.pass.name => *time += outcome.time,
            _ => self.passes.push((event.pass.name.to_string(), outcome.time)),
        }
        Ok(())
    }
}

/// Hands each changed state of the module to a closure: what `--dump` writes.
pub struct Dump<F> {
    sink: F,
    only: Option<String>,
}

impl<F: FnMut(&Event<'_>)> Dump<F> {
    /// Calls `sink` after each pass that changed something; after the pass `only` alone if given.
    pub fn new(only: Option<&str>, sink: F) -> Dump<F> {
        Dump { sink, only: only.map(str::to_string) }
    }
}

impl<F: FnMut(&Event<'_>)> Observer for Dump<F> {
    fn after_pass(&mut self, event: &Event<'_>, outcome: &Outcome) -> Result<(), Vec<Diagnostic>> {
        let wanted = match &self.only {
            Some(only) => *only == event.pass.name,
            None => outcome.changed,
        };
        if wanted {
            (self.sink)(event);
        }
        Ok(())
    }
}
