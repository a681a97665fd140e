//! What surrounds a program: its context's fields, the target's helpers, randomness, time.

use std::collections::HashMap;

use crate::value::Val;

/// A field of the context.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CtxValue {
    /// A number.
    Int(u64),
    /// The start of the packet.
    PacketStart,
    /// The end of the packet.
    PacketEnd,
    /// The length of the packet, a number.
    PacketLen,
}

/// What the interpreter asks of its surroundings.
pub trait Env {
    /// The field of a context: `ctx` is the opaque type's name, such as `xdp`. `None` if there is no such field.
    fn ctx_field(&mut self, ctx: &str, field: &str) -> Option<CtxValue>;

    /// Calls a helper of the target.
    ///
    /// # Errors
    /// A plain sentence, when there is no such helper or it does not take these arguments.
    fn helper(&mut self, name: &str, args: &[Val]) -> Result<Val, String>;

    /// The next random number: what `get_prandom_u32` and a select's rotation draw from, in one sequence.
    fn random(&mut self) -> u32;

    /// The CPU that the program runs on: which value of a per-CPU map it sees.
    fn cpu(&self) -> u32 {
        0
    }
}

/// SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014), the high half of
/// each number.
#[derive(Clone, Debug)]
pub struct Prng(u64);

impl Prng {
    /// The sequence of a seed.
    pub fn new(seed: u64) -> Prng {
        Prng(seed)
    }

    /// The next number.
    pub fn next_u32(&mut self) -> u32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 32) as u32
    }
}

/// The surroundings of a test run: packet fields for `xdp` and socket buffers, any other field by name, a clock
/// that stands still, seeded randomness.
#[derive(Clone, Debug)]
pub struct TestEnv {
    /// What `get_prandom_u32` and select rotations draw from.
    pub random: Prng,
    /// What `ktime_get_ns` answers, in nanoseconds.
    pub now: u64,
    /// What `get_smp_processor_id` answers.
    pub cpu: u32,
    /// Fields of the context by name; they come before the built-in ones.
    pub fields: HashMap<String, u64>,
}

impl Default for TestEnv {
    fn default() -> Self {
        TestEnv { random: Prng::new(0), now: 0, cpu: 0, fields: HashMap::new() }
    }
}

/// Fields that a test run's context has, and is zero in, unless [`TestEnv::fields`] says otherwise.
const XDP_FIELDS: [&str; 3] = ["ingress_ifindex", "rx_queue_index", "egress_ifindex"];
const SKB_FIELDS: [&str; 13] = [
    "pkt_type",
    "mark",
    "queue_mapping",
    "protocol",
    "vlan_present",
    "vlan_tci",
    "vlan_proto",
    "priority",
    "ingress_ifindex",
    "ifindex",
    "tc_index",
    "hash",
    "tc_classid",
];

impl Env for TestEnv {
    fn ctx_field(&mut self, ctx: &str, field: &str) -> Option<CtxValue> {
        if let Some(&value) = self.fields.get(field) {
            return Some(CtxValue::Int(value));
        }
        let xdp = ctx == "xdp" || ctx == "xdp_md";
        match field {
            "data" => Some(CtxValue::PacketStart),
            "data_end" => Some(CtxValue::PacketEnd),
            "len" if !xdp => Some(CtxValue::PacketLen),
            zero => {
                let known = if xdp { XDP_FIELDS.contains(&zero) } else { SKB_FIELDS.contains(&zero) };
                known.then_some(CtxValue::Int(0))
            }
        }
    }

    fn helper(&mut self, name: &str, args: &[Val]) -> Result<Val, String> {
        let value = match name {
            "get_prandom_u32" => u64::from(self.random()),
            "ktime_get_ns" | "ktime_get_boot_ns" | "ktime_get_coarse_ns" => self.now,
            "get_smp_processor_id" => u64::from(self.cpu),
            unknown => return Err(format!("the test environment has no helper `{unknown}`")),
        };
        if args.is_empty() { Ok(Val::Int(value)) } else { Err(format!("helper `{name}` takes no arguments")) }
    }

    fn random(&mut self) -> u32 {
        self.random.next_u32()
    }

    fn cpu(&self) -> u32 {
        self.cpu
    }
}
