//! Queues and stacks: a ring of values without keys.

use crate::cells::{Cells, Source};
use crate::def::MapDef;
use crate::error::MapError;
use crate::flags::{BPF_EXIST, BPF_NOEXIST};

/// Which end a pop takes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    OldestFirst,
    NewestFirst,
}

#[derive(Clone, Debug)]
pub(crate) struct Queue {
    cells: Cells,
    order: Order,
    capacity: u32,
    oldest: u32,
    len: u32,
}

impl Queue {
    pub(crate) fn new(def: &MapDef, order: Order) -> Result<Queue, MapError> {
        let mut cells = Cells::new(def, 1);
        cells.grow(def.max_entries)?;
        Ok(Queue { cells, order, capacity: def.max_entries, oldest: 0, len: 0 })
    }

    pub(crate) fn len(&self) -> u32 {
        self.len
    }

    /// The slot of the `nth` oldest.
    fn slot(&self, nth: u32) -> u32 {
        // In u64: both may be near 2^32.
        ((u64::from(self.oldest) + u64::from(nth)) % u64::from(self.capacity)) as u32
    }

    fn drop_oldest(&mut self) {
        self.oldest = self.slot(1);
        self.len -= 1;
    }

    /// Adds a value of the right size. `BPF_EXIST` drops the oldest if full, in a stack too.
    pub(crate) fn push(&mut self, value: &[u8], flags: u64) -> Result<(), MapError> {
        if flags & BPF_NOEXIST != 0 || flags > BPF_EXIST {
            return Err(MapError::BadFlags { flags });
        }
        if self.len == self.capacity {
            if flags & BPF_EXIST == 0 {
                return Err(MapError::Full { max_entries: self.capacity });
            }
            self.drop_oldest();
        }
        let slot = self.slot(self.len);
        self.cells.write(slot, Source::Cpu(0, value));
        self.len += 1;
        Ok(())
    }

    /// Copies the value that a pop would take. An empty queue zeroes `out`, as in the kernel.
    pub(crate) fn peek(&self, out: &mut [u8]) -> Result<(), MapError> {
        if self.len == 0 {
            out.fill(0);
            return Err(MapError::NotFound);
        }
        let nth = if self.order == Order::OldestFirst { 0 } else { self.len - 1 };
        let value = self.cells.get(self.cells.id(self.slot(nth), 0)).unwrap_or_default();
        out.copy_from_slice(value);
        Ok(())
    }

    pub(crate) fn pop(&mut self, out: &mut [u8]) -> Result<(), MapError> {
        self.peek(out)?;
        match self.order {
            Order::OldestFirst => self.drop_oldest(),
            Order::NewestFirst => self.len -= 1,
        }
        Ok(())
    }
}
