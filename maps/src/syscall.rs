//! What user space can do with a map, by the `bpf` system call.

use crate::cells::Source;
use crate::def::MapDef;
use crate::error::{MapError, Operation};
use crate::flags::{BPF_F_RDONLY, BPF_F_WRONLY, UpdateFlags};
use crate::map::{Map, Store, index_of};

/// The view of user space on a [`Map`]. Queues and stacks take an empty key.
#[derive(Debug)]
pub struct Syscall<'a> {
    map: &'a mut Map,
}

impl<'a> Syscall<'a> {
    pub(crate) fn new(map: &'a mut Map) -> Syscall<'a> {
        Syscall { map }
    }

    /// The map's definition.
    #[must_use]
    pub fn def(&self) -> &MapDef {
        self.map.def()
    }

    /// Bytes of a value as copied here: for the per-CPU kinds all CPUs, each rounded up to 8.
    #[must_use]
    pub fn value_size(&self) -> usize {
        self.map.def().user_value_size(self.map.cpus())
    }

    fn check_read(&self, operation: Operation) -> Result<(), MapError> {
        let refused = self.def().flags & BPF_F_WRONLY != 0;
        if refused { Err(MapError::NotPermitted { operation }) } else { Ok(()) }
    }

    fn check_write(&self, operation: Operation) -> Result<(), MapError> {
        let refused = self.map.frozen || self.def().flags & BPF_F_RDONLY != 0;
        if refused { Err(MapError::NotPermitted { operation }) } else { Ok(()) }
    }

    /// `BPF_MAP_LOOKUP_ELEM`: a copy of the value; of a queue or stack, what a pop would take. Not a use, for
    /// an LRU map.
    ///
    /// # Errors
    /// `ENOENT` if there is none; `EPERM` if user space may only write; a key of the wrong size.
    pub fn lookup(&self, key: &[u8], flags: u64) -> Result<Vec<u8>, MapError> {
        if flags != 0 {
            return Err(MapError::BadFlags { flags });
        }
        self.check_read(Operation::Lookup)?;
        self.map.check_key(key)?;
        match &self.map.store {
            Store::Array(array) => {
                let slot = array.find(index_of(key)).ok_or(MapError::NotFound)?;
                Ok(array.cells().read_all(slot))
            }
            Store::Hash(table) => {
                let slot = table.find(key).ok_or(MapError::NotFound)?;
                Ok(table.cells().read_all(slot))
            }
            Store::Queue(queue) => {
                let mut out = vec![0; self.value_size()];
                queue.peek(&mut out).map(|()| out)
            }
        }
    }

    /// `BPF_MAP_UPDATE_ELEM`: writes the value, all CPUs of it; onto a queue or stack it pushes.
    ///
    /// # Errors
    /// As [`Map::update`] and [`Map::push`]; `EPERM` if the map is frozen or user space may only read.
    pub fn update(&mut self, key: &[u8], value: &[u8], flags: u64) -> Result<(), MapError> {
        self.check_write(Operation::Update)?;
        let checked = UpdateFlags::from_bits(flags)?;
        checked.refuse_lock()?;
        self.map.check_key(key)?;
        let (expected, got) = (self.value_size(), value.len());
        if got != expected {
            return Err(MapError::ValueSize { expected, got });
        }
        let source = Source::AllCpus(value);
        match &mut self.map.store {
            Store::Array(array) => array.update(index_of(key), source, checked),
            Store::Hash(table) => table.update(key, source, checked),
            Store::Queue(queue) => queue.push(value, flags),
        }
    }

    /// `BPF_MAP_DELETE_ELEM`.
    ///
    /// # Errors
    /// `ENOENT` if absent; `EINVAL` for an array, a queue, a stack; `EPERM` if the map is frozen or user space
    /// may only read.
    pub fn delete(&mut self, key: &[u8]) -> Result<(), MapError> {
        self.check_write(Operation::Delete)?;
        self.map.check_key(key)?;
        match &mut self.map.store {
            Store::Hash(table) => table.delete(key),
            Store::Array(_) | Store::Queue(_) => Err(self.map.wrong_kind(Operation::Delete)),
        }
    }

    /// `BPF_MAP_LOOKUP_AND_DELETE_ELEM`: takes an element out; of a queue or stack, pops.
    ///
    /// # Errors
    /// `ENOENT` if there is none; `ENOTSUPP` for an array; `EPERM` if user space may not both read and write.
    pub fn lookup_and_delete(&mut self, key: &[u8], flags: u64) -> Result<Vec<u8>, MapError> {
        let operation = Operation::LookupAndDelete;
        if flags != 0 {
            return Err(MapError::BadFlags { flags });
        }
        self.check_read(operation)?;
        self.check_write(operation)?;
        self.map.check_key(key)?;
        let (size, kind) = (self.value_size(), self.def().kind);
        match &mut self.map.store {
            Store::Array(_) => Err(MapError::Unsupported { operation, kind }),
            Store::Hash(table) => {
                let slot = table.find(key).ok_or(MapError::NotFound)?;
                let value = table.cells().read_all(slot);
                table.remove(slot);
                Ok(value)
            }
            Store::Queue(queue) => {
                let mut out = vec![0; size];
                queue.pop(&mut out).map(|()| out)
            }
        }
    }

    /// `BPF_MAP_GET_NEXT_KEY`: the key after `key`; the first for `None` and for a key that is not there. A
    /// hash goes by first insertion.
    ///
    /// # Errors
    /// `ENOENT` past the last; `EINVAL` for a queue or stack; `EPERM` if user space may only write.
    pub fn next_key(&self, key: Option<&[u8]>) -> Result<Vec<u8>, MapError> {
        self.check_read(Operation::NextKey)?;
        if let Store::Queue(_) = self.map.store {
            return Err(self.map.wrong_kind(Operation::NextKey));
        }
        key.map_or(Ok(()), |key| self.map.check_key(key))?;
        match &self.map.store {
            Store::Array(array) => {
                let next = array.next_index(key.map(index_of)).ok_or(MapError::NotFound)?;
                Ok(next.to_le_bytes().to_vec())
            }
            Store::Hash(table) => {
                let slot = table.next_slot(key).ok_or(MapError::NotFound)?;
                Ok(table.key(slot).to_vec())
            }
            Store::Queue(_) => Err(self.map.wrong_kind(Operation::NextKey)),
        }
    }

    /// `BPF_MAP_FREEZE`: user space may not write any more; programs still may.
    ///
    /// # Errors
    /// `EPERM` if it may not even now.
    pub fn freeze(&mut self) -> Result<(), MapError> {
        self.check_write(Operation::Freeze)?;
        self.map.frozen = true;
        Ok(())
    }
}
