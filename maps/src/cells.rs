//! The bytes of a map's values.

use crate::def::MapDef;
use crate::error::MapError;

/// The most bytes that the values (and, counted apart, the keys) of one map may take in this process.
pub const MAX_BYTES: u64 = 1 << 30;

/// Which value of a map: what a pointer from `bpf_map_lookup_elem` points to.
///
/// It has a meaning only in the map that gave it. Within a run it never moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ValueId(u32);

impl ValueId {
    /// A dense number, to encode the id in a pointer. Below 2^27.
    #[must_use]
    pub fn index(self) -> u32 {
        self.0
    }

    /// The id of a number from [`ValueId::index`]. Of any other number, [`Map::value`](crate::Map::value)
    /// gives `None` or some other value of the map.
    #[must_use]
    pub fn from_index(index: u32) -> ValueId {
        ValueId(index)
    }
}

/// Slots of one value each, or of one per CPU. A value starts on a multiple of 8.
#[derive(Clone, Debug)]
pub(crate) struct Cells {
    bytes: Vec<u8>,
    value_size: usize,
    stride: usize,
    /// One value per CPU, even on a machine of one: what user space sees is then rounded up.
    percpu: bool,
    copies: u32,
    slots: u32,
}

impl Cells {
    pub(crate) fn new(def: &MapDef, cpus: u32) -> Cells {
        let (value_size, percpu) = (def.value_size as usize, def.kind.is_percpu());
        let copies = if percpu { cpus } else { 1 };
        Cells { bytes: Vec::new(), value_size, stride: def.value_stride(), percpu, copies, slots: 0 }
    }

    /// Bytes that `slots` of them need.
    pub(crate) fn bytes_for(&self, slots: u32) -> u64 {
        // Saturating: a huge product only has to compare as too large.
        (self.stride as u64).saturating_mul(u64::from(self.copies)).saturating_mul(u64::from(slots))
    }

    /// Adds zeroed slots and gives the first one's number.
    pub(crate) fn grow(&mut self, by: u32) -> Result<u32, MapError> {
        let slots = self.slots.checked_add(by).ok_or(MapError::NoMemory)?;
        let bytes = self.bytes_for(slots);
        if bytes > MAX_BYTES {
            return Err(MapError::NoMemory);
        }
        let bytes = bytes as usize;
        let more = bytes - self.bytes.len();
        // All at once is a whole map and takes what it needs; one by one must stay linear in the end.
        let reserved = if by > 1 { self.bytes.try_reserve_exact(more) } else { self.bytes.try_reserve(more) };
        reserved.map_err(|_| MapError::NoMemory)?;
        self.bytes.resize(bytes, 0);
        Ok(std::mem::replace(&mut self.slots, slots))
    }

    pub(crate) fn is_percpu(&self) -> bool {
        self.percpu
    }

    /// The value of a slot for a CPU; where values are not per CPU, the same for all.
    pub(crate) fn id(&self, slot: u32, cpu: u32) -> ValueId {
        ValueId(if self.percpu { slot * self.copies + cpu } else { slot })
    }

    fn start(&self, id: ValueId) -> usize {
        id.0 as usize * self.stride
    }

    pub(crate) fn get(&self, id: ValueId) -> Option<&[u8]> {
        let start = self.start(id);
        self.bytes.get(start..start + self.value_size)
    }

    pub(crate) fn get_mut(&mut self, id: ValueId) -> Option<&mut [u8]> {
        let start = self.start(id);
        self.bytes.get_mut(start..start + self.value_size)
    }

    fn slot_bytes(&mut self, slot: u32) -> &mut [u8] {
        let size = self.stride * self.copies as usize;
        let start = slot as usize * size;
        &mut self.bytes[start..start + size]
    }

    pub(crate) fn clear(&mut self, slot: u32) {
        self.slot_bytes(slot).fill(0);
    }

    /// Writes one slot, of which the sizes have been checked.
    pub(crate) fn write(&mut self, slot: u32, source: Source<'_>) {
        match source {
            Source::Cpu(cpu, value) => {
                let id = self.id(slot, cpu);
                if let Some(cell) = self.get_mut(id) {
                    cell.copy_from_slice(value);
                }
            }
            // The padding of per-CPU values is copied too, as the kernel does.
            Source::AllCpus(values) => self.slot_bytes(slot)[..values.len()].copy_from_slice(values),
        }
    }

    /// A slot as the system call copies it out.
    pub(crate) fn read_all(&self, slot: u32) -> Vec<u8> {
        let stride = self.stride * self.copies as usize;
        let size = if self.percpu { stride } else { self.value_size };
        let start = slot as usize * stride;
        self.bytes[start..start + size].to_vec()
    }
}

/// Where the bytes of an update come from.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Source<'a> {
    /// A program on this CPU: its own value.
    Cpu(u32, &'a [u8]),
    /// User space: all CPUs' values, each rounded up to 8 bytes; or the only value.
    AllCpus(&'a [u8]),
}
