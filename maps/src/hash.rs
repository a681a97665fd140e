//! Hash tables, plain and LRU.
//!
//! A table is buckets of chained slots, as in the kernel. A slot is a number; it has a key, its links, and its
//! values in the [`Cells`]. Walking the keys follows the order of first insertion, which is deterministic and
//! survives deletions; the kernel's order is its buckets' and unspecified.
//!
//! **Replacement.** As in the kernel, overwriting an element with a single value makes a *new* one and retires
//! the old: a pointer from before the update still shows, and changes, the old value only. A per-CPU element is
//! overwritten in place.
//!
//! **Retired slots.** A slot that left the table waits in `limbo` with its bytes untouched. The kernel may hand
//! the memory to the very next insertion (measured on 6.18: after delete and insert, the old pointer shows the
//! new element's value, preallocated or not); programs must not rely on either. Waiting makes the result
//! deterministic. Limbo holds at most as many slots as the table has entries, and at least [`LIMBO_MIN`]; past
//! this the one retired longest ago is used again.
//!
//! **LRU.** Strict: the element whose insertion, update or lookup by a program is longest ago goes. A lookup
//! by user space does not count, as in the kernel. The kernel approximates: it evicts in batches (a
//! table of 1000 held 928 after 3000 insertions), sorts by one reference bit, and takes the
//! new element *before* it looks for the key, so that a full table can evict another element, or the very key
//! asked for, even where the update then overwrites or fails. Here an update evicts only when it inserts.

use std::collections::VecDeque;

use crate::cells::{Cells, MAX_BYTES, Source, ValueId};
use crate::def::MapDef;
use crate::error::MapError;
use crate::flags::UpdateFlags;
use crate::list::{List, NIL};

/// How many retired slots a table keeps apart, however small it is.
pub(crate) const LIMBO_MIN: usize = 64;

/// Buckets of an empty table.
const MIN_BUCKETS: usize = 8;

#[derive(Clone, Copy, Debug)]
struct Node {
    hash: u32,
    /// The next slot of the same bucket.
    chain: u32,
}

#[derive(Clone, Debug)]
pub(crate) struct Table {
    cells: Cells,
    key_size: usize,
    max_entries: u32,
    len: u32,
    /// Heads of the chains; a power of two of them.
    buckets: Vec<u32>,
    nodes: Vec<Node>,
    keys: Vec<u8>,
    /// Live slots by insertion of their key.
    order: List,
    /// Live slots by last use, longest ago first; only in an LRU table.
    recency: Option<List>,
    free: Vec<u32>,
    limbo: VecDeque<u32>,
}

/// A multiply-and-fold hash, eight bytes a step. Only spreading is asked of it: it is not proof against chosen
/// keys.
fn hash_key(key: &[u8]) -> u32 {
    const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;
    fn fold(word: u64) -> u64 {
        let product = u128::from(word) * u128::from(MULTIPLIER);
        (product as u64) ^ ((product >> 64) as u64)
    }
    let (words, rest) = key.as_chunks::<8>();
    let mut hash = 0x243f_6a88_85a3_08d3;
    for word in words {
        hash = fold(hash ^ u64::from_le_bytes(*word));
    }
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    hash = fold(hash ^ u64::from_le_bytes(last));
    (hash ^ (hash >> 32)) as u32
}

impl Table {
    pub(crate) fn new(def: &MapDef, cpus: u32) -> Table {
        Table {
            cells: Cells::new(def, cpus),
            key_size: def.key_size as usize,
            max_entries: def.max_entries,
            len: 0,
            buckets: vec![NIL; MIN_BUCKETS],
            nodes: Vec::new(),
            keys: Vec::new(),
            order: List::new(),
            recency: def.kind.is_lru().then(List::new),
            free: Vec::new(),
            limbo: VecDeque::new(),
        }
    }

    pub(crate) fn cells(&self) -> &Cells {
        &self.cells
    }

    pub(crate) fn cells_mut(&mut self) -> &mut Cells {
        &mut self.cells
    }

    pub(crate) fn len(&self) -> u32 {
        self.len
    }

    pub(crate) fn key(&self, slot: u32) -> &[u8] {
        let start = slot as usize * self.key_size;
        &self.keys[start..start + self.key_size]
    }

    fn bucket(&self, hash: u32) -> usize {
        hash as usize & (self.buckets.len() - 1)
    }

    fn find_hashed(&self, key: &[u8], hash: u32) -> Option<u32> {
        let mut slot = self.buckets[self.bucket(hash)];
        while slot != NIL {
            let node = self.nodes[slot as usize];
            if node.hash == hash && self.key(slot) == key {
                return Some(slot);
            }
            slot = node.chain;
        }
        None
    }

    /// The slot of a key, without counting as a use.
    pub(crate) fn find(&self, key: &[u8]) -> Option<u32> {
        self.find_hashed(key, hash_key(key))
    }

    /// A program's lookup: a use.
    pub(crate) fn lookup(&mut self, key: &[u8], cpu: u32) -> Option<ValueId> {
        let slot = self.find(key)?;
        self.touch(slot);
        Some(self.cells.id(slot, cpu))
    }

    fn touch(&mut self, slot: u32) {
        if let Some(recency) = &mut self.recency {
            recency.remove(slot);
            recency.push_last(slot);
        }
    }

    pub(crate) fn update(
        &mut self,
        key: &[u8],
        source: Source<'_>,
        flags: UpdateFlags,
    ) -> Result<(), MapError> {
        flags.refuse_lock()?;
        let hash = hash_key(key);
        match self.find_hashed(key, hash) {
            Some(_) if flags.must_create() => Err(MapError::Exists),
            Some(slot) => self.overwrite(slot, source),
            None if flags.must_exist() => Err(MapError::NotFound),
            None => self.insert(key, hash, source),
        }
    }

