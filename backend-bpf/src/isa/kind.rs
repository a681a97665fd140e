//! What instructions do: the kinds to match exhaustively, and the operations they range over.

use super::reg::{Narrow, Size, Width};

/// Where the second operand comes from.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Operand {
    /// The source register.
    Reg,
    /// The immediate, sign-extended to the width of the operation.
    Imm,
}

/// A two-operand computation, `dst = dst op operand`.
///
/// Shift counts are taken modulo the width. Division by zero gives 0 and the remainder by zero leaves `dst` (its lower half,
/// at 32 bits, zero-extended). The verifier rejects immediate zero divisors and immediate shift counts past the width.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum AluOp {
    /// Wrapping sum.
    Add,
    /// Wrapping difference.
    Sub,
    /// Wrapping product, lower half.
    Mul,
    /// Unsigned quotient.
    Div,
    /// Bitwise or.
    Or,
    /// Bitwise and.
    And,
    /// Left shift.
    Lsh,
    /// Right shift that fills with zeros.
    Rsh,
    /// Unsigned remainder.
    Mod,
    /// Bitwise exclusive or.
    Xor,
    /// Copy: `dst = operand`.
    Mov,
    /// Right shift that fills with the sign.
    Arsh,
    /// Signed quotient, rounded towards zero; the least value divided by -1 is itself.
    SDiv,
    /// Signed remainder, with the sign of the dividend; the least value by -1 leaves 0.
    SMod,
}

impl AluOp {
    /// Every operation.
    pub const ALL: [AluOp; 14] = [
        AluOp::Add,
        AluOp::Sub,
        AluOp::Mul,
        AluOp::Div,
        AluOp::Or,
        AluOp::And,
        AluOp::Lsh,
        AluOp::Rsh,
        AluOp::Mod,
        AluOp::Xor,
        AluOp::Mov,
        AluOp::Arsh,
        AluOp::SDiv,
        AluOp::SMod,
    ];
}

/// A sign-extending move: which low bits of the source become how wide a value.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum MovSx {
    /// 8 bits to 64.
    S8To64,
    /// 16 bits to 64.
    S16To64,
    /// 32 bits to 64.
    S32To64,
    /// 8 bits to 32; the upper half becomes zero.
    S8To32,
    /// 16 bits to 32; the upper half becomes zero.
    S16To32,
}

/// A change of byte order. All three clear the bits above those they work on.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Endian {
    /// Between host and little endian: on the little-endian target, a truncation.
    Le,
    /// Between host and big endian: on the little-endian target, a swap.
    Be,
    /// An unconditional swap.
    Bswap,
}

/// How many low bits a change of byte order works on.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Bits {
    /// 16 bits.
    B16,
    /// 32 bits.
    B32,
    /// 64 bits.
    B64,
}

/// An atomic read-modify-write at `dst + off`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum AtomicOp {
    /// Adds `src`; no result, no ordering.
    Add,
    /// Ors `src`; no result, no ordering.
    Or,
    /// Ands `src`; no result, no ordering.
    And,
    /// Xors `src`; no result, no ordering.
    Xor,
    /// Adds `src`, which becomes the old value; fully ordered, like all that follow.
    FetchAdd,
    /// Ors `src`, which becomes the old value.
    FetchOr,
    /// Ands `src`, which becomes the old value.
    FetchAnd,
    /// Xors `src`, which becomes the old value.
    FetchXor,
    /// Stores `src`, which becomes the old value.
    Xchg,
    /// Stores `src` if the old value equals R0; R0 becomes the old value either way.
    CmpXchg,
}

/// A condition of a branch: how `dst` compares to the operand.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Cond {
    /// Equal.
    Eq,
    /// Not equal.
    Ne,
    /// Above, unsigned.
    Gt,
    /// Above or equal, unsigned.
    Ge,
    /// Below, unsigned.
    Lt,
    /// Below or equal, unsigned.
    Le,
    /// Some bit set in both.
    Set,
    /// Greater, signed.
    Sgt,
    /// Greater or equal, signed.
    Sge,
    /// Less, signed.
    Slt,
    /// Less or equal, signed.
    Sle,
}

impl Cond {
    /// Every condition.
    pub const ALL: [Cond; 11] = [
        Cond::Eq,
        Cond::Ne,
        Cond::Gt,
        Cond::Ge,
        Cond::Lt,
        Cond::Le,
        Cond::Set,
        Cond::Sgt,
        Cond::Sge,
        Cond::Slt,
        Cond::Sle,
    ];

