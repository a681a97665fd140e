//! `opt`: constants are computed, the algebraic [`RULES`] applied, branches on constants made plain.
//!
//! A worklist holds the values to look at; when one changes, its users enter again. Patterns look at the ops
//! that define operands, never through a `Bounded`. A value keeps its id: what takes its place is written over
//! it, or its uses move to a value that is already there.

mod apply;
mod branch;
mod pattern;
mod rules;
mod special;

use std::collections::HashMap;
use std::sync::LazyLock;

use cranelift_entity::{EntitySet, SecondaryMap};
use larrow_ir::{Aux, Block, Decls, Function, Op, Type, Value};
use smallvec::SmallVec;

use super::deadcode::drop_unreachable;
use super::fold::{eval, mask};
use super::replace::{Replacements, interchangeable};
use crate::manager::{Changed, FunctionPass, Pass, PassCx, PassResult};
use pattern::Parsed;
pub use rules::{RULES, Rule};
pub use special::SPECIAL;

/// The pass.
pub struct Opt;

/// The row of `opt`.
pub fn opt() -> Pass {
    Pass::function("opt", "computes constants and applies the algebraic rules", Opt)
}

/// Every name that a rule of this pass is counted and switched off by.
pub fn rule_names() -> impl Iterator<Item = &'static str> {
    RULES.iter().map(|rule| rule.name).chain(SPECIAL.iter().map(|(name, _)| *name))
}

/// The rules by the op at the root of their left side.
static BY_ROOT: LazyLock<HashMap<Op, Vec<Parsed>>> = LazyLock::new(|| {
    let mut map: HashMap<Op, Vec<Parsed>> = HashMap::new();
    for rule in RULES {
        let parsed = Parsed::new(rule);
        map.entry(parsed.root()).or_default().push(parsed);
    }
    map
});

impl FunctionPass for Opt {
    fn run(&self, func: &mut Function, decls: &mut Decls, cx: &mut PassCx<'_>) -> PassResult {
        let mut changed = false;
        let mut rewrite = Rewrite::new(func, decls, cx);
        while let Some(v) = rewrite.open.pop() {
            rewrite.queued.remove(v);
            changed |= rewrite.visit(v);
        }
        let Rewrite { replaced, inserted, .. } = rewrite;
        apply::insert(func, inserted);
        replaced.apply(func);
        if branch::fold(func, cx) {
            changed = true;
            cx.count("unreachable blocks", drop_unreachable(func));
        }
        Ok(Changed::from(changed))
    }
}

/// What a value becomes.
enum Becomes {
    /// A constant of its type.
    Const(Aux),
    /// Another value.
    Value(Value),
    /// Another instruction of its type.
    Inst(Op, SmallVec<[Value; 4]>, Aux),
}

/// A run over one function.
struct Rewrite<'a, 'c> {
    func: &'a mut Function,
    decls: &'a Decls,
    cx: &'a mut PassCx<'c>,
    users: SecondaryMap<Value, Vec<Value>>,
    open: Vec<Value>,
    queued: EntitySet<Value>,
    replaced: Replacements,
    /// New instructions to stand right before another.
    inserted: HashMap<Value, Vec<Value>>,
}

impl<'a, 'c> Rewrite<'a, 'c> {
    fn new(func: &'a mut Function, decls: &'a Decls, cx: &'a mut PassCx<'c>) -> Self {
        let mut users: SecondaryMap<Value, Vec<Value>> = SecondaryMap::with_capacity(func.num_values());
        let mut open = Vec::new();
        for (_, v) in func.iter_insts() {
            open.push(v);
            for &arg in func.args(v) {
                users[arg].push(v);
            }
        }
        // A stack: the first instruction is looked at first.
        open.reverse();
        let mut queued = EntitySet::with_capacity(func.num_values());
        queued.extend(open.iter().copied());
        Rewrite {
            func,
            decls,
            cx,
            users,
            open,
            queued,
            replaced: Replacements::default(),
            inserted: HashMap::new(),
        }
    }

