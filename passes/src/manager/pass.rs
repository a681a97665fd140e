//! A pass as a row: its name, what it breaks, where it may stand, and its body.

use std::borrow::Cow;
use std::fmt;
use std::ops::{BitOr, BitOrAssign};

use larrow_ir::{Decls, Diagnostic, Function, Module};

use super::cx::PassCx;
use super::rewrite::Hook;

/// Whether a pass changed anything. A pass that says [`Changed::No`] has left the printed form as it was.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
#[must_use]
pub enum Changed {
    /// Nothing changed.
    #[default]
    No,
    /// Something did.
    Yes,
}

impl Changed {
    /// Whether this is [`Changed::Yes`].
    pub fn yes(self) -> bool {
        self == Changed::Yes
    }
}
impl From<bool> for Changed {
    fn from(changed: bool) -> Changed {
        if changed { Changed::Yes } else { Changed::No }
    }
}
impl BitOr for Changed {
    type Output = Changed;
    fn bitor(self, other: Changed) -> Changed {
        self.max(other)
    }
}
impl BitOrAssign for Changed {
    fn bitor_assign(&mut self, other: Changed) {
        *self = *self | other;
    }
}

/// What a pass returns. An error is a diagnostic that ends the pass for this function at once; errors that
/// leave the pass able to go on are reported through [`PassCx::report`], so that the user sees several.
pub type PassResult = Result<Changed, Box<Diagnostic>>;

/// What analyses are computed from, and what passes break: a set.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Facts(u8);

impl Facts {
    /// Nothing.
    pub const NONE: Facts = Facts(0);
    /// Which blocks there are and how they are connected.
    pub const CFG: Facts = Facts(1);
    /// Which instructions there are, their operands and their places in blocks.
    pub const VALUES: Facts = Facts(2);
    /// Which functions there are and which call which.
    pub const CALLS: Facts = Facts(4);
    /// Everything: what a pass breaks unless its row says less.
    pub const ALL: Facts = Facts(7);