    /// The condition that holds exactly when this one does not, or none for [`Cond::Set`].
    #[must_use]
    pub const fn inverse(self) -> Option<Cond> {
        Some(match self {
            Cond::Eq => Cond::Ne,
            Cond::Ne => Cond::Eq,
            Cond::Gt => Cond::Le,
            Cond::Ge => Cond::Lt,
            Cond::Lt => Cond::Ge,
            Cond::Le => Cond::Gt,
            Cond::Set => return None,
            Cond::Sgt => Cond::Sle,
            Cond::Sge => Cond::Slt,
            Cond::Slt => Cond::Sge,
            Cond::Sle => Cond::Sgt,
        })
    }

    /// The condition that says the same with its two operands exchanged.
    #[must_use]
    pub const fn swapped(self) -> Cond {
        match self {
            Cond::Eq => Cond::Eq,
            Cond::Ne => Cond::Ne,
            Cond::Gt => Cond::Lt,
            Cond::Ge => Cond::Le,
            Cond::Lt => Cond::Gt,
            Cond::Le => Cond::Ge,
            Cond::Set => Cond::Set,
            Cond::Sgt => Cond::Slt,
            Cond::Sge => Cond::Sle,
            Cond::Slt => Cond::Sgt,
            Cond::Sle => Cond::Sge,
        }
    }
}

/// What a call names by its immediate.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Callee {
    /// A kernel helper, by number.
    Helper,
    /// A BPF function, by distance in slots from the slot after the call.
    Subprogram,
    /// A kernel function, by BTF id.
    Kfunc,
}

/// What the immediate of a two-slot load means.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Imm64 {
    /// The value itself.
    Plain,
    /// A map, by file descriptor.
    MapFd,
    /// An address in a map's value: descriptor in the low half, byte offset in the high half.
    MapValue,
    /// A kernel variable: BTF id in the low half, module descriptor in the high half.
    BtfId,
    /// A BPF function, by distance in slots from the slot after the first half.
    Func,
    /// A map, by index into the loader's array of descriptors.
    MapIdx,
    /// An address in a map's value: index in the low half, byte offset in the high half.
    MapIdxValue,
}

/// How a legacy packet load finds its bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Packet {
    /// At the immediate.
    Abs,
    /// At source register plus immediate.
    Ind,
}

/// What an opcode does, for an exhaustive `match`.
///
/// Every value of this type is an instruction of the table and the other way round, so
/// [`Opcode::of`](super::Opcode::of) and [`Opcode::kind`](super::Opcode::kind) are inverse and neither can fail.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[allow(missing_docs, reason = "each field is described at its type")]
pub enum Kind {
    /// `dst = dst op operand`.
    Alu { op: AluOp, width: Width, operand: Operand },
    /// `dst = -dst`.
    Neg { width: Width },
    /// `dst = sign_extend(src)`.
    MovSx { how: MovSx },
    /// `dst = cast(src)` between a program's and an arena's addresses.
    AddrSpaceCast,
    /// `dst = swap(dst)`.
    Endian { order: Endian, bits: Bits },
    /// `dst = *(src + off)`, zero-extended.
    Load { size: Size },
    /// `dst = *(src + off)`, sign-extended to 64 bits.
    LoadSx { size: Narrow },
    /// `*(dst + off) = operand`.
    Store { size: Size, operand: Operand },
    /// A read-modify-write of `*(dst + off)`.
    Atomic { op: AtomicOp, width: Width },
    /// `dst = *(src + off)`, zero-extended, ordered before what follows.
    LoadAcquire { size: Size },
    /// `*(dst + off) = src`, ordered after what precedes.
    StoreRelease { size: Size },
    /// Goes to the next slot plus `off`.
    Jump,
    /// Goes to the next slot plus `imm`.
    JumpLong,
    /// Goes to the next slot plus `off` when the kernel's budget for loops is spent.
    MayGoto,
    /// Goes to the next slot plus `off` if `dst cond operand`.
    Branch { cond: Cond, width: Width, operand: Operand },
    /// Calls what `imm` names.
    Call { callee: Callee },
    /// Calls the address in `dst`.
    CallX,
    /// Returns R0.
    Exit,
    /// `dst = imm`, in two slots.
    LoadImm64 { imm: Imm64 },
    /// `R0 = packet[...]`, from big endian; leaves the program with 0 outside the packet.
    LoadPacket { at: Packet, size: Narrow },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_invert_and_swap_back() {
        for cond in Cond::ALL {
            assert_eq!(cond.swapped().swapped(), cond);
            assert_eq!(cond.inverse().is_none(), cond == Cond::Set);
            assert_eq!(cond.inverse().map_or(Some(cond), Cond::inverse), Some(cond));
        }
    }
}
