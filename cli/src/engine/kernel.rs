//! The kernel as an engine.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use larrow_backend_bpf::kernel::{Kernel, KernelVersion, LoadedObject, Map, Program, RunInput, UpdateMode};
use larrow_backend_bpf::object::{Contents, MapKind, Object};
use larrow_backend_bpf::ring::{RingEnd, Shared};
use larrow_ir::cranelift_entity::EntityRef;
use larrow_ir::{GlobalSection, Module};
use larrow_passes::lower::SITES_MAP;

use super::channels::{Channel, Channels, Feed, feed_ring};
use super::interp::{counters, place, tidy};
use super::{ChannelState, EngineError, Entry, Inputs, Observed, function, sees_packet};

/// Loads an object into the kernel and runs one of its programs. `module` is the module that the object was made
/// from, after the pipeline: it knows the channels, the sites and the user's names.
///
/// # Errors
/// The kernel is not available, or refuses the object; an unknown program or channel; elements of the wrong size.
pub fn kernel(
    object: &Object,
    module: &Module,
    entry: &str,
    inputs: &Inputs,
) -> Result<Observed, EngineError> {
    let mut loaded = Loaded::new(object, module)?;
    loaded.feed(inputs)?;
    loaded.run(entry, inputs)
}

/// The kernel's version, where BPF can be used.
///
/// # Errors
/// The reason why it cannot.
pub fn kernel_version() -> Result<KernelVersion, EngineError> {
    static PROBED: OnceLock<Result<KernelVersion, String>> = OnceLock::new();
    let probed = PROBED.get_or_init(|| Kernel::probe().map(|k| k.version()).map_err(|why| why.reason));
    probed.clone().map_err(EngineError::Unavailable)
}

/// What the kernel says of a loaded program.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Facts {
    /// Instructions that the verifier went through, over all paths.
    pub processed: Option<u64>,
    /// The most bytes of stack that the verifier found on any path through the calls.
    pub stack: Option<u32>,
    /// Bytes of machine code; `None` if it is interpreted.
    pub jited: Option<u32>,
}

/// An object in the kernel.
pub struct Loaded<'a> {
    object: &'a Object,
    module: &'a Module,
    channels: Channels,
    loaded: LoadedObject,
    /// Channels that no program reaches, which are no maps.
    idle: BTreeMap<String, ChannelState>,
    refused: BTreeMap<String, usize>,
}

impl<'a> Loaded<'a> {
    /// Loads an object.
    ///
    /// # Errors
    /// The kernel is not available, or refuses the object.
    pub fn new(object: &'a Object, module: &'a Module) -> Result<Self, EngineError> {
        kernel_version()?;
        let loaded = LoadedObject::load(object)?;
        let channels = Channels::of(module);
        let idle = channels.0.iter().filter(|c| c.ring.is_none());
        let idle = idle.map(|c| (c.name.clone(), ChannelState::default())).collect();
        Ok(Loaded { object, module, channels, loaded, idle, refused: BTreeMap::new() })
    }

    /// The maps and programs themselves.
    pub fn inner(&self) -> &LoadedObject {
        &self.loaded
    }

    /// Sends and closes as the inputs say, over the maps' shared memory.
    ///
    /// # Errors
    /// An unknown channel, elements of the wrong size.
    pub fn feed(&mut self, inputs: &Inputs) -> Result<(), EngineError> {
        for (chan, step) in self.channels.feed(self.module, inputs)? {
            let refused = match &chan.ring {
                Some(_) => on_ring(&self.loaded, chan, |end| feed_ring(end, &step))?,
                None => feed_idle(self.idle.entry(chan.name.clone()).or_default(), chan.cap, &step),
            };
            if refused {
                *self.refused.entry(chan.name.clone()).or_default() += 1;
            }
        }
        Ok(())
    }

    /// Runs a program as often as the inputs say, each time on the packet as given, then looks at everything.
    ///
    /// # Errors
    /// An unknown program; what the kernel refuses.
    pub fn run(&mut self, entry: &str, inputs: &Inputs) -> Result<Observed, EngineError> {
        let (_, func) = function(self.module, entry)?;
        let mut observed = Observed { refused: std::mem::take(&mut self.refused), ..Observed::default() };
        let program = self.program(entry)?;
        let data = if sees_packet(func) { inputs.packet_bytes() } else { Vec::new() };
        for _ in 0..inputs.repeat.max(1) {
            let run = program.test_run(&RunInput { data: data.clone(), ctx: None, repeat: 1 })?;
            observed.returns.push(Some(u64::from(run.retval)));
            observed.packet = run.data_out;
        }
        observed.ret = observed.returns.last().copied().flatten();
        self.look(&mut observed)?;
        Ok(observed)
    }

    /// The mean time of a run, in nanoseconds, over `repeat` runs. The channels and maps are what the runs before
    /// have left.
    ///
    /// # Errors
    /// As [`Loaded::run`].
    pub fn time(&self, entry: &str, inputs: &Inputs, repeat: u32) -> Result<u64, EngineError> {
        let (_, func) = function(self.module, entry)?;
        let data = if sees_packet(func) { inputs.packet_bytes() } else { Vec::new() };
        Ok(self.program(entry)?.test_run(&RunInput { data, ctx: None, repeat })?.duration_ns)
    }

