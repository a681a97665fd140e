//! Registers, access sizes and operation widths.

use std::fmt;

/// One of the eleven registers of BPF.
///
/// R0 holds results, R1 to R5 arguments (lost over a call), R6 to R9 survive a call, R10 is the frame pointer and
/// read-only to the verifier. `Display` writes `r0`; [`Reg::w`] writes `w0`, the lower half.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
#[allow(missing_docs, reason = "eleven names that say nothing more than their number")]
pub enum Reg {
    R0,
    R1,
    R2,
    R3,
    R4,
    R5,
    R6,
    R7,
    R8,
    R9,
    R10,
}

impl Reg {
    /// Every register, in order.
    pub const ALL: [Reg; 11] =
        [Reg::R0, Reg::R1, Reg::R2, Reg::R3, Reg::R4, Reg::R5, Reg::R6, Reg::R7, Reg::R8, Reg::R9, Reg::R10];

    /// The frame pointer: the address just past the 512 bytes of stack.
    pub const FP: Reg = Reg::R10;

    /// The registers that carry arguments, in order.
    pub const ARGS: [Reg; 5] = [Reg::R1, Reg::R2, Reg::R3, Reg::R4, Reg::R5];

    /// The register with that number, or none above 10.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Reg> {
        Reg::ALL.get(usize::from(number)).copied()
    }

    /// The register's number, 0 to 10.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The lower 32 bits of the register, for printing: `w3`.
    #[must_use]
    pub const fn w(self) -> LowHalf {
        LowHalf(self)
    }
}

impl fmt::Display for Reg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "r{}", self.number())
    }
}

/// The 32-bit view of a register; `Display` writes `w0`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct LowHalf(pub Reg);

impl fmt::Display for LowHalf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "w{}", self.0.number())
    }
}

/// The size of a memory access.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Size {
    /// One byte.
    B,
    /// Two bytes, a half word.
    H,
    /// Four bytes, a word.
    W,
    /// Eight bytes, a double word.
    DW,
}

impl Size {
    /// Every size, ascending.
    pub const ALL: [Size; 4] = [Size::B, Size::H, Size::W, Size::DW];

    /// The size that many bytes make, or none unless 1, 2, 4 or 8.
    #[must_use]
    pub const fn from_bytes(bytes: u32) -> Option<Size> {
        match bytes {
            1 => Some(Size::B),
            2 => Some(Size::H),
            4 => Some(Size::W),
            8 => Some(Size::DW),
            _ => None,
        }
    }

    /// The size in bytes.
    #[must_use]
    pub const fn bytes(self) -> u32 {
        match self {
            Size::B => 1,
            Size::H => 2,
            Size::W => 4,
            Size::DW => 8,
        }
    }

    /// The size in bits.
    #[must_use]
    pub const fn bits(self) -> u32 {
        self.bytes() * 8
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "u{}", self.bits())
    }
}

/// A size below eight bytes: what can be sign-extended to 64 bits, and what packet loads take.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Narrow {
    /// One byte.
    B,
    /// Two bytes.
    H,
    /// Four bytes.
    W,
}

impl Narrow {
    /// Every narrow size, ascending.
    pub const ALL: [Narrow; 3] = [Narrow::B, Narrow::H, Narrow::W];

    /// The same as a [`Size`].
    #[must_use]
    pub const fn size(self) -> Size {
        match self {
            Narrow::B => Size::B,
            Narrow::H => Size::H,
            Narrow::W => Size::W,
        }
    }
}

/// How many bits an operation works on.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Width {
    /// The lower halves of the registers; a 32-bit result clears the upper half.
    W32,
    /// Whole registers.
    W64,
}

impl Width {
    /// Both widths.
    pub const ALL: [Width; 2] = [Width::W32, Width::W64];

    /// 32 or 64.
    #[must_use]
    pub const fn bits(self) -> u32 {
        match self {
            Width::W32 => 32,
            Width::W64 => 64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registers_print_both_views_and_know_their_number() {
        assert_eq!(Reg::R7.to_string(), "r7");
        assert_eq!(Reg::FP.w().to_string(), "w10");
        for (number, reg) in Reg::ALL.into_iter().enumerate() {
            assert_eq!(usize::from(reg.number()), number);
            assert_eq!(Reg::from_number(reg.number()), Some(reg));
        }
        assert_eq!(Reg::from_number(11), None);
    }

    #[test]
    fn sizes_come_back_from_their_bytes() {
        for size in Size::ALL {
            assert_eq!(Size::from_bytes(size.bytes()), Some(size));
        }
        assert_eq!(Size::from_bytes(3), None);
        assert_eq!(Size::DW.to_string(), "u64");
    }
}
