//! Memory: objects with bounds, initialisation and pointer provenance, and the values of maps.
//!
//! Beside an object's bytes stand its *cells*: one per aligned 8 bytes, holding the pointer, channel or function
//! stored there. A write that touches part of a cell destroys it, and what is left of it counts as uninitialised.
//! Maps and the packet are plain bytes: user space and the network see them, so no pointer can live there.
//!
//! **Invariant:** a number of an object that was given back comes again only with another tag.

use larrow_maps::{Map, MapSet, ValueId};

use crate::trap::{Fallible, TrapKind, fault};
use crate::value::{Ptr, Region, RegionKind, Repr, Val};

/// An allocated stretch of memory.
#[derive(Debug, Default)]
struct Object {
    bytes: Vec<u8>,
    /// 1 per written byte; empty if all count as written.
    init: Vec<u8>,
    /// Per aligned 8 bytes; empty until the first pointer is stored. [`Val::Unit`] is no pointer.
    cells: Vec<Val>,
    tag: u16,
    live: bool,
    writable: bool,
}

/// A copy of a stretch of memory with all that is known about it.
#[derive(Debug, Default)]
pub(crate) struct Blob {
    pub(crate) bytes: Vec<u8>,
    init: Vec<u8>,
    /// Pointers with their byte offsets.
    cells: Vec<(usize, Val)>,
}

impl Blob {
    /// Takes plain bytes.
    pub(crate) fn set(&mut self, bytes: &[u8]) {
        self.bytes.clear();
        self.bytes.extend_from_slice(bytes);
        self.init.clear();
        self.cells.clear();
    }
}

/// The memory of one interpreter.
#[derive(Debug)]
pub(crate) struct Memory {
    objects: Vec<Object>,
    free: Vec<u32>,
    pub(crate) maps: MapSet,
    scratch: Blob,
    used: u64,
    limit: u64,
}

impl Memory {
    pub(crate) fn new(maps: MapSet, limit: u64) -> Memory {
        Memory { objects: Vec::new(), free: Vec::new(), maps, scratch: Blob::default(), used: 0, limit }
    }

    /// Counts bytes against the limit.
    pub(crate) fn charge(&mut self, bytes: u64) -> Fallible<()> {
        match self.used.checked_add(bytes).filter(|&used| used <= self.limit) {
            Some(used) => {
                self.used = used;
                Ok(())
            }
            None => fault(
                TrapKind::MemoryLimit,
                format!("{bytes} more bytes exceed the memory limit of {} bytes", self.limit),
            ),
        }
    }

    // ---- objects ---------------------------------------------------------------------------------------------

    /// A fresh zeroed object; with `written` false, its bytes may not be read before they are written.
    pub(crate) fn place(&mut self, kind: RegionKind, size: u64, written: bool) -> Fallible<Region> {
        self.charge(size)?;
        // The limit was checked: a size that passed fits.
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        let index = self.free.pop().unwrap_or_else(|| {
            self.objects.push(Object::default());
            (self.objects.len() - 1) as u32
        });
        let object = &mut self.objects[index as usize];
        object.bytes.clear();
        object.bytes.resize(size, 0);
        object.init.clear();
        if !written {
            object.init.resize(size, 0);
        }
        object.cells.clear();
        object.live = true;
        object.writable = true;
        Ok(Region { kind, tag: object.tag, index })
    }

    /// Gives an object back: pointers to it dangle from now on.
    pub(crate) fn release(&mut self, region: Region) {
        let object = &mut self.objects[region.index as usize];
        if !object.live || object.tag != region.tag {
            return;
        }
        object.live = false;
        self.used -= object.bytes.len() as u64;
        // A number whose tags are used up is not used again.
        if let Some(tag) = object.tag.checked_add(1) {
            object.tag = tag;
            self.free.push(region.index);
        } else {
            *object = Object { tag: u16::MAX, ..Object::default() };
        }
    }

    /// Forbids writes.
    pub(crate) fn protect(&mut self, region: Region) {
        self.objects[region.index as usize].writable = false;
    }

    /// Replaces an object's bytes from outside the program.
    pub(crate) fn set_bytes(&mut self, region: Region, bytes: &[u8]) {
        let object = &mut self.objects[region.index as usize];
        self.used = self.used - object.bytes.len() as u64 + bytes.len() as u64;
        object.bytes.clear();
        object.bytes.extend_from_slice(bytes);
        object.init.clear();
        object.cells.clear();
    }

