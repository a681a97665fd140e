//! Instructions to bytes and back, little endian, as the [table](super::table) says.
//!
//! A slot is eight bytes: opcode, registers (destination in the low half), offset (16 bits), immediate (32 bits). A 64-bit
//! immediate has its upper half in the immediate of a second slot, which is otherwise zero.

use std::fmt;

use thiserror::Error;

use super::{
    inst::Inst,
    opcode::{Opcode, Row, Spec},
    reg::Reg,
};

/// Bytes in a slot.
pub const SLOT_BYTES: usize = 8;

/// A field of a slot.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Field {
    /// The destination register.
    Dst,
    /// The source register.
    Src,
    /// The offset.
    Off,
    /// The immediate.
    Imm,
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Field::Dst => "destination register",
            Field::Src => "source register",
            Field::Off => "offset",
            Field::Imm => "immediate",
        })
    }
}

/// Why bytes are no program, and where.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error("slot {slot}: {fault}")]
pub struct DecodeError {
    /// The slot of the instruction at fault, counted from the start of the bytes.
    pub slot: usize,
    /// What is wrong with it.
    pub fault: DecodeFault,
}

/// What is wrong with a slot.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum DecodeFault {
    /// The bytes end inside the slot.
    #[error("the program ends after {bytes} of the instruction's 8 bytes")]
    Truncated {
        /// How many bytes there are.
        bytes: usize,
    },
    /// No instruction has that opcode byte.
    #[error("{byte:#04x} is no opcode")]
    UnknownOpcode {
        /// The byte.
        byte: u8,
    },
    /// The opcode byte has several instructions, and the field selects none of them.
    #[error("the {field} {found:#x} selects no instruction of opcode {byte:#04x}")]
    UnknownVariant {
        /// The opcode byte.
        byte: u8,
        /// The selecting field.
        field: Field,
        /// Its value.
        found: i32,
    },
    /// A field that the instruction does not use is not zero.
    #[error("the {field} of {op} is reserved and must be zero, not {found:#x}")]
    Reserved {
        /// The instruction.
        op: Opcode,
        /// The reserved field.
        field: Field,
        /// Its value.
        found: i32,
    },
    /// A register above R10.
    #[error("the {field} of {op} is {number}, but the last register is r10")]
    BadRegister {
        /// The instruction.
        op: Opcode,
        /// Which of the two register fields.
        field: Field,
        /// Its value.
        number: u8,
    },
    /// A 64-bit immediate at the end of the program.
    #[error("{op} takes two slots, and the program ends after the first")]
    MissingSecondHalf {
        /// The instruction.
        op: Opcode,
    },
    /// The second slot of a 64-bit immediate holds more than the immediate's upper half.
    #[error("the second slot of {op} may hold nothing but the upper half of the immediate")]
    BadSecondHalf {
        /// The instruction.
        op: Opcode,
    },
    /// The upper half of an immediate of 32 bits in two slots is not zero.
    #[error("the immediate of {op} in its second slot is reserved and must be zero, not {found:#x}")]
    ReservedSecondHalf {
        /// The instruction.
        op: Opcode,
        /// The second slot's immediate.
        found: i32,
    },
}

/// The fields of one slot, as encoded.
#[derive(Clone, Copy)]
struct Slot {
    byte: u8,
    dst: u8,
    src: u8,
    off: i16,
    imm: i32,
}

impl Slot {
    fn to_bytes(self) -> [u8; SLOT_BYTES] {
        let mut bytes = [0; SLOT_BYTES];
        bytes[0] = self.byte;
        bytes[1] = self.src << 4 | self.dst;
        bytes[2..4].copy_from_slice(&self.off.to_le_bytes());
        bytes[4..].copy_from_slice(&self.imm.to_le_bytes());
        bytes
    }

    fn from_bytes([byte, regs, off0, off1, imm @ ..]: [u8; SLOT_BYTES]) -> Slot {
        Slot {
            byte,
            dst: regs & 15,
            src: regs >> 4,
            off: i16::from_le_bytes([off0, off1]),
            imm: i32::from_le_bytes(imm),
        }
    }

