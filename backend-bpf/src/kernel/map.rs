//! Maps in the kernel.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::OnceLock;

use super::sys::{self, Command};
use super::{KernelError, LoadedBtf};
use crate::btf::Btf;
use crate::object::{Layout, MapKind, MapSpec};

/// What an update does where the key is there already, or is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UpdateMode {
    /// Sets the value either way.
    #[default]
    Any,
    /// Fails with `EEXIST` if the key is there.
    OnlyNew,
    /// Fails with `ENOENT` if it is not.
    OnlyExisting,
}

impl UpdateMode {
    fn bits(self) -> u64 {
        match self {
            Self::Any => 0,
            Self::OnlyNew => 1,
            Self::OnlyExisting => 2,
        }
    }
}

/// A key and its value.
pub type Entry = (Vec<u8>, Vec<u8>);

/// A map in the kernel; it goes when it is dropped and no program uses it.
#[derive(Debug)]
pub struct Map {
    fd: OwnedFd,
    name: String,
    kind: MapKind,
    key_size: u32,
    value_size: u32,
    max_entries: u32,
    flags: u32,
}

/// The types of a map's keys and values, by their ids in loaded BTF; key 0 is that of a data section's map.
pub(super) struct MapTypes<'a> {
    pub(super) btf: &'a LoadedBtf,
    pub(super) key: u32,
    pub(super) value: u32,
}

impl Map {
    /// Makes a map. `types` resolves the types that the declaration names; with `loaded`, the same types as the kernel
    /// has them, the map has them too, where both key and value are described and the kind takes types.
    ///
    /// # Errors
    /// The declaration names types without size, or the kernel refuses.
    pub fn create(spec: &MapSpec, types: &Btf, loaded: Option<&LoadedBtf>) -> Result<Self, KernelError> {
        let sizes = (spec.key.size(types)?, spec.value.size(types)?);
        let described = match (spec.key, spec.value, loaded) {
            (Layout::Type(key), Layout::Type(value), Some(btf)) if spec.kind.takes_types() => {
                Some(MapTypes { btf, key: key.0, value: value.0 })
            }
            (_, _, _) => None,
        };
        Self::create_sized(spec, sizes, described)
    }

    pub(super) fn create_sized(
        spec: &MapSpec,
        (key_size, value_size): (u32, u32),
        types: Option<MapTypes<'_>>,
    ) -> Result<Self, KernelError> {
        let max_entries = match (spec.kind, spec.max_entries) {
            (MapKind::PerfEventArray, 0) => possible_cpus() as u32,
            (_, max_entries) => max_entries,
        };
        let mut attributes = sys::MapCreate {
            kind: spec.kind.number(),
            key_size,
            value_size,
            max_entries,
            flags: spec.flags,
            name: sys::object_name(&spec.name),
            extra: spec.extra,
            ..Default::default()
        };
        if let Some(types) = types {
            attributes.btf_fd = types.btf.as_fd().as_raw_fd().cast_unsigned();
            attributes.btf_key_type_id = types.key;
            attributes.btf_value_type_id = types.value;
        }
        // SAFETY: the attributes hold no address, and the command makes a descriptor.
        let fd = unsafe { sys::bpf_fd(Command::MapCreate, &mut attributes) };
        let fd =
            fd.map_err(KernelError::call(format!("creating {} map `{}`", spec.kind.name(), spec.name)))?;
        let (name, kind, flags) = (spec.name.clone(), spec.kind, spec.flags);
        Ok(Self { fd, name, kind, key_size, value_size, max_entries, flags })
    }

    /// The map's name, in full.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its kind.
    pub fn kind(&self) -> MapKind {
        self.kind
    }

    /// Bytes in a key; 0 for kinds without keys.
    pub fn key_size(&self) -> usize {
        self.key_size as usize
    }

    /// Bytes in a value (on one CPU).
    pub fn value_size(&self) -> usize {
        self.value_size as usize
    }

    /// How many entries it has room for.
    pub fn max_entries(&self) -> u32 {
        self.max_entries
    }

    /// Its `BPF_F_*` flags.
    pub fn flags(&self) -> u32 {
        self.flags
    }

    /// Bytes that a look-up gives: a value, or one for each possible CPU, each padded to 8 bytes.
    pub fn transfer_size(&self) -> usize {
        if self.kind.is_per_cpu() {
            self.value_size().next_multiple_of(8) * possible_cpus()
        } else {
            self.value_size()
        }
    }

