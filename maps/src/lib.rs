//! BPF maps in memory, with the kernel's flags and error codes.
//!
//! A map has two sides, and the kernel answers them differently:
//!
//! * a **program** holds a pointer to the value that [`Map::lookup`] found, here a [`ValueId`], and runs on one
//!   CPU; its calls are the methods of [`Map`];
//! * **user space** copies values in and out with the `bpf` system call, sees all CPUs of a per-CPU value at
//!   once, and can walk the keys; its calls are the methods of [`Syscall`], from [`Map::syscall`].
//!
//! The error of a refused call carries the kernel's code ([`MapError::errno`]). The codes were measured on
//! Linux 6.18; the tables stand in the tests.
//!
//! **Invariant:** a [`ValueId`] stays readable and writable, with no other element behind it, until
//! [`Map::quiesce`] says that no program runs any more (with one documented bound, see [`Map::delete`]).
//!
//! ```
//! use larrow_maps::{Map, MapDef, MapKind};
//!
//! let def = MapDef { name: "hits".into(), kind: MapKind::Hash, key_size: 4, value_size: 8, max_entries: 2, flags: 0 };
//! let mut map = Map::new(def, 1)?;
//! map.update(&7u32.to_le_bytes(), &1u64.to_le_bytes(), larrow_maps::BPF_NOEXIST, 0)?;
//! let id = map.lookup(&7u32.to_le_bytes(), 0)?.expect("just inserted");
//! map.value_mut(id).expect("found")[0] += 1;
//! assert_eq!(map.syscall().lookup(&7u32.to_le_bytes(), 0)?, 2u64.to_le_bytes());
//! let again = map.update(&7u32.to_le_bytes(), &1u64.to_le_bytes(), larrow_maps::BPF_NOEXIST, 0);
//! assert_eq!(again.unwrap_err().errno(), 17);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod array;
mod cells;
mod def;
mod error;
mod flags;
mod hash;
mod kind;
mod list;
mod map;
mod queue;
mod set;
mod syscall;

pub use cells::{MAX_BYTES, ValueId};
pub use def::MapDef;
pub use error::{DefError, DefProblem, MapError, Operation, SetError, errno};
pub use flags::*;
pub use kind::{MapKind, UnknownKind};
pub use map::Map;
pub use set::MapSet;
pub use syscall::Syscall;

#[cfg(test)]
mod answers;
#[cfg(test)]
mod models;
#[cfg(test)]
mod rng;
