//! Arithmetic, comparisons, conversions.

use crate::entity::Type;
use crate::op::Op;

use super::func::FuncGen;
use super::world::INTS;

impl FuncGen<'_> {
    pub(super) fn binary(&mut self) {
        const OPS: [Op; 10] =
            [Op::Add, Op::Sub, Op::Mul, Op::Div, Op::DivU, Op::Mod, Op::ModU, Op::And, Op::Or, Op::Xor];
        let on_bools = self.random.one_in(8);
        let ty = if on_bools { Type::BOOL } else { self.int_type() };
        let op = if on_bools { self.random.pick(&OPS[7..]) } else { self.random.pick(&OPS) };
        let (x, y) = (self.value(ty), self.value(ty));
        let v = self.op(op, ty, &[x, y]);
        self.offer(v);
    }

    pub(super) fn shift(&mut self) {
        let (ty, count) = (self.int_type(), self.int_type());
        let op = self.random.pick(&[Op::Lsh, Op::Rsh, Op::RshU]);
        let (x, n) = (self.value(ty), self.value(count));
        let v = self.op(op, ty, &[x, n]);
        self.offer(v);
    }

    pub(super) fn unary(&mut self) {
        let ty = self.int_type();
        let v = match self.random.below(4) {
            0 => {
                let x = self.value(ty);
                self.b.neg(x)
            }
            1 => {
                let x = self.value(ty);
                self.b.com(x)
            }
            2 => {
                let wide =
                    self.random.pick(&[Type::U16, Type::U32, Type::U64, Type::I16, Type::I32, Type::I64]);
                let x = self.value(wide);
                self.b.bswap(x)
            }
            _ => {
                let x = self.value(Type::BOOL);
                self.b.not(x)
            }
        };
        self.offer(v);
    }

    pub(super) fn compare(&mut self) {
        let (ty, op) = if self.random.one_in(6) {
            (Type::BOOL, self.random.pick(&[Op::Eq, Op::Neq]))
        } else {
            let ops = [Op::Eq, Op::Neq, Op::Less, Op::Leq, Op::LessU, Op::LeqU];
            (self.int_type(), self.random.pick(&ops))
        };
        let (x, y) = (self.value(ty), self.value(ty));
        let v = self.op(op, Type::BOOL, &[x, y]);
        self.offer(v);
    }

    pub(super) fn convert(&mut self) {
        let (x, y) = (self.int_type(), self.int_type());
        let (narrow, wide) = if self.bits(x) < self.bits(y) { (x, y) } else { (y, x) };
        let v = if self.bits(narrow) == self.bits(wide) {
            let flag = self.value(Type::BOOL);
            self.b.zero_ext(wide, flag)
        } else {
            match self.random.below(3) {
                0 => {
                    let v = self.value(narrow);
                    self.b.sign_ext(wide, v)
                }
                1 => {
                    let v = self.value(narrow);
                    self.b.zero_ext(wide, v)
                }
                _ => {
                    let v = self.value(wide);
                    self.b.trunc(narrow, v)
                }
            }
        };
        self.offer(v);
    }

    pub(super) fn cond_select(&mut self) {
        let ty = self.int_type();
        let (cond, x, y) = (self.value(Type::BOOL), self.value(ty), self.value(ty));
        let v = self.b.cond_select(cond, x, y);
        self.offer(v);
    }

    /// A value that is in range because it was masked and moved there.
    pub(super) fn bounded(&mut self) {
        let ty = self.random.pick(&INTS[..4]);
        let (x, bits) = (self.value(ty), self.bits(ty) as usize);
        let span = (1u64 << self.random.range(1, bits - 1)) - 1;
        let mask = self.b.int(ty, span);
        let masked = self.b.and(x, mask);
        let lo = self.random.below(9) as u64;
        let v = if lo < (u64::MAX >> (64 - bits)) - span {
            let base = self.b.int(ty, lo);
            let moved = self.b.add(masked, base);
            self.b.bounded(moved, lo, span + lo)
        } else {
            self.b.bounded(masked, 0, span)
        };
        self.offer(v);
    }

    pub(super) fn copy(&mut self) {
        let ty = self.int_type();
        let x = self.value(ty);
        let v = self.b.copy(x);
        self.offer(v);
    }

    pub(super) fn tuple(&mut self) {
        let n = self.random.range(1, 3);
        let items: Vec<_> = (0..n)
            .map(|_| {
                let ty = self.int_type();
                self.value(ty)
            })
            .collect();
        let tuple = self.b.tuple(&items);
        let index = self.random.below(n) as u32;
        let v = self.b.extract(tuple, index);
        self.offer(v);
    }

    // ---- floats ----------------------------------------------------------------------------------------------

    pub(super) fn float(&mut self) {
        let ty = self.random.pick(&[Type::F32, Type::F64]);
        let (x, y) = (self.value(ty), self.value(ty));
        let v = match self.random.below(9) {
            0 => self.b.add_f(x, y),
            1 => self.b.sub_f(x, y),
            2 => self.b.mul_f(x, y),
            3 => self.b.div_f(x, y),
            4 => self.op(Op::NegF, ty, &[x]),
            5 => self.b.eq_f(x, y),
            6 => self.b.neq_f(x, y),
            7 => self.b.less_f(x, y),
            _ => self.b.leq_f(x, y),
        };
        self.offer(v);
    }

    pub(super) fn float_convert(&mut self) {
        let (float, int) = (self.random.pick(&[Type::F32, Type::F64]), self.int_type());
        let v = match self.random.below(5) {
            0 => {
                let x = self.value(int);
                self.b.int_to_float(float, x)
            }
            1 => {
                let x = self.value(int);
                self.b.uint_to_float(float, x)
            }
            2 => {
                let x = self.value(float);
                self.b.float_to_int(int, x)
            }
            3 => {
                let x = self.value(float);
                self.b.float_to_uint(int, x)
            }
            _ => {
                let other = if float == Type::F32 { Type::F64 } else { Type::F32 };
                let x = self.value(float);
                self.b.float_cast(other, x)
            }
        };
        self.offer(v);
    }
}
