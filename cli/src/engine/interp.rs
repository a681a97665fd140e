//! The interpreter as an engine.

use std::collections::HashMap;

use larrow_backend_bpf::ring::{Private, RingEnd};
use larrow_backend_bpf::runtime::Ring;
use larrow_interp::{CtxValue, Env, Interp, Options, Outcome, Prng, TestEnv, Val};
use larrow_ir::cranelift_entity::EntityRef;
use larrow_ir::{FuncId, Function, GlobalSection, Module, Op};
use larrow_maps::{Map, MapError};
use larrow_passes::lower::SITES_MAP;

use super::channels::{Channel, Channels, Feed, feed_ring};
use super::observed::TrapSeen;
use super::{ChannelState, EngineError, Entry, Inputs, Observed, abort_code, function, sees_packet};

/// Runs a function of a module, at any stage of the pipeline, in the interpreter.
///
/// Channels that are not bound yet are the interpreter's own; those bound to rings are fed and read through the
/// user's end of the ring, as a user-space program would.
///
/// # Errors
/// An unknown function or channel, elements of the wrong size, a module that the interpreter cannot hold. A trap
/// of the program is an observation, not an error.
pub fn interp(module: &Module, entry: &str, inputs: &Inputs) -> Result<Observed, EngineError> {
    let mut interpreter = Interpreter::new(module, inputs)?;
    interpreter.feed(inputs)?;
    interpreter.run(entry, inputs)
}

/// A module in the interpreter, for those who do more than [`interp()`] does: feed, run, feed, run.
pub struct Interpreter<'m> {
    module: &'m Module,
    channels: Channels,
    interp: Interp<'m>,
    observed: Observed,
    /// Whether any run panicked.
    panicked: bool,
}

impl<'m> Interpreter<'m> {
    /// Makes the module's maps, variables and channels.
    ///
    /// # Errors
    /// A module that the interpreter cannot hold.
    pub fn new(module: &'m Module, inputs: &Inputs) -> Result<Self, EngineError> {
        let options =
            Options { steps: inputs.steps, select_order: inputs.select_order, ..Options::default() };
        let interp = Interp::with_env(module, options, Box::new(Surroundings::new(inputs)))?;
        let (channels, observed) = (Channels::of(module), Observed::default());
        Ok(Interpreter { module, channels, interp, observed, panicked: false })
    }

