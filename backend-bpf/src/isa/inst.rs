//! An instruction with its operands.

use thiserror::Error;

use super::{
    kind::Kind,
    opcode::{Opcode, Spec},
    reg::Reg,
};

/// One BPF instruction with concrete registers: an [`Opcode`] and its operands.
///
/// Built by its constructors, each of which shows the printed form, or by [`Inst::from_operands`].
/// `Display` prints the kernel's syntax.
///
/// **Invariant:** operands the opcode does not have are zero, and the immediate fits the opcode. So equal
/// instructions compare equal, and encoding cannot fail.
///
/// `off` is in bytes for memory and in slots for jumps, counted from the slot after the jump; `imm` is sign-extended from
/// 32 bits, except for 64-bit immediates.
///
/// A jump whose distance is not known yet is built with distance 0 and completed with [`Inst::with_jump_distance`]. What
/// a relocation fills in (a map, a callee) is built with 0 and named in the relocation.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Inst {
    op: Opcode,
    dst: Reg,
    src: Reg,
    off: i16,
    imm: i64,
}

/// An immediate that its instruction has no room for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("the immediate {imm:#x} of {op} does not fit in 32 bits")]
pub struct ImmRange {
    /// The instruction.
    pub op: Opcode,
    /// The immediate.
    pub imm: i64,
}

/// A jump that cannot reach as far as asked, or an instruction that does not jump at all.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("{op} cannot jump over {distance} slots")]
pub struct JumpRange {
    /// The instruction.
    pub op: Opcode,
    /// The distance asked for, in slots.
    pub distance: i32,
}

const R0: Reg = Reg::R0;

impl Inst {
    /// An instruction of known kind; the caller passes zero for the operands it does not have.
    pub(super) fn build(kind: Kind, dst: Reg, src: Reg, off: i16, imm: i64) -> Inst {
        Inst { op: Opcode::of(kind), dst, src, off, imm }
    }

    /// The opcode with those of the operands that it has; the others are ignored.
    ///
    /// # Errors
    /// If the opcode has a 32-bit immediate and `imm` does not fit.
    pub fn from_operands(op: Opcode, dst: Reg, src: Reg, off: i16, imm: i64) -> Result<Inst, ImmRange> {
        let row = op.row();
        let imm = match row.imm {
            Spec::Any | Spec::Low => i64::from(i32::try_from(imm).map_err(|_| ImmRange { op, imm })?),
            Spec::Wide => imm,
            Spec::Is(_) => 0,
        };
        Ok(Inst {
            op,
            dst: if row.dst == Spec::Any { dst } else { R0 },
            src: if row.src == Spec::Any { src } else { R0 },
            off: if row.off == Spec::Any { off } else { 0 },
            imm,
        })
    }

    /// The opcode.
    #[must_use]
    pub fn op(self) -> Opcode {
        self.op
    }

    /// What the instruction does, for an exhaustive `match`.
    #[must_use]
    pub fn kind(self) -> Kind {
        self.op.kind()
    }

    /// The destination register, or the address of a store; R0 if the opcode has none.
    #[must_use]
    pub fn dst(self) -> Reg {
        self.dst
    }

    /// The source register, or the address of a load; R0 if the opcode has none.
    #[must_use]
    pub fn src(self) -> Reg {
        self.src
    }

    /// The offset, in bytes for memory and in slots for jumps; 0 if the opcode has none.
    #[must_use]
    pub fn off(self) -> i16 {
        self.off
    }

    /// The immediate, sign-extended; 0 if the opcode has none.
    #[must_use]
    pub fn imm(self) -> i64 {
        self.imm
    }

    /// The lower half of the immediate: all of it, except for 64-bit immediates.
    #[must_use]
    #[allow(clippy::cast_possible_truncation, reason = "the lower half is what is asked for")]
    pub fn imm32(self) -> i32 {
        self.imm as i32
    }

    /// The upper half of a 64-bit immediate: the offset of [`Inst::load_map_value`]. Else the immediate's sign.
    #[must_use]
    pub fn imm_high(self) -> u32 {
        ((self.imm >> 32) as i32).cast_unsigned()
    }

    /// How many 8-byte slots the instruction takes, 1 or 2.
    #[must_use]
    pub fn slots(self) -> usize {
        self.op.slots()
    }