    /// An object's bytes; pointers read as zeros.
    pub(crate) fn bytes(&self, region: Region) -> &[u8] {
        &self.objects[region.index as usize].bytes
    }

    fn object(&self, region: Region) -> Fallible<&Object> {
        match self.objects.get(region.index as usize) {
            Some(object) if object.live && object.tag == region.tag => Ok(object),
            Some(_) | None => dangling(region),
        }
    }

    fn object_mut(&mut self, region: Region) -> Fallible<&mut Object> {
        match self.objects.get_mut(region.index as usize) {
            Some(object) if object.live && object.tag == region.tag => Ok(object),
            Some(_) | None => dangling(region),
        }
    }

    fn writable(&mut self, region: Region) -> Fallible<&mut Object> {
        let object = self.object_mut(region)?;
        if object.writable { Ok(object) } else { fault(TrapKind::ReadOnly, "writes to a constant variable") }
    }

    // ---- map values ------------------------------------------------------------------------------------------

    fn map(&self, region: Region) -> Fallible<&Map> {
        match self.maps.get(usize::from(region.tag)) {
            Some(map) => Ok(map),
            None => fault(TrapKind::Malformed, "a pointer into a map that does not exist"),
        }
    }

    fn map_bytes(&self, p: Ptr, size: usize) -> Fallible<&[u8]> {
        let map = self.map(p.region)?;
        if !map.def().program_may_read() {
            return fault(
                TrapKind::WriteOnly,
                format!("reads map @{}, which programs may only write", map.def().name),
            );
        }
        let Some(value) = map.value(ValueId::from_index(p.region.index)) else { return dangling(p.region) };
        let at = range(p, size, value.len())?;
        Ok(&value[at..at + size])
    }

    fn map_bytes_mut(&mut self, p: Ptr, size: usize) -> Fallible<&mut [u8]> {
        let Some(map) = self.maps.get_mut(usize::from(p.region.tag)) else {
            return fault(TrapKind::Malformed, "a pointer into a map that does not exist");
        };
        if !map.def().program_may_write() {
            return fault(
                TrapKind::ReadOnly,
                format!("writes to map @{}, which programs may only read", map.def().name),
            );
        }
        let Some(value) = map.value_mut(ValueId::from_index(p.region.index)) else {
            return dangling(p.region);
        };
        let at = range(p, size, value.len())?;
        Ok(&mut value[at..at + size])
    }

    // ---- scalars ---------------------------------------------------------------------------------------------

    /// Reads a scalar.
    pub(crate) fn load(&self, p: Ptr, repr: Repr) -> Fallible<Val> {
        let size = repr.size();
        match p.region.kind {
            RegionKind::Stack | RegionKind::Heap | RegionKind::Global | RegionKind::Packet => {
                let object = self.object(p.region)?;
                let at = range(p, size, object.bytes.len())?;
                aligned(p, size)?;
                object.load(at, repr)
            }
            RegionKind::Map => decode(self.map_bytes(p, size)?, repr),
            RegionKind::Null | RegionKind::Ctx => unusable(p),
        }
    }

    /// Writes a scalar.
    pub(crate) fn store(&mut self, p: Ptr, repr: Repr, val: Val) -> Fallible<()> {
        let size = repr.size();
        match p.region.kind {
            RegionKind::Stack | RegionKind::Heap | RegionKind::Global => {
                let object = self.writable(p.region)?;
                let at = range(p, size, object.bytes.len())?;
                aligned(p, size)?;
                object.store(at, size, val)
            }
            RegionKind::Packet => {
                let object = self.writable(p.region)?;
                let at = range(p, size, object.bytes.len())?;
                object.bytes[at..at + size].copy_from_slice(&plain_bits(p, val)?.to_le_bytes()[..size]);
                Ok(())
            }
            RegionKind::Map => {
                let bits = plain_bits(p, val)?;
                self.map_bytes_mut(p, size)?.copy_from_slice(&bits.to_le_bytes()[..size]);
                Ok(())
            }
            RegionKind::Null | RegionKind::Ctx => unusable(p),
        }
    }