    /// The interpreter itself.
    pub fn inner(&mut self) -> &mut Interp<'m> {
        &mut self.interp
    }

    /// Sends and closes as the inputs say.
    ///
    /// # Errors
    /// An unknown channel, elements of the wrong size.
    pub fn feed(&mut self, inputs: &Inputs) -> Result<(), EngineError> {
        for (chan, step) in self.channels.feed(self.module, inputs)? {
            let refused = match &chan.ring {
                Some((map, ring)) => {
                    let map = map_mut(&mut self.interp, map)?;
                    on_ring(map, *ring, |end| feed_ring(end, &step))?
                }
                None => feed_native(&mut self.interp, chan, &step)?,
            };
            if refused {
                *self.observed.refused.entry(chan.name.clone()).or_default() += 1;
            }
        }
        Ok(())
    }

    /// Runs a function as often as the inputs say, then looks at everything.
    ///
    /// # Errors
    /// An unknown function, or one whose arguments are not given.
    pub fn run(&mut self, entry: &str, inputs: &Inputs) -> Result<Observed, EngineError> {
        let (id, func) = function(self.module, entry)?;
        let args = self.arguments(func, inputs)?;
        let mut observed = std::mem::take(&mut self.observed);
        for _ in 0..inputs.repeat.max(1) {
            self.interp.set_packet(&inputs.packet_bytes());
            self.once(id, func, &args, &mut observed);
            if observed.trap.is_some() {
                break;
            }
        }
        observed.ret = observed.returns.last().copied().flatten();
        if sees_packet(func) || (func.section.is_none() && inputs.packet.is_some()) {
            observed.packet = self.interp.packet().to_vec();
        }
        self.look(&mut observed)?;
        Ok(observed)
    }

    fn arguments(&self, func: &Function, inputs: &Inputs) -> Result<Vec<Val>, EngineError> {
        if let Some(args) = self.interp.entry_args(&func.name)
            && (inputs.args.is_empty() || !args.is_empty())
        {
            return Ok(args);
        }
        if inputs.args.len() != func.params.len() {
            let expected = match func.params.len() {
                1 => "1 number".to_string(),
                n => format!("{n} numbers"),
            };
            let name = func.name.to_string();
            return Err(EngineError::Arguments { name, expected, got: inputs.args.len() });
        }
        let width = |v| self.module.decls.types.bits(func.ty(v)).unwrap_or(64);
        let args = func.params.iter().zip(&inputs.args);
        Ok(args.map(|(&v, &arg)| Val::Int(arg & (u64::MAX >> (64 - width(v).clamp(1, 64))))).collect())
    }

    fn once(&mut self, id: FuncId, func: &Function, args: &[Val], observed: &mut Observed) {
        let result = match self.interp.run_func(id, args) {
            Ok(result) => result,
            Err(trap) => {
                observed.returns.push(None);
                observed.trap = Some(TrapSeen { kind: trap.kind, trap });
                return;
            }
        };
        observed.steps += result.steps;
        observed.aborted = match &result.outcome {
            Outcome::Returned(_) => None,
            Outcome::Panicked { text, .. } => Some(text.clone()),
            Outcome::Aborted { .. } => Some("exit".to_string()),
        };
        self.panicked |= observed.aborted.is_some();
        let ret = match &result.outcome {
            Outcome::Returned(_) => result.value().and_then(Val::as_int),
            Outcome::Panicked { .. } | Outcome::Aborted { .. } => abort_code(func),
        };
        // The kernel takes 32 bits of what a program returns; of one that returns nothing, zero.
        let ret = if func.section.is_some() { Some(ret.unwrap_or(0) & 0xffff_ffff) } else { ret };
        observed.returns.push(ret);
    }

    /// Reads channels, maps, variables and sites.
    fn look(&mut self, observed: &mut Observed) -> Result<(), EngineError> {
        for chan in &self.channels.0 {
            let state = match &chan.ring {
                Some((map, ring)) => on_ring(map_mut(&mut self.interp, map)?, *ring, |end| ChannelState {
                    contents: end.contents(),
                    closed: end.is_closed(),
                })?,
                None => ChannelState {
                    contents: self.interp.contents(&chan.name)?,
                    closed: self.interp.closed(&chan.name)?,
                },
            };
            observed.channels.insert(chan.name.clone(), state);
        }
        let decls = &self.module.decls;
        for id in decls.maps.ids() {
            let name = decls.maps.name(id);
            if name != SITES_MAP && !self.channels.holds(name) {
                let entries = entries(map_mut(&mut self.interp, name)?)?;
                observed.maps.insert(name.to_string(), entries);
            }
        }
        for (id, global) in decls.globals.iter() {
            if global.section != GlobalSection::Rodata {
                let name = decls.globals.name(id);
                observed.globals.insert(name.to_string(), self.interp.global(name)?.to_vec());
            }
        }
        self.sites(observed)
    }

    /// Adds up what is counted in the map of sites and what the interpreter counts where outcomes are ops still:
    /// between the two, some functions have the one and some the other.
    fn sites(&mut self, observed: &mut Observed) -> Result<(), EngineError> {
        let decls = &self.module.decls;
        let in_map = decls.maps.id(SITES_MAP).is_some();
        // A panic inside a runtime call ends the run before the count that stands behind the call. Binding makes
        // the two separate; until then the counts of such runs cannot be known.
        let lost = in_map && self.panicked && has_op(self.module, Op::CallRuntime);
        if lost || !(in_map || has_op(self.module, Op::Outcome)) {
            return Ok(());
        }
        for (site, decl) in &decls.sites {
            let mut counts = self.interp.outcomes(site);
            if in_map {
                let key = (site.index() as u32).to_le_bytes();
                // A site that was made after the map is counted nowhere.
                let record = map_mut(&mut self.interp, SITES_MAP)?.syscall().lookup(&key, 0);
                let record = record.map_or([0; 4], |record| counters(&record));
                counts.iter_mut().zip(record).for_each(|(count, more)| *count += more);
            }
            observed.sites.insert(decl.name.to_string(), counts);
        }
        Ok(())
    }
}

/// The four counters of a site's record.
pub(super) fn counters(record: &[u8]) -> [u64; 4] {
    let mut counts = [0; 4];
    for (count, word) in counts.iter_mut().zip(record.chunks_exact(8)) {
        *count = word.try_into().map_or(0, u64::from_le_bytes);
    }
    counts
}

fn has_op(module: &Module, op: Op) -> bool {
    let has = |func: &Function| func.iter_insts().any(|(_, v)| func.inst(v).op == op);
    module.funcs.iter().any(|(_, func)| has(func))
}

fn map_mut<'a>(interp: &'a mut Interp<'_>, name: &str) -> Result<&'a mut Map, EngineError> {
    let map = interp.maps_mut().named_mut(name);
    map.ok_or_else(|| EngineError::Map { map: name.to_string(), error: MapError::NotFound })
}

