//! Matching rules against a function and writing down what they make.

use std::collections::HashMap;

use larrow_ir::{Aux, Function, Inst, Op, Type, Value};
use smallvec::SmallVec;

use super::pattern::{Bindings, Compute, Parsed, Pattern, compute};
use super::{BY_ROOT, Becomes, Rewrite, blocks_of};
use crate::generic::fold::mask;

/// What the names of a pattern matched.
#[derive(Default)]
struct Match {
    values: Bindings<Value>,
    constants: Bindings<u64>,
}

impl Rewrite<'_, '_> {
    /// The first rule that matches.
    pub(super) fn algebraic(&mut self, v: Value) -> Option<(&'static str, Becomes)> {
        let rules = BY_ROOT.get(&self.func.inst(v).op)?;
        rules.iter().find_map(|parsed| Some((parsed.rule.name, self.try_rule(parsed, v)?)))
    }

    fn try_rule(&mut self, parsed: &Parsed, v: Value) -> Option<Becomes> {
        // The width is that of the operands: of the last, since a CondSelect's first is its condition, but of a
        // shift's first, since its last is a count.
        let last = self.func.args(v).len().checked_sub(1)?;
        let is_shift = matches!(self.func.inst(v).op, Op::Lsh | Op::Rsh | Op::RshU);
        let operand = self.arg(v, if is_shift { 0 } else { last });
        let ty = self.width_type(parsed, operand)?;
        let bits = self.decls.types.bits(ty)?;
        if !parsed.rule.widths.contains(&bits) || !self.cx.rule_enabled(parsed.rule.name) {
            return None;
        }
        let mut found = Match::default();
        if !self.matches(&parsed.left, v, &mut found) || !parsed.holds(bits, &found.constants) {
            return None;
        }
        self.build_root(&parsed.right, v, ty, bits, &found)
    }

    /// The type whose width a rule is about: that of the root's operand; for a `Not` of a comparison, that of
    /// what is compared. Integers and bools only.
    fn width_type(&mut self, parsed: &Parsed, operand: Value) -> Option<Type> {
        let inner = match &parsed.left {
            Pattern::Node { op: Compute::Op(Op::Not), args, .. } => match &args[0] {
                Pattern::Node { op: Compute::Op(op), .. } if *op != Op::Not => {
                    (self.func.inst(operand).op == *op).then(|| self.arg(operand, 0))?
                }
                _ => operand,
            },
            _ => operand,
        };
        let ty = self.func.ty(inner);
        self.int_or_bool(ty).then_some(ty)
    }

    fn matches(&mut self, pattern: &Pattern, v: Value, found: &mut Match) -> bool {
        match pattern {
            Pattern::Var(name) => bind(&mut found.values[*name], v),
            Pattern::BoolVar(name) => self.func.ty(v) == Type::BOOL && bind(&mut found.values[*name], v),
            Pattern::ConstVar(name) => match self.func.inst(v).int_const() {
                Some(bits) => bind(&mut found.constants[*name], bits),
                None => false,
            },
            Pattern::Number(number) => match (self.func.inst(v).int_const(), self.bits(v)) {
                (Some(have), Some(bits)) => have == number & mask(bits),
                _ => false,
            },
            Pattern::Width => false,
            Pattern::Node { op: Compute::Log2, .. } => false,
            Pattern::Node { op: Compute::Op(op), args, .. } => {
                self.func.inst(v).op == *op
                    && self.func.args(v).len() == args.len()
                    && args.iter().enumerate().all(|(i, pattern)| {
                        let arg = self.arg(v, i);
                        self.matches(pattern, arg, found)
                    })
            }
        }
    }

    /// The right side in the place of `v`.
    fn build_root(
        &mut self,
        pattern: &Pattern,
        v: Value,
        ty: Type,
        bits: u32,
        found: &Match,
    ) -> Option<Becomes> {
        match pattern {
            Pattern::Var(name) | Pattern::BoolVar(name) => found.values[*name].map(Becomes::Value),
            Pattern::Number(number) => Some(Becomes::Const(Aux::Int(number & mask(self.bits(v)?)))),
            Pattern::Node { op: Compute::Op(op), args, computed: false } => {
                let mut operands = SmallVec::new();
                for arg in args {
                    operands.push(self.build_operand(arg, v, ty, bits, found)?);
                }
                Some(Becomes::Inst(*op, operands, Aux::None))
            }
            Pattern::ConstVar(_) | Pattern::Width | Pattern::Node { .. } => {
                Some(Becomes::Const(Aux::Int(compute(pattern, bits, &found.constants)? & mask(bits))))
            }
        }
    }

    fn build_operand(
        &mut self,
        pattern: &Pattern,
        before: Value,
        ty: Type,
        bits: u32,
        found: &Match,
    ) -> Option<Value> {
        match pattern {
            Pattern::Var(name) | Pattern::BoolVar(name) => found.values[*name],
            Pattern::ConstVar(_)
            | Pattern::Number(_)
            | Pattern::Width
            | Pattern::Node { computed: true, .. }
            | Pattern::Node { op: Compute::Log2, .. } => {
                let number = compute(pattern, bits, &found.constants)? & mask(bits);
                Some(self.insert_before(before, Inst::new(Op::Const, ty, &[]).with(Aux::Int(number))))
            }
            Pattern::Node { op: Compute::Op(op), args, computed: false } => {
                let mut operands: SmallVec<[Value; 4]> = SmallVec::new();
                for arg in args {
                    operands.push(self.build_operand(arg, before, ty, bits, found)?);
                }
                Some(self.insert_before(before, Inst::new(*op, ty, &operands)))
            }
        }
    }

    /// A new instruction that is to stand right before another, at its position.
    pub(super) fn insert_before(&mut self, before: Value, inst: Inst) -> Value {
        let pos = self.func.inst(before).pos;
        let new = self.func.make(inst.at(pos));
        for arg in self.func.args_of(new) {
            self.users[arg].push(new);
        }
        self.inserted.entry(before).or_default().push(new);
        self.cx.origin(new, "opt", &[before]);
        new
    }
}

fn bind<T: PartialEq>(slot: &mut Option<T>, x: T) -> bool {
    match slot {
        Some(have) => *have == x,
        None => {
            *slot = Some(x);
            true
        }
    }
}

/// Puts new instructions into their blocks' lists.
pub(super) fn insert(func: &mut Function, mut inserted: HashMap<Value, Vec<Value>>) {
    let anchors: Vec<Value> = inserted.keys().copied().collect();
    for b in blocks_of(func, anchors.into_iter()) {
        let old = func.block(b).insts.clone();
        let mut new = Vec::with_capacity(old.len() + 4);
        for v in old {
            new.extend(inserted.remove(&v).into_iter().flatten());
            new.push(v);
        }
        func.set_insts(b, new);
    }
}
