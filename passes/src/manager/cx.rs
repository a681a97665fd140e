//! What a pass is given beside the code: options, counters, remarks, diagnostics, analyses.

use std::borrow::Cow;
use std::rc::Rc;

use indexmap::IndexMap;
use larrow_ir::{Block, Diagnostic, Entity, FuncId, Function, Module, Pos, Severity, Value};

use super::analysis::{Analysis, AnalysisCache, ModuleAnalysis};
use super::options::Options;
use super::pass::Facts;

/// How often each rule fired, by its name, in the order of first firing.
pub type Counters = IndexMap<Cow<'static, str>, u64>;

/// A sentence about what a pass did, or why it did not.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Remark {
    /// The part of the module that it is about.
    pub entity: Option<Entity>,
    /// The position in the source.
    pub pos: Pos,
    /// Whether the pass declined: "not inlined: …".
    pub missed: bool,
    /// A plain lowercase sentence.
    pub text: String,
}

/// Where a value that a pass made comes from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Origin {
    /// The function that it stands in.
    pub func: Option<FuncId>,
    /// The value.
    pub value: Value,
    /// The rule that made it.
    pub rule: Cow<'static, str>,
    /// What it was made from.
    pub from: Vec<Value>,
}

/// A pass's surroundings while it runs.
pub struct PassCx<'a> {
    /// The options of the run.
    pub options: &'a Options,
    func: Option<FuncId>,
    cache: &'a mut AnalysisCache,
    pub(crate) counters: Counters,
    pub(crate) remarks: Vec<Remark>,
    pub(crate) origins: Vec<Origin>,
    pub(crate) diagnostics: Vec<Diagnostic>,
}

impl<'a> PassCx<'a> {
    /// A context outside a pipeline, for tests and for embedders who run one pass alone. `func` is the function
    /// that a function pass runs over; `None` for a module pass.
    pub fn new(options: &'a Options, cache: &'a mut AnalysisCache, func: Option<FuncId>) -> PassCx<'a> {
        PassCx {
            options,
            func,
            cache,
            counters: Counters::new(),
            remarks: Vec::new(),
            origins: Vec::new(),
            diagnostics: Vec::new(),
        }
    }

    /// The function that the pass runs over; `None` in a module pass.
    pub fn func_id(&self) -> Option<FuncId> {
        self.func
    }
    /// A value of the current function, for diagnostics.
    pub fn on_value(&self, v: Value) -> Entity {
        self.func.map_or(Entity::Module, |f| Entity::Value(f, v))
    }
    /// A block of the current function, for diagnostics.
    pub fn on_block(&self, b: Block) -> Entity {
        self.func.map_or(Entity::Module, |f| Entity::Block(f, b))
    }

    /// Counts `n` firings of a rule.
    pub fn count(&mut self, rule: impl Into<Cow<'static, str>>, n: u64) {
        if n > 0 {
            *self.counters.entry(rule.into()).or_default() += n;
        }
    }
    /// How often a rule fired so far in this run of the pass.
    pub fn counted(&self, rule: &str) -> u64 {
        self.counters.get(rule).copied().unwrap_or(0)
    }
    /// Whether a rule is switched on.
    pub fn rule_enabled(&self, rule: &str) -> bool {
        !self.options.disabled_rules.contains(rule)
    }

    /// Reports to the user. Errors end the pipeline after this pass.
    pub fn report(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }
    /// Whether an error was reported in this run of the pass.
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(|d| d.severity == Severity::Error)
    }
    /// What was reported so far in this run of the pass.
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.diagnostics
    }
    /// Says for the trace what was done.
    pub fn remark(&mut self, entity: Option<Entity>, pos: Pos, text: impl Into<String>) {
        self.remarks.push(Remark { entity, pos, missed: false, text: text.into() });
    }
    /// Says for the trace what was declined, and why.
    pub fn missed(&mut self, entity: Option<Entity>, pos: Pos, text: impl Into<String>) {
        self.remarks.push(Remark { entity, pos, missed: true, text: text.into() });
    }
    /// Says for the trace what a new value was made from; for values of the current function.
    pub fn origin(&mut self, value: Value, rule: impl Into<Cow<'static, str>>, from: &[Value]) {
        let (func, rule, from) = (self.func, rule.into(), from.to_vec());
        self.origins.push(Origin { func, value, rule, from });
    }
    /// As [`PassCx::origin`], from a module pass.
    pub fn origin_in(
        &mut self,
        func: FuncId,
        value: Value,
        rule: impl Into<Cow<'static, str>>,
        from: &[Value],
    ) {
        self.origins.push(Origin { func: Some(func), value, rule: rule.into(), from: from.to_vec() });
    }

    /// An analysis of the function that the pass runs over, cached. A pass that has changed the function since
    /// calls [`PassCx::invalidate`] first.
    pub fn analysis<A: Analysis>(&mut self, func: &Function) -> Rc<A> {
        match self.func {
            Some(id) => self.cache.of_func(id, func),
            None => Rc::new(A::compute(func)),
        }
    }
    /// An analysis of any function, cached: for module passes.
    pub fn analysis_of<A: Analysis>(&mut self, id: FuncId, func: &Function) -> Rc<A> {
        self.cache.of_func(id, func)
    }
    /// An analysis of the module, cached: for module passes.
    pub fn module_analysis<A: ModuleAnalysis>(&mut self, module: &Module) -> Rc<A> {
        self.cache.of_module(module)
    }
    /// Drops cached analyses that rest on `facts`: of the current function, in a module pass of every one.
    pub fn invalidate(&mut self, facts: Facts) {
        match self.func {
            Some(id) => self.cache.invalidate_func(id, facts),
            None => self.cache.invalidate(facts),
        }
    }
    /// Runs `f` with a context for one function that shares this one's options, cache and records: how a module
    /// pass runs a function pass.
    pub fn for_func<R>(&mut self, id: FuncId, f: impl FnOnce(&mut PassCx<'a>) -> R) -> R {
        let outer = self.func.replace(id);
        let result = f(self);
        self.func = outer;
        result
    }
}