    /// The value under a key; none if the key is not there. A stack's or queue's next value is under the empty key.
    ///
    /// # Errors
    /// A key of the wrong size, or a kind of map without look-up.
    pub fn lookup(&self, key: &[u8]) -> Result<Option<Vec<u8>>, KernelError> {
        self.fetch(Command::MapLookup, key)
    }

    /// The values under a key on each possible CPU.
    ///
    /// # Errors
    /// As [`lookup`](Self::lookup).
    pub fn lookup_per_cpu(&self, key: &[u8]) -> Result<Option<Vec<Vec<u8>>>, KernelError> {
        let Some(bytes) = self.lookup(key)? else { return Ok(None) };
        let stride = self.value_size().next_multiple_of(8).max(1);
        let values = bytes.chunks(stride).map(|chunk| chunk[..self.value_size()].to_vec());
        Ok(Some(values.collect()))
    }

    /// Takes out the value under a key, or a stack's or queue's next one (with the empty key).
    ///
    /// # Errors
    /// As [`lookup`](Self::lookup).
    pub fn lookup_and_delete(&self, key: &[u8]) -> Result<Option<Vec<u8>>, KernelError> {
        self.fetch(Command::MapLookupAndDelete, key)
    }

    fn fetch(&self, command: Command, key: &[u8]) -> Result<Option<Vec<u8>>, KernelError> {
        self.check_key(key)?;
        let mut value = vec![0; self.transfer_size()];
        let mut attributes = self.element(key, sys::address_mut(&mut value), 0);
        // SAFETY: the key has the map's key size (or is absent), the value the size that the kernel copies.
        let result = unsafe { sys::bpf(command, &mut attributes) };
        match found(result) {
            Ok(true) => Ok(Some(value)),
            Ok(false) => Ok(None),
            Err(error) => Err(self.failed("reading", error)),
        }
    }

    /// Sets the value under a key, or pushes it (with the empty key). A per-CPU map takes
    /// [`transfer_size`](Self::transfer_size) bytes; see [`update_per_cpu`](Self::update_per_cpu).
    ///
    /// # Errors
    /// A key or value of the wrong size; a full map (`E2BIG`, `ENOSPC`); what `mode` says.
    pub fn update(&self, key: &[u8], value: &[u8], mode: UpdateMode) -> Result<(), KernelError> {
        self.check_key(key)?;
        self.check(value, "a value", self.transfer_size())?;
        let mut attributes = self.element(key, sys::address(value), mode.bits());
        // SAFETY: key and value have the sizes that the kernel reads.
        let result = unsafe { sys::bpf(Command::MapUpdate, &mut attributes) };
        result.map(|_| ()).map_err(|error| self.failed("updating", error))
    }

    /// Sets the values under a key, one for each possible CPU.
    ///
    /// # Errors
    /// As [`update`](Self::update); too few or too many values.
    pub fn update_per_cpu(
        &self,
        key: &[u8],
        values: &[Vec<u8>],
        mode: UpdateMode,
    ) -> Result<(), KernelError> {
        let mut bytes = Vec::with_capacity(self.transfer_size());
        for value in values {
            self.check(value, "a value", self.value_size())?;
            bytes.extend_from_slice(value);
            bytes.resize(bytes.len().next_multiple_of(8), 0);
        }
        self.update(key, &bytes, mode)
    }

    /// Removes a key; whether it was there.
    ///
    /// # Errors
    /// A key of the wrong size, or a kind of map without deletion.
    pub fn delete(&self, key: &[u8]) -> Result<bool, KernelError> {
        self.check_key(key)?;
        let mut attributes = self.element(key, 0, 0);
        // SAFETY: the key has the map's key size.
        let result = unsafe { sys::bpf(Command::MapDelete, &mut attributes) };
        found(result).map_err(|error| self.failed("deleting from", error))
    }