    /// Reads a number atomically: its address must be aligned everywhere.
    pub(crate) fn atomic_load(&self, p: Ptr, size: usize) -> Fallible<u64> {
        atomic_place(p, size)?;
        Ok(self.load(p, Repr::Num(size as u8))?.bits())
    }

    /// Writes a number atomically.
    pub(crate) fn atomic_store(&mut self, p: Ptr, size: usize, bits: u64) -> Fallible<()> {
        atomic_place(p, size)?;
        self.store(p, Repr::Num(size as u8), Val::Int(bits))
    }

    // ---- stretches -------------------------------------------------------------------------------------------

    /// Copies. What is uninitialised stays so where that is known, and is zero where it is not.
    pub(crate) fn copy(&mut self, to: Ptr, from: Ptr, size: u64) -> Fallible<()> {
        if size == 0 {
            return Ok(());
        }
        if to.region == from.region {
            let apart = to.offset.abs_diff(from.offset);
            if apart != 0 && apart < size {
                return fault(TrapKind::Overlap, "source and destination of a copy overlap");
            }
        }
        let mut blob = std::mem::take(&mut self.scratch);
        let done = self.export(from, size, &mut blob).and_then(|()| self.import(to, &blob));
        self.scratch = blob;
        done
    }

    /// Reads a stretch with all that is known about it.
    pub(crate) fn export(&self, from: Ptr, size: u64, into: &mut Blob) -> Fallible<()> {
        into.set(&[]);
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        if size == 0 {
            return Ok(());
        }
        match from.region.kind {
            RegionKind::Stack | RegionKind::Heap | RegionKind::Global | RegionKind::Packet => {
                let object = self.object(from.region)?;
                let at = range(from, size, object.bytes.len())?;
                into.bytes.extend_from_slice(&object.bytes[at..at + size]);
                if !object.init.is_empty() {
                    into.init.extend_from_slice(&object.init[at..at + size]);
                }
                for (offset, val) in object.cells_in(at, size) {
                    if offset < at || offset + 8 > at + size {
                        return fault(TrapKind::Provenance, "copies part of a pointer");
                    }
                    into.cells.push((offset - at, val));
                }
                Ok(())
            }
            RegionKind::Map => {
                into.bytes.extend_from_slice(self.map_bytes(from, size)?);
                Ok(())
            }
            RegionKind::Null | RegionKind::Ctx => unusable(from),
        }
    }

    /// Writes a stretch.
    pub(crate) fn import(&mut self, to: Ptr, blob: &Blob) -> Fallible<()> {
        let size = blob.bytes.len();
        if size == 0 {
            return Ok(());
        }
        match to.region.kind {
            RegionKind::Stack | RegionKind::Heap | RegionKind::Global => {
                let object = self.writable(to.region)?;
                let at = range(to, size, object.bytes.len())?;
                object.import(at, blob)
            }
            RegionKind::Packet => {
                plain_blob(to, blob)?;
                let object = self.writable(to.region)?;
                let at = range(to, size, object.bytes.len())?;
                object.bytes[at..at + size].copy_from_slice(&blob.bytes);
                Ok(())
            }
            RegionKind::Map => {
                plain_blob(to, blob)?;
                self.map_bytes_mut(to, size)?.copy_from_slice(&blob.bytes);
                Ok(())
            }
            RegionKind::Null | RegionKind::Ctx => unusable(to),
        }
    }

    /// Zeroes a stretch.
    pub(crate) fn zero(&mut self, to: Ptr, size: u64) -> Fallible<()> {
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        if size == 0 {
            return Ok(());
        }
        match to.region.kind {
            RegionKind::Stack | RegionKind::Heap | RegionKind::Global | RegionKind::Packet => {
                let object = self.writable(to.region)?;
                let at = range(to, size, object.bytes.len())?;
                object.clobber(at, size);
                object.bytes[at..at + size].fill(0);
                Ok(())
            }
            RegionKind::Map => {
                self.map_bytes_mut(to, size)?.fill(0);
                Ok(())
            }
            RegionKind::Null | RegionKind::Ctx => unusable(to),
        }
    }

