//! A program as lines of text, in the manner of `llvm-objdump -d`.
//!
//! ```text
//! main:
//! ; count.go:12
//!        0:  18 01 00 00 00 00 00 00 00 00 00 00 00 00 00 00  r1 = 0x0 ll <counts>
//!        2:  85 00 00 00 01 00 00 00  call 0x1 <bpf_map_lookup_elem>
//!        3:  15 00 01 00 00 00 00 00  if r0 == 0x0 goto +0x1 <L5>
//! ```
//!
//! The columns are separated by tabs.

use std::{
    borrow::Cow,
    collections::BTreeSet,
    fmt::{self, Write},
};

use super::{
    codec::encode,
    inst::Inst,
    kind::{Callee, Imm64, Kind},
    text::write_bytes,
};

/// Names for the parts of a program; positions are slots from its start.
///
/// Every method answers nothing by default, and the listing then prints the plain instruction.
pub trait ProgramNames {
    /// The name of the code at a slot: a function, or a block.
    fn label(&self, slot: usize) -> Option<Cow<'_, str>> {
        let _ = slot;
        None
    }

    /// What the instruction at a slot refers to: the symbol of its relocation, or the callee's name.
    fn reference(&self, slot: usize, inst: Inst) -> Option<Cow<'_, str>> {
        let _ = (slot, inst);
        None
    }

    /// The source position of the instruction at a slot. Printed where it changes.
    fn line(&self, slot: usize) -> Option<Cow<'_, str>> {
        let _ = slot;
        None
    }
}

/// No names: what jumps to is called `L` and its slot.
#[derive(Clone, Copy, Debug)]
pub struct NoNames;

impl ProgramNames for NoNames {}

/// Prints a program, one instruction a line; `Display` gives the text, each line ending in a newline.
#[derive(Clone, Copy, Debug)]
pub struct Listing<'a, N> {
    insts: &'a [Inst],
    names: &'a N,
    start: usize,
    bytes: bool,
}

impl<'a, N: ProgramNames> Listing<'a, N> {
    /// The listing of a program that starts at slot 0.
    pub fn new(insts: &'a [Inst], names: &'a N) -> Listing<'a, N> {
        Listing { insts, names, start: 0, bytes: false }
    }

    /// The same for a program whose first instruction is at that slot of its section; names are asked for by slots of the section.
    #[must_use]
    pub fn starting_at(self, start: usize) -> Listing<'a, N> {
        Listing { start, ..self }
    }

    /// With a column of the encoded bytes, which llvm-objdump prints unless told not to.
    #[must_use]
    pub fn with_bytes(self) -> Listing<'a, N> {
        Listing { bytes: true, ..self }
    }

    /// Each instruction with its slot.
    fn located(&self) -> impl Iterator<Item = (usize, Inst)> {
        self.insts.iter().scan(self.start, |next, inst| {
            let slot = *next;
            *next += inst.slots();
            Some((slot, *inst))
        })
    }

    /// The slots that some instruction of the program points at. One with a reference points there instead: before
    /// relocation its distance means nothing.
    fn targets(&self) -> BTreeSet<usize> {
        let plain = self.located().filter(|(slot, inst)| self.names.reference(*slot, *inst).is_none());
        plain.filter_map(|(slot, inst)| target(slot, inst)).collect()
    }

    /// The label of a slot: its name, or one made of its number where something points at it.
    fn label(&self, slot: usize, targets: &BTreeSet<usize>) -> Option<Cow<'a, str>> {
        let made = || targets.contains(&slot).then(|| Cow::Owned(format!("L{slot}")));
        self.names.label(slot).or_else(made)
    }

    fn write_inst(
        &self,
        slot: usize,
        inst: Inst,
        targets: &BTreeSet<usize>,
        f: &mut fmt::Formatter<'_>,
    ) -> fmt::Result {
        write!(f, "{slot:8}:\t")?;
        if self.bytes {
            let mut bytes = Vec::new();
            encode(&[inst], &mut bytes);
            write_bytes(&bytes, f)?;
            f.write_char('\t')?;
        }
        write!(f, "{inst}")?;
        // A relocated call's distance is not its callee's yet, so a given name goes before the computed label.
        let reference = self.names.reference(slot, inst);
        let label = || self.label(target(slot, inst)?, targets);
        match reference.or_else(label) {
            Some(name) => writeln!(f, " <{name}>"),
            None => writeln!(f),
        }
    }
}