    /// The key after `key`, or the first one; none at the end. A key that is not there has the first one after it.
    ///
    /// # Errors
    /// A key of the wrong size, or a kind of map without keys.
    pub fn next_key(&self, key: Option<&[u8]>) -> Result<Option<Vec<u8>>, KernelError> {
        if let Some(key) = key {
            self.check_key(key)?;
        }
        let mut next = vec![0; self.key_size()];
        let mut attributes = self.element(key.unwrap_or_default(), sys::address_mut(&mut next), 0);
        // SAFETY: the key has the map's key size or is absent, and so has the room for the next one.
        let result = unsafe { sys::bpf(Command::MapNextKey, &mut attributes) };
        match found(result) {
            Ok(true) => Ok(Some(next)),
            Ok(false) => Ok(None),
            Err(error) => Err(self.failed("going through", error)),
        }
    }

    /// All entries, in the kernel's order. Entries that go while this looks are left out.
    ///
    /// # Errors
    /// As [`next_key`](Self::next_key).
    pub fn entries(&self) -> Result<Vec<Entry>, KernelError> {
        let mut entries = Vec::new();
        let mut key = self.next_key(None)?;
        // A key that goes while this looks sends the kernel back to the start: no more rounds than there is room for.
        for _ in 0..self.max_entries {
            let Some(current) = key else { break };
            key = self.next_key(Some(&current))?;
            if let Some(value) = self.lookup(&current)? {
                entries.push((current, value));
            }
        }
        Ok(entries)
    }

    /// Forbids user space to change the map from now on; with [`MapSpec::RDONLY_PROG`] the verifier then knows its
    /// values.
    ///
    /// # Errors
    /// The kernel refuses: the map is mapped for writing, or is of a kind that cannot be frozen.
    pub fn freeze(&self) -> Result<(), KernelError> {
        let mut attributes = self.element(&[], 0, 0);
        // SAFETY: the command takes the descriptor alone.
        let result = unsafe { sys::bpf(Command::MapFreeze, &mut attributes) };
        result.map(|_| ()).map_err(|error| self.failed("freezing", error))
    }

    /// The attributes of a command on one element; an empty key is none.
    fn element(&self, key: &[u8], value: u64, flags: u64) -> sys::MapElement {
        let fd = self.fd.as_raw_fd().cast_unsigned();
        let key = if key.is_empty() { 0 } else { sys::address(key) };
        sys::MapElement { fd, zero: 0, key, value, flags }
    }

    fn check_key(&self, key: &[u8]) -> Result<(), KernelError> {
        self.check(key, "a key", self.key_size())
    }

    fn check(&self, bytes: &[u8], what: &str, size: usize) -> Result<(), KernelError> {
        if bytes.len() == size {
            return Ok(());
        }
        let what = format!("{what} for map `{}`", self.name);
        Err(KernelError::Size { what, got: bytes.len(), expected: format!("the map takes {size}") })
    }

    pub(super) fn failed(&self, doing: &str, source: io::Error) -> KernelError {
        KernelError::Call { what: format!("{doing} {} map `{}`", self.kind.name(), self.name), source }
    }
}

impl AsFd for Map {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Tells "not there" from other failures.
fn found(result: io::Result<i32>) -> io::Result<bool> {
    match result {
        Ok(_) => Ok(true),
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(false),
        Err(error) => Err(error),
    }
}

/// The most CPUs a kernel can be built for on any architecture.
const MAX_CPUS: usize = 8192;

/// How many CPUs this machine may ever have, which is how many values a per-CPU map holds under a key.
///
/// If the kernel does not say, this is the most there can be: with less, a look-up would write past its buffer.
pub fn possible_cpus() -> usize {
    static COUNT: OnceLock<usize> = OnceLock::new();
    *COUNT.get_or_init(|| {
        let ranges = std::fs::read_to_string("/sys/devices/system/cpu/possible").unwrap_or_default();
        count_cpus(&ranges).unwrap_or(MAX_CPUS)
    })
}

/// The number of CPUs in a list such as `0-3,8`.
fn count_cpus(ranges: &str) -> Option<usize> {
    let mut count = 0;
    for range in ranges.trim().split(',') {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last) = (first.parse::<usize>().ok()?, last.parse::<usize>().ok()?);
        count += last.checked_sub(first)? + 1;
    }
    Some(count)
}

#[cfg(test)]
mod unit {
    use super::count_cpus;

    #[test]
    fn cpu_lists_are_counted_range_by_range() {
        assert_eq!(count_cpus("0-1\n"), Some(2));
        assert_eq!(count_cpus("0"), Some(1));
        assert_eq!(count_cpus("0-3,8"), Some(5));
        assert_eq!(count_cpus(""), None);
    }
}
