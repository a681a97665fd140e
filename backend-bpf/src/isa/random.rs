//! Random instructions for tests, valid by construction.

use super::{inst::Inst, opcode::Opcode, opcode::Spec, reg::Reg};

/// A small generator of random numbers (splitmix64), seeded so that failures repeat.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Random {
        Random(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).expect("the bound is a usize")
    }

    pub(crate) fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[0]
    }

    /// Any instruction of the table with any operands.
    pub(crate) fn inst(&mut self) -> Inst {
        let op = Opcode::ALL[self.below(Opcode::ALL.len())];
        let dst = Reg::ALL[self.below(Reg::ALL.len())];
        let src = Reg::ALL[self.below(Reg::ALL.len())];
        let [o0, o1, i0, i1, i2, i3, ..] = self.next().to_le_bytes();
        let imm = match op.row().imm {
            Spec::Wide => self.next().cast_signed(),
            Spec::Any | Spec::Low | Spec::Is(_) => i64::from(i32::from_le_bytes([i0, i1, i2, i3])),
        };
        Inst::from_operands(op, dst, src, i16::from_le_bytes([o0, o1]), imm)
            .expect("the immediate has the row's width")
    }
}
