//! The constructors of instructions, each described by what it prints.

use super::{
    inst::Inst,
    kind::{AluOp, AtomicOp, Bits, Callee, Cond, Endian, Imm64, Kind, MovSx, Operand, Packet},
    reg::{Narrow, Reg, Size, Width},
};

const R0: Reg = Reg::R0;

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

impl Inst {
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

#[cfg(test)]
mod tests {
    use super::*;

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
            assert_eq!(
                Inst::from_operands(inst.op(), inst.dst(), inst.src(), inst.off(), inst.imm()),
                Ok(inst)
            );
        }
    }

    #[test]
    fn constructors_make_what_they_print() {
        use Reg::*;
        let printed = [
            (Inst::alu64(AluOp::Add, R1, -1), "r1 += -0x1"),
            (Inst::alu32(AluOp::SDiv, R1, R2), "w1 s/= w2"),
            (Inst::mov64(R6, R1), "r6 = r1"),
            (Inst::mov32(R0, i32::MIN), "w0 = -0x80000000"),
            (Inst::movsx(MovSx::S8To64, R1, R2), "r1 = (s8)r2"),
            (Inst::neg(Width::W32, R3), "w3 = -w3"),
            (Inst::endian(Endian::Be, Bits::B16, R1), "r1 = be16 r1"),
            (Inst::addr_space_cast(R1, R2, 0, 1), "r1 = addr_space_cast(r2, 0x0, 0x1)"),
            (Inst::load(Size::W, R1, R2, -4), "w1 = *(u32 *)(r2 - 0x4)"),
            (Inst::load_sx(Narrow::H, R1, R2, 4), "r1 = *(s16 *)(r2 + 0x4)"),
            (Inst::store(Size::DW, Reg::FP, -8, R1), "*(u64 *)(r10 - 0x8) = r1"),
            (Inst::store(Size::B, Reg::FP, -8, 7), "*(u8 *)(r10 - 0x8) = 0x7"),
            (Inst::atomic(AtomicOp::Add, Width::W64, R1, 0, R2), "lock *(u64 *)(r1 + 0x0) += r2"),
            (Inst::atomic(AtomicOp::CmpXchg, Width::W32, R1, 4, R2), "w0 = cmpxchg32_32(r1 + 0x4, w0, w2)"),
            (Inst::load_acquire(Size::W, R0, R1, 0), "w0 = load_acquire((u32 *)(r1 + 0x0))"),
            (Inst::store_release(Size::DW, R1, 0, R2), "store_release((u64 *)(r1 + 0x0), r2)"),
            (Inst::jump(-2), "goto -0x2"),
            (Inst::jump_long(0x12345), "gotol +0x12345"),
            (Inst::may_goto(3), "may_goto +0x3"),
            (Inst::branch(Cond::Sgt, Width::W64, R1, 5, 3), "if r1 s> 0x5 goto +0x3"),
            (Inst::branch(Cond::Set, Width::W32, R1, R2, -3), "if w1 & w2 goto -0x3"),
            (Inst::call_helper(1), "call 0x1"),
            (Inst::call_subprogram(-1), "call -0x1"),
            (Inst::call_kfunc(0x4d2, 0), "call 0x4d2"),
            (Inst::call_reg(R3), "callx r3"),
            (Inst::exit(), "exit"),
            (Inst::load_imm64(R1, i64::MIN), "r1 = -0x8000000000000000 ll"),
            (Inst::load_map_fd(R1, -1), "ld_pseudo\tr1, 0x1, 0xffffffff"),
            (Inst::load_map_value(R1, 5, 8), "ld_pseudo\tr1, 0x2, 0x5, 0x8"),
            (Inst::load_btf_id(R1, 5, 0), "ld_pseudo\tr1, 0x3, 0x5"),
            (Inst::load_func(R1, 9), "ld_pseudo\tr1, 0x4, 0x9"),
            (Inst::load_map_idx(R1, 2), "ld_pseudo\tr1, 0x5, 0x2"),
            (Inst::load_map_idx_value(R1, 2, 4), "ld_pseudo\tr1, 0x6, 0x2, 0x4"),
            (Inst::load_packet_abs(Narrow::H, 12), "r0 = *(u16 *)skb[0xc]"),
            (Inst::load_packet_ind(Narrow::B, R1, 0), "r0 = *(u8 *)skb[r1]"),
            (Inst::load_packet_ind(Narrow::B, R1, -2), "r0 = *(u8 *)skb[r1 - 0x2]"),
        ];
        for (inst, text) in printed {
            assert_eq!(inst.to_string(), text);
        }
    }
}