    /// Each field with its value and what the row allows in it.
    fn fields(self, row: &Row) -> [(Field, i32, Spec); 4] {
        [
            (Field::Dst, i32::from(self.dst), row.dst),
            (Field::Src, i32::from(self.src), row.src),
            (Field::Off, i32::from(self.off), row.off),
            (Field::Imm, self.imm, row.imm),
        ]
    }
}

/// Appends the encoding of the instructions, eight bytes a slot.
///
/// Cannot fail: an [`Inst`] always fits its encoding.
pub fn encode(insts: &[Inst], out: &mut Vec<u8>) {
    out.reserve(insts.len() * SLOT_BYTES);
    for inst in insts {
        encode_one(*inst, out);
    }
}

fn encode_one(inst: Inst, out: &mut Vec<u8>) {
    let row = inst.op().row();
    let number = |spec: Spec, reg: Reg| fixed(spec).map_or(reg.number(), narrow);
    let slot = Slot {
        byte: row.byte,
        dst: number(row.dst, inst.dst()),
        src: number(row.src, inst.src()),
        off: fixed(row.off).map_or(inst.off(), narrow),
        imm: fixed(row.imm).unwrap_or(inst.imm32()),
    };
    out.extend(slot.to_bytes());
    let second = |imm| Slot { byte: 0, dst: 0, src: 0, off: 0, imm }.to_bytes();
    match row.imm {
        Spec::Any | Spec::Is(_) => {}
        Spec::Wide => out.extend(second(inst.imm_high().cast_signed())),
        Spec::Low => out.extend(second(0)),
    }
}

/// The only value a field may hold, if there is only one.
fn fixed(spec: Spec) -> Option<i32> {
    match spec {
        Spec::Is(value) => Some(value),
        Spec::Any | Spec::Wide | Spec::Low => None,
    }
}

/// A fixed value as its field's type.
fn narrow<T: TryFrom<i32, Error: fmt::Debug>>(value: i32) -> T {
    T::try_from(value).expect("a test checks that the table's fixed values fit their fields")
}

/// Decodes a whole program to its instructions, each with the slot it starts at.
///
/// Checks the encoding only, not what the verifier checks: targets of jumps, writes to R10, immediate shift counts.
///
/// # Errors
/// The first instruction that is not encoded as the table says, with its slot.
pub fn decode(bytes: &[u8]) -> Result<Vec<(usize, Inst)>, DecodeError> {
    let mut insts = Vec::with_capacity(bytes.len() / SLOT_BYTES);
    let mut slot = 0;
    while let Some(rest) = bytes.get(slot * SLOT_BYTES..).filter(|rest| !rest.is_empty()) {
        let inst = decode_one(rest).map_err(|fault| DecodeError { slot, fault })?;
        insts.push((slot, inst));
        slot += inst.slots();
    }
    Ok(insts)
}

/// Decodes the instruction at the start of the bytes; it takes [`Inst::slots`] slots.
///
/// # Errors
/// If the bytes do not start with an instruction encoded as the table says.
pub fn decode_one(bytes: &[u8]) -> Result<Inst, DecodeFault> {
    let slot = first_slot(bytes).ok_or(DecodeFault::Truncated { bytes: bytes.len() })?;
    let op = select(slot)?;
    let row = op.row();
    let dst = register(op, Field::Dst, slot.dst)?;
    let src = register(op, Field::Src, slot.src)?;
    let imm = match row.imm {
        Spec::Any | Spec::Is(_) => i64::from(slot.imm),
        Spec::Wide => {
            let high = second_slot(op, &bytes[SLOT_BYTES..])?;
            i64::from(high) << 32 | i64::from(slot.imm.cast_unsigned())
        }
        Spec::Low => match second_slot(op, &bytes[SLOT_BYTES..])? {
            0 => i64::from(slot.imm),
            found => return Err(DecodeFault::ReservedSecondHalf { op, found }),
        },
    };
    Ok(Inst::from_operands(op, dst, src, slot.off, imm).expect("an immediate read from 32 bits fits in them"))
}

