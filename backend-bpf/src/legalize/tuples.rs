//! Calls that return tuples.
//!
//! Members of up to 64 bits together travel packed in R0, the first in the lowest bits. Wider tuples are written
//! through a hidden pointer, the callee's last parameter, to a slot of the caller. Where that pointer would be a
//! sixth argument, the fifth travels in the slot, behind the members. Tuples made and taken apart in one function
//! are forwarded.

use larrow_ir::cranelift_entity::SecondaryMap;
use larrow_ir::{
    Args, Aux, Decls, Diagnostic, Entity, FuncId, Function, Inst, Module, Op, Slot, Space, Terminator, Type,
    Value,
};

use super::edit::{Editor, rewrite};

/// How a function returns its tuple.
#[derive(Clone, Debug)]
enum Shape {
    /// In R0: each member's type and lowest bit.
    Packed(Vec<(Type, u32)>),
    /// In memory: each member's type and byte, the type of the whole, and the byte of the fifth argument if it
    /// travels there.
    Hidden(Vec<(Type, u64)>, Type, Option<u64>),
}

/// How many arguments go through registers.
const REGISTERS: usize = 5;

fn shape(decls: &mut Decls, ty: Type, params: usize) -> Option<Shape> {
    let items = decls.types.tuple_items(ty).to_vec();
    if items.is_empty() {
        return None;
    }
    let mut bit = 0;
    let mut packed = Vec::new();
    for &item in &items {
        packed.push((item, bit));
        bit += decls.types.bits(item).unwrap_or(0);
    }
    if bit <= 64 {
        return Some(Shape::Packed(packed));
    }
    let places = (0..).step_by(8).zip(items).map(|(at, item)| (item, at)).collect::<Vec<_>>();
    let overflow = (params == REGISTERS).then_some(8 * places.len() as u64);
    let whole = decls.types.array(Type::U64, places.len() as u64 + u64::from(overflow.is_some()));
    Some(Shape::Hidden(places, whole, overflow))
}

/// Rewrites every function and call whose result is a tuple, and forwards the members of other tuples.
///
/// # Errors
/// A tuple that does anything else than to be returned or taken apart.
pub fn legalize_calls(module: &mut Module) -> Result<bool, Vec<Diagnostic>> {
    let ids: Vec<FuncId> = module.funcs.ids().collect();
    let mut shapes: SecondaryMap<FuncId, Option<Shape>> = SecondaryMap::new();
    for &id in &ids {
        let (result, params) = (module.funcs[id].result, module.funcs[id].params.len());
        shapes[id] = shape(&mut module.decls, result, params);
    }
    let mut changed = false;
    let mut errors = Vec::new();
    for &id in &ids {
        changed |= module.with_func(id, |func, decls| {
            if let Some(shape) = &shapes[id] {
                rewrite_returns(func, decls, shape);
            }
            let calls = rewrite_calls(func, decls, &shapes);
            forward(func, decls) | calls | shapes[id].is_some()
        });
        errors.extend(check_left(module, id));
    }
    if errors.is_empty() { Ok(changed) } else { Err(errors) }
}

/// A member of up to 64 bits as `u64`, from a bool or an integer.
fn widened(func: &mut Function, decls: &Decls, b: larrow_ir::Block, v: Value) -> Value {
    let ty = func.ty(v);
    if decls.types.bits(ty) == Some(64) {
        return v;
    }
    let pos = func.block(b).term_pos;
    func.append(b, Inst::new(Op::ZeroExt, Type::U64, &[v]).at(pos))
}

