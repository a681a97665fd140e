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

    use super::super::{cases, codec::decode, inst::Inst, opcode::*, random::Random, reg::*};

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
