//! Arrays: every element is there from the start and none ever goes.

use crate::cells::{Cells, Source, ValueId};
use crate::def::MapDef;
use crate::error::MapError;
use crate::flags::UpdateFlags;

#[derive(Clone, Debug)]
pub(crate) struct Array {
    cells: Cells,
    max_entries: u32,
}

impl Array {
    pub(crate) fn new(def: &MapDef, cpus: u32) -> Result<Array, MapError> {
        let mut cells = Cells::new(def, cpus);
        cells.grow(def.max_entries)?;
        Ok(Array { cells, max_entries: def.max_entries })
    }

    pub(crate) fn cells(&self) -> &Cells {
        &self.cells
    }

    pub(crate) fn cells_mut(&mut self) -> &mut Cells {
        &mut self.cells
    }

    pub(crate) fn find(&self, index: u32) -> Option<u32> {
        (index < self.max_entries).then_some(index)
    }

    pub(crate) fn lookup(&self, index: u32, cpu: u32) -> Option<ValueId> {
        self.find(index).map(|slot| self.cells.id(slot, cpu))
    }

    /// In the kernel's order: the range, then existence, then the lock.
    pub(crate) fn update(
        &mut self,
        index: u32,
        source: Source<'_>,
        flags: UpdateFlags,
    ) -> Result<(), MapError> {
        let out_of_range = MapError::OutOfRange { index, max_entries: self.max_entries };
        let slot = self.find(index).ok_or(out_of_range)?;
        if flags.must_create() {
            return Err(MapError::Exists);
        }
        flags.refuse_lock()?;
        self.cells.write(slot, source);
        Ok(())
    }

    /// The index after `index`; from the start for none or one out of range.
    pub(crate) fn next_index(&self, index: Option<u32>) -> Option<u32> {
        match index.filter(|&index| index < self.max_entries) {
            None => Some(0),
            Some(index) => Some(index + 1).filter(|&next| next < self.max_entries),
        }
    }
}
