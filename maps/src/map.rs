//! A map, and what a program can do with it.

use crate::array::Array;
use crate::cells::{Cells, MAX_BYTES, Source, ValueId};
use crate::def::MapDef;
use crate::error::{DefError, DefProblem, MapError, Operation};
use crate::flags::UpdateFlags;
use crate::hash::Table;
use crate::kind::MapKind;
use crate::queue::{Order, Queue};
use crate::syscall::Syscall;

#[derive(Clone, Debug)]
pub(crate) enum Store {
    Array(Array),
    Hash(Table),
    Queue(Queue),
}

/// A BPF map. Its methods are a program's view; user space has [`Map::syscall`].
#[derive(Clone, Debug)]
pub struct Map {
    def: MapDef,
    cpus: u32,
    pub(crate) frozen: bool,
    pub(crate) store: Store,
}

impl Map {
    /// Makes a map for a machine of `cpus` CPUs. Arrays are zeroed, the others empty.
    ///
    /// # Errors
    /// Whatever [`MapDef::validate`] finds, no CPU, or more memory than [`MAX_BYTES`].
    pub fn new(def: MapDef, cpus: u32) -> Result<Map, DefError> {
        def.validate()?;
        if cpus == 0 {
            return Err(def.error(DefProblem::NoCpus));
        }
        // A hash grows as it fills, so that only one element must fit.
        let slots = if def.kind.is_hash() { 1 } else { def.max_entries };
        let bytes = Cells::new(&def, cpus).bytes_for(slots);
        if bytes > MAX_BYTES {
            return Err(def.error(DefProblem::TooMuchMemory { bytes }));
        }
        let store = match def.kind {
            MapKind::Array | MapKind::PercpuArray => Array::new(&def, cpus).map(Store::Array),
            MapKind::Hash | MapKind::PercpuHash | MapKind::LruHash | MapKind::LruPercpuHash => {
                Ok(Store::Hash(Table::new(&def, cpus)))
            }
            MapKind::Queue => Queue::new(&def, Order::OldestFirst).map(Store::Queue),
            MapKind::Stack => Queue::new(&def, Order::NewestFirst).map(Store::Queue),
        };
        match store {
            Ok(store) => Ok(Map { def, cpus, frozen: false, store }),
            Err(_) => Err(def.error(DefProblem::TooMuchMemory { bytes })),
        }
    }

    /// Its definition.
    #[must_use]
    pub fn def(&self) -> &MapDef {
        &self.def
    }

    /// How many CPUs it was made for.
    #[must_use]
    pub fn cpus(&self) -> u32 {
        self.cpus
    }

    /// How many elements it holds; an array always holds all.
    #[must_use]
    pub fn len(&self) -> u32 {
        match &self.store {
            Store::Array(_) => self.def.max_entries,
            Store::Hash(table) => table.len(),
            Store::Queue(queue) => queue.len(),
        }
    }

