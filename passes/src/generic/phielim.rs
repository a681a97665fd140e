//! `phielim`: a phi all of whose operands are one value, itself aside, is that value.
//!
//! ```text
//!     x = Phi y, y        x = Phi y, x        x = Phi 7, 7   (equal constants)
//! ```
//!
//! The one value dominates every predecessor, and therefore the phi. Replacing one phi may make another one
//! redundant, so the phis that use it are looked at again: each phi enters the worklist once per replaced
//! operand. Phis that are redundant only as a cycle of several are left alone.
//!
//! Equal constants are no one value: none of them dominates the phi. It becomes a constant itself.

use cranelift_entity::SecondaryMap;
use larrow_ir::{Aux, Block, Decls, Function, Op, Value};
use smallvec::SmallVec;

use super::replace::{Replacements, interchangeable};
use crate::manager::{Changed, Facts, FunctionPass, Pass, PassCx, PassResult};

/// The pass.
pub struct PhiElim;

/// The row of `phielim`.
pub fn phielim() -> Pass {
    Pass::function("phielim", "replaces phis of one value by the value", PhiElim).breaks(Facts::VALUES)
}

impl FunctionPass for PhiElim {
    fn run(&self, func: &mut Function, decls: &mut Decls, cx: &mut PassCx<'_>) -> PassResult {
        let one = drop_redundant(func, decls);
        let constants = fold_constants(func);
        cx.count("one value", one);
        cx.count("equal constants", constants);
        Ok(Changed::from(one + constants > 0))
    }
}

/// Drops phis of one value; how many.
pub(crate) fn drop_redundant(func: &mut Function, decls: &Decls) -> u64 {
    let mut users: SecondaryMap<Value, SmallVec<[Value; 2]>> = SecondaryMap::new();
    let mut open = Vec::new();
    for &b in func.layout() {
        for phi in func.phis(b) {
            open.push(phi);
            for &arg in func.args(phi).iter().filter(|&&a| func.inst(a).op == Op::Phi && a != phi) {
                users[arg].push(phi);
            }
        }
    }
    let mut replaced = Replacements::default();
    while let Some(phi) = open.pop() {
        if replaced.has(phi) {
            continue;
        }
        let Some(one) = only_operand(func, phi, &mut replaced) else { continue };
        if !interchangeable(&decls.types, func.ty(phi), func.ty(one)) {
            continue;
        }
        replaced.set(phi, one);
        let moved = std::mem::take(&mut users[phi]);
        let left = moved.into_iter().filter(|&user| user != phi && !replaced.has(user));
        let left: SmallVec<[Value; 2]> = left.collect();
        open.extend(left.iter().copied());
        // Who used this phi uses the other one from now on, and is looked at again when that one falls.
        if func.inst(one).op == Op::Phi {
            users[one].extend(left);
        }
    }
    let n = replaced.count();
    replaced.apply(func);
    n
}

/// The single operand of a phi, itself aside.
fn only_operand(func: &Function, phi: Value, replaced: &mut Replacements) -> Option<Value> {
    let mut one = None;
    for &arg in func.args(phi) {
        let arg = replaced.get(arg);
        if arg == phi || one == Some(arg) {
            continue;
        }
        if one.is_some() {
            return None;
        }
        one = Some(arg);
    }
    one
}

/// Makes phis of equal constants constants; how many.
fn fold_constants(func: &mut Function) -> u64 {
    let mut n = 0;
    for b in func.layout().to_vec() {
        let phis: Vec<Value> = func.phis(b).collect();
        let folded: Vec<(Value, Aux)> =
            phis.iter().filter_map(|&phi| Some((phi, same_constant(func, phi)?))).collect();
        if !folded.is_empty() {
            n += folded.len() as u64;
            replace_phis(func, b, phis.len(), folded);
        }
    }
    n
}

fn same_constant(func: &Function, phi: Value) -> Option<Aux> {
    let constant = |v: Value| Some(func.inst(v)).filter(|i| i.op == Op::Const).map(|i| &i.aux);
    let (first, rest) = func.args(phi).split_first()?;
    let aux = constant(*first)?;
    rest.iter().all(|&v| constant(v) == Some(aux)).then(|| aux.clone())
}

/// Turns phis into constants in place, behind the phis that stay.
fn replace_phis(func: &mut Function, b: Block, phis: usize, folded: Vec<(Value, Aux)>) {
    for (v, aux) in folded {
        let inst = func.inst_mut(v);
        inst.op = Op::Const;
        inst.args.clear();
        inst.aux = aux;
    }
    let mut insts = func.block(b).insts.clone();
    insts[..phis].sort_by_key(|&v| func.inst(v).op != Op::Phi);
    func.set_insts(b, insts);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generic::testing::{Fixture, assert_large, check};
    use larrow_ir::Type;

    #[test]
    fn a_chain_of_redundant_phis_falls() {
        let mut t = Fixture::new(Type::U32, &[Type::U32, Type::BOOL]);
        let (x, c) = (t.func.params[0], t.func.params[1]);
        let b = t.build(|b| {
            let bs: Vec<Block> = (0..5).map(|_| b.block()).collect();
            b.switch_to(bs[0]);
            b.branch(c, bs[1], bs[2]);
            b.switch_to(bs[1]);
            b.jump(bs[3]);
            b.switch_to(bs[2]);
            b.jump(bs[3]);
            b.switch_to(bs[3]);
            let p = b.phi(Type::U32, &[x, x]);
            b.jump(bs[4]);
            b.switch_to(bs[4]);
            let q = b.phi(Type::U32, &[p]);
            b.branch(c, bs[4], bs[4]);
            b.func.push_phi_args(bs[4], &[q]);
            b.func.push_phi_args(bs[4], &[p]);
            bs
        });
        // The two pushes filled the operands of both back edges.
        check(&t.func);
        assert!(t.run(&PhiElim).yes());
        check(&t.func);
        assert_eq!(t.counters["one value"], 2);
        assert!(t.func.block(b[3]).insts.is_empty() && t.func.block(b[4]).insts.is_empty());
    }

    #[test]
    fn equal_constants_become_one_behind_the_other_phis() {
        let mut t = Fixture::new(Type::U32, &[Type::U32, Type::BOOL]);
        let (x, c) = (t.func.params[0], t.func.params[1]);
        let join = t.build(|b| {
            let (b0, b1, b2) = (b.block(), b.block(), b.block());
            b.switch_to(b0);
            let seven = b.int(Type::U32, 7);
            b.branch(c, b1, b2);
            b.switch_to(b1);
            let other = b.int(Type::U32, 7);
            b.jump(b2);
            b.switch_to(b2);
            let same = b.phi(Type::U32, &[seven, other]);
            let mixed = b.phi(Type::U32, &[x, other]);
            let sum = b.add(same, mixed);
            b.ret(Some(sum));
            b2
        });
        assert!(t.run(&PhiElim).yes());
        check(&t.func);
        assert_eq!(t.ops(join), ["Phi", "Const", "Add"]);
        assert!(!t.run(&PhiElim).yes());
    }

    #[test]
    fn it_is_linear() {
        assert_large(&PhiElim);
    }
}