    /// What the kernel says of a program.
    ///
    /// # Errors
    /// An unknown program; what the kernel refuses.
    pub fn facts(&self, entry: &str) -> Result<Facts, EngineError> {
        let program = self.program(entry)?;
        let info = program.info()?;
        let stats = program.stats();
        Ok(Facts {
            processed: stats.map(|s| s.processed),
            stack: stats.map(|s| s.stack_depths.iter().sum()),
            jited: (info.jited_len > 0).then_some(info.jited_len),
        })
    }

    fn program(&self, entry: &str) -> Result<&Program, EngineError> {
        function(self.module, entry)?;
        self.loaded.program(&c_name(entry)).ok_or_else(|| EngineError::NoEntry(entry.to_string()))
    }

    /// Reads channels, maps, variables and sites.
    fn look(&self, observed: &mut Observed) -> Result<(), EngineError> {
        observed.channels = self.idle.clone();
        for chan in self.channels.0.iter().filter(|c| c.ring.is_some()) {
            let state = on_ring(&self.loaded, chan, |end| ChannelState {
                contents: end.contents(),
                closed: end.is_closed(),
            })?;
            observed.channels.insert(chan.name.clone(), state);
        }
        let decls = &self.module.decls;
        for id in decls.maps.ids() {
            let name = decls.maps.name(id);
            let Some(map) = map_of(&self.loaded, name) else { continue };
            if name != SITES_MAP && !self.channels.holds(name) {
                observed.maps.insert(name.to_string(), entries(map)?);
            }
        }
        self.globals(observed)?;
        if let Some(map) = self.loaded.map(SITES_MAP) {
            for (site, decl) in &decls.sites {
                if let Some(record) = map.lookup(&(site.index() as u32).to_ne_bytes())? {
                    observed.sites.insert(decl.name.to_string(), counters(&record));
                }
            }
        }
        Ok(())
    }

    fn globals(&self, observed: &mut Observed) -> Result<(), EngineError> {
        let decls = &self.module.decls;
        let names: BTreeMap<String, &str> = decls
            .globals
            .iter()
            .filter(|(_, global)| global.section != GlobalSection::Rodata)
            .map(|(id, _)| (c_name(decls.globals.name(id)), decls.globals.name(id)))
            .collect();
        for section in &self.object.globals {
            let changes = match section.contents {
                Contents::ReadOnly(_) => false,
                Contents::Data(_) | Contents::Zeroed(_) => true,
            };
            // Sections of their own hold maps whose values are addressed directly.
            let changes = changes && [".data", ".bss"].contains(&section.name.as_str());
            let Some(map) = self.loaded.map(&section.name).filter(|_| changes) else { continue };
            let Some(bytes) = map.lookup(&[0; 4])? else { continue };
            for symbol in &section.symbols {
                let range = symbol.offset as usize..(symbol.offset + symbol.size) as usize;
                if let (Some(&name), Some(bytes)) = (names.get(&symbol.name), bytes.get(range)) {
                    observed.globals.insert(name.to_string(), bytes.to_vec());
                }
            }
        }
        Ok(())
    }

    /// Sets a map's entry from outside, between runs.
    ///
    /// # Errors
    /// An unknown map; what the kernel refuses.
    pub fn set(&self, map: &str, key: &[u8], value: &[u8]) -> Result<(), EngineError> {
        let map = map_of(&self.loaded, map).ok_or_else(|| EngineError::Map {
            map: map.to_string(),
            error: larrow_maps::MapError::NotFound,
        })?;
        Ok(map.update(key, value, UpdateMode::Any)?)
    }
}

/// The map of the module's name; one whose value is addressed directly is a data section.
fn map_of<'l>(loaded: &'l LoadedObject, name: &str) -> Option<&'l Map> {
    let name = c_name(name);
    loaded.map(&name).or_else(|| loaded.map(&format!(".data.{name}")))
}

/// Gives `f` the user's end of a channel's ring, over the map's shared memory.
fn on_ring<R>(
    loaded: &LoadedObject,
    chan: &Channel,
    f: impl FnOnce(&RingEnd<Shared<'_>>) -> R,
) -> Result<R, EngineError> {
    let missing =
        |map: &str| EngineError::Map { map: map.to_string(), error: larrow_maps::MapError::NotFound };
    let Some((name, ring)) = &chan.ring else { return Err(missing(&chan.name)) };
    let map = map_of(loaded, name).ok_or_else(|| missing(name))?;
    let values = map.mmap()?;
    let shared = Shared { words: values.words64(), bytes: values.bytes() };
    Ok(f(&RingEnd::new(*ring, shared)))
}

/// A channel that no program reaches: only user space sends and closes.
fn feed_idle(state: &mut ChannelState, cap: u64, step: &Feed<'_>) -> bool {
    match step {
        Feed::Send(_) if state.closed || state.contents.len() as u64 >= cap => true,
        Feed::Send(element) => {
            state.contents.push(element.to_vec());
            false
        }
        Feed::Close => {
            state.closed = true;
            false
        }
    }
}

fn entries(map: &Map) -> Result<Vec<Entry>, EngineError> {
    if map.key_size() == 0 {
        let mut found = Vec::new();
        while let Some(value) = map.lookup_and_delete(&[])? {
            found.push((place(found.len()), value));
        }
        return Ok(found);
    }
    let array = matches!(map.kind(), MapKind::Array | MapKind::PercpuArray);
    Ok(tidy(map.entries()?, map.value_size(), array))
}

/// A name as the object has it: BTF and the loaders take no other characters.
fn c_name(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' || c == '.' { c } else { '_' }).collect()
}