    /// Whether it holds no element.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The view of user space.
    pub fn syscall(&mut self) -> Syscall<'_> {
        Syscall::new(self)
    }

    pub(crate) fn wrong_kind(&self, operation: Operation) -> MapError {
        MapError::NotForKind { operation, kind: self.def.kind }
    }

    pub(crate) fn check_key(&self, key: &[u8]) -> Result<(), MapError> {
        check_size(key.len(), self.def.key_size as usize)
            .map_err(|(expected, got)| MapError::KeySize { expected, got })
    }

    fn check_value(&self, got: usize) -> Result<(), MapError> {
        check_size(got, self.def.value_size as usize)
            .map_err(|(expected, got)| MapError::ValueSize { expected, got })
    }

    fn check_write(&self, operation: Operation) -> Result<(), MapError> {
        if self.def.program_may_write() { Ok(()) } else { Err(MapError::ReadOnlyForPrograms { operation }) }
    }

    /// `bpf_map_lookup_elem` on `cpu`, and `bpf_map_lookup_percpu_elem` with another one: the value of a key,
    /// `None` if there is none or no such CPU. A use, for an LRU map.
    ///
    /// # Errors
    /// A key of the wrong size; a queue or stack.
    pub fn lookup(&mut self, key: &[u8], cpu: u32) -> Result<Option<ValueId>, MapError> {
        if cpu >= self.cpus {
            return Ok(None);
        }
        self.check_key(key)?;
        match &mut self.store {
            Store::Array(array) => Ok(array.lookup(index_of(key), cpu)),
            Store::Hash(table) => Ok(table.lookup(key, cpu)),
            Store::Queue(_) => Err(self.wrong_kind(Operation::Lookup)),
        }
    }

    /// The only value of an [`MapKind::Array`] with one entry, without a lookup (`BPF_PSEUDO_MAP_VALUE`).
    ///
    /// # Errors
    /// More entries (`ENOTSUPP`); another kind.
    pub fn direct_value(&self) -> Result<ValueId, MapError> {
        let (operation, kind) = (Operation::DirectValue, self.def.kind);
        match &self.store {
            Store::Array(array) if kind == MapKind::Array => {
                let only = array.lookup(0, 0).filter(|_| self.def.max_entries == 1);
                only.ok_or(MapError::Unsupported { operation, kind })
            }
            Store::Array(_) | Store::Hash(_) | Store::Queue(_) => Err(self.wrong_kind(operation)),
        }
    }

    fn cells(&self) -> Option<&Cells> {
        match &self.store {
            Store::Array(array) => Some(array.cells()),
            Store::Hash(table) => Some(table.cells()),
            Store::Queue(_) => None,
        }
    }

    /// The bytes of a value that a lookup gave; `None` for an id that this map never gave.
    #[must_use]
    pub fn value(&self, id: ValueId) -> Option<&[u8]> {
        self.cells()?.get(id)
    }

    /// The same to write to, whatever [`MapDef::program_may_write`] says: the engine checks that once, when it
    /// loads a program.
    pub fn value_mut(&mut self, id: ValueId) -> Option<&mut [u8]> {
        match &mut self.store {
            Store::Array(array) => array.cells_mut().get_mut(id),
            Store::Hash(table) => table.cells_mut().get_mut(id),
            Store::Queue(_) => None,
        }
    }

    /// `bpf_map_update_elem` on `cpu`. Of a per-CPU element it writes that CPU's value, and zeroes the others
    /// if it creates the element. Another pointer to an overwritten [`MapKind::Hash`] or [`MapKind::LruHash`]
    /// element keeps the *old* value.
    ///
    /// # Errors
    /// `EINVAL` for `flags`, `ENOENT` and `EEXIST` as they ask, `E2BIG` for no room or an index out of range,
    /// `EACCES` if programs may only read, and sizes that do not fit.
    pub fn update(&mut self, key: &[u8], value: &[u8], flags: u64, cpu: u32) -> Result<(), MapError> {
        self.check_write(Operation::Update)?;
        if cpu >= self.cpus {
            return Err(MapError::BadCpu { cpu, cpus: self.cpus });
        }
        self.check_key(key)?;
        self.check_value(value.len())?;
        let source = Source::Cpu(cpu, value);
        match &mut self.store {
            Store::Array(array) => array.update(index_of(key), source, UpdateFlags::from_bits(flags)?),
            Store::Hash(table) => table.update(key, source, UpdateFlags::from_bits(flags)?),
            Store::Queue(_) => Err(self.wrong_kind(Operation::Update)),
        }
    }

    /// `bpf_map_delete_elem`. Pointers to the element's value still reach its bytes, and nothing else's, until
    /// [`Map::quiesce`], unless more elements than `max_entries` (and more than 64) are deleted, evicted or
    /// overwritten in between: the memory of the earliest is then used again.
    ///
    /// # Errors
    /// `ENOENT` if absent; `EINVAL` for an array, a queue, a stack; `EACCES` if programs may only read.
    pub fn delete(&mut self, key: &[u8]) -> Result<(), MapError> {
        self.check_write(Operation::Delete)?;
        self.check_key(key)?;
        match &mut self.store {
            Store::Hash(table) => table.delete(key),
            Store::Array(_) | Store::Queue(_) => Err(self.wrong_kind(Operation::Delete)),
        }
    }

    /// `bpf_map_push_elem`: adds a value; [`BPF_EXIST`](crate::BPF_EXIST) drops the oldest of a full map.
    ///
    /// # Errors
    /// `E2BIG` if full; `EINVAL` for other flags or another kind of map; `EACCES` if programs may only read.
    pub fn push(&mut self, value: &[u8], flags: u64) -> Result<(), MapError> {
        self.check_write(Operation::Push)?;
        self.check_value(value.len())?;
        match &mut self.store {
            Store::Queue(queue) => queue.push(value, flags),
            Store::Array(_) | Store::Hash(_) => Err(self.wrong_kind(Operation::Push)),
        }
    }

    /// `bpf_map_pop_elem`: moves the oldest value of a queue, or the newest of a stack, to `out`.
    ///
    /// # Errors
    /// `ENOENT` if empty, and then `out` is zeroed; `EINVAL` for another kind of map; `EACCES` if programs may
    /// only read.
    pub fn pop(&mut self, out: &mut [u8]) -> Result<(), MapError> {
        self.check_write(Operation::Pop)?;
        self.check_value(out.len())?;
        match &mut self.store {
            Store::Queue(queue) => queue.pop(out),
            Store::Array(_) | Store::Hash(_) => Err(self.wrong_kind(Operation::Pop)),
        }
    }

    /// `bpf_map_peek_elem`: copies to `out` what [`Map::pop`] would move there.
    ///
    /// # Errors
    /// As [`Map::pop`], but a map that programs may only read allows it.
    pub fn peek(&self, out: &mut [u8]) -> Result<(), MapError> {
        self.check_value(out.len())?;
        match &self.store {
            Store::Queue(queue) => queue.peek(out),
            Store::Array(_) | Store::Hash(_) => Err(self.wrong_kind(Operation::Peek)),
        }
    }

    /// Says that no program runs any more, so that no [`ValueId`] is held: the memory of deleted, evicted and
    /// overwritten elements may be used again. It stands for the kernel's RCU grace period.
    pub fn quiesce(&mut self) {
        match &mut self.store {
            Store::Hash(table) => table.quiesce(),
            Store::Array(_) | Store::Queue(_) => {}
        }
    }
}

fn check_size(got: usize, expected: usize) -> Result<(), (usize, usize)> {
    if got == expected { Ok(()) } else { Err((expected, got)) }
}

/// The index that an array's key is, in the byte order of the machine: little-endian here. Its size has been
/// checked.
pub(crate) fn index_of(key: &[u8]) -> u32 {
    key.first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes))
}
