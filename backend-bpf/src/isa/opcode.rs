//! Opcodes: the enum and the rows that the [table](super::table) expands to, and the decoder's index of them.

use std::fmt;

use super::{
    kind::{AluOp, AtomicOp, Bits, Callee, Cond, Endian, Imm64, Kind, MovSx, Operand, Packet},
    level::Feature,
    reg::{Narrow, Size, Width},
    table::for_each_inst,
};

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
}
