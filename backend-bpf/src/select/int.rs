//! Integer arithmetic at every width on 32- or 64-bit operations.

use larrow_ir::{Op, Value};

use super::{Need, Selector};
use crate::isa::{AluOp, Bits, Endian, MovSx, Width};
use crate::mach::{MachOp, Rhs, VReg};

/// The low `width` bits of a constant with the sign bit copied upwards.
pub(crate) fn sign_extended(bits: u64, width: u8) -> i64 {
    let unused = 64 - u32::from(width.max(1));
    (bits << unused).cast_signed() >> unused
}

impl Selector<'_> {
    fn operands(&self, v: Value) -> (Value, Value) {
        let args = self.func.args(v);
        (args[0], args[1])
    }

    /// Operands with a constant on the right, and else the one that dies here on the left, whose register the
    /// result takes.
    fn commuted(&self, v: Value) -> (Value, Value) {
        let (x, y) = self.operands(v);
        let swap = if self.constant(x).is_some() || self.constant(y).is_some() {
            self.constant(y).is_none()
        } else {
            self.uses[x] > 1 && self.uses[y] == 1
        };
        if swap { (y, x) } else { (x, y) }
    }

    /// A right operand of which only the low `width` bits count.
    fn wrapping_rhs(&mut self, y: Value, width: u8, need: Need) -> Rhs<VReg> {
        let imm = self.constant(y).map(|c| sign_extended(c, width));
        match imm.and_then(|c| i32::try_from(c).ok()) {
            Some(imm) => Rhs::Imm(imm),
            None => Rhs::Reg(self.reg(y, need)),
        }
    }

    /// A right operand that counts in all bits of the operation.
    pub(super) fn exact_rhs(&mut self, y: Value, exec: Width, need: Need) -> Rhs<VReg> {
        match self.constant(y).and_then(|c| exact_imm(c, exec)) {
            Some(imm) => Rhs::Imm(imm),
            None => Rhs::Reg(self.reg(y, need)),
        }
    }

    /// Clears what stands above the low `width` bits.
    pub(super) fn mask(&mut self, dst: VReg, src: VReg, width: u8) {
        match (width, self.exec(32)) {
            (64, _) => self.push(MachOp::Mov { width: Width::W64, dst, src }),
            (32, Width::W32) => self.push(MachOp::Mov { width: Width::W32, dst, src }),
            (32, Width::W64) => {
                let high = self.temp();
                self.alu_imm(AluOp::Lsh, Width::W64, high, src, 32);
                self.alu_imm(AluOp::Rsh, Width::W64, dst, high, 32);
            }
            (narrow, exec) => self.alu_imm(AluOp::And, exec, dst, src, (1 << narrow.min(31)) - 1),
        }
    }

    /// Where a result goes before it is masked, if it has to be.
    fn unmasked(&mut self, dst: VReg, mask: bool) -> VReg {
        if mask { self.temp() } else { dst }
    }

    /// `Add`, `Sub`, `Mul`: the low bits of the result depend on the low bits of the operands alone.
    pub(super) fn wrapping(&mut self, v: Value) {
        let op = self.func.inst(v).op;
        let (x, y) = if op == Op::Sub { self.operands(v) } else { self.commuted(v) };
        let (width, alu) = match op {
            Op::Add => (self.width(v), AluOp::Add),
            Op::Sub => (self.width(v), AluOp::Sub),
            _ => (self.width(v), AluOp::Mul),
        };
        let exec = self.exec(width);
        let wider = exec.bits() > u32::from(width);
        let fits = match op {
            Op::Add => self.bits[x].max(self.bits[y]) < width,
            Op::Mul => self.bits[x].saturating_add(self.bits[y]) <= width,
            _ => false,
        };
        let mask = wider && self.full[v] && !fits;
        let need = if wider && self.full[v] && fits { Need::Full } else { Need::Low };
        let dst = self.own_reg(v);
        let lhs = self.reg(x, need);
        let rhs = if need == Need::Full {
            self.exact_rhs(y, exec, need)
        } else {
            self.wrapping_rhs(y, width, need)
        };
        let raw = self.unmasked(dst, mask);
        self.alu(alu, exec, raw, lhs, rhs);
        if mask {
            self.mask(dst, raw, width);
        }
    }

    /// `And`, `Or`, `Xor` of zero-extended operands are zero-extended.
    pub(super) fn bitwise(&mut self, v: Value) {
        let (x, y) = self.commuted(v);
        let (dst, width) = (self.own_reg(v), self.width(v));
        let alu = match self.func.inst(v).op {
            Op::And => AluOp::And,
            Op::Or => AluOp::Or,
            _ => AluOp::Xor,
        };
        let mut exec = self.exec(width);
        let mut need = if self.full[v] { Need::Full } else { Need::Low };
        if let Some(c) = self.constant(y).filter(|_| alu == AluOp::And) {
            if c == 0xffff_ffff && self.isa.has_alu32() {
                let src = self.reg(x, Need::Low);
                return self.push(MachOp::Mov { width: Width::W32, dst, src });
            }
            // A mask that is zero in the upper half clears it, whatever stood there.
            if c <= 0xffff_ffff && self.isa.has_alu32() {
                exec = Width::W32;
            }
            if exec == Width::W32 || c < 1 << 31 {
                need = Need::Low;
            }
        }
        let lhs = self.reg(x, need);
        let rhs = match need {
            Need::Low if alu == AluOp::And && exec == Width::W64 && width < 64 => {
                self.exact_rhs(y, exec, need)
            }
            Need::Low if exec == Width::W64 => self.wrapping_rhs(y, width, need),
            Need::Low | Need::Full => self.exact_rhs(y, exec, need),
        };
        self.alu(alu, exec, dst, lhs, rhs);
    }

    /// `DivU`, `ModU`: the machine's own at either width.
    pub(super) fn divide(&mut self, v: Value) {
        let (x, y) = self.operands(v);
        let (dst, exec) = (self.own_reg(v), self.exec(self.width(v)));
        let divides = self.func.inst(v).op == Op::DivU;
        if self.constant(y) == Some(0) {
            return self.by_zero(dst, x, divides);
        }
        let lhs = self.reg(x, Need::Full);
        let rhs = self.exact_rhs(y, exec, Need::Full);
        self.alu(if divides { AluOp::Div } else { AluOp::Mod }, exec, dst, lhs, rhs);
    }

    /// The verifier refuses a divisor that is the immediate zero.
    fn by_zero(&mut self, dst: VReg, x: Value, divides: bool) {
        if divides {
            self.push(MachOp::MovImm { dst, imm: 0 });
        } else {
            let src = self.reg(x, Need::Full);
            self.push(MachOp::Mov { width: Width::W64, dst, src });
        }
    }

    /// `Div`, `Mod` where the machine has them.
    pub(super) fn divide_signed(&mut self, v: Value) {
        let (x, y) = self.operands(v);
        let (dst, width) = (self.own_reg(v), self.width(v));
        let divides = self.func.inst(v).op == Op::Div;
        if !self.isa.has_sdiv() {
            return self.error(v, "signed division was not expanded for this instruction set level");
        }
        if self.constant(y) == Some(0) {
            return self.by_zero(dst, x, divides);
        }
        let exec = self.exec(width);
        let lhs = self.sign_extended_reg(x, exec);
        let rhs = match self.constant(y).and_then(|c| i32::try_from(sign_extended(c, width)).ok()) {
            Some(imm) => Rhs::Imm(imm),
            None => Rhs::Reg(self.sign_extended_reg(y, exec)),
        };
        let mask = u32::from(width) < exec.bits() && self.full[v];
        let raw = self.unmasked(dst, mask);
        self.alu(if divides { AluOp::SDiv } else { AluOp::SMod }, exec, raw, lhs, rhs);
        if mask {
            self.mask(dst, raw, width);
        }
    }

    /// `x` sign-extended from its own width to that of an operation.
    pub(super) fn sign_extended_reg(&mut self, x: Value, exec: Width) -> VReg {
        let width = self.width(x);
        if u32::from(width) == exec.bits() {
            return self.reg(x, Need::Low);
        }
        if let Some(c) = self.constant(x) {
            let value = sign_extended(c, width);
            // In a 32-bit operation the upper half does not count; keep it clear.
            let imm = if exec == Width::W32 { value & 0xffff_ffff } else { value };
            return self.imm_reg(imm);
        }
        if self.bits[x] < width {
            return self.reg(x, Need::Full);
        }
        let dst = self.temp();
        self.extend_into(dst, x, exec);
        dst
    }

    /// Sign-extends `x` to 32 bits, with zeros above, or to 64.
    fn extend_into(&mut self, dst: VReg, x: Value, exec: Width) {
        let width = self.width(x);
        let src = self.reg(x, Need::Low);
        let how = match (width, exec) {
            (8, Width::W64) => Some(MovSx::S8To64),
            (16, Width::W64) => Some(MovSx::S16To64),
            (32, Width::W64) => Some(MovSx::S32To64),
            (8, Width::W32) => Some(MovSx::S8To32),
            (16, Width::W32) => Some(MovSx::S16To32),
            _ => None,
        };
        if let Some(how) = how.filter(|_| self.isa.has_movsx()) {
            return self.push(MachOp::MovSx { how, dst, src });
        }
        let by = exec.bits().cast_signed() - i32::from(width);
        let high = self.temp();
        self.alu_imm(AluOp::Lsh, exec, high, src, by);
        self.alu_imm(AluOp::Arsh, exec, dst, high, by);
    }

    /// A shift count below the width: an immediate, or a register that the machine masks or that is masked here.
    fn count(&mut self, y: Value, width: u8, exec: Width) -> Rhs<VReg> {
        if let Some(c) = self.constant(y) {
            return Rhs::Imm(i32::try_from(c & u64::from(width - 1)).expect("a count below 64"));
        }
        if u32::from(width) == exec.bits() {
            return Rhs::Reg(self.reg(y, Need::Low));
        }
        if u32::from(self.bits[y]) <= u32::from(width).trailing_zeros() {
            return Rhs::Reg(self.reg(y, Need::Full));
        }
        let (src, masked) = (self.reg(y, Need::Low), self.temp());
        self.alu_imm(AluOp::And, self.exec(32), masked, src, i32::from(width) - 1);
        Rhs::Reg(masked)
    }

    /// `Lsh`
    pub(super) fn shift_left(&mut self, v: Value) {
        let (x, y) = self.operands(v);
        let (dst, width) = (self.own_reg(v), self.width(v));
        let exec = self.exec(width);
        let wider = exec.bits() > u32::from(width);
        let by = self.constant(y).map(|c| c & u64::from(width - 1));
        let fits = by.is_some_and(|by| u64::from(self.bits[x]) + by <= u64::from(width));
        let mask = wider && self.full[v] && !fits;
        let need = if wider && self.full[v] && fits { Need::Full } else { Need::Low };
        let lhs = self.reg(x, need);
        let rhs = self.count(y, width, exec);
        let raw = self.unmasked(dst, mask);
        self.alu(AluOp::Lsh, exec, raw, lhs, rhs);
        if mask {
            self.mask(dst, raw, width);
        }
    }

    /// `RshU`
    pub(super) fn shift_right(&mut self, v: Value) {
        let (x, y) = self.operands(v);
        let (dst, width) = (self.own_reg(v), self.width(v));
        let exec = self.exec(width);
        let lhs = self.reg(x, Need::Full);
        let rhs = self.count(y, width, exec);
        self.alu(AluOp::Rsh, exec, dst, lhs, rhs);
    }

    /// `Rsh`
    pub(super) fn shift_right_signed(&mut self, v: Value) {
        let (x, y) = self.operands(v);
        let (dst, width) = (self.own_reg(v), self.width(v));
        let exec = self.exec(width);
        let lhs = self.sign_extended_reg(x, exec);
        let rhs = self.count(y, width, exec);
        let mask = exec.bits() > u32::from(width) && self.full[v];
        let raw = self.unmasked(dst, mask);
        self.alu(AluOp::Arsh, exec, raw, lhs, rhs);
        if mask {
            self.mask(dst, raw, width);
        }
    }

    /// `Neg`
    pub(super) fn negate(&mut self, v: Value) {
        let (dst, width) = (self.own_reg(v), self.width(v));
        let exec = self.exec(width);
        let src = self.reg(self.func.args(v)[0], Need::Low);
        let mask = exec.bits() > u32::from(width) && self.full[v];
        let raw = self.unmasked(dst, mask);
        self.push(MachOp::Neg { width: exec, dst: raw, src });
        if mask {
            self.mask(dst, raw, width);
        }
    }

    /// `Com`
    pub(super) fn complement(&mut self, v: Value) {
        let (dst, width) = (self.own_reg(v), self.width(v));
        let exec = self.exec(width);
        let x = self.func.args(v)[0];
        if width < 32 {
            // Exactly the value's bits are flipped, so it stays zero-extended.
            let need = if self.full[v] { Need::Full } else { Need::Low };
            let lhs = self.reg(x, need);
            return self.alu_imm(AluOp::Xor, exec, dst, lhs, (1 << width) - 1);
        }
        let lhs = self.reg(x, Need::Low);
        let mask = exec.bits() > u32::from(width) && self.full[v];
        let raw = self.unmasked(dst, mask);
        self.alu_imm(AluOp::Xor, exec, raw, lhs, -1);
        if mask {
            self.mask(dst, raw, width);
        }
    }

    /// `Bswap`: every form clears the bits above.
    pub(super) fn swap_bytes(&mut self, v: Value) {
        let dst = self.own_reg(v);
        let bits = match self.width(v) {
            16 => Bits::B16,
            32 => Bits::B32,
            _ => Bits::B64,
        };
        let order = if self.isa.has_bswap() { Endian::Bswap } else { Endian::Be };
        let src = self.reg(self.func.args(v)[0], Need::Low);
        self.push(MachOp::Endian { order, bits, dst, src });
    }

    /// `SignExt`
    pub(super) fn sign_extend(&mut self, v: Value) {
        let (dst, width, x) = (self.own_reg(v), self.width(v), self.func.args(v)[0]);
        if self.extends_load(v, x) {
            self.extended_by[x] = v.into();
            self.own_reg(x);
            return;
        }
        let exec = self.exec(width);
        let mask = exec.bits() > u32::from(width) && self.full[v];
        let raw = self.unmasked(dst, mask);
        self.extend_into(raw, x, exec);
        if mask {
            self.mask(dst, raw, width);
        }
    }

    /// Whether an extension to 64 bits can be done by the load of its operand.
    fn extends_load(&self, v: Value, x: Value) -> bool {
        let only = self.uses[x] == 1 && self.func.inst(x).op == Op::Load && !self.wanted(x);
        only && self.isa.has_ldsx() && self.width(v) == 64
    }

    /// `Trunc`
    pub(super) fn truncate(&mut self, v: Value) {
        let dst = self.own_reg(v);
        let src = self.reg(self.func.args(v)[0], Need::Low);
        self.mask(dst, src, self.width(v));
    }
}

/// A constant as an immediate of an operation that looks at all of its bits.
pub(crate) fn exact_imm(c: u64, exec: Width) -> Option<i32> {
    match exec {
        Width::W32 => u32::try_from(c).ok().map(u32::cast_signed),
        Width::W64 => i32::try_from(c.cast_signed()).ok(),
    }
}
