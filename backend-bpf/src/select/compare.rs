//! Comparisons: fused into branches, or as values.

use larrow_ir::{Block, Op, Value};

use super::int::{exact_imm, sign_extended};
use super::{Need, Selector};
use crate::isa::{AluOp, Cond, Width};
use crate::mach::{Label, MachOp, Rhs, VReg};

/// The condition under which an op is true, if it compares integers or pointers.
fn condition(op: Op) -> Option<Cond> {
    match op {
        Op::Eq => Some(Cond::Eq),
        Op::Neq => Some(Cond::Ne),
        Op::Less => Some(Cond::Slt),
        Op::Leq => Some(Cond::Sle),
        Op::LessU => Some(Cond::Lt),
        Op::LeqU => Some(Cond::Le),
        _ => None,
    }
}

fn is_signed(cond: Cond) -> bool {
    matches!(cond, Cond::Sgt | Cond::Sge | Cond::Slt | Cond::Sle)
}

fn is_below(cond: Cond) -> bool {
    matches!(cond, Cond::Lt | Cond::Le | Cond::Slt | Cond::Sle)
}

impl Selector<'_> {
    /// `If`: a comparison is fused, a negation exchanges the targets.
    pub(super) fn branch(&mut self, mut cond: Value, then: Block, other: Block) {
        let (mut then, mut other) = (self.label(then), self.label(other));
        loop {
            let inst = self.func.inst(cond);
            let truth = inst.args.get(1).and_then(|&y| self.constant(y));
            match inst.op {
                Op::Not => std::mem::swap(&mut then, &mut other),
                Op::Eq if truth == Some(0) && self.width(inst.args[0]) == 1 => {
                    std::mem::swap(&mut then, &mut other);
                }
                Op::Neq if truth == Some(0) && self.width(inst.args[0]) == 1 => {}
                _ => break,
            }
            cond = inst.args[0];
        }
        if let Some(c) = condition(self.func.inst(cond).op) {
            return self.compare_branch(c, cond, then, other);
        }
        let lhs = self.reg(cond, Need::Full);
        self.push(MachOp::Branch { cond: Cond::Ne, width: Width::W64, lhs, rhs: Rhs::Imm(0), then, other });
    }

    fn compare_branch(&mut self, mut cond: Cond, v: Value, mut then: Label, mut other: Label) {
        let (mut x, mut y) = (self.func.args(v)[0], self.func.args(v)[1]);
        if self.constant(x).is_some() && self.constant(y).is_none() {
            std::mem::swap(&mut x, &mut y);
            cond = cond.swapped();
        }
        if self.test_bits(cond, x, y, then, other) {
            return;
        }
        let width = if self.width(x) <= 32 && self.isa.has_jmp32() { Width::W32 } else { Width::W64 };
        let (mut lhs, mut rhs) = self.compared(cond, x, y, width);
        if is_below(cond) && !self.isa.has_jmp_lt() {
            match rhs {
                Rhs::Reg(reg) => (lhs, rhs, cond) = (reg, Rhs::Reg(lhs), cond.swapped()),
                Rhs::Imm(_) => {
                    cond = cond.inverse().expect("an order has an inverse");
                    std::mem::swap(&mut then, &mut other);
                }
            }
        }
        self.push(MachOp::Branch { cond, width, lhs, rhs, then, other });
    }

    /// Both operands in the form that a comparison of this width looks at.
    fn compared(&mut self, cond: Cond, x: Value, y: Value, exec: Width) -> (VReg, Rhs<VReg>) {
        let width = self.width(x);
        if is_signed(cond) && u32::from(width) != exec.bits() {
            let lhs = self.sign_extended_reg(x, exec);
            let imm = self.constant(y).and_then(|c| i32::try_from(sign_extended(c, width)).ok());
            let rhs = imm.map_or_else(|| Rhs::Reg(self.sign_extended_reg(y, exec)), Rhs::Imm);
            return (lhs, rhs);
        }
        // What a comparison proves must hold for the register that others use. So a value that was narrowed is
        // compared in its own register, unless nothing else looks at it.
        let need = |v: Value| {
            if u32::from(width) == exec.bits() && self.uses[v] == 1 { Need::Low } else { Need::Full }
        };
        let (x_need, y_need) = (need(x), need(y));
        (self.reg(x, x_need), self.exact_rhs(y, exec, y_need))
    }

    /// `(a & b) != 0` as one instruction, where the conjunction has no other use.
    fn test_bits(&mut self, cond: Cond, x: Value, y: Value, mut then: Label, mut other: Label) -> bool {
        let and = self.func.inst(x);
        let alone = and.op == Op::And && self.uses[x] == 1 && !self.wanted(x);
        if !alone || self.constant(y) != Some(0) || !matches!(cond, Cond::Eq | Cond::Ne) {
            return false;
        }
        let (mut a, mut b) = (and.args[0], and.args[1]);
        if self.constant(a).is_some() {
            std::mem::swap(&mut a, &mut b);
        }
        let width = if self.width(x) <= 32 && self.isa.has_jmp32() { Width::W32 } else { Width::W64 };
        let (lhs, rhs) = match self.constant(b).map(|c| exact_imm(c, width)) {
            // The immediate has no bits above the value's width, so those of the register do not count.
            Some(Some(imm)) if imm >= 0 || width == Width::W32 => (self.reg(a, Need::Low), Rhs::Imm(imm)),
            _ => (self.reg(a, Need::Full), Rhs::Reg(self.reg(b, Need::Full))),
        };
        if cond == Cond::Eq {
            std::mem::swap(&mut then, &mut other);
        }
        self.push(MachOp::Branch { cond: Cond::Set, width, lhs, rhs, then, other });
        true
    }

    /// A comparison whose truth value is needed as such. At up to 32 bits the sign of a 64-bit difference tells;
    /// wider ones were made branches of by the legalization.
    pub(super) fn compare_value(&mut self, v: Value) {
        let inst = self.func.inst(v);
        let (op, x, y) = (inst.op, inst.args[0], inst.args[1]);
        if self.width(x) > 32 {
            return self
                .error(v, format!("`{op}` of 64 bits was not legalized before instruction selection"));
        }
        let dst = self.own_reg(v);
        match op {
            Op::Eq | Op::Neq => self.equality_value(dst, op == Op::Eq, x, y),
            Op::Less | Op::LessU => self.less_value(dst, op == Op::Less, x, y, false),
            _ => self.less_value(dst, op == Op::Leq, y, x, true),
        }
    }

    /// `x ^ y` is zero exactly if they are equal; so `(x ^ y) - 1`, or its negation, is negative.
    fn equality_value(&mut self, dst: VReg, equal: bool, x: Value, y: Value) {
        let (x, y) = if self.constant(x).is_some() { (y, x) } else { (x, y) };
        let mut diff = self.reg(x, Need::Full);
        let narrow = self.bits[x].max(self.bits[y]) <= 1;
        if self.constant(y) != Some(0) {
            let rhs = self.exact_rhs(y, Width::W64, Need::Full);
            let t = if narrow && !equal { dst } else { self.temp() };
            self.alu(AluOp::Xor, Width::W64, t, diff, rhs);
            diff = t;
        }
        if narrow && equal {
            return self.alu_imm(AluOp::Xor, self.exec(1), dst, diff, 1);
        }
        if narrow {
            // A comparison with false is the value itself; `root` sees that only where false stands second.
            if diff != dst {
                self.push(MachOp::Mov { width: Width::W64, dst, src: diff });
            }
            return;
        }
        let signed = self.temp();
        if equal {
            self.alu_imm(AluOp::Add, Width::W64, signed, diff, -1);
        } else {
            self.push(MachOp::Neg { width: Width::W64, dst: signed, src: diff });
        }
        self.alu_imm(AluOp::Rsh, Width::W64, dst, signed, 63);
    }

    /// `x < y` is the sign of `x - y`.
    fn less_value(&mut self, dst: VReg, signed: bool, x: Value, y: Value, negated: bool) {
        let lhs = if signed { self.sign_extended_reg(x, Width::W64) } else { self.reg(x, Need::Full) };
        let width = self.width(y);
        let constant =
            self.constant(y).map(|c| if signed { sign_extended(c, width) } else { c.cast_signed() });
        let rhs = match constant.and_then(|c| i32::try_from(c).ok()) {
            Some(imm) => Rhs::Imm(imm),
            None if signed => Rhs::Reg(self.sign_extended_reg(y, Width::W64)),
            None => Rhs::Reg(self.reg(y, Need::Full)),
        };
        let diff = self.temp();
        self.alu(AluOp::Sub, Width::W64, diff, lhs, rhs);
        let truth = if negated { self.temp() } else { dst };
        self.alu_imm(AluOp::Rsh, Width::W64, truth, diff, 63);
        if negated {
            self.alu_imm(AluOp::Xor, self.exec(1), dst, truth, 1);
        }
    }
}