impl<N: ProgramNames> fmt::Display for Listing<'_, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let targets = self.targets();
        let mut last_line = None;
        for (slot, inst) in self.located() {
            if let Some(label) = self.label(slot, &targets) {
                writeln!(f, "{label}:")?;
            }
            let line = self.names.line(slot);
            if let Some(line) = line.as_ref().filter(|_| line != last_line) {
                writeln!(f, "; {line}")?;
            }
            last_line = line.or(last_line);
            self.write_inst(slot, inst, &targets, f)?;
        }
        Ok(())
    }
}

/// The slot an instruction points at: the target of a jump, the callee, or the function whose address it takes.
fn target(slot: usize, inst: Inst) -> Option<usize> {
    let names_code = matches!(
        inst.kind(),
        Kind::Call { callee: Callee::Subprogram } | Kind::LoadImm64 { imm: Imm64::Func }
    );
    let distance = if names_code { inst.imm32() } else { inst.jump_distance()? };
    (slot + 1).checked_add_signed(isize::try_from(distance).ok()?)
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            inst::Inst,
            kind::Cond,
            reg::{Reg, Width},
        },
        *,
    };

    struct Named;

    impl ProgramNames for Named {
        fn label(&self, slot: usize) -> Option<Cow<'_, str>> {
            match slot {
                0 => Some("main".into()),
                7 => Some("callee".into()),
                _ => None,
            }
        }

        fn reference(&self, _: usize, inst: Inst) -> Option<Cow<'_, str>> {
            match inst.kind() {
                Kind::LoadImm64 { .. } => Some("counts".into()),
                Kind::Call { callee: Callee::Helper } => Some("bpf_map_lookup_elem".into()),
                _ => None,
            }
        }

        fn line(&self, slot: usize) -> Option<Cow<'_, str>> {
            (slot != 3).then(|| if slot < 3 { "count.go:12".into() } else { "count.go:13".into() })
        }
    }

    fn program() -> Vec<Inst> {
        vec![
            Inst::load_imm64(Reg::R1, 0),
            Inst::call_helper(1),
            Inst::branch(Cond::Eq, Width::W64, Reg::R0, 0, 1),
            Inst::call_subprogram(2),
            Inst::jump(-2),
            Inst::exit(),
            Inst::exit(),
        ]
    }

    #[test]
    fn names_stand_at_their_places() {
        let expected = "\
main:
; count.go:12
       0:\tr1 = 0x0 ll <counts>
       2:\tcall 0x1 <bpf_map_lookup_elem>
       3:\tif r0 == 0x0 goto +0x1 <L5>
L4:
; count.go:13
       4:\tcall 0x2 <callee>
L5:
       5:\tgoto -0x2 <L4>
       6:\texit
callee:
       7:\texit
";
        assert_eq!(Listing::new(&program(), &Named).to_string(), expected);
    }

    #[test]
    fn without_names_targets_are_called_by_their_slot() {
        let insts = [Inst::jump(0), Inst::load_imm64(Reg::R0, 1 << 32), Inst::exit()];
        let expected = "\
\x20      0:\t05 00 00 00 00 00 00 00\tgoto +0x0 <L1>
L1:
       1:\t18 00 00 00 00 00 00 00 00 00 00 00 01 00 00 00\tr0 = 0x100000000 ll
       3:\t95 00 00 00 00 00 00 00\texit
";
        assert_eq!(Listing::new(&insts, &NoNames).with_bytes().to_string(), expected);
    }

    #[test]
    fn a_relocated_call_points_at_no_slot() {
        struct Relocated;
        impl ProgramNames for Relocated {
            fn reference(&self, slot: usize, _: Inst) -> Option<Cow<'_, str>> {
                (slot == 8).then(|| "callee".into())
            }
        }
        let insts = [Inst::call_subprogram(-1), Inst::exit()];
        let listing = Listing::new(&insts, &Relocated).starting_at(8).to_string();
        assert_eq!(listing.lines().collect::<Vec<_>>(), ["       8:\tcall -0x1 <callee>", "       9:\texit"]);
    }

    #[test]
    fn targets_outside_the_program_do_no_harm() {
        let insts = [Inst::jump(-3), Inst::jump_long(i32::MAX), Inst::call_subprogram(i32::MIN)];
        let listing = Listing::new(&insts, &NoNames).to_string();
        assert!(listing.starts_with("       0:\tgoto -0x3\n"), "{listing}");
        assert_eq!(Listing::new(&[], &NoNames).to_string(), "");
    }
}