    /// Whether the sets share a member.
    pub fn any(self, other: Facts) -> bool {
        self.0 & other.0 != 0
    }
}
impl BitOr for Facts {
    type Output = Facts;
    fn bitor(self, other: Facts) -> Facts {
        Facts(self.0 | other.0)
    }
}
/// The names of the members with `+` between; `nothing` for none.
impl fmt::Display for Facts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = [(Facts::CFG, "cfg"), (Facts::VALUES, "values"), (Facts::CALLS, "calls")];
        let names: Vec<_> = named.iter().filter(|(fact, _)| self.any(*fact)).map(|(_, n)| *n).collect();
        f.write_str(if names.is_empty() { "nothing".into() } else { names.join("+") }.as_str())
    }
}
impl fmt::Debug for Facts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A pass over one function. Closures and functions of this shape are passes too; a struct may carry state
/// (behind a `Cell` or a lock, since it is shared while it runs).
pub trait FunctionPass {
    /// Runs over one function. New types go into `decls`; other functions are out of reach.
    fn run(&self, func: &mut Function, decls: &mut Decls, cx: &mut PassCx<'_>) -> PassResult;
}

impl<F> FunctionPass for F
where
    F: Fn(&mut Function, &mut Decls, &mut PassCx<'_>) -> PassResult,
{
    fn run(&self, func: &mut Function, decls: &mut Decls, cx: &mut PassCx<'_>) -> PassResult {
        self(func, decls, cx)
    }
}

/// A pass over a module.
pub trait ModulePass {
    /// Runs over the module.
    fn run(&self, module: &mut Module, cx: &mut PassCx<'_>) -> PassResult;
}

impl<F> ModulePass for F
where
    F: Fn(&mut Module, &mut PassCx<'_>) -> PassResult,
{
    fn run(&self, module: &mut Module, cx: &mut PassCx<'_>) -> PassResult {
        self(module, cx)
    }
}

/// What a row runs.
pub enum Body {
    /// Once per function.
    Function(Box<dyn FunctionPass>),
    /// Once.
    Module(Box<dyn ModulePass>),
    /// The rewriters of a hook point; skipped while there are none.
    Hook(Hook),
}

impl Body {
    /// `function`, `module` or `hook`.
    pub fn kind(&self) -> &'static str {
        match self {
            Body::Function(_) => "function",
            Body::Module(_) => "module",
            Body::Hook(_) => "hook",
        }
    }
}

/// How a pass stands to another.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Relation {
    /// Stands before the other, where both are present.
    Before,
    /// Stands after the other, where both are present.
    After,
    /// Stands after the other, which must be present and enabled.
    Needs,
}

/// A constraint on the order of passes, with its reason.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Order {
    /// How.
    pub relation: Relation,
    /// The other pass.
    pub other: Cow<'static, str>,
    /// Why: the second half of a sentence that starts with "because".
    pub reason: Cow<'static, str>,
}

/// A row of the pipeline.
///
/// ```
/// use larrow_passes::{Changed, Facts, Pass};
///
/// let row = Pass::function("count-blocks", "counts the blocks", |func: &mut larrow_ir::Function, _: &mut _, cx: &mut larrow_passes::PassCx<'_>| {
///     cx.count("blocks", func.layout().len() as u64);
///     Ok(Changed::No)
/// })
/// .breaks(Facts::NONE)
/// .after("early-deadcode", "unreachable blocks do not count");
/// assert_eq!(row.name, "count-blocks");
/// ```
pub struct Pass {
    /// Unique in its pipeline; lowercase words with hyphens. What is printed is what filters take.
    pub name: Cow<'static, str>,
    /// What it does, in one line.
    pub doc: Cow<'static, str>,
    /// Whether no output is right without it: it cannot be disabled and runs under `-N`.
    pub required: bool,
    /// What it breaks when it reports a change; [`Facts::ALL`] unless said otherwise.
    pub breaks: Facts,
    /// Where it may stand.
    pub order: Vec<Order>,
    /// What it does.
    pub body: Body,
}

impl Pass {
    /// A row that runs once per function.
    pub fn function(
        name: impl Into<Cow<'static, str>>,
        doc: impl Into<Cow<'static, str>>,
        body: impl FunctionPass + 'static,
    ) -> Pass {
        Pass::new(name.into(), doc.into(), Body::Function(Box::new(body)))
    }
    /// A row that runs once per module.
    pub fn module(
        name: impl Into<Cow<'static, str>>,
        doc: impl Into<Cow<'static, str>>,
        body: impl ModulePass + 'static,
    ) -> Pass {
        Pass::new(name.into(), doc.into(), Body::Module(Box::new(body)))
    }
    pub(crate) fn new(name: Cow<'static, str>, doc: Cow<'static, str>, body: Body) -> Pass {
        Pass { name, doc, required: false, breaks: Facts::ALL, order: Vec::new(), body }
    }

    /// The same row under another name: `late-deadcode`.
    #[must_use]
    pub fn named(mut self, name: impl Into<Cow<'static, str>>) -> Pass {
        self.name = name.into();
        self
    }
    /// No output is right without it.
    #[must_use]
    pub fn required(mut self) -> Pass {
        self.required = true;
        self
    }
    /// What it breaks when it reports a change.
    #[must_use]
    pub fn breaks(mut self, facts: Facts) -> Pass {
        self.breaks = facts;
        self
    }
    /// Stands before `other`, because `reason`.
    #[must_use]
    pub fn before(self, other: impl Into<Cow<'static, str>>, reason: impl Into<Cow<'static, str>>) -> Pass {
        self.order(Relation::Before, other.into(), reason.into())
    }
    /// Stands after `other`, because `reason`.
    #[must_use]
    pub fn after(self, other: impl Into<Cow<'static, str>>, reason: impl Into<Cow<'static, str>>) -> Pass {
        self.order(Relation::After, other.into(), reason.into())
    }
    /// Stands after `other`, which must be there, because `reason`.
    #[must_use]
    pub fn needs(self, other: impl Into<Cow<'static, str>>, reason: impl Into<Cow<'static, str>>) -> Pass {
        self.order(Relation::Needs, other.into(), reason.into())
    }
    fn order(mut self, relation: Relation, other: Cow<'static, str>, reason: Cow<'static, str>) -> Pass {
        self.order.push(Order { relation, other, reason });
        self
    }
}

impl fmt::Debug for Pass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pass")
            .field("name", &self.name)
            .field("kind", &self.body.kind())
            .field("required", &self.required)
            .field("breaks", &self.breaks)
            .finish_non_exhaustive()
    }
}
