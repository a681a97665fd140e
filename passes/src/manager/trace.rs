//! The trace: what each pass did to each function, as data. Text, HTML, JSON and diffs render from it elsewhere.

use std::time::Duration;

use indexmap::IndexMap;
use larrow_ir::text::print_func;
use larrow_ir::{Diagnostic, FuncId, Module};

use super::cx::{Counters, Origin, Remark};
use super::diff::{Edit, diff};
use super::observe::{Event, Observer, Outcome};

/// What produced a trace.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Header {
    /// The layout of the trace, [`Trace::SCHEMA`].
    pub schema: u32,
    /// The tool and its version.
    pub tool: String,
    /// The command's arguments.
    pub arguments: Vec<String>,
    /// The inlining level.
    pub level: u8,
    /// The passes that ran, in order, with a space between.
    pub pipeline: String,
    /// A hash of the input, as the caller computes it.
    pub input_hash: String,
    /// The source file's name.
    pub file: String,
}

/// The printed form of one function at one moment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FunctionText {
    /// Its name.
    pub func: String,
    /// The text.
    pub text: String,
}

/// What one pass, or one stage of a target, did to one function.
#[derive(Clone, PartialEq, Debug)]
pub struct Step {
    /// The place of the pass among those that ran, from 0; several steps share it.
    pub index: usize,
    /// The pass.
    pub pass: String,
    /// The function; `None` for a module pass that left every function alone.
    pub func: Option<String>,
    /// How long it took. Steps of one module pass over several functions carry it once, on the first.
    pub time: Duration,
    /// The new text, if the pass changed it. An empty text: the function is gone.
    pub text: Option<String>,
    /// The edits by id, if the pass changed it.
    pub edits: Vec<Edit>,
    /// Instructions added, removed and edited.
    pub values: Delta,
    /// Blocks added and removed, and terminators or predecessors edited.
    pub blocks: Delta,
    /// How often each rule fired.
    pub counters: Counters,
    /// What it did and declined.
    pub remarks: Vec<Remark>,
    /// Where new values come from.
    pub origins: Vec<Origin>,
    /// What it reported to the user.
    pub diagnostics: Vec<Diagnostic>,
    /// Whether the text is a target's, which no longer is IR: edits are not computed.
    pub machine: bool,
}

/// How much was added, removed, edited.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Delta {
    /// Added.
    pub added: usize,
    /// Removed.
    pub removed: usize,
    /// Edited.
    pub edited: usize,
}

impl Step {
    /// Whether it changed the function.
    pub fn changed(&self) -> bool {
        self.text.is_some()
    }
}

/// A run of the pipeline, function by function: the text before the first pass, then what each pass changed.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Trace {
    /// What produced it.
    pub header: Header,
    /// Each function before the first pass.
    pub initial: Vec<FunctionText>,
    /// What happened, in order.
    pub steps: Vec<Step>,
    /// The last known text of each function.
    current: IndexMap<FuncId, FunctionText>,
}

impl Trace {
    /// The version of this structure. It grows when a reader of the old one would be misled.
    pub const SCHEMA: u32 = 1;

    /// An empty trace, to be given to [`super::Pipeline::run`] as an observer.
    pub fn new(tool: &str, arguments: &[String], level: u8, input_hash: &str) -> Trace {
        let header = Header {
            schema: Trace::SCHEMA,
            tool: tool.to_string(),
            arguments: arguments.to_vec(),
            level,
            input_hash: input_hash.to_string(),
            ..Header::default()
        };
        Trace { header, ..Trace::default() }
    }

    /// The text of a function before the step at `index` of [`Trace::steps`].
    pub fn before(&self, index: usize) -> Option<&str> {
        let func = self.steps.get(index)?.func.as_deref()?;
        self.text_until(func, index)
    }
    /// The text of a function after the step at `index` of [`Trace::steps`].
    pub fn after(&self, index: usize) -> Option<&str> {
        let func = self.steps.get(index)?.func.as_deref()?;
        self.text_until(func, index + 1)
    }
    fn text_until(&self, func: &str, end: usize) -> Option<&str> {
        let steps = self.steps[..end].iter().rev().filter(|s| s.func.as_deref() == Some(func));
        let changed = steps.filter_map(|s| s.text.as_deref()).next();
        changed.or_else(|| self.initial.iter().find(|t| t.func == func).map(|t| &*t.text))
    }

    /// Appends a stage of a target: `text` is what `func` looks like after it.
    pub fn push_stage(&mut self, pass: &str, func: &str, text: String, time: Duration) {
        let index = self.steps.last().map_or(0, |s| s.index + usize::from(s.pass != pass));
        let mut step = empty_step(index, pass, Some(func.to_string()), time);
        step.text = Some(text);
        step.machine = true;
        self.steps.push(step);
    }