    fn bits(&self, v: Value) -> Option<u32> {
        self.decls.types.bits(self.func.ty(v))
    }
    /// An operand, what took its place if anything did.
    fn arg(&mut self, v: Value, i: usize) -> Value {
        let arg = self.func.args(v)[i];
        self.replaced.get(arg)
    }
    /// The bits of an integer, bool or float constant.
    fn constant(&self, v: Value) -> Option<u64> {
        match (self.func.inst(v).op, &self.func.inst(v).aux) {
            (Op::Const, Aux::Int(bits) | Aux::Float(bits)) => Some(*bits),
            _ => None,
        }
    }
    fn int_or_bool(&self, ty: Type) -> bool {
        ty == Type::BOOL || self.decls.types.is_int(ty)
    }

    /// Looks at a value; whether it changed.
    fn visit(&mut self, v: Value) -> bool {
        if self.replaced.has(v) || self.func.inst(v).op == Op::Const {
            return false;
        }
        let mut changed = self.constant_to_the_right(v);
        let (name, becomes) = match self.fold(v) {
            Some(becomes) => ("fold", becomes),
            None => match self.special(v).or_else(|| self.algebraic(v)) {
                Some(found) => found,
                None => return changed,
            },
        };
        changed |= self.become_(v, name, becomes);
        changed
    }

    /// Carries a rewriting out; `false` if it would have changed nothing.
    fn become_(&mut self, v: Value, name: &'static str, becomes: Becomes) -> bool {
        match becomes {
            Becomes::Value(by) => {
                let by = self.replaced.get(by);
                if by == v || !interchangeable(&self.decls.types, self.func.ty(v), self.func.ty(by)) {
                    return false;
                }
                self.replaced.set(v, by);
                let users = std::mem::take(&mut self.users[v]);
                users.iter().for_each(|&user| self.enqueue(user));
                self.users[by].extend(users);
            }
            Becomes::Const(aux) => self.overwrite(v, Op::Const, SmallVec::new(), aux),
            Becomes::Inst(op, args, aux) => self.overwrite(v, op, args, aux),
        }
        self.cx.count(name, 1);
        true
    }

    fn overwrite(&mut self, v: Value, op: Op, args: SmallVec<[Value; 4]>, aux: Aux) {
        args.iter().for_each(|&arg| self.users[arg].push(v));
        let inst = self.func.inst_mut(v);
        (inst.op, inst.args, inst.aux) = (op, args, aux);
        self.enqueue(v);
        for user in self.users[v].clone() {
            self.enqueue(user);
        }
    }

    fn enqueue(&mut self, v: Value) {
        if self.queued.insert(v) {
            self.open.push(v);
        }
    }

    /// `c + x` becomes `x + c`, so that rules look for constants on one side only.
    fn constant_to_the_right(&mut self, v: Value) -> bool {
        let op = self.func.inst(v).op;
        if !matches!(op, Op::Add | Op::Mul | Op::And | Op::Or | Op::Xor | Op::Eq | Op::Neq) {
            return false;
        }
        let (x, y) = (self.arg(v, 0), self.arg(v, 1));
        let swap = self.func.inst(x).op == Op::Const && self.func.inst(y).op != Op::Const;
        if swap && self.cx.rule_enabled("constant-right") {
            self.func.inst_mut(v).args.swap(0, 1);
            self.cx.count("constant-right", 1);
            return true;
        }
        false
    }

    /// A pure op on constants.
    fn fold(&mut self, v: Value) -> Option<Becomes> {
        if !self.cx.rule_enabled("fold") || matches!(self.func.inst(v).op, Op::Phi | Op::Copy) {
            return None;
        }
        let to = self.bits(v)?;
        let mut args: SmallVec<[(u32, u64); 3]> = SmallVec::new();
        for i in 0..self.func.args(v).len().min(4) {
            let arg = self.arg(v, i);
            args.push((self.bits(arg)?, self.constant(arg)?));
        }
        let bits = eval(self.func.inst(v).op, to, &args)? & mask(to);
        let ty = self.func.ty(v);
        if self.decls.types.is_float(ty) {
            return Some(Becomes::Const(Aux::Float(bits)));
        }
        self.int_or_bool(ty).then_some(Becomes::Const(Aux::Int(bits)))
    }
}

/// The blocks that values stand in, each once.
fn blocks_of(func: &Function, values: impl Iterator<Item = Value>) -> Vec<Block> {
    let mut blocks: Vec<Block> = values.filter_map(|v| func.home(v)).collect();
    blocks.sort_unstable();
    blocks.dedup();
    blocks
}

#[cfg(test)]
mod tests;