fn first_slot(bytes: &[u8]) -> Option<Slot> {
    bytes.first_chunk().copied().map(Slot::from_bytes)
}

/// The register of a field. A fixed field has passed [`select`], so it is a small number and its register is ignored.
fn register(op: Opcode, field: Field, number: u8) -> Result<Reg, DecodeFault> {
    Reg::from_number(number).ok_or(DecodeFault::BadRegister { op, field, number })
}

/// The immediate of the second slot of a two-slot instruction.
fn second_slot(op: Opcode, bytes: &[u8]) -> Result<i32, DecodeFault> {
    let slot = first_slot(bytes).ok_or(DecodeFault::MissingSecondHalf { op })?;
    if slot.byte != 0 || slot.dst != 0 || slot.src != 0 || slot.off != 0 {
        return Err(DecodeFault::BadSecondHalf { op });
    }
    Ok(slot.imm)
}

/// The row whose fixed fields agree with the slot.
fn select(slot: Slot) -> Result<Opcode, DecodeFault> {
    let candidates = Opcode::with_byte(slot.byte);
    let misfits = |op: Opcode| slot.fields(op.row()).into_iter().filter(misfit).count();
    let closest = candidates.iter().copied().min_by_key(|op| misfits(*op));
    let op = closest.ok_or(DecodeFault::UnknownOpcode { byte: slot.byte })?;
    match slot.fields(op.row()).into_iter().find(misfit) {
        None => Ok(op),
        Some((field, found, _)) => Err(explain(op, field, found, candidates, slot)),
    }
}

fn misfit(&(_, found, spec): &(Field, i32, Spec)) -> bool {
    fixed(spec).is_some_and(|value| value != found)
}

