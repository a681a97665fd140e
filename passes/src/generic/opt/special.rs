//! Rules that patterns do not express, because they go by types or payloads. Each has a name to be counted and
//! switched off by, like those in the table.

use larrow_ir::{Aux, Inst, Op, Type, Value};
use smallvec::smallvec;

use super::{Becomes, Rewrite};
use crate::generic::fold::mask;
use crate::generic::replace::interchangeable;

/// Names and meanings of the rules that are no patterns, for listings.
pub const SPECIAL: &[(&str, &str)] = &[
    ("fold", "a pure op on constants becomes its result"),
    ("constant-right", "a constant moves to the right of a commutative op"),
    ("extract-tuple", "a member of a Tuple is the operand"),
    ("ptr-add-zero", "a pointer moved by nothing is the pointer, where the types are one"),
    ("ptr-add-ptr-add", "two constant moves of a pointer are one"),
    ("conversion-pair", "a conversion of a conversion is one conversion, or none"),
    ("nil-comparison", "the address of something is not nil, and nil is"),
    ("constant-branch", "a branch on a constant is a jump"),
    ("negated-branch", "a branch on a Not is the opposite branch"),
    ("select-same-value", "a CondSelect between a value and itself is the value"),
];

/// What two integer conversions in a row are, from width `from` over `mid` to `to`.
pub(super) enum Pair {
    /// The first one's operand.
    Nothing,
    /// One conversion of it.
    One(Op),
}

/// `outer(inner(x))`, if it is one conversion or none.
pub(super) fn conversion_pair(outer: Op, inner: Op, from: u32, to: u32) -> Option<Pair> {
    match (outer, inner) {
        (Op::SignExt, Op::SignExt) => Some(Pair::One(Op::SignExt)),
        (Op::ZeroExt | Op::SignExt, Op::ZeroExt) => Some(Pair::One(Op::ZeroExt)),
        (Op::Trunc, Op::Trunc) => Some(Pair::One(Op::Trunc)),
        (Op::Trunc, Op::SignExt | Op::ZeroExt) if to == from => Some(Pair::Nothing),
        (Op::Trunc, Op::SignExt | Op::ZeroExt) if to < from => Some(Pair::One(Op::Trunc)),
        (Op::Trunc, Op::SignExt | Op::ZeroExt) => Some(Pair::One(inner)),
        (_, _) => None,
    }
}

impl Rewrite<'_, '_> {
    pub(super) fn special(&mut self, v: Value) -> Option<(&'static str, Becomes)> {
        let inst = self.func.inst(v);
        let found = match (inst.op, &inst.aux) {
            (Op::Extract, &Aux::Index(i)) => ("extract-tuple", self.extract(v, i)?),
            (Op::PtrAdd, _) => self.ptr_add(v)?,
            (Op::SignExt | Op::ZeroExt | Op::Trunc, _) => ("conversion-pair", self.conversion(v)?),
            (Op::CondSelect, _) => {
                let (x, y) = (self.arg(v, 1), self.arg(v, 2));
                ("select-same-value", (x == y).then_some(Becomes::Value(x))?)
            }
            (Op::Eq | Op::Neq, _) => ("nil-comparison", self.nil_comparison(v)?),
            (_, _) => return None,
        };
        self.cx.rule_enabled(found.0).then_some(found)
    }

    fn extract(&mut self, v: Value, i: u32) -> Option<Becomes> {
        let tuple = self.arg(v, 0);
        if self.func.inst(tuple).op != Op::Tuple {
            return None;
        }
        let member = *self.func.args(tuple).get(i as usize)?;
        let member = self.replaced.get(member);
        let same = interchangeable(&self.decls.types, self.func.ty(v), self.func.ty(member));
        same.then_some(Becomes::Value(member))
    }

    fn ptr_add(&mut self, v: Value) -> Option<(&'static str, Becomes)> {
        let (base, offset) = (self.arg(v, 0), self.arg(v, 1));
        let bytes = self.constant(offset)?;
        if bytes == 0 && self.func.ty(base) == self.func.ty(v) {
            return Some(("ptr-add-zero", Becomes::Value(base)));
        }
        if self.func.inst(base).op != Op::PtrAdd {
            return None;
        }
        let (root, first) = (self.arg(base, 0), self.arg(base, 1));
        let sum = self.constant(first)?.wrapping_add(bytes);
        if !self.cx.rule_enabled("ptr-add-ptr-add") {
            return None;
        }
        let sum = self.insert_before(v, Inst::new(Op::Const, Type::U64, &[]).with(Aux::Int(sum & mask(64))));
        Some(("ptr-add-ptr-add", Becomes::Inst(Op::PtrAdd, smallvec![root, sum], Aux::None)))
    }

    /// Runtime functions test the element pointer that they were given; once inlined, it is known.
    fn nil_comparison(&mut self, v: Value) -> Option<Becomes> {
        let (x, y) = (self.arg(v, 0), self.arg(v, 1));
        let equal = match (self.nilness(x)?, self.nilness(y)?) {
            (true, true) => true,
            (true, false) | (false, true) => false,
            (false, false) => return None,
        };
        let truth = equal == (self.func.inst(v).op == Op::Eq);
        Some(Becomes::Const(Aux::Int(u64::from(truth))))
    }

    /// Whether a value is nil, if that is known.
    fn nilness(&mut self, mut v: Value) -> Option<bool> {
        while self.func.inst(v).op == Op::Copy {
            v = self.arg(v, 0);
        }
        match (self.func.inst(v).op, &self.func.inst(v).aux) {
            (Op::Const, Aux::Nil) => Some(true),
            (Op::LocalAddr | Op::GlobalAddr | Op::FuncAddr | Op::MapValue | Op::ChanAddr, _) => Some(false),
            (_, _) => None,
        }
    }

    fn conversion(&mut self, v: Value) -> Option<Becomes> {
        let inner = self.arg(v, 0);
        let x = *self.func.args(inner).first()?;
        let x = self.replaced.get(x);
        let (from, to) = (self.bits(x)?, self.bits(v)?);
        match conversion_pair(self.func.inst(v).op, self.func.inst(inner).op, from, to)? {
            Pair::Nothing => Some(Becomes::Value(x)),
            Pair::One(op) => Some(Becomes::Inst(op, smallvec![x], Aux::None)),
        }
    }
}