    /// How many slots a taken jump skips, counted from the slot after it; none unless the instruction is a jump. Calls are not jumps.
    #[must_use]
    pub fn jump_distance(self) -> Option<i32> {
        match self.kind() {
            Kind::Jump | Kind::MayGoto | Kind::Branch { .. } => Some(i32::from(self.off)),
            Kind::JumpLong => Some(self.imm32()),
            Kind::Alu { .. }
            | Kind::Neg { .. }
            | Kind::MovSx { .. }
            | Kind::AddrSpaceCast
            | Kind::Endian { .. }
            | Kind::Load { .. }
            | Kind::LoadSx { .. }
            | Kind::Store { .. }
            | Kind::Atomic { .. }
            | Kind::LoadAcquire { .. }
            | Kind::StoreRelease { .. }
            | Kind::Call { .. }
            | Kind::CallX
            | Kind::Exit
            | Kind::LoadImm64 { .. }
            | Kind::LoadPacket { .. } => None,
        }
    }

    /// The same jump over another distance, in slots.
    ///
    /// # Errors
    /// If the distance does not fit the jump's 16 bits (a `gotol` has 32), or the instruction is no jump: the cue for
    /// branch relaxation.
    pub fn with_jump_distance(self, distance: i32) -> Result<Inst, JumpRange> {
        let range = JumpRange { op: self.op, distance };
        if self.jump_distance().is_none() {
            return Err(range);
        }
        if self.kind() == Kind::JumpLong {
            return Ok(Inst { imm: i64::from(distance), ..self });
        }
        Ok(Inst { off: i16::try_from(distance).map_err(|_| range)?, ..self })
    }

    /// The same instruction with another immediate, for patching calls and addresses.
    ///
    /// # Errors
    /// If the opcode has a 32-bit immediate and `imm` does not fit. An opcode without an immediate stays as it is.
    pub fn with_imm(self, imm: i64) -> Result<Inst, ImmRange> {
        Inst::from_operands(self.op, self.dst, self.src, self.off, imm)
    }

    /// Whether control never reaches the next instruction: jumps without condition, and `exit`.
    #[must_use]
    pub fn ends_flow(self) -> bool {
        matches!(self.kind(), Kind::Jump | Kind::JumpLong | Kind::Exit)
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{kind::Cond, random::Random, reg::Width},
        *,
    };

    #[test]
    fn immediates_must_fit() {
        let op = Inst::mov64(Reg::R1, 0).op();
        let error = Inst::from_operands(op, Reg::R1, R0, 0, 1 << 31).expect_err("33 bits with the sign");
        assert_eq!(error.to_string(), "the immediate 0x80000000 of Mov64Imm does not fit in 32 bits");
        assert!(Inst::load_imm64(Reg::R1, 0).with_imm(i64::MAX).is_ok());
        assert!(Inst::load_map_fd(Reg::R1, 0).with_imm(i64::MAX).is_err());
        assert_eq!(Inst::exit().with_imm(i64::MAX), Ok(Inst::exit()));
    }

    #[test]
    fn jumps_take_the_distances_they_can_reach() {
        let far = 40_000;
        assert_eq!(Inst::jump(0).with_jump_distance(-7), Ok(Inst::jump(-7)));
        assert_eq!(Inst::jump_long(0).with_jump_distance(far), Ok(Inst::jump_long(far)));
        let branch = Inst::branch(Cond::Lt, Width::W64, Reg::R1, Reg::R2, 0);
        let error = branch.with_jump_distance(far).expect_err("past 16 bits");
        assert_eq!(error.to_string(), "JLt64Reg cannot jump over 40000 slots");
        assert!(Inst::exit().with_jump_distance(0).is_err());
    }

    #[test]
    fn jump_distances_read_back() {
        let mut random = Random::new(4);
        for _ in 0..10_000 {
            let inst = random.inst();
            if let Some(distance) = inst.jump_distance() {
                assert_eq!(inst.with_jump_distance(distance), Ok(inst));
            }
        }
    }

    #[test]
    fn two_part_immediates_come_apart() {
        let inst = Inst::load_map_value(Reg::R1, -1, 0xffff_fffe);
        assert_eq!((inst.imm32(), inst.imm_high()), (-1, 0xffff_fffe));
        assert_eq!((inst.slots(), Inst::exit().slots()), (2, 1));
    }

    #[test]
    fn an_instruction_stays_small() {
        assert_eq!(size_of::<Inst>(), 16);
    }
}