/// Why no row fits: a reserved field is set, unless the field is one by which the candidates differ.
fn explain(op: Opcode, field: Field, found: i32, candidates: &[Opcode], slot: Slot) -> DecodeFault {
    let spec_of =
        |op: &Opcode| slot.fields(op.row()).into_iter().find(|(f, ..)| *f == field).map(|(.., spec)| spec);
    let selects = candidates.iter().any(|other| spec_of(other) != spec_of(&op));
    if selects || spec_of(&op) != Some(Spec::Is(0)) {
        return DecodeFault::UnknownVariant { byte: slot.byte, field, found };
    }
    DecodeFault::Reserved { op, field, found }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{cases, random::Random},
        *,
    };

    fn encoded(insts: &[Inst]) -> Vec<u8> {
        let mut bytes = Vec::new();
        encode(insts, &mut bytes);
        bytes
    }

    fn fault(bytes: &[u8]) -> String {
        decode(bytes).expect_err("these bytes are no program").to_string()
    }

    #[test]
    fn fixed_values_fit_their_fields() {
        for row in Opcode::ALL.iter().map(|op| op.row()) {
            for reg in [row.dst, row.src].into_iter().filter_map(fixed) {
                assert!((0..=10).contains(&reg), "{}: {reg} is no register number", row.name);
            }
            assert!(fixed(row.off).is_none_or(|off| i16::try_from(off).is_ok()), "{}", row.name);
        }
    }

    #[test]
    fn every_case_decodes_and_encodes_to_its_bytes() {
        for case in cases::all() {
            let insts = decode(&case.bytes).unwrap_or_else(|e| panic!("{}: {e}", case.text));
            let [(0, inst)] = insts[..] else { panic!("{} is not one instruction", case.text) };
            assert_eq!(encoded(&[inst]), case.bytes, "{}", case.text);
        }
    }

    #[test]
    fn random_instructions_survive_encoding() {
        let mut random = Random::new(1);
        for _ in 0..200 {
            let insts: Vec<Inst> = (0..64).map(|_| random.inst()).collect();
            let decoded = decode(&encoded(&insts)).expect("what is encoded decodes");
            assert!(decoded.iter().map(|(_, inst)| inst).eq(&insts));
            let mut slot = 0;
            for (at, inst) in decoded {
                assert_eq!(at, slot);
                slot += inst.slots();
            }
        }
    }

    /// Up to three slots and seldom a part of one, often with an opcode of the table, mostly zeros elsewhere: so that many decode.
    fn sparse_bytes(random: &mut Random) -> Vec<u8> {
        let cut = if random.below(8) == 0 { random.below(SLOT_BYTES) } else { 0 };
        let length = random.below(4) * SLOT_BYTES + cut;
        let mut bytes: Vec<u8> = (0..length).map(|_| random.byte()).collect();
        for (i, byte) in bytes.iter_mut().enumerate() {
            match (i % SLOT_BYTES, random.below(4)) {
                (0, 1..) => *byte = random.inst().op().row().byte,
                (1.., 1..) => *byte = 0,
                (_, _) => {}
            }
        }
        bytes
    }

    #[test]
    fn random_bytes_decode_to_what_encodes_to_them_or_to_an_error() {
        let mut random = Random::new(2);
        let mut decoded = 0;
        for _ in 0..200_000 {
            let bytes = sparse_bytes(&mut random);
            if let Ok(insts) = decode(&bytes) {
                let insts: Vec<Inst> = insts.into_iter().map(|(_, inst)| inst).collect();
                assert_eq!(encoded(&insts), bytes);
                decoded += usize::from(!insts.is_empty());
            }
        }
        assert!(decoded > 10_000, "only {decoded} byte strings were programs");
    }

    #[test]
    fn faults_say_where_and_what() {
        assert_eq!(decode(&[]), Ok(vec![]));
        assert_eq!(fault(&[0x95, 0, 0]), "slot 0: the program ends after 3 of the instruction's 8 bytes");
        let after_exit = |slot: [u8; 8]| [encoded(&[Inst::exit()]), slot.to_vec()].concat();
        let cases = [
            ([0xff, 0, 0, 0, 0, 0, 0, 0], "0xff is no opcode"),
            ([0x95, 0, 0, 0, 1, 0, 0, 0], "the immediate of Exit is reserved and must be zero, not 0x1"),
            (
                [0x07, 0x20, 0, 0, 1, 0, 0, 0],
                "the source register of Add64Imm is reserved and must be zero, not 0x2",
            ),
            (
                [0x0f, 0x0b, 0, 0, 0, 0, 0, 0],
                "the destination register of Add64Reg is 11, but the last register is r10",
            ),
            ([0xdb, 0x21, 0, 0, 0x99, 0, 0, 0], "the immediate 0x99 selects no instruction of opcode 0xdb"),
            ([0xbf, 0x21, 64, 0, 0, 0, 0, 0], "the offset 0x40 selects no instruction of opcode 0xbf"),
            ([0xd4, 0x01, 0, 0, 8, 0, 0, 0], "the immediate 0x8 selects no instruction of opcode 0xd4"),
            ([0x85, 0x30, 0, 0, 8, 0, 0, 0], "the source register 0x3 selects no instruction of opcode 0x85"),
            ([0x18, 0x01, 0, 0, 8, 0, 0, 0], "LdImm64 takes two slots, and the program ends after the first"),
        ];
        for (slot, sentence) in cases {
            assert_eq!(fault(&after_exit(slot)), format!("slot 1: {sentence}"));
        }
    }

    #[test]
    fn second_slots_are_checked() {
        let pair = |src: u8, second: [u8; 8]| [[0x18, src << 4, 0, 0, 1, 0, 0, 0], second].concat();
        assert_eq!(
            fault(&pair(0, [0x95, 0, 0, 0, 0, 0, 0, 0])),
            "slot 0: the second slot of LdImm64 may hold nothing but the upper half of the immediate"
        );
        assert_eq!(
            fault(&pair(1, [0, 0, 0, 0, 1, 0, 0, 0])),
            "slot 0: the immediate of LdMapFd in its second slot is reserved and must be zero, not 0x1"
        );
        let insts = decode(&pair(2, [0, 0, 0, 0, 7, 0, 0, 0])).expect("a map value has an offset");
        assert_eq!(insts, [(0, Inst::load_map_value(Reg::R0, 1, 7))]);
    }
}
