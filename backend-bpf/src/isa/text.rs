//! The printed form of an instruction: the kernel's syntax, letter for letter what `llvm-objdump --mcpu=v4` writes.
//!
//! LLVM 19 cannot name acquire loads and release stores; they are spelled as later releases spell them. The one deviation:
//! a nonzero upper half of a 64-bit immediate, and the immediate of an indexed packet load, which llvm-objdump drops, are
//! printed.
//!
//! The rows of the [table](super::table) are templates with these placeholders:
//!
//! | placeholder | prints |
//! |---|---|
//! | `{d}`, `{s}` | the number of the destination or source register |
//! | `{i}` | the immediate, signed, hexadecimal |
//! | `{o}` | the offset of a memory access: ` + 0x4`, ` - 0x8` |
//! | `{j}`, `{l}` | the distance of a jump, from the offset or the immediate: `+0x3`, `-0x2` |
//! | `{p}` | the lower half of a 64-bit immediate, and the upper one if it is not zero: `0x5, 0x8` |
//! | `{x}` | the immediate of an indexed packet load, if it is not zero: ` + 0x4` |
//! | `{a}` | the two address spaces of a cast: `, 0x0, 0x1` |

use std::fmt::{self, Write};

use super::inst::Inst;

impl fmt::Display for Inst {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.op().row().text;
        while let Some((before, after)) = rest.split_once('{') {
            f.write_str(before)?;
            let (placeholder, after) = after.split_once('}').unwrap_or((after, ""));
            write_operand(*self, placeholder, f)?;
            rest = after;
        }
        f.write_str(rest)
    }
}

/// Writes what a placeholder stands for; one that is not in the list above stands for itself (a test finds it).
fn write_operand(inst: Inst, placeholder: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match placeholder {
        "d" => write!(f, "{}", inst.dst().number()),
        "s" => write!(f, "{}", inst.src().number()),
        "i" => write_signed(inst.imm(), "", "-", f),
        "o" => write_signed(inst.off().into(), " + ", " - ", f),
        "j" => write_signed(inst.off().into(), "+", "-", f),
        "l" => write_signed(inst.imm(), "+", "-", f),
        "p" => write_halves(inst, f),
        "x" if inst.imm() == 0 => Ok(()),
        "x" => write_signed(inst.imm(), " + ", " - ", f),
        "a" => {
            let spaces = inst.imm32().cast_unsigned();
            write!(f, ", {:#x}, {:#x}", spaces >> 16, spaces & 0xffff)
        }
        unknown => write!(f, "{{{unknown}}}"),
    }
}

fn write_signed(value: i64, plus: &str, minus: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let sign = if value < 0 { minus } else { plus };
    write!(f, "{sign}{:#x}", value.unsigned_abs())
}

fn write_halves(inst: Inst, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(f, "{:#x}", inst.imm32().cast_unsigned())?;
    let is_wide = inst.op().row().imm == super::opcode::Spec::Wide;
    match inst.imm_high() {
        high if is_wide && high != 0 => write!(f, ", {high:#x}"),
        _ => Ok(()),
    }
}

/// The bytes of an encoding as llvm-objdump prints them: `b7 00 00 00 01 00 00 00`.
pub(super) fn write_bytes(bytes: &[u8], out: &mut impl Write) -> fmt::Result {
    for (i, byte) in bytes.iter().enumerate() {
        let space = if i == 0 { "" } else { " " };
        write!(out, "{space}{byte:02x}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::super::{cases, codec::decode, opcode::Opcode, random::Random};

    #[test]
    fn every_case_prints_its_text() {
        for case in cases::all() {
            let insts = decode(&case.bytes).unwrap_or_else(|e| panic!("{}: {e}", case.text));
            assert_eq!(insts[0].1.to_string(), case.text);
        }
    }

    #[test]
    fn every_row_has_a_case() {
        let covered: HashSet<Opcode> =
            cases::all().filter_map(|case| Some(decode(&case.bytes).ok()?.first()?.1.op())).collect();
        for op in Opcode::ALL {
            assert!(covered.contains(op), "{op} has no case");
        }
    }

    #[test]
    fn no_placeholder_is_left_over() {
        let mut random = Random::new(3);
        for _ in 0..10_000 {
            let text = random.inst().to_string();
            assert!(!text.contains(['{', '}']), "{text}");
        }
    }
}