fn rewrite_returns(func: &mut Function, decls: &mut Decls, shape: &Shape) {
    let hidden = match shape {
        Shape::Packed(_) => {
            func.result = Type::U64;
            None
        }
        Shape::Hidden(_, whole, overflow) => {
            func.result = Type::UNIT;
            let ty = decls.types.ptr(Space::Stack, *whole);
            let hidden = func.add_param(ty);
            if let Some(at) = overflow {
                receive_overflow(func, decls, hidden, *at);
            }
            Some(hidden)
        }
    };
    for b in func.layout().to_vec() {
        let Terminator::Ret(Some(tuple)) = *func.term(b) else { continue };
        let pos = func.block(b).term_pos;
        match shape {
            Shape::Packed(members) => {
                let mut sum = func.append(b, Inst::new(Op::Const, Type::U64, &[]).with(Aux::Int(0)).at(pos));
                for (i, &(ty, bit)) in (0..).zip(members) {
                    if ty == Type::UNIT {
                        continue;
                    }
                    let x = func.append(b, Inst::new(Op::Extract, ty, &[tuple]).with(Aux::Index(i)).at(pos));
                    let mut x = widened(func, decls, b, x);
                    if bit > 0 {
                        let by = Aux::Int(u64::from(bit));
                        let by = func.append(b, Inst::new(Op::Const, Type::U64, &[]).with(by).at(pos));
                        x = func.append(b, Inst::new(Op::Lsh, Type::U64, &[x, by]).at(pos));
                        x = func.append(b, Inst::new(Op::Or, Type::U64, &[sum, x]).at(pos));
                    }
                    sum = x;
                }
                func.block_mut(b).term = Terminator::Ret(Some(sum));
            }
            Shape::Hidden(members, ..) => {
                let hidden = hidden.expect("made above");
                for (i, &(ty, at)) in (0..).zip(members) {
                    if ty == Type::UNIT {
                        continue;
                    }
                    let x = func.append(b, Inst::new(Op::Extract, ty, &[tuple]).with(Aux::Index(i)).at(pos));
                    let by = func.append(b, Inst::new(Op::Const, Type::U64, &[]).with(Aux::Int(at)).at(pos));
                    let to = decls.types.ptr(Space::Stack, ty);
                    let to = func.append(b, Inst::new(Op::PtrAdd, to, &[hidden, by]).at(pos));
                    func.append(b, Inst::new(Op::Store, Type::UNIT, &[to, x]).at(pos));
                }
                func.block_mut(b).term = Terminator::Ret(None);
            }
        }
    }
}

/// Turns the fifth parameter into a load from the caller's slot; the hidden pointer takes its register.
fn receive_overflow(func: &mut Function, decls: &mut Decls, hidden: Value, at: u64) {
    let fifth = func.params.remove(REGISTERS - 1);
    func.inst_mut(hidden).aux = Aux::Index(REGISTERS as u32 - 1);
    let (ty, entry) = (func.ty(fifth), func.entry());
    let rest = func.detach_insts(entry);
    let by = func.append(entry, Inst::new(Op::Const, Type::U64, &[]).with(Aux::Int(at)));
    let from = decls.types.ptr(Space::Stack, ty);
    let from = func.append(entry, Inst::new(Op::PtrAdd, from, &[hidden, by]));
    *func.inst_mut(fifth) = Inst::new(Op::Load, ty, &[from]);
    func.attach(entry, fifth);
    for v in rest {
        func.attach(entry, v);
    }
}

fn rewrite_calls(
    func: &mut Function,
    decls: &mut Decls,
    shapes: &SecondaryMap<FuncId, Option<Shape>>,
) -> bool {
    // Members may be taken in a block that is laid out before the call's.
    let mut slots: SecondaryMap<Value, Option<Slot>> = SecondaryMap::new();
    let mut callee: SecondaryMap<Value, Option<FuncId>> = SecondaryMap::new();
    let calls: Vec<Value> =
        func.iter_insts().map(|(_, v)| v).filter(|&v| func.inst(v).op == Op::Call).collect();
    for v in calls {
        let Aux::Func(id) = func.inst(v).aux else { continue };
        callee[v] = Some(id);
        if let Some(Shape::Hidden(_, whole, _)) = &shapes[id] {
            slots[v] = Some(func.add_slot(*whole));
        }
    }
    rewrite(func, decls, |edit, v| {
        let inst = edit.func.inst(v);
        match (inst.op, inst.aux.clone()) {
            (Op::Call, Aux::Func(id)) => match &shapes[id] {
                Some(shape) => {
                    let mut args = inst.args.clone();
                    if let (Shape::Hidden(_, whole, overflow), Some(slot)) = (shape, slots[v]) {
                        let base = local(edit, slot, *whole);
                        if let Some(at) = overflow {
                            let fifth = args.pop().expect("the callee has five parameters");
                            let ty = edit.func.ty(fifth);
                            let to = edit.at_offset(base, *at, ty);
                            edit.inst(Inst::new(Op::Store, Type::UNIT, &[to, fifth]));
                        }
                        args.push(base);
                    }
                    let packed = matches!(shape, Shape::Packed(_));
                    edit.func.inst_mut(v).ty = if packed { Type::U64 } else { Type::UNIT };
                    edit.become_op(v, Op::Call, &args, Aux::Func(id));
                    true
                }
                None => false,
            },
            (Op::Extract, Aux::Index(i)) => {
                let call = inst.args[0];
                let Some(shape) = callee[call].and_then(|id| shapes[id].as_ref()) else { return false };
                take_member(edit, v, call, shape, i as usize, slots[call]);
                true
            }
            _ => false,
        }
    })
}