    /// Records the new text of a function, if it is new.
    fn advance(&mut self, step: &mut Step, id: FuncId, func: &str, text: String) {
        let old = self.current.get(&id).map_or("", |t| &*t.text);
        if old == text {
            return;
        }
        step.edits = diff(old, &text);
        (step.values, step.blocks) = count_edits(&step.edits);
        step.text = Some(text.clone());
        self.current.insert(id, FunctionText { func: func.to_string(), text });
    }

    /// The steps of a module pass: one for each function that it changed, added or removed, and one without a
    /// function if there is none.
    fn module_steps(&mut self, event: &Event<'_>, time: Duration) -> Vec<Step> {
        let mut steps = Vec::new();
        for (id, func) in event.module.funcs.iter() {
            let mut step =
                empty_step(event.index, &event.pass.name, Some(func.name.to_string()), Duration::ZERO);
            self.advance(&mut step, id, &func.name, print(event.module, id));
            if step.changed() {
                steps.push(step);
            }
        }
        let gone: Vec<FuncId> =
            self.current.keys().copied().filter(|&id| event.module.funcs.get(id).is_none()).collect();
        for id in gone {
            let name = self.current[&id].func.clone();
            let mut step = empty_step(event.index, &event.pass.name, Some(name.clone()), Duration::ZERO);
            self.advance(&mut step, id, &name, String::new());
            self.current.shift_remove(&id);
            steps.push(step);
        }
        if steps.is_empty() {
            steps.push(empty_step(event.index, &event.pass.name, None, Duration::ZERO));
        }
        steps[0].time = time;
        steps
    }
}

fn empty_step(index: usize, pass: &str, func: Option<String>, time: Duration) -> Step {
    Step {
        index,
        pass: pass.to_string(),
        func,
        time,
        text: None,
        edits: Vec::new(),
        values: Delta::default(),
        blocks: Delta::default(),
        counters: Counters::new(),
        remarks: Vec::new(),
        origins: Vec::new(),
        diagnostics: Vec::new(),
        machine: false,
    }
}

/// Values and blocks of a difference. A block is added or removed by its header line.
fn count_edits(edits: &[Edit]) -> (Delta, Delta) {
    let (mut values, mut blocks) = (Delta::default(), Delta::default());
    for edit in edits {
        let (Edit::Added { id, .. } | Edit::Removed { id, .. } | Edit::Changed { id, .. }) = edit;
        let header = !id.ends_with(" end");
        let delta = match id.as_bytes() {
            [b'v', ..] => &mut values,
            [b'b', ..] => &mut blocks,
            _ => continue,
        };
        match edit {
            Edit::Added { .. } => delta.added += usize::from(header),
            Edit::Removed { .. } => delta.removed += usize::from(header),
            Edit::Changed { .. } => delta.edited += 1,
        }
    }
    (values, blocks)
}

impl Observer for Trace {
    fn start(&mut self, module: &Module, passes: &str) {
        self.header.pipeline = passes.to_string();
        self.header.file = module.decls.file.to_string();
        for (id, func) in module.funcs.iter() {
            let text = FunctionText { func: func.name.to_string(), text: print(module, id) };
            self.initial.push(text.clone());
            self.current.insert(id, text);
        }
    }

    fn after_pass(&mut self, event: &Event<'_>, outcome: &Outcome) -> Result<(), Vec<Diagnostic>> {
        let mut steps = match event.func {
            Some(id) => {
                let name = event.module.funcs.name(id).to_string();
                let mut step = empty_step(event.index, &event.pass.name, Some(name.clone()), outcome.time);
                if outcome.changed {
                    self.advance(&mut step, id, &name, print(event.module, id));
                }
                vec![step]
            }
            None if outcome.changed => self.module_steps(event, outcome.time),
            None => vec![empty_step(event.index, &event.pass.name, None, outcome.time)],
        };
        let first = &mut steps[0];
        first.counters = outcome.counters.clone();
        first.remarks = outcome.remarks.clone();
        first.diagnostics = outcome.diagnostics.clone();
        for origin in &outcome.origins {
            let func = origin.func.map(|id| event.module.funcs.name(id));
            let at = steps.iter().position(|s| s.func.as_deref() == func).unwrap_or(0);
            steps[at].origins.push(origin.clone());
        }
        self.steps.extend(steps);
        Ok(())
    }
}

/// The printed form of a function.
fn print(module: &Module, id: FuncId) -> String {
    print_func(&module.funcs[id], module)
}

#[cfg(test)]
mod tests;