/// Gives `f` the user's end of the ring in a map's only value.
fn on_ring<R>(
    map: &mut Map,
    ring: Ring,
    f: impl FnOnce(&RingEnd<Private<'_>>) -> R,
) -> Result<R, EngineError> {
    let name = map.def().name.clone();
    let failed = |error| EngineError::Map { map: name.clone(), error };
    let id = map.direct_value().map_err(failed)?;
    let bytes = map.value_mut(id).ok_or_else(|| failed(MapError::NotFound))?;
    Ok(f(&RingEnd::new(ring, Private::new(bytes))))
}

fn feed_native(interp: &mut Interp<'_>, chan: &Channel, step: &Feed<'_>) -> Result<bool, EngineError> {
    match step {
        Feed::Send(_) if interp.closed(&chan.name)? => Ok(true),
        Feed::Send(element) => Ok(!interp.send(&chan.name, element)?),
        Feed::Close => {
            if !interp.closed(&chan.name)? {
                interp.close(&chan.name)?;
            }
            Ok(false)
        }
    }
}

/// The entries of a map as user space reads them, in the form of [`Observed::maps`]. Takes the elements out of
/// queues and stacks.
fn entries(map: &mut Map) -> Result<Vec<Entry>, EngineError> {
    let def = map.def().clone();
    let mut side = map.syscall();
    let mut found = Vec::new();
    if def.key_size == 0 {
        while let Ok(value) = side.lookup_and_delete(&[], 0) {
            found.push((place(found.len()), value));
        }
        return Ok(found);
    }
    let mut key = side.next_key(None).ok();
    while let Some(current) = key {
        if let Ok(value) = side.lookup(&current, 0) {
            found.push((current.clone(), value));
        }
        key = side.next_key(Some(&current)).ok();
    }
    let array = matches!(def.kind, larrow_maps::MapKind::Array | larrow_maps::MapKind::PercpuArray);
    Ok(tidy(found, def.value_size as usize, array))
}

/// The key of an element of a queue or stack: its place.
pub(super) fn place(index: usize) -> Vec<u8> {
    (index as u64).to_be_bytes().to_vec()
}

/// Adds up the values of several CPUs, drops an array's zeros, sorts.
pub(super) fn tidy(entries: Vec<Entry>, value_size: usize, array: bool) -> Vec<Entry> {
    let merged = entries.into_iter().map(|(key, value)| (key, add_up(&value, value_size)));
    let mut kept: Vec<Entry> =
        merged.filter(|(_, value)| !array || value.iter().any(|&byte| byte != 0)).collect();
    kept.sort();
    kept
}

/// Adds up a value's copies, each padded to 8 bytes, in words of 8, 4 or 1 bytes as the size allows.
fn add_up(copies: &[u8], size: usize) -> Vec<u8> {
    let stride = size.next_multiple_of(8).max(1);
    if copies.len() <= stride {
        return copies[..size.min(copies.len())].to_vec();
    }
    let word = [8, 4].into_iter().find(|w| size.is_multiple_of(*w)).unwrap_or(1);
    let mut sum = vec![0; size];
    for copy in copies.chunks_exact(stride) {
        for (to, from) in sum.chunks_exact_mut(word).zip(copy[..size].chunks_exact(word)) {
            let read = |bytes: &[u8]| bytes.iter().rev().fold(0u64, |n, &byte| n << 8 | u64::from(byte));
            let total = read(to).wrapping_add(read(from)).to_le_bytes();
            to.copy_from_slice(&total[..word]);
        }
    }
    sum
}

/// What surrounds a program in a test run: fields as the kernel's test run sets them, other known fields zero.
struct Surroundings {
    env: TestEnv,
}

/// Packets of a test run come in on the loopback device.
const LOOPBACK: u64 = 1;

impl Surroundings {
    fn new(inputs: &Inputs) -> Surroundings {
        let packet = inputs.packet_bytes();
        let protocol = packet.get(12..14).map_or(0, |p| u64::from(u16::from_le_bytes([p[0], p[1]])));
        let fields = [("ifindex", LOOPBACK), ("protocol", protocol), ("wire_len", packet.len() as u64)];
        let fields: HashMap<String, u64> = fields.map(|(name, v)| (name.to_string(), v)).into();
        Surroundings { env: TestEnv { random: Prng::new(inputs.seed), fields, ..TestEnv::default() } }
    }
}

impl Env for Surroundings {
    fn ctx_field(&mut self, ctx: &str, field: &str) -> Option<CtxValue> {
        if (ctx, field) == ("xdp", "ingress_ifindex") {
            return Some(CtxValue::Int(LOOPBACK));
        }
        self.env.ctx_field(ctx, field).or_else(|| {
            let sections = larrow_backend_bpf::ctx::SECTIONS.iter().filter(|s| s.ctx == ctx);
            let mut fields = sections.flat_map(|s| s.fields);
            fields.find(|f| f.name == field).map(|_| CtxValue::Int(0))
        })
    }
    fn helper(&mut self, name: &str, args: &[Val]) -> Result<Val, String> {
        self.env.helper(name, args)
    }
    fn random(&mut self) -> u32 {
        self.env.random()
    }
    fn cpu(&self) -> u32 {
        self.env.cpu()
    }
}
