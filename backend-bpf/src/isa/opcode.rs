//! Opcodes: the enum, the rows and the kinds that the [table](super::table) expands to.

use std::fmt;

use super::{
    level::Feature,
    reg::{Narrow, Size, Width},
    table::for_each_inst,
};

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
/// Every value of this type is an instruction of the table and the other way round, so [`Opcode::of`] and [`Opcode::kind`]
/// are inverse and neither can fail.
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

/// What a field of an encoded instruction may hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Spec {
    /// An operand: any value the field has room for.
    Any,
    /// This number only.
    Is(i32),
    /// An operand of 64 bits over the immediates of two slots.
    Wide,
    /// An operand of 32 bits in the first of two slots; the second's immediate is zero.
    Low,
}

/// One row of the table.
#[derive(Debug)]
pub struct Row {
    /// The name of the [`Opcode`].
    pub name: &'static str,
    /// The opcode byte.
    pub byte: u8,
    /// What the destination register field may hold.
    pub dst: Spec,
    /// What the source register field may hold.
    pub src: Spec,
    /// What the offset field may hold.
    pub off: Spec,
    /// What the immediate field may hold.
    pub imm: Spec,
    /// What a target needs to take the instruction.
    pub feature: Feature,
    /// What the instruction does.
    pub kind: Kind,
    /// The printed form, with placeholders.
    pub text: &'static str,
    /// What the instruction does, in words.
    pub doc: &'static str,
}

/// A row's bracket entry as a [`Spec`].
macro_rules! spec {
    (_) => {
        Spec::Any
    };
    (wide) => {
        Spec::Wide
    };
    (low) => {
        Spec::Low
    };
    ($value:literal) => {
        Spec::Is($value)
    };
}

/// A row's kind, good both as a pattern and as an expression.
macro_rules! kind {
    (alu $op:ident $width:ident $operand:ident) => {
        Kind::Alu { op: AluOp::$op, width: Width::$width, operand: Operand::$operand }
    };
    (neg $width:ident) => {
        Kind::Neg { width: Width::$width }
    };
    (movsx $how:ident) => {
        Kind::MovSx { how: MovSx::$how }
    };
    (cast) => {
        Kind::AddrSpaceCast
    };
    (endian $order:ident $bits:ident) => {
        Kind::Endian { order: Endian::$order, bits: Bits::$bits }
    };
    (load $size:ident) => {
        Kind::Load { size: Size::$size }
    };
    (loadsx $size:ident) => {
        Kind::LoadSx { size: Narrow::$size }
    };
    (store $size:ident $operand:ident) => {
        Kind::Store { size: Size::$size, operand: Operand::$operand }
    };
    (atomic $op:ident $width:ident) => {
        Kind::Atomic { op: AtomicOp::$op, width: Width::$width }
    };
    (load_acquire $size:ident) => {
        Kind::LoadAcquire { size: Size::$size }
    };
    (store_release $size:ident) => {
        Kind::StoreRelease { size: Size::$size }
    };
    (jump) => {
        Kind::Jump
    };
    (jump_long) => {
        Kind::JumpLong
    };
    (may_goto) => {
        Kind::MayGoto
    };
    (branch $cond:ident $width:ident $operand:ident) => {
        Kind::Branch { cond: Cond::$cond, width: Width::$width, operand: Operand::$operand }
    };
    (call $callee:ident) => {
        Kind::Call { callee: Callee::$callee }
    };
    (callx) => {
        Kind::CallX
    };
    (exit) => {
        Kind::Exit
    };
    (imm64 $imm:ident) => {
        Kind::LoadImm64 { imm: Imm64::$imm }
    };
    (packet $at:ident $size:ident) => {
        Kind::LoadPacket { at: Packet::$at, size: Narrow::$size }
    };
}

