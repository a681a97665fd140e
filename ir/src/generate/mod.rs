//! Random valid modules, built by construction: programs that every engine must run to the same end. They feed
//! the round trip of the text format, the fuzzers, and the comparison of the interpreter with a target.
//!
//! A program never reads what it has not written, never leaves an object's bounds, never loops for long; all that
//! it computes is folded into an accumulator that ends in its result, its packet, its maps and its variables. It
//! may abort, at the same place every time: a send to a closed channel, a `Panic`. Operations that would block
//! are meant for the mode in which they complete at once.
//!
//! Modules repeat from their seed. [`Coverage`] counts what they hold; [`reduce`] makes a failing one small.
//!
//! **Invariant:** nothing here looks at a module and throws it away.

mod calls;
mod chans;
mod coverage;
mod flow;
mod func;
mod lowered;
mod maps;
mod memory;
mod random;
mod reduce;
mod scalar;
#[cfg(test)]
mod tests;
mod world;

use crate::module::Module;

pub use coverage::Coverage;
pub use random::Random;
pub use reduce::reduce;

use func::{Role, function};
use world::World;

/// What generated modules may hold.
#[derive(Clone, Debug)]
pub struct Profile {
    /// Only what the BPF target takes: no floats, heap, indirect calls, goroutines, `MakeChan`, intrinsics,
    /// runtime calls; frames of some 100 bytes.
    pub bpf: bool,
    /// How many statements a function has, about.
    pub size: usize,
    /// Module-level channels and all that is done to them.
    pub channels: bool,
    /// Slots, variables, atomics.
    pub memory: bool,
    /// Maps.
    pub maps: bool,
    /// The entry is an XDP program, `@prog`, that reads and writes its packet; otherwise it is
    /// `func @main(v0: u64, v1: u32) -> u64`. Always so for BPF.
    pub packet: bool,
    /// Runtime calls and their outcomes, as after the channel lowerings, beside the channel ops. Not for BPF.
    pub lowered: bool,
    /// `Go` and `newproc` of a function that only returns. Not for BPF.
    pub goroutines: bool,
}

impl Profile {
    /// Everything that the BPF target takes.
    pub fn bpf() -> Profile {
        Profile {
            bpf: true,
            size: 12,
            channels: true,
            memory: true,
            maps: true,
            packet: true,
            lowered: false,
            goroutines: false,
        }
    }
    /// Every op that there is.
    pub fn full() -> Profile {
        Profile { bpf: false, size: 16, lowered: true, goroutines: true, ..Profile::bpf() }
    }
    /// Everything that the interpreter runs before the channel ops are lowered, from scalar arguments.
    pub fn source() -> Profile {
        Profile { packet: false, lowered: false, goroutines: false, ..Profile::full() }
    }
    fn has_packet(&self) -> bool {
        self.packet || self.bpf
    }
    fn has_runtime_calls(&self) -> bool {
        self.lowered && self.channels && !self.bpf
    }
    fn has_goroutines(&self) -> bool {
        self.goroutines && !self.bpf
    }
}

/// The intrinsic that modules outside of BPF declare, `@gen.mix: func(u32) -> u32 pure`. Engines register it.
pub const INTRINSIC: &str = "gen.mix";

/// What [`INTRINSIC`] computes.
pub fn intrinsic_mix(x: u32) -> u32 {
    x.wrapping_mul(0x9e37_79b1) ^ (x >> 15)
}

/// The name of the entry function that a profile's modules have.
pub fn entry_name(profile: &Profile) -> &'static str {
    if profile.has_packet() { "prog" } else { "main" }
}

/// The module of a seed.
pub fn generate(seed: u64, profile: &Profile) -> Module {
    let mut random = Random::new(seed);
    let mut module = Module::new("gen.go");
    let mut world = World::declare(&mut module.decls, profile, &mut random);
    if profile.has_goroutines() {
        let (func, callee) = function(&mut module.decls, &world, &mut random, Role::Idle, "idle");
        world.idle = module.add_func(func).ok().map(|id| callee.with_id(id));
    }
    for i in 0..random.below(4) {
        let (func, callee) = function(&mut module.decls, &world, &mut random, Role::Helper, &format!("f{i}"));
        if let Ok(id) = module.add_func(func) {
            world.callees.push(callee.with_id(id));
        }
    }
    let (func, _) = function(&mut module.decls, &world, &mut random, Role::Entry, entry_name(profile));
    module.add_func(func).expect("the helpers have other names");
    module
}
