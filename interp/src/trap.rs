//! Located errors: what a program must not do, and what the interpreter's limits forbid.

use std::fmt;
use std::sync::Arc;

use larrow_ir::{Diagnostic, Entity, FuncId, Pos, Value};

/// What went wrong.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum TrapKind {
    /// A nil pointer, or a pointer made from one, was used; a nil function was called.
    Nil,
    /// An access outside the region that the pointer belongs to.
    OutOfBounds,
    /// A read of bytes that nothing has written.
    Uninitialised,
    /// A pointer to a slot of a function that has returned.
    Dangling,
    /// An address that is no multiple of the access's size where it must be one.
    Misaligned,
    /// A write to constant memory, or to a map that programs may only read.
    ReadOnly,
    /// A read of a map that programs may only write.
    WriteOnly,
    /// A pointer read as a number, a number read as a pointer, or a pointer written where none can live.
    Provenance,
    /// An ordering between pointers into different objects.
    Unordered,
    /// Source and destination of a copy overlap without being the same.
    Overlap,
    /// Bytes in memory that are no value of the type: a `bool` that is neither 0 nor 1.
    BadValue,
    /// A value outside the bounds of a [`larrow_ir::Op::Bounded`].
    Bounds,
    /// Something this mode of the interpreter, or its environment, does not have.
    Unsupported,
    /// The step limit.
    StepLimit,
    /// The memory limit.
    MemoryLimit,
    /// The call depth limit.
    CallDepth,
    /// What the verifier would have refused.
    Malformed,
}

/// A located error that ended a run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Trap {
    /// What went wrong.
    pub kind: TrapKind,
    /// The function.
    pub func: FuncId,
    /// Its name.
    pub func_name: Arc<str>,
    /// The instruction; `None` for a terminator, and where the function was entered.
    pub value: Option<Value>,
    /// The position in the source.
    pub pos: Pos,
    /// A plain lowercase sentence without a full stop.
    pub message: String,
}

impl Trap {
    /// The same as a diagnostic.
    pub fn diagnostic(&self) -> Diagnostic {
        let entity = self.value.map_or(Entity::Func(self.func), |v| Entity::Value(self.func, v));
        Diagnostic::error(self.message.clone()).on(entity).at(self.pos)
    }
}

impl fmt::Display for Trap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "@{}", self.func_name)?;
        if let Some(value) = self.value {
            write!(f, " {value}")?;
        }
        write!(f, ": {}", self.message)
    }
}

impl std::error::Error for Trap {}

/// An error before the step loop has located it.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) kind: TrapKind,
    pub(crate) message: String,
}

/// What an instruction yields, or its fault; boxed, since faults are rare and results are hot.
pub(crate) type Fallible<T> = Result<T, Box<Fault>>;

/// A fault.
#[cold]
pub(crate) fn fault<T>(kind: TrapKind, message: impl Into<String>) -> Fallible<T> {
    Err(Box::new(Fault { kind, message: message.into() }))
}