    fn overwrite(&mut self, old: u32, source: Source<'_>) -> Result<(), MapError> {
        let slot = if self.cells.is_percpu() { old } else { self.replacement(old)? };
        self.cells.write(slot, source);
        self.touch(slot);
        Ok(())
    }

    /// A new slot in all the places of `old`, which is retired.
    fn replacement(&mut self, old: u32) -> Result<u32, MapError> {
        let new = self.allocate()?;
        let (from, to) = (old as usize * self.key_size, new as usize * self.key_size);
        self.keys.copy_within(from..from + self.key_size, to);
        self.nodes[new as usize] = self.nodes[old as usize];
        *self.link_to(old) = new;
        self.order.replace(old, new);
        if let Some(recency) = &mut self.recency {
            recency.replace(old, new);
        }
        self.retire(old);
        Ok(new)
    }

    fn insert(&mut self, key: &[u8], hash: u32, source: Source<'_>) -> Result<(), MapError> {
        if self.len >= self.max_entries {
            let oldest = self.recency.as_ref().and_then(List::first);
            self.remove(oldest.ok_or(MapError::Full { max_entries: self.max_entries })?);
        }
        self.grow_buckets()?;
        let slot = self.allocate()?;
        let start = slot as usize * self.key_size;
        self.keys[start..start + self.key_size].copy_from_slice(key);
        // A program writes its own CPU's value only; a new element's others are zero.
        self.cells.clear(slot);
        self.cells.write(slot, source);
        let bucket = self.bucket(hash);
        let chain = std::mem::replace(&mut self.buckets[bucket], slot);
        self.nodes[slot as usize] = Node { hash, chain };
        self.order.push_last(slot);
        if let Some(recency) = &mut self.recency {
            recency.push_last(slot);
        }
        self.len += 1;
        Ok(())
    }

    pub(crate) fn delete(&mut self, key: &[u8]) -> Result<(), MapError> {
        let slot = self.find(key).ok_or(MapError::NotFound)?;
        self.remove(slot);
        Ok(())
    }

    /// Takes a live slot out of the table.
    pub(crate) fn remove(&mut self, slot: u32) {
        let chain = self.nodes[slot as usize].chain;
        *self.link_to(slot) = chain;
        self.order.remove(slot);
        if let Some(recency) = &mut self.recency {
            recency.remove(slot);
        }
        self.len -= 1;
        self.retire(slot);
    }

    /// The place that holds `slot`'s number: a bucket's head or a chain in it.
    fn link_to(&mut self, slot: u32) -> &mut u32 {
        let bucket = self.bucket(self.nodes[slot as usize].hash);
        let mut before = self.buckets[bucket];
        if before == slot {
            return &mut self.buckets[bucket];
        }
        while self.nodes[before as usize].chain != slot {
            before = self.nodes[before as usize].chain;
        }
        &mut self.nodes[before as usize].chain
    }

    /// The slot after the one of `key`, in the order of insertion; the first for no key or one that is absent.
    pub(crate) fn next_slot(&self, key: Option<&[u8]>) -> Option<u32> {
        match key.and_then(|key| self.find(key)) {
            None => self.order.first(),
            Some(slot) => self.order.after(slot),
        }
    }

    fn limbo_limit(&self) -> usize {
        LIMBO_MIN.max(self.max_entries as usize)
    }

    fn retire(&mut self, slot: u32) {
        self.limbo.push_back(slot);
        if self.limbo.len() > self.limbo_limit() {
            self.free.extend(self.limbo.pop_front());
        }
    }

    /// No pointer to a retired slot is left.
    pub(crate) fn quiesce(&mut self) {
        self.free.extend(self.limbo.drain(..));
    }

    fn allocate(&mut self) -> Result<u32, MapError> {
        if let Some(slot) = self.free.pop() {
            return Ok(slot);
        }
        match self.add_slot() {
            Ok(slot) => Ok(slot),
            Err(error) => self.limbo.pop_front().ok_or(error),
        }
    }

    fn add_slot(&mut self) -> Result<u32, MapError> {
        let keys = self.keys.len() + self.key_size;
        if keys as u64 > MAX_BYTES {
            return Err(MapError::NoMemory);
        }
        self.keys.try_reserve(self.key_size).map_err(|_| MapError::NoMemory)?;
        self.nodes.try_reserve(1).map_err(|_| MapError::NoMemory)?;
        let slot = self.cells.grow(1)?;
        self.keys.resize(keys, 0);
        self.nodes.push(Node { hash: 0, chain: NIL });
        Ok(slot)
    }

    /// Doubles the buckets once there are as many elements, so that chains stay short.
    fn grow_buckets(&mut self) -> Result<(), MapError> {
        let count = self.buckets.len();
        if (self.len as usize) < count {
            return Ok(());
        }
        self.buckets.try_reserve_exact(count).map_err(|_| MapError::NoMemory)?;
        self.buckets.fill(NIL);
        self.buckets.resize(2 * count, NIL);
        let mut next = self.order.first();
        while let Some(slot) = next {
            let bucket = self.bucket(self.nodes[slot as usize].hash);
            self.nodes[slot as usize].chain = std::mem::replace(&mut self.buckets[bucket], slot);
            next = self.order.after(slot);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_spreads_neighbouring_keys() {
        let mut buckets = [0u32; 256];
        for key in 0..2560u32 {
            buckets[hash_key(&key.to_le_bytes()) as usize & 255] += 1;
        }
        let fullest = buckets.iter().max();
        assert!(fullest < Some(&30), "ten keys a bucket on average, {fullest:?} at most");
        assert_ne!(hash_key(b"recv@a.go:1:2"), hash_key(b"recv@a.go:2:1"));
    }
}
