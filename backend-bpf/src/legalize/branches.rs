//! What the machine can only do by branching.

use larrow_ir::cranelift_entity::SecondaryMap;
use larrow_ir::{Args, Aux, Block, Decls, Function, Inst, Op, Terminator, Type, Value};

/// Gives every comparison of 64 bits whose truth value is needed as such a `CondSelect` of true and false.
/// Narrower ones are computed without a branch.
pub fn lower_compare_values(func: &mut Function, decls: &mut Decls) -> bool {
    let needed = needed_as_values(func);
    let mut selected: SecondaryMap<Value, Option<Value>> = SecondaryMap::new();
    let changed = super::edit::rewrite(func, decls, |edit, v| {
        let inst = edit.func.inst(v);
        let compares = matches!(inst.op, Op::Eq | Op::Neq | Op::Less | Op::Leq | Op::LessU | Op::LeqU);
        if !compares || !needed[v] || edit.decls.types.bits(edit.func.ty(inst.args[0])) != Some(64) {
            return false;
        }
        let (op, args, aux) = (inst.op, inst.args.clone(), inst.aux.clone());
        edit.become_op(v, op, &args, aux);
        let (yes, no) = (edit.int(Type::BOOL, 1), edit.int(Type::BOOL, 0));
        selected[v] = Some(edit.op(Op::CondSelect, Type::BOOL, &[v, yes, no]));
        true
    });
    if changed {
        replace_value_uses(func, &needed, &selected);
    }
    changed
}

/// The values that something other than a branch looks at, be it through negations.
fn needed_as_values(func: &Function) -> SecondaryMap<Value, bool> {
    let mut needed: SecondaryMap<Value, bool> = SecondaryMap::with_capacity(func.num_values());
    let mut negations = Vec::new();
    for (_, v) in func.iter_insts() {
        if func.inst(v).op == Op::Not {
            negations.push(v);
        } else {
            for &arg in func.args(v) {
                needed[arg] = true;
            }
        }
    }
    for &b in func.layout() {
        if let Terminator::Ret(Some(v)) | Terminator::Switch { on: v, .. } = *func.term(b) {
            needed[v] = true;
        }
    }
    // A negation mostly stands behind its operand, so that one walk backwards does.
    loop {
        let mut changed = false;
        for &v in negations.iter().rev() {
            let arg = func.args(v)[0];
            if needed[v] && !needed[arg] {
                needed[arg] = true;
                changed = true;
            }
        }
        if !changed {
            return needed;
        }
    }
}

fn replace_value_uses(
    func: &mut Function,
    needed: &SecondaryMap<Value, bool>,
    selected: &SecondaryMap<Value, Option<Value>>,
) {
    for b in func.layout().to_vec() {
        for v in func.block(b).insts.clone() {
            let inst = func.inst_mut(v);
            let is_select = inst.args.first().is_some_and(|&a| selected[a] == Some(v));
            if is_select || inst.op == Op::Not && !needed[v] {
                continue;
            }
            for arg in &mut inst.args {
                *arg = selected[*arg].unwrap_or(*arg);
            }
        }
        if let Terminator::Ret(Some(v)) = &mut func.block_mut(b).term {
            *v = selected[*v].unwrap_or(*v);
        }
    }
}

/// Makes every `CondSelect` a diamond of blocks with a phi.
pub fn lower_cond_select(func: &mut Function) -> bool {
    let mut changed = false;
    for b in func.layout().to_vec() {
        // From the end, so that each split moves a short tail.
        for i in (0..func.block(b).insts.len()).rev() {
            let v = func.block(b).insts[i];
            if func.inst(v).op == Op::CondSelect {
                diamond(func, b, i, v);
                changed = true;
            }
        }
    }
    changed
}

fn diamond(func: &mut Function, b: Block, at: usize, v: Value) {
    let Inst { args, pos, .. } = func.inst(v).clone();
    let tail = func.split_block(b, at);
    let (then, other) = (func.add_block(), func.add_block());
    func.set_terminator(b, Terminator::If { cond: args[0], then, other }, pos);
    func.set_terminator(then, Terminator::Plain(tail), pos);
    func.set_terminator(other, Terminator::Plain(tail), pos);
    let phi = func.inst_mut(v);
    phi.op = Op::Phi;
    phi.aux = Aux::None;
    phi.args = Args::from_slice(&args[1..]);
}
