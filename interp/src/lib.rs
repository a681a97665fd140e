//! Larrow's reference interpreter: the truth of what a program means, at every stage of the pipeline.
//!
//! It runs channel ops, the runtime calls that they are lowered to, and the map accesses that a target binds them
//! to. It also checks what it runs: an access out of bounds, of uninitialised bytes, through a stale pointer, and
//! so on, is a located [`Trap`].
//!
//! Calls live on an explicit stack of frames; the step loop stops between instructions.
//!
//! Today it runs in *poll mode*: one goroutine, and an operation that would block completes at once, as in a
//! BPF object.
//!
//! ```
//! use larrow_interp::{Interp, Options, Val};
//! use larrow_ir::{FuncBuilder, Function, Module, Type};
//!
//! let mut module = Module::new("add.go");
//! let mut func = Function::new("add", Type::U32);
//! let (a, b) = (func.add_param(Type::U32), func.add_param(Type::U32));
//! let mut build = FuncBuilder::new(&mut func, &mut module.decls);
//! let entry = build.block();
//! build.switch_to(entry);
//! let sum = build.add(a, b);
//! build.ret(Some(sum));
//! module.add_func(func).unwrap();
//!
//! let mut interp = Interp::new(&module, Options::default())?;
//! let result = interp.run("add", &[Val::Int(40), Val::Int(2)]).unwrap();
//! assert_eq!(result.value(), Some(Val::Int(42)));
//! # Ok::<(), larrow_interp::InterpError>(())
//! ```

mod channel;
mod code;
mod compile;
mod env;
mod exec;
mod memory;
mod outside;
mod run;
mod setup;
mod trap;
mod value;

#[cfg(test)]
mod tests;

pub use env::{CtxValue, Env, Prng, TestEnv};
pub use outside::InterpError;
pub use run::{Interp, IntrinsicFn, Options, Outcome, RunResult, SelectOrder};
pub use trap::{Trap, TrapKind};
pub use value::{Ptr, Region, RegionKind, Val, Vals};