fn local(edit: &mut Editor<'_>, slot: Slot, ty: Type) -> Value {
    let ty = edit.decls.types.ptr(Space::Stack, ty);
    edit.inst(Inst::new(Op::LocalAddr, ty, &[]).with(Aux::Slot(slot)))
}

fn take_member(edit: &mut Editor<'_>, v: Value, call: Value, shape: &Shape, i: usize, slot: Option<Slot>) {
    match shape {
        Shape::Packed(members) => {
            let (ty, bit) = members[i];
            let by = edit.int(Type::U64, u64::from(bit));
            let shifted = if bit == 0 { call } else { edit.op(Op::RshU, Type::U64, &[call, by]) };
            if ty == Type::BOOL {
                let one = edit.int(Type::U64, 1);
                let masked = edit.op(Op::And, Type::U64, &[shifted, one]);
                let zero = edit.int(Type::U64, 0);
                edit.become_op(v, Op::Neq, &[masked, zero], Aux::None);
            } else if edit.decls.types.bits(ty) == Some(64) {
                edit.become_op(v, Op::Copy, &[shifted], Aux::None);
            } else {
                edit.become_op(v, Op::Trunc, &[shifted], Aux::None);
            }
        }
        Shape::Hidden(members, whole, _) => {
            let (ty, at) = members[i];
            let Some(slot) = slot else { return };
            let base = local(edit, slot, *whole);
            let from = edit.at_offset(base, at, ty);
            edit.become_op(v, Op::Load, &[from], Aux::None);
        }
    }
}

/// Replaces each member taken from a `Tuple` by the operand, and drops the tuples.
fn forward(func: &mut Function, _decls: &Decls) -> bool {
    let mut members: SecondaryMap<Value, Option<Value>> = SecondaryMap::new();
    let mut any = false;
    for (_, v) in func.iter_insts() {
        let inst = func.inst(v);
        if let (Op::Extract, Aux::Index(i)) = (inst.op, &inst.aux) {
            let tuple = func.inst(inst.args[0]);
            if tuple.op == Op::Tuple {
                members[v] = tuple.args.get(*i as usize).copied();
                any = true;
            }
        }
    }
    if !any {
        return false;
    }
    func.replace_uses(|mut v| {
        while let Some(member) = members[v] {
            v = member;
        }
        v
    });
    for b in func.layout().to_vec() {
        func.retain(b, |func, v| members[v].is_none() && func.inst(v).op != Op::Tuple);
    }
    true
}

fn check_left(module: &Module, id: FuncId) -> Vec<Diagnostic> {
    let func = &module.funcs[id];
    let counts = func.use_counts();
    let mut errors = Vec::new();
    for (_, v) in func.iter_insts() {
        let tuple = !module.decls.types.tuple_items(func.ty(v)).is_empty();
        let args: &Args = &func.inst(v).args;
        let takes = func.inst(v).op == Op::Extract || args.iter().any(|&a| func.inst(a).op == Op::Tuple);
        if tuple && counts[v] > 0 || takes {
            let message = format!("`{}` of a tuple has no place in BPF's registers", func.inst(v).op);
            errors.push(
                Diagnostic::error(message)
                    .on(Entity::Value(id, v))
                    .at(func.inst(v).pos)
                    .help("take the tuple apart where it is made"),
            );
        }
    }
    errors
}
