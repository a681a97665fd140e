//! What generated modules hold: how often each op, each runtime function, each kind of communication and each
//! terminator occurs.

use std::collections::BTreeMap;
use std::fmt;

use crate::inst::{Aux, LookupRole, PanicWith, RecvForm, SelectCase, Terminator};
use crate::module::Module;
use crate::op::Op;
use crate::runtime::RuntimeFn;

/// Counts by name.
#[derive(Clone, Debug, Default)]
pub struct Coverage {
    modules: usize,
    ops: BTreeMap<Op, usize>,
    shapes: BTreeMap<String, usize>,
}

impl Coverage {
    /// Counts a module's functions.
    pub fn add(&mut self, module: &Module) {
        self.modules += 1;
        for (_, func) in module.funcs.iter() {
            *self.ops.entry(Op::Param).or_default() += func.params.len();
            for (_, v) in func.iter_insts() {
                let inst = func.inst(v);
                *self.ops.entry(inst.op).or_default() += 1;
                self.payload(&inst.aux);
            }
            for &b in func.layout() {
                self.shape(terminator(func.term(b)));
            }
        }
    }

    fn shape(&mut self, name: impl Into<String>) {
        *self.shapes.entry(name.into()).or_default() += 1;
    }

    fn payload(&mut self, aux: &Aux) {
        match aux {
            Aux::Form(form) => self.shape(format!("receive {}", form_name(*form))),
            Aux::Select(shape) => {
                let default = if shape.has_default { " and default" } else { "" };
                self.shape(format!("select of {}{default}", shape.cases.len()));
                for case in &shape.cases {
                    self.shape(case_name(*case));
                }
            }
            Aux::Runtime(function) => self.shape(runtime_name(*function)),
            Aux::Lookup { role: LookupRole::Plain, .. } => self.shape("lookup"),
            Aux::Lookup { role: LookupRole::Bind, .. } => self.shape("lookup [bind]"),
            Aux::Lookup { role: LookupRole::Site, .. } => self.shape("lookup [site]"),
            Aux::None
            | Aux::Int(_)
            | Aux::Float(_)
            | Aux::Nil
            | Aux::Index(_)
            | Aux::Bounds { .. }
            | Aux::Size(_)
            | Aux::Slot(_)
            | Aux::Global(_)
            | Aux::Func(_)
            | Aux::Chan(_)
            | Aux::Intrinsic(_)
            | Aux::Site(_)
            | Aux::Name(_)
            | Aux::MapFlags { .. }
            | Aux::MapOffset { .. } => {}
        }
    }

    /// How often an op occurred.
    pub fn op(&self, op: Op) -> usize {
        self.ops.get(&op).copied().unwrap_or(0)
    }

    /// The ops that never occurred.
    pub fn missing_ops(&self) -> Vec<Op> {
        Op::ALL.iter().copied().filter(|&op| self.op(op) == 0).collect()
    }

    /// The shapes that never occurred: of receives, select cases, runtime calls, lookups and terminators.
    pub fn missing_shapes(&self) -> Vec<String> {
        all_shapes().into_iter().filter(|name| !self.shapes.contains_key(name)).collect()
    }
}

fn form_name(form: RecvForm) -> &'static str {
    match form {
        RecvForm::CommaOk => "comma-ok",
        RecvForm::Value => "value",
        RecvForm::Discard => "discard",
    }
}

fn case_name(case: SelectCase) -> String {
    match case {
        SelectCase::Send => "case send".to_string(),
        SelectCase::Recv(form) => format!("case receive {}", form_name(form)),
        SelectCase::RecvInto(form) => format!("case receive into memory {}", form_name(form)),
    }
}

fn runtime_name(function: RuntimeFn) -> String {
    format!("runtime.{function}")
}

fn terminator(term: &Terminator) -> &'static str {
    match term {
        Terminator::Plain(_) => "Plain",
        Terminator::If { .. } => "If",
        Terminator::Switch { .. } => "Switch",
        Terminator::Ret(_) => "Ret",
        Terminator::Panic(PanicWith::Text(_)) => "Panic text",
        Terminator::Panic(PanicWith::Value(_)) => "Panic value",
        Terminator::Exit => "Exit",
    }
}

fn all_shapes() -> Vec<String> {
    let forms = [RecvForm::CommaOk, RecvForm::Value, RecvForm::Discard];
    let receives = forms.map(|form| format!("receive {}", form_name(form)));
    let cases = forms.map(|form| case_name(SelectCase::Recv(form)));
    // A discarded receive has no memory to go to.
    let into = forms[..2].iter().map(|&form| case_name(SelectCase::RecvInto(form)));
    let selects = (0..=4).flat_map(|n| [format!("select of {n}"), format!("select of {n} and default")]);
    let fixed =
        ["lookup", "lookup [bind]", "lookup [site]", "Plain", "If", "Switch", "Ret", "Panic text", "Exit"];
    let runtime = RuntimeFn::ALL.iter().map(|&f| runtime_name(f));
    std::iter::once(case_name(SelectCase::Send))
        .chain(receives)
        .chain(cases)
        .chain(into)
        .chain(selects)
        .chain(runtime)
        .chain(fixed.map(str::to_string))
        .collect()
}

/// A table: name and count, those that never occurred among them.
impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<36} {:>9}", "modules", self.modules)?;
        for &op in Op::ALL {
            writeln!(f, "{:<36} {:>9}", op.name(), self.op(op))?;
        }
        let mut shapes: BTreeMap<String, usize> = all_shapes().into_iter().map(|name| (name, 0)).collect();
        shapes.extend(self.shapes.iter().map(|(name, n)| (name.clone(), *n)));
        for (name, n) in shapes {
            writeln!(f, "{name:<36} {n:>9}")?;
        }
        Ok(())
    }
}
