//! The few fields of an instruction that relocation touches.

/// Bytes in an instruction slot.
pub(crate) const SLOT: usize = 8;
const CALL: u8 = 0x85;
const LDIMM64: u8 = 0x18;
/// `src` of a call whose target is a function of the program.
pub(crate) const PSEUDO_CALL: u8 = 1;
/// `src` of a call of a kernel function.
pub(crate) const PSEUDO_KFUNC_CALL: u8 = 2;
/// `src` of an `ldimm64` of a map by file descriptor.
#[cfg(feature = "kernel")]
pub(crate) const PSEUDO_MAP_FD: u8 = 1;
/// `src` of an `ldimm64` of an address in a map's first value.
#[cfg(feature = "kernel")]
pub(crate) const PSEUDO_MAP_VALUE: u8 = 2;
/// `src` of an `ldimm64` of a function's address.
pub(crate) const PSEUDO_FUNC: u8 = 4;

/// What the instruction at a place is, as far as relocation is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// A call, with its `src` field.
    Call(u8),
    /// A 64-bit immediate load of two slots, with its `src` field.
    Load64(u8),
    /// Anything else.
    Other,
}

/// The instruction at byte `at`; none if the code ends before it does.
pub(crate) fn shape(code: &[u8], at: usize) -> Option<Shape> {
    let slot = code.get(at..at.checked_add(SLOT)?)?;
    let src = slot[1] >> 4;
    match slot[0] {
        CALL => Some(Shape::Call(src)),
        LDIMM64 => code.get(at..at.checked_add(2 * SLOT)?).map(|_| Shape::Load64(src)),
        _ => Some(Shape::Other),
    }
}

/// Reads the immediate of the slot at byte `at`, which must be in the code.
pub(crate) fn immediate(code: &[u8], at: usize) -> i32 {
    let chunk = code[at..].get(4..8).and_then(|bytes| bytes.first_chunk::<4>());
    i32::from_le_bytes(*chunk.expect("the caller has checked that the slot is in the code"))
}

/// Overwrites the immediate of the slot at byte `at`.
pub(crate) fn set_immediate(code: &mut [u8], at: usize, value: i32) {
    code[at + 4..at + SLOT].copy_from_slice(&value.to_le_bytes());
}

/// Overwrites the `src` field of the slot at byte `at`.
pub(crate) fn set_src(code: &mut [u8], at: usize, src: u8) {
    code[at + 1] = code[at + 1] & 0x0f | src << 4;
}

/// Blanks the fields that a relocation will fill: all of `ldimm64`'s immediate; a call's becomes -1.
pub(crate) fn blank(code: &mut [u8], at: usize, shape: Shape) {
    match shape {
        Shape::Call(_) => {
            set_src(code, at, PSEUDO_CALL);
            set_immediate(code, at, -1);
        }
        Shape::Load64(_) => {
            set_src(code, at, 0);
            set_immediate(code, at, 0);
            set_immediate(code, at + SLOT, 0);
        }
        Shape::Other => {}
    }
}