    /// Appends bytes that leave the program, such as a map's key: all must be written, none part of a pointer.
    pub(crate) fn read_plain(&self, from: Ptr, size: usize, into: &mut Vec<u8>) -> Fallible<()> {
        match from.region.kind {
            RegionKind::Stack | RegionKind::Heap | RegionKind::Global | RegionKind::Packet => {
                let object = self.object(from.region)?;
                let at = range(from, size, object.bytes.len())?;
                object.check_readable(at, size)?;
                into.extend_from_slice(&object.bytes[at..at + size]);
                Ok(())
            }
            RegionKind::Map => {
                into.extend_from_slice(self.map_bytes(from, size)?);
                Ok(())
            }
            RegionKind::Null | RegionKind::Ctx => unusable(from),
        }
    }

    /// Writes bytes that enter the program.
    pub(crate) fn write_plain(&mut self, to: Ptr, bytes: &[u8]) -> Fallible<()> {
        let mut blob = std::mem::take(&mut self.scratch);
        blob.set(bytes);
        let done = self.import(to, &blob);
        self.scratch = blob;
        done
    }
}

impl Object {
    /// The pointers that a stretch touches, with their offsets.
    fn cells_in(&self, at: usize, size: usize) -> impl Iterator<Item = (usize, Val)> + '_ {
        let last = if size == 0 { at / 8 } else { (at + size - 1) / 8 + 1 };
        let cells = self.cells.get(at / 8..last.min(self.cells.len())).unwrap_or(&[]);
        let first = at / 8;
        cells.iter().enumerate().filter(|(_, c)| **c != Val::Unit).map(move |(i, &c)| ((first + i) * 8, c))
    }

    fn check_readable(&self, at: usize, size: usize) -> Fallible<()> {
        if !self.cells.is_empty() && self.cells_in(at, size).next().is_some() {
            return fault(TrapKind::Provenance, "reads a pointer as a number");
        }
        if !self.init.is_empty()
            && let Some(hole) = self.init[at..at + size].iter().position(|&written| written == 0)
        {
            let hole = at + hole;
            return fault(TrapKind::Uninitialised, format!("reads byte {hole}, which nothing has written"));
        }
        Ok(())
    }

    fn load(&self, at: usize, repr: Repr) -> Fallible<Val> {
        let size = repr.size();
        if repr == Repr::Ref
            && let Some(&cell) = self.cells.get(at / 8)
            && cell != Val::Unit
            && at.is_multiple_of(8)
        {
            return Ok(cell);
        }
        self.check_readable(at, size)?;
        decode(&self.bytes[at..at + size], repr)
    }

    fn store(&mut self, at: usize, size: usize, val: Val) -> Fallible<()> {
        let bits = match val {
            Val::Int(bits) => Some(bits),
            Val::Unit | Val::Nil => Some(0),
            Val::Ptr(_) | Val::Chan(_) | Val::Func(_) => None,
        };
        if bits.is_none() && !at.is_multiple_of(8) {
            return fault(TrapKind::Misaligned, format!("stores a pointer at byte {at}, no multiple of 8"));
        }
        self.clobber(at, size);
        self.bytes[at..at + size].copy_from_slice(&bits.unwrap_or(0).to_le_bytes()[..size]);
        if bits.is_none() {
            self.set_cell(at, val);
        }
        Ok(())
    }

    fn set_cell(&mut self, at: usize, val: Val) {
        if self.cells.is_empty() {
            self.cells.resize(self.bytes.len().div_ceil(8), Val::Unit);
        }
        self.cells[at / 8] = val;
    }

    /// Prepares a stretch to be overwritten: it counts as written, and pointers in it are gone. What is left of
    /// a pointer outside the stretch is garbage.
    fn clobber(&mut self, at: usize, size: usize) {
        if !self.cells.is_empty() {
            self.destroy_cells(at, size);
        }
        if !self.init.is_empty() {
            self.init[at..at + size].fill(1);
        }
    }

    fn destroy_cells(&mut self, at: usize, size: usize) {
        let last = ((at + size).div_ceil(8)).min(self.cells.len());
        for cell in at / 8..last {
            if self.cells[cell] == Val::Unit {
                continue;
            }
            self.cells[cell] = Val::Unit;
            let (start, end) = (cell * 8, cell * 8 + 8);
            if start < at || end > at + size {
                if self.init.is_empty() {
                    self.init.resize(self.bytes.len(), 1);
                }
                self.init[start..end].fill(0);
            }
        }
    }

    fn import(&mut self, at: usize, blob: &Blob) -> Fallible<()> {
        let size = blob.bytes.len();
        if let Some((offset, _)) = blob.cells.iter().find(|(offset, _)| !(at + offset).is_multiple_of(8)) {
            let at = at + offset;
            return fault(TrapKind::Misaligned, format!("copies a pointer to byte {at}, no multiple of 8"));
        }
        self.clobber(at, size);
        self.bytes[at..at + size].copy_from_slice(&blob.bytes);
        if !blob.init.is_empty() {
            if self.init.is_empty() {
                self.init.resize(self.bytes.len(), 1);
            }
            self.init[at..at + size].copy_from_slice(&blob.init);
        }
        for &(offset, val) in &blob.cells {
            self.set_cell(at + offset, val);
        }
        Ok(())
    }
}

