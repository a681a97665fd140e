//! Which registers an instruction reads and writes.

use std::fmt;

use super::{
    inst::Inst,
    kind::{AluOp, AtomicOp, Kind, Operand, Packet},
    reg::Reg,
};

/// A set of registers. `Display` writes `{r0, r6}`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub struct RegSet(u16);

impl RegSet {
    /// The empty set.
    pub const EMPTY: RegSet = RegSet(0);

    /// The registers that do not survive a call: R0 to R5.
    pub const CALLER_SAVED: RegSet = RegSet(0b11_1111);

    /// The set of those registers.
    #[must_use]
    pub fn of(regs: &[Reg]) -> RegSet {
        regs.iter().fold(RegSet::EMPTY, |set, reg| set.with(*reg))
    }

    /// The set with one more register.
    #[must_use]
    pub const fn with(self, reg: Reg) -> RegSet {
        RegSet(self.0 | 1 << reg.number())
    }

    /// The registers in either set.
    #[must_use]
    pub const fn union(self, other: RegSet) -> RegSet {
        RegSet(self.0 | other.0)
    }

    /// The registers of this set that are not in the other.
    #[must_use]
    pub const fn without(self, other: RegSet) -> RegSet {
        RegSet(self.0 & !other.0)
    }

    /// Whether the register is in the set.
    #[must_use]
    pub const fn contains(self, reg: Reg) -> bool {
        self.0 & 1 << reg.number() != 0
    }

    /// Whether the set has no register.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The registers, ascending.
    pub fn iter(self) -> impl Iterator<Item = Reg> {
        Reg::ALL.into_iter().filter(move |reg| self.contains(*reg))
    }
}

impl fmt::Display for RegSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<String> = self.iter().map(|reg| reg.to_string()).collect();
        write!(f, "{{{}}}", names.join(", "))
    }
}

impl Inst {
    /// The registers whose value the instruction may use. A call may use every argument register; `exit` uses R0.
    #[must_use]
    pub fn reads(self) -> RegSet {
        let dst = RegSet::EMPTY.with(self.dst());
        let src = RegSet::EMPTY.with(self.src());
        let second = |operand| match operand {
            Operand::Reg => src,
            Operand::Imm => RegSet::EMPTY,
        };
        match self.kind() {
            Kind::Alu { op: AluOp::Mov, operand, .. } => second(operand),
            Kind::Alu { operand, .. } => dst.union(second(operand)),
            Kind::Neg { .. } | Kind::Endian { .. } => dst,
            Kind::MovSx { .. } | Kind::AddrSpaceCast => src,
            Kind::Load { .. } | Kind::LoadSx { .. } | Kind::LoadAcquire { .. } => src,
            Kind::Store { operand, .. } | Kind::Branch { operand, .. } => dst.union(second(operand)),
            Kind::Atomic { op: AtomicOp::CmpXchg, .. } => dst.union(src).with(Reg::R0),
            Kind::Atomic { .. } | Kind::StoreRelease { .. } => dst.union(src),
            Kind::Jump | Kind::JumpLong | Kind::MayGoto | Kind::LoadImm64 { .. } => RegSet::EMPTY,
            Kind::Call { .. } => RegSet::of(&Reg::ARGS),
            Kind::CallX => dst.union(RegSet::of(&Reg::ARGS)),
            Kind::Exit => RegSet::EMPTY.with(Reg::R0),
            Kind::LoadPacket { at: Packet::Abs, .. } => RegSet::EMPTY.with(Reg::R6),
            Kind::LoadPacket { at: Packet::Ind, .. } => src.with(Reg::R6),
        }
    }

    /// The registers that hold another value afterwards, or none that may be used: a call loses R1 to R5.
    #[must_use]
    pub fn writes(self) -> RegSet {
        match self.kind() {
            Kind::Alu { .. }
            | Kind::Neg { .. }
            | Kind::Endian { .. }
            | Kind::MovSx { .. }
            | Kind::AddrSpaceCast
            | Kind::Load { .. }
            | Kind::LoadSx { .. }
            | Kind::LoadAcquire { .. }
            | Kind::LoadImm64 { .. } => RegSet::EMPTY.with(self.dst()),
            Kind::Atomic { op, .. } => self.atomic_result(op),
            Kind::Store { .. }
            | Kind::StoreRelease { .. }
            | Kind::Jump
            | Kind::JumpLong
            | Kind::MayGoto
            | Kind::Branch { .. }
            | Kind::Exit => RegSet::EMPTY,
            Kind::Call { .. } | Kind::CallX | Kind::LoadPacket { .. } => RegSet::CALLER_SAVED,
        }
    }

    fn atomic_result(self, op: AtomicOp) -> RegSet {
        match op {
            AtomicOp::Add | AtomicOp::Or | AtomicOp::And | AtomicOp::Xor => RegSet::EMPTY,
            AtomicOp::FetchAdd
            | AtomicOp::FetchOr
            | AtomicOp::FetchAnd
            | AtomicOp::FetchXor
            | AtomicOp::Xchg => RegSet::EMPTY.with(self.src()),
            AtomicOp::CmpXchg => RegSet::EMPTY.with(Reg::R0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::random::Random, *};

    /// The registers that a printed instruction names.
    fn named(text: &str) -> RegSet {
        let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let numbers = words.filter_map(|word| word.strip_prefix(['r', 'w'])?.parse().ok());
        RegSet::of(&numbers.filter_map(Reg::from_number).collect::<Vec<_>>())
    }

    #[test]
    fn instructions_touch_the_registers_they_name() {
        let mut random = Random::new(5);
        for _ in 0..20_000 {
            let inst = random.inst();
            let touched = inst.reads().union(inst.writes());
            let implied = match inst.kind() {
                Kind::Call { .. } | Kind::CallX => RegSet::CALLER_SAVED,
                Kind::LoadPacket { .. } => RegSet::CALLER_SAVED.with(Reg::R6),
                Kind::Exit => RegSet::of(&[Reg::R0]),
                _ => RegSet::EMPTY,
            };
            assert_eq!(touched, named(&inst.to_string()).union(implied), "{inst}");
        }
    }

    #[test]
    fn what_stands_left_of_the_equals_sign_is_written() {
        let mut random = Random::new(6);
        for _ in 0..20_000 {
            let inst = random.inst();
            let text = inst.to_string();
            let target =
                text.split_once(" = ").map(|(left, _)| left).filter(|left| !left.contains(['*', ' ']));
            if let Some(target) = target {
                let written = named(target);
                assert!(written.without(inst.writes()).is_empty(), "{inst}");
            }
        }
    }

    #[test]
    fn sets_list_their_registers() {
        let set = RegSet::of(&[Reg::R6, Reg::R0]);
        assert_eq!(set.to_string(), "{r0, r6}");
        assert_eq!(set.without(RegSet::CALLER_SAVED), RegSet::EMPTY.with(Reg::R6));
        assert!(set.contains(Reg::R6) && !set.contains(Reg::R1) && RegSet::EMPTY.is_empty());
    }

    #[test]
    fn a_copy_reads_its_source_only() {
        assert_eq!(Inst::mov64(Reg::R1, Reg::R2).reads(), RegSet::of(&[Reg::R2]));
        assert_eq!(Inst::alu64(AluOp::Add, Reg::R1, 1).reads(), RegSet::of(&[Reg::R1]));
    }
}
