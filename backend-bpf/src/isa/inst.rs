//! A decoded instruction and its constructors.

use thiserror::Error;

use super::{
    opcode::{
        AluOp, AtomicOp, Bits, Callee, Cond, Endian, Imm64, Kind, MovSx, Opcode, Operand, Packet, Spec,
    },
    reg::{Narrow, Reg, Size, Width},
};

/// One BPF instruction with concrete registers: an [`Opcode`] and its operands.
///
/// Built by the constructors below, each of which says what it does in the printed form, or by [`Inst::from_operands`].
/// `Display` prints the kernel's syntax.
///
/// **Invariant:** operands the opcode does not have are zero, and the immediate fits the opcode. So equal
/// instructions compare equal, and encoding cannot fail.
///
/// Operands by number of slots: a register field is a register; `off` is in bytes for memory and in slots for jumps, from
/// the slot after the instruction; `imm` is sign-extended from 32 bits except for 64-bit immediates.
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

/// The second operand of a computation, store or branch.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Src {
    /// A register.
    Reg(Reg),
    /// An immediate, sign-extended to the width of the operation.
    Imm(i32),
}

impl From<Reg> for Src {
    fn from(reg: Reg) -> Src {
        Src::Reg(reg)
    }
}

impl From<i32> for Src {
    fn from(imm: i32) -> Src {
        Src::Imm(imm)
    }
}

impl Src {
    fn operand(self) -> Operand {
        match self {
            Src::Reg(_) => Operand::Reg,
            Src::Imm(_) => Operand::Imm,
        }
    }

