//! Diagnostics: what every crate reports to the user with.
//!
//! A diagnostic names the place in three ways, as far as they are known: an IR entity (ids survive every pass),
//! a position of the source program, and a span of the text that was parsed. Rendering is the caller's business.

use std::fmt;
use std::sync::Arc;

use crate::entity::{Block, ChanId, FuncId, GlobalId, MapId, Slot, Value};
use crate::inst::Pos;
use crate::module::Module;

/// How bad it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Severity {
    /// Worth knowing.
    Note,
    /// Probably not what was meant.
    Warning,
    /// No output is made.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Severity::Note => "note",
            Severity::Warning => "warning",
            Severity::Error => "error",
        })
    }
}

/// A part of a module.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Entity {
    /// The module as a whole.
    Module,
    /// A function.
    Func(FuncId),
    /// A block, its terminator above all.
    Block(FuncId, Block),
    /// An instruction.
    Value(FuncId, Value),
    /// A slot.
    Slot(FuncId, Slot),
    /// A channel declaration.
    Chan(ChanId),
    /// A map declaration.
    Map(MapId),
    /// A variable declaration.
    Global(GlobalId),
}

impl Entity {
    /// How the text format spells it: `@filter v7`, `@ports`.
    pub fn spell(self, module: &Module) -> String {
        match self {
            Entity::Module => "module".to_string(),
            Entity::Func(f) => format!("@{}", module.funcs.name(f)),
            Entity::Block(f, b) => format!("@{} {b}", module.funcs.name(f)),
            Entity::Value(f, v) => format!("@{} {v}", module.funcs.name(f)),
            Entity::Slot(f, s) => format!("@{} {s}", module.funcs.name(f)),
            Entity::Chan(c) => format!("@{}", module.decls.chans.name(c)),
            Entity::Map(m) => format!("@{}", module.decls.maps.name(m)),
            Entity::Global(g) => format!("@{}", module.decls.globals.name(g)),
        }
    }
}

/// A stretch of a text: line and column from 1, columns and length in bytes.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Span {
    /// The file's name as the user gave it; `-` for standard input.
    pub file: Arc<str>,
    /// From 1.
    pub line: u32,
    /// From 1.
    pub col: u32,
    /// At least 1.
    pub len: u32,
}

/// A report to the user.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// A plain lowercase sentence without a full stop.
    pub message: String,
    /// The part of the module that it is about.
    pub entity: Option<Entity>,
    /// The position in the source program.
    pub pos: Pos,
    /// The stretch of parsed text.
    pub span: Option<Span>,
    /// More facts, a sentence each.
    pub notes: Vec<String>,
    /// The way out, a sentence each.
    pub help: Vec<String>,
}

impl Diagnostic {
    /// An error that is not located yet.
    pub fn error(message: impl Into<String>) -> Diagnostic {
        Diagnostic::new(Severity::Error, message)
    }
    /// A warning that is not located yet.
    pub fn warning(message: impl Into<String>) -> Diagnostic {
        Diagnostic::new(Severity::Warning, message)
    }
    /// A note that is not located yet.
    pub fn remark(message: impl Into<String>) -> Diagnostic {
        Diagnostic::new(Severity::Note, message)
    }
    fn new(severity: Severity, message: impl Into<String>) -> Diagnostic {
        Diagnostic {
            severity,
            message: message.into(),
            entity: None,
            pos: Pos::None,
            span: None,
            notes: Vec::new(),
            help: Vec::new(),
        }
    }
    /// Locates it at an entity.
    #[must_use]
    pub fn on(mut self, entity: Entity) -> Diagnostic {
        self.entity = Some(entity);
        self
    }
    /// Locates it in the source.
    #[must_use]
    pub fn at(mut self, pos: Pos) -> Diagnostic {
        self.pos = pos;
        self
    }
    /// Locates it in the parsed text.
    #[must_use]
    pub fn in_text(mut self, span: Span) -> Diagnostic {
        self.span = Some(span);
        self
    }
    /// Adds a fact.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Diagnostic {
        self.notes.push(note.into());
        self
    }
    /// Adds a way out.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Diagnostic {
        self.help.push(help.into());
        self
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.severity, self.message)
    }
}

impl std::error::Error for Diagnostic {}