macro_rules! define_opcodes {
    ($(
        $name:ident $byte:literal [$dst:tt $src:tt $off:tt $imm:tt] $feature:ident ($($kind:tt)*) $text:literal $doc:literal;
    )*) => {
        /// An instruction of the table, without its operands.
        ///
        /// More specific than the opcode byte: where several instructions share a byte, each has its own variant.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        #[repr(u8)]
        pub enum Opcode {
            $( #[doc = concat!("`", $text, "`: ", $doc, ".")] $name, )*
        }

        impl Opcode {
            /// Every opcode, in the order of the table.
            pub const ALL: &[Opcode] = &[$(Opcode::$name),*];

            /// The opcode of that kind.
            #[must_use]
            pub const fn of(kind: Kind) -> Opcode {
                match kind { $( kind!($($kind)*) => Opcode::$name, )* }
            }
        }

        static ROWS: &[Row] = &[$(Row {
            name: stringify!($name),
            byte: $byte,
            dst: spec!($dst),
            src: spec!($src),
            off: spec!($off),
            imm: spec!($imm),
            feature: Feature::$feature,
            kind: kind!($($kind)*),
            text: $text,
            doc: $doc,
        }),*];

        /// The opcode byte of each row, for the index below.
        const BYTES: &[u8] = &[$($byte),*];
    };
}
for_each_inst!(define_opcodes);

/// The rows sorted by opcode byte: `rows[starts[b]..starts[b + 1]]` are those of byte `b`, in the order of the table.
struct Index {
    starts: [u16; 257],
    rows: [Opcode; BYTES.len()],
}

static INDEX: Index = index();

/// Sorts the rows by counting, at compile time.
const fn index() -> Index {
    let mut index = Index { starts: [0; 257], rows: [Opcode::ALL[0]; BYTES.len()] };
    let mut row = 0;
    while row < BYTES.len() {
        index.starts[BYTES[row] as usize + 1] += 1;
        row += 1;
    }
    let mut byte = 0;
    while byte < 256 {
        index.starts[byte + 1] += index.starts[byte];
        byte += 1;
    }
    let mut next = index.starts;
    row = 0;
    while row < BYTES.len() {
        let place = &mut next[BYTES[row] as usize];
        index.rows[*place as usize] = Opcode::ALL[row];
        *place += 1;
        row += 1;
    }
    index
}

impl Opcode {
    /// The opcode's row of the table.
    #[must_use]
    pub fn row(self) -> &'static Row {
        &ROWS[self as usize]
    }

    /// What the opcode does.
    #[must_use]
    pub fn kind(self) -> Kind {
        self.row().kind
    }

    /// The variant's name, `Add64Imm`.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// What a target needs to take the instruction.
    #[must_use]
    pub fn feature(self) -> Feature {
        self.row().feature
    }

    /// How many 8-byte slots the instruction takes: 2 for the 64-bit immediates, else 1.
    #[must_use]
    pub fn slots(self) -> usize {
        match self.row().imm {
            Spec::Any | Spec::Is(_) => 1,
            Spec::Wide | Spec::Low => 2,
        }
    }

    /// The opcodes that share an opcode byte, which the other fields tell apart; none if the byte is no instruction's.
    #[must_use]
    pub fn with_byte(byte: u8) -> &'static [Opcode] {
        let start = usize::from(INDEX.starts[usize::from(byte)]);
        let end = usize::from(INDEX.starts[usize::from(byte) + 1]);
        &INDEX.rows[start..end]
    }
}

impl fmt::Display for Opcode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn kind_and_opcode_are_inverse() {
        for &op in Opcode::ALL {
            assert_eq!(Opcode::of(op.kind()), op);
        }
    }

    #[test]
    fn rows_differ_in_their_fixed_fields() {
        // Two rows of one byte must disagree on the value of some field both fix, else the decoder could not choose.
        let apart = |a: Spec, b: Spec| matches!((a, b), (Spec::Is(x), Spec::Is(y)) if x != y);
        for byte in 0..=255 {
            let ops = Opcode::with_byte(byte);
            for (i, a) in ops.iter().map(|op| op.row()).enumerate() {
                for b in ops[..i].iter().map(|op| op.row()) {
                    let differ = apart(a.src, b.src) || apart(a.off, b.off) || apart(a.imm, b.imm);
                    assert!(differ, "{} and {} are told apart by nothing", a.name, b.name);
                }
            }
        }
    }

    #[test]
    fn the_index_holds_every_row_once_under_its_byte() {
        let mut seen = HashSet::new();
        for byte in 0..=255 {
            for op in Opcode::with_byte(byte) {
                assert_eq!(op.row().byte, byte);
                assert!(seen.insert(*op));
            }
        }
        assert_eq!(seen.len(), Opcode::ALL.len());
        assert!(Opcode::with_byte(0xff).is_empty());
    }

    #[test]
    fn conditions_invert_and_swap_back() {
        for cond in Cond::ALL {
            assert_eq!(cond.swapped().swapped(), cond);
            assert_eq!(cond.inverse().is_none(), cond == Cond::Set);
            assert_eq!(cond.inverse().map_or(Some(cond), Cond::inverse), Some(cond));
        }
    }
}