/// The start of an access of `size` bytes inside a region of `len` bytes.
#[inline]
fn range(p: Ptr, size: usize, len: usize) -> Fallible<usize> {
    let at = p.offset as usize;
    if p.offset >= 0 && at <= len && size <= len - at {
        return Ok(at);
    }
    let kind = p.region.kind.name();
    fault(
        TrapKind::OutOfBounds,
        format!("accesses {size} bytes at offset {} of {kind} of {len} bytes", p.offset),
    )
}

/// Slots and heap objects are accessed at multiples of the size, as the kernel demands of its stack.
#[inline]
fn aligned(p: Ptr, size: usize) -> Fallible<()> {
    let strict = matches!(p.region.kind, RegionKind::Stack | RegionKind::Heap);
    if strict && size > 1 && p.offset & (size as i64 - 1) != 0 { misaligned(p, size) } else { Ok(()) }
}

fn atomic_place(p: Ptr, size: usize) -> Fallible<()> {
    if p.offset & (size as i64 - 1) != 0 { misaligned(p, size) } else { Ok(()) }
}

#[cold]
fn misaligned<T>(p: Ptr, size: usize) -> Fallible<T> {
    let kind = p.region.kind.name();
    fault(TrapKind::Misaligned, format!("offset {} of {kind} is no multiple of {size}", p.offset))
}

#[cold]
fn unusable<T>(p: Ptr) -> Fallible<T> {
    if p.region.kind == RegionKind::Ctx {
        return fault(TrapKind::Unsupported, "the context has fields, read by CtxLoad, and no bytes");
    }
    match p.offset {
        0 => fault(TrapKind::Nil, "uses a nil pointer"),
        offset => fault(TrapKind::Nil, format!("uses a nil pointer moved by {offset} bytes")),
    }
}

#[cold]
fn dangling<T>(region: Region) -> Fallible<T> {
    let what = match region.kind {
        RegionKind::Stack => "a slot of a function that has returned",
        RegionKind::Null
        | RegionKind::Heap
        | RegionKind::Global
        | RegionKind::Packet
        | RegionKind::Ctx
        | RegionKind::Map => "memory that does not exist any more",
    };
    fault(TrapKind::Dangling, format!("uses a pointer to {what}"))
}

fn decode(bytes: &[u8], repr: Repr) -> Fallible<Val> {
    let mut word = [0; 8];
    word[..bytes.len()].copy_from_slice(bytes);
    let bits = u64::from_le_bytes(word);
    match repr {
        Repr::None => Ok(Val::Unit),
        Repr::Num(_) => Ok(Val::Int(bits)),
        Repr::Bool if bits <= 1 => Ok(Val::Int(bits)),
        Repr::Bool => fault(TrapKind::BadValue, format!("reads {bits} as a bool")),
        Repr::Ref if bits == 0 => Ok(Val::Nil),
        Repr::Ref => fault(TrapKind::Provenance, format!("reads the number {bits:#x} as a pointer")),
    }
}

fn plain_bits(p: Ptr, val: Val) -> Fallible<u64> {
    match val {
        Val::Int(bits) => Ok(bits),
        Val::Unit | Val::Nil => Ok(0),
        Val::Ptr(_) | Val::Chan(_) | Val::Func(_) => pointer_leaves(p),
    }
}

fn plain_blob(p: Ptr, blob: &Blob) -> Fallible<()> {
    if blob.cells.is_empty() { Ok(()) } else { pointer_leaves(p) }
}

#[cold]
fn pointer_leaves<T>(p: Ptr) -> Fallible<T> {
    fault(TrapKind::Provenance, format!("writes a pointer to {}", p.region.kind.name()))
}
