//! The engines: a program's inputs, what is observed of it, and the ways to run it.
//!
//! [`interp()`] runs a module at any stage of the pipeline; [`kernel()`] runs the compiled object. Both take
//! [`Inputs`] and give [`Observed`], so that `a.differences(&b)` compares any stage with any other. [`Validate`]
//! watches a pipeline and does so after every pass.
//!
//! ```
//! use larrow::engine::{Inputs, interp};
//!
//! let source = "
//! chan @ports: chan u16 cap 8
//! func @f(v0: ptr<ctx xdp>) -> u32 section \"xdp\" {
//! b0:
//!     v1 = ChanAddr <chan u16> @ports
//!     v2 = ChanRecv <(u16, bool)> v1
//!     v3 = Extract <u16> [0] v2
//!     v4 = ZeroExt <u32> v3
//!     Ret v4
//! }";
//! let module = larrow_ir::text::parse("f.ssa", source).unwrap().module;
//! let inputs = Inputs::default().send("ports", [443u16.to_le_bytes().to_vec()]);
//! let observed = interp(&module, "f", &inputs).unwrap();
//! assert_eq!(observed.ret, Some(443));
//! assert!(observed.channels["ports"].contents.is_empty());
//! ```

mod channels;
mod interp;
mod kernel;
mod observed;
mod validate;

use larrow_backend_bpf::kernel::KernelError;
use larrow_backend_bpf::object::{ProgramKind, ProgramSection};
use larrow_interp::InterpError;
use larrow_ir::{FuncId, Function, Module, nearest};
use larrow_maps::MapError;

pub use interp::{Interpreter, interp};
pub use kernel::{Facts, Loaded, kernel, kernel_version};
pub use larrow_interp::SelectOrder;
pub use observed::{ChannelState, Entry, Observed, TrapSeen};
pub use validate::Validate;

/// The bytes of a packet when none is given: as many zeros as the kernel's test run starts with.
const DEFAULT_PACKET: usize = 64;

/// What a program is run on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Inputs {
    /// The packet; 64 zero bytes if not given. Every run starts with it.
    pub packet: Option<Vec<u8>>,
    /// What user space sends before the first run, in order: the channel and the elements, each as its bytes in
    /// memory (little-endian). What does not fit is counted in [`Observed::refused`].
    pub sends: Vec<(String, Vec<Vec<u8>>)>,
    /// The channels that user space closes, after it has sent.
    pub closes: Vec<String>,
    /// What `get_prandom_u32` and rotating selects start from, in the interpreter; the kernel has its own.
    pub seed: u64,
    /// How often the program runs, one run after the other on the same channels and maps; 0 counts as 1.
    pub repeat: u32,
    /// How many steps a run may take in the interpreter.
    pub steps: u64,
    /// How selects choose before binding, which makes the choice part of the code.
    pub select_order: SelectOrder,
    /// Arguments for a function that is no program entry, as numbers.
    pub args: Vec<u64>,
}

impl Default for Inputs {
    fn default() -> Self {
        Inputs {
            packet: None,
            sends: Vec::new(),
            closes: Vec::new(),
            seed: 0,
            repeat: 1,
            steps: 100_000_000,
            select_order: SelectOrder::Rotation,
            args: Vec::new(),
        }
    }
}

impl Inputs {
    /// With a packet.
    #[must_use]
    pub fn packet(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.packet = Some(bytes.into());
        self
    }
    /// With elements to send.
    #[must_use]
    pub fn send(mut self, chan: &str, elements: impl IntoIterator<Item = Vec<u8>>) -> Self {
        self.sends.push((chan.to_string(), elements.into_iter().collect()));
        self
    }
    /// With a channel to close.
    #[must_use]
    pub fn close(mut self, chan: &str) -> Self {
        self.closes.push(chan.to_string());
        self
    }
    /// With a number of runs.
    #[must_use]
    pub fn repeat(mut self, repeat: u32) -> Self {
        self.repeat = repeat;
        self
    }

    fn packet_bytes(&self) -> Vec<u8> {
        self.packet.clone().unwrap_or_else(|| vec![0; DEFAULT_PACKET])
    }
}

/// Why a program could not be run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// No such function.
    #[error("there is no function @{name}")]
    NoFunction {
        /// As it was asked for.
        name: String,
        /// A name like it.
        nearest: Option<String>,
    },
    /// The function takes what the inputs do not give.
    #[error("@{name} takes {expected}, not {got}")]
    Arguments {
        /// The function.
        name: String,
        /// What it takes.
        expected: String,
        /// How many there are.
        got: usize,
    },
    /// No such channel.
    #[error("there is no channel @{name}")]
    NoChannel {
        /// As it was asked for.
        name: String,
        /// A name like it.
        nearest: Option<String>,
    },
    /// An element that the channel does not take.
    #[error("an element of channel @{name} is {expected}")]
    Element {
        /// The channel.
        name: String,
        /// What it takes, and what was given.
        expected: String,
    },
    /// The interpreter cannot run the module.
    #[error(transparent)]
    Interp(#[from] InterpError),
    /// A map cannot be read or written.
    #[error("map `{map}`: {error}")]
    Map {
        /// The map.
        map: String,
        /// Why.
        error: MapError,
    },
    /// The kernel refuses.
    #[error(transparent)]
    Kernel(#[from] KernelError),
    /// BPF cannot be used here.
    #[error("the kernel is not available: {0}")]
    Unavailable(String),
    /// The function is no program entry, so the kernel cannot run it.
    #[error("@{0} is no program entry: it names no section")]
    NoEntry(String),
}

impl EngineError {
    /// The name that was probably meant.
    pub fn nearest(&self) -> Option<&str> {
        match self {
            EngineError::NoFunction { nearest, .. } | EngineError::NoChannel { nearest, .. } => {
                nearest.as_deref()
            }
            EngineError::Arguments { .. }
            | EngineError::Element { .. }
            | EngineError::Interp(_)
            | EngineError::Map { .. }
            | EngineError::Kernel(_)
            | EngineError::Unavailable(_)
            | EngineError::NoEntry(_) => None,
        }
    }
}

/// The function of a name.
fn function<'m>(module: &'m Module, name: &str) -> Result<(FuncId, &'m Function), EngineError> {
    let found = module.funcs.id(name).and_then(|id| module.funcs.get(id).map(|func| (id, func)));
    found.ok_or_else(|| {
        let names = module.funcs.iter().map(|(_, f)| &*f.name);
        let nearest = nearest(name, names).map(str::to_string);
        EngineError::NoFunction { name: name.to_string(), nearest }
    })
}

/// Whether programs of a function's section see a packet.
fn sees_packet(func: &Function) -> bool {
    let kind = func.section.as_deref().and_then(ProgramSection::parse).map(|s| s.kind);
    match kind {
        Some(
            ProgramKind::SocketFilter
            | ProgramKind::Classifier
            | ProgramKind::Action
            | ProgramKind::Xdp
            | ProgramKind::CgroupSkb,
        ) => true,
        Some(
            ProgramKind::Kprobe
            | ProgramKind::Tracepoint
            | ProgramKind::PerfEvent
            | ProgramKind::RawTracepoint
            | ProgramKind::Syscall,
        )
        | None => false,
    }
}

/// What a program that aborts returns: its section's code.
fn abort_code(func: &Function) -> Option<u64> {
    let section = func.section.as_deref()?;
    Some(larrow_backend_bpf::ctx::section(section).map_or(0, |s| u64::from(s.abort)))
}

#[cfg(test)]
mod tests;