    /// The register or R0, and the immediate or 0: the two fields of which the opcode reads one.
    fn fields(self) -> (Reg, i64) {
        match self {
            Src::Reg(reg) => (reg, 0),
            Src::Imm(imm) => (Reg::R0, i64::from(imm)),
        }
    }
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
    fn build(kind: Kind, dst: Reg, src: Reg, off: i16, imm: i64) -> Inst {
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

    /// `r1 += r2`, `w1 = 0x5`: `dst = dst op src`, or `dst = src` for [`AluOp::Mov`].
    pub fn alu(op: AluOp, width: Width, dst: Reg, src: impl Into<Src>) -> Inst {
        let src = src.into();
        let (reg, imm) = src.fields();
        Inst::build(Kind::Alu { op, width, operand: src.operand() }, dst, reg, 0, imm)
    }

    /// A 64-bit [`Inst::alu`].
    pub fn alu64(op: AluOp, dst: Reg, src: impl Into<Src>) -> Inst {
        Inst::alu(op, Width::W64, dst, src)
    }

    /// A 32-bit [`Inst::alu`]: clears the upper half of `dst`.
    pub fn alu32(op: AluOp, dst: Reg, src: impl Into<Src>) -> Inst {
        Inst::alu(op, Width::W32, dst, src)
    }

    /// `r1 = r2`, `r1 = -0x5`.
    pub fn mov64(dst: Reg, src: impl Into<Src>) -> Inst {
        Inst::alu64(AluOp::Mov, dst, src)
    }

    /// `w1 = w2`, `w1 = 0x5`: clears the upper half of `dst`.
    pub fn mov32(dst: Reg, src: impl Into<Src>) -> Inst {
        Inst::alu32(AluOp::Mov, dst, src)
    }

    /// `r1 = (s8)r2`.
    #[must_use]
    pub fn movsx(how: MovSx, dst: Reg, src: Reg) -> Inst {
        Inst::build(Kind::MovSx { how }, dst, src, 0, 0)
    }

    /// `r1 = -r1`.
    #[must_use]
    pub fn neg(width: Width, dst: Reg) -> Inst {
        Inst::build(Kind::Neg { width }, dst, R0, 0, 0)
    }

    /// `r1 = be16 r1`.
    #[must_use]
    pub fn endian(order: Endian, bits: Bits, dst: Reg) -> Inst {
        Inst::build(Kind::Endian { order, bits }, dst, R0, 0, 0)
    }

    /// `r1 = addr_space_cast(r2, 0x0, 0x1)`: a pointer in address space `from` as one in `to`.
    #[must_use]
    pub fn addr_space_cast(dst: Reg, src: Reg, to: u16, from: u16) -> Inst {
        let imm = (u32::from(to) << 16 | u32::from(from)).cast_signed();
        Inst::build(Kind::AddrSpaceCast, dst, src, 0, i64::from(imm))
    }

    /// `w1 = *(u32 *)(r2 + 0x4)`: zero-extends to 64 bits.
    #[must_use]
    pub fn load(size: Size, dst: Reg, base: Reg, off: i16) -> Inst {
        Inst::build(Kind::Load { size }, dst, base, off, 0)
    }

    /// `r1 = *(s32 *)(r2 + 0x4)`: sign-extends to 64 bits.
    #[must_use]
    pub fn load_sx(size: Narrow, dst: Reg, base: Reg, off: i16) -> Inst {
        Inst::build(Kind::LoadSx { size }, dst, base, off, 0)
    }

    /// `*(u64 *)(r10 - 0x8) = r1`, `*(u64 *)(r10 - 0x8) = 0x0`.
    pub fn store(size: Size, base: Reg, off: i16, src: impl Into<Src>) -> Inst {
        let src = src.into();
        let (reg, imm) = src.fields();
        Inst::build(Kind::Store { size, operand: src.operand() }, base, reg, off, imm)
    }

    /// `lock *(u64 *)(r1 + 0x0) += r2`, `r2 = atomic_fetch_add((u64 *)(r1 + 0x0), r2)`: see [`AtomicOp`] for where
    /// results go.
    #[must_use]
    pub fn atomic(op: AtomicOp, width: Width, base: Reg, off: i16, src: Reg) -> Inst {
        Inst::build(Kind::Atomic { op, width }, base, src, off, 0)
    }

    /// `w1 = load_acquire((u32 *)(r2 + 0x0))`: zero-extends to 64 bits.
    #[must_use]
    pub fn load_acquire(size: Size, dst: Reg, base: Reg, off: i16) -> Inst {
        Inst::build(Kind::LoadAcquire { size }, dst, base, off, 0)
    }

    /// `store_release((u32 *)(r1 + 0x0), w2)`.
    #[must_use]
    pub fn store_release(size: Size, base: Reg, off: i16, src: Reg) -> Inst {
        Inst::build(Kind::StoreRelease { size }, base, src, off, 0)
    }

    /// `goto +0x5`: jumps over `distance` slots.
    #[must_use]
    pub fn jump(distance: i16) -> Inst {
        Inst::build(Kind::Jump, R0, R0, distance, 0)
    }

    /// `gotol +0x12345`: jumps over `distance` slots.
    #[must_use]
    pub fn jump_long(distance: i32) -> Inst {
        Inst::build(Kind::JumpLong, R0, R0, 0, i64::from(distance))
    }

    /// `may_goto +0x5`: jumps over `distance` slots once the kernel's loop budget is spent.
    #[must_use]
    pub fn may_goto(distance: i16) -> Inst {
        Inst::build(Kind::MayGoto, R0, R0, distance, 0)
    }

    /// `if r1 s> 0x5 goto +0x3`: jumps over `distance` slots if `lhs cond rhs`.
    pub fn branch(cond: Cond, width: Width, lhs: Reg, rhs: impl Into<Src>, distance: i16) -> Inst {
        let rhs = rhs.into();
        let (reg, imm) = rhs.fields();
        Inst::build(Kind::Branch { cond, width, operand: rhs.operand() }, lhs, reg, distance, imm)
    }

    /// `call 0x1`: the kernel helper of that number.
    #[must_use]
    pub fn call_helper(number: i32) -> Inst {
        Inst::build(Kind::Call { callee: Callee::Helper }, R0, R0, 0, i64::from(number))
    }

    /// `call 0x1f`: the BPF function whose first slot is `distance` slots after the one following the call.
    /// With a relocation, -1 plus the callee's slot in its section.
    #[must_use]
    pub fn call_subprogram(distance: i32) -> Inst {
        Inst::build(Kind::Call { callee: Callee::Subprogram }, R0, R0, 0, i64::from(distance))
    }

    /// `call 0x4d2`: the kernel function of that BTF id; `module` indexes the loader's descriptors, 0 for the kernel itself.
    #[must_use]
    pub fn call_kfunc(btf_id: i32, module: i16) -> Inst {
        Inst::build(Kind::Call { callee: Callee::Kfunc }, R0, R0, module, i64::from(btf_id))
    }

    /// `callx r1`.
    #[must_use]
    pub fn call_reg(target: Reg) -> Inst {
        Inst::build(Kind::CallX, target, R0, 0, 0)
    }

    /// `exit`: returns R0.
    #[must_use]
    pub fn exit() -> Inst {
        Inst::build(Kind::Exit, R0, R0, 0, 0)
    }

    /// `r1 = 0x123456789 ll`: two slots. The place of a 64-bit relocation, too.
    #[must_use]
    pub fn load_imm64(dst: Reg, value: i64) -> Inst {
        Inst::build(Kind::LoadImm64 { imm: Imm64::Plain }, dst, R0, 0, value)
    }

    /// The map with that file descriptor; two slots.
    #[must_use]
    pub fn load_map_fd(dst: Reg, fd: i32) -> Inst {
        Inst::build(Kind::LoadImm64 { imm: Imm64::MapFd }, dst, R0, 0, i64::from(fd))
    }

    /// The address `offset` bytes into the value of the one-entry array map with that descriptor; two slots.
    #[must_use]
    pub fn load_map_value(dst: Reg, fd: i32, offset: u32) -> Inst {
        Inst::build(Kind::LoadImm64 { imm: Imm64::MapValue }, dst, R0, 0, halves(fd, offset))
    }

    /// The kernel variable with that BTF id, of the module with that descriptor (0: the kernel itself); two slots.
    #[must_use]
    pub fn load_btf_id(dst: Reg, btf_id: i32, module: u32) -> Inst {
        Inst::build(Kind::LoadImm64 { imm: Imm64::BtfId }, dst, R0, 0, halves(btf_id, module))
    }

    /// The BPF function `distance` slots after the slot following the first half; two slots.
    #[must_use]
    pub fn load_func(dst: Reg, distance: i32) -> Inst {
        Inst::build(Kind::LoadImm64 { imm: Imm64::Func }, dst, R0, 0, i64::from(distance))
    }

    /// The map at that index of the loader's descriptors; two slots.
    #[must_use]
    pub fn load_map_idx(dst: Reg, index: i32) -> Inst {
        Inst::build(Kind::LoadImm64 { imm: Imm64::MapIdx }, dst, R0, 0, i64::from(index))
    }

    /// The address `offset` bytes into the value of the map at that index of the loader's descriptors; two slots.
    #[must_use]
    pub fn load_map_idx_value(dst: Reg, index: i32, offset: u32) -> Inst {
        Inst::build(Kind::LoadImm64 { imm: Imm64::MapIdxValue }, dst, R0, 0, halves(index, offset))
    }

    /// `r0 = *(u16 *)skb[0xc]`: legacy.
    #[must_use]
    pub fn load_packet_abs(size: Narrow, at: i32) -> Inst {
        Inst::build(Kind::LoadPacket { at: Packet::Abs, size }, R0, R0, 0, i64::from(at))
    }

    /// `r0 = *(u16 *)skb[r1 + 0xc]`: legacy.
    #[must_use]
    pub fn load_packet_ind(size: Narrow, index: Reg, plus: i32) -> Inst {
        Inst::build(Kind::LoadPacket { at: Packet::Ind, size }, R0, index, 0, i64::from(plus))
    }
}

/// A 64-bit immediate from its two halves.
fn halves(low: i32, high: u32) -> i64 {
    i64::from(high) << 32 | i64::from(low.cast_unsigned())
}

impl Inst {
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
    use super::{super::random::Random, *};

    #[test]
    fn constructors_keep_the_invariant() {
        // What a constructor builds has zeros wherever its row has no operand.
        let insts = [
            Inst::mov64(Reg::R1, 5),
            Inst::mov64(Reg::R1, Reg::R2),
            Inst::store(Size::W, Reg::R1, 4, 5),
            Inst::branch(Cond::Ne, Width::W32, Reg::R1, -1, 3),
            Inst::call_kfunc(7, 1),
            Inst::load_packet_ind(Narrow::W, Reg::R2, 4),
            Inst::addr_space_cast(Reg::R1, Reg::R2, 1, 0),
        ];
        for inst in insts {
            assert_eq!(Inst::from_operands(inst.op, inst.dst, inst.src, inst.off, inst.imm), Ok(inst));
        }
    }

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
