//! Stack frames: where slots and spills lie below R10, and how deep calls reach.
//!
//! IR slots lie directly below the frame pointer, the most aligned first so that no padding falls between them;
//! spill slot n lies at −8(n + 1) below those. The kernel gives a call chain 512 bytes, each frame rounded up to
//! 16, and eight frames.

use larrow_ir::cranelift_entity::SecondaryMap;
use larrow_ir::{Decls, Function, Slot, align_up};

/// Bytes of stack that a call chain shares.
pub const STACK_BYTES: u32 = 512;
/// Frames that a call chain may have.
pub const MAX_FRAMES: usize = 8;

/// The layout of a function's frame.
#[derive(Clone, Debug, Default)]
pub struct Frame {
    slots: SecondaryMap<Slot, i32>,
    /// Bytes of IR slots, a multiple of 8 where there are spills.
    slot_bytes: u32,
    /// Bytes in all.
    pub size: u32,
}

/// The alignment that a slot of so many bytes gets: the next power of two, 8 at most, and never less than its
/// type asks for. So copies can use the largest accesses.
pub(crate) fn slot_align(decls: &Decls, slot: &larrow_ir::SlotData) -> u64 {
    let layout = decls.types.layout(slot.ty);
    let (size, align) = layout.map_or((0, 1), |l| (l.size, l.align));
    align.max(size.max(1).checked_next_power_of_two().unwrap_or(8).min(8))
}

impl Frame {
    /// Lays a function's frame out. Saturates far beyond what the kernel takes.
    pub fn new(func: &Function, decls: &Decls, spills: u32) -> Frame {
        let mut slots: Vec<(u64, u64, Slot)> = func
            .slots()
            .map(|(slot, data)| (slot_align(decls, data), decls.types.size(data.ty), slot))
            .collect();
        slots.sort_by_key(|&(align, _, slot)| (std::cmp::Reverse(align), slot));
        let mut frame = Frame { slots: SecondaryMap::new(), slot_bytes: 0, size: 0 };
        let mut end = 0u64;
        for (align, size, slot) in slots {
            end = align_up(end.saturating_add(size), align).min(1 << 30);
            frame.slots[slot] = -i32::try_from(end).expect("capped at 2³⁰");
        }
        frame.slot_bytes = u32::try_from(end).expect("capped at 2³⁰");
        if spills > 0 {
            frame.slot_bytes = frame.slot_bytes.next_multiple_of(8);
        }
        frame.size = frame.slot_bytes.saturating_add(spills.saturating_mul(8));
        frame
    }

    /// A slot's distance from R10, in bytes; negative.
    pub fn slot(&self, slot: Slot) -> i32 {
        self.slots[slot]
    }

    /// A spill slot's distance from R10, in bytes; negative.
    pub fn spill(&self, n: u32) -> i32 {
        -(self.slot_bytes.saturating_add(8 * (n + 1)).min(1 << 30)).cast_signed()
    }

    /// What the kernel counts for the frame.
    pub fn counted(&self) -> u32 {
        self.size.next_multiple_of(16)
    }
}
