//! Barriers and ordered accesses on a machine whose only barrier is a fetching atomic.

use larrow_ir::{Aux, Decls, Function, Inst, Op, Slot, Space, Type, Value};

use super::edit::{Editor, rewrite};

/// Lowers `Sync`, `AtomicLoad` and `AtomicStore`. With `acquire`, loads that a barrier follows become acquire
/// loads.
pub fn lower_sync(func: &mut Function, decls: &mut Decls, acquire: bool) -> bool {
    let fused = if acquire { fuse(func, decls) } else { false };
    let mut slot = None;
    fused
        | rewrite(func, decls, |edit, v| match edit.func.inst(v).op {
            Op::Sync => {
                barrier(edit, &mut slot);
                true
            }
            Op::AtomicLoad if !acquire => {
                let args = edit.func.args_of(v);
                edit.become_op(v, Op::Load, &args, Aux::None);
                barrier(edit, &mut slot);
                true
            }
            Op::AtomicStore => {
                let args = edit.func.args_of(v);
                edit.func.inst_mut(v).ty = edit.func.ty(args[1]);
                edit.become_op(v, Op::AtomicXchg, &args, Aux::None);
                true
            }
            _ => false,
        })
}

/// A fetching addition of zero to a stack slot: a full barrier by BPF's memory model.
fn barrier(edit: &mut Editor<'_>, slot: &mut Option<Slot>) {
    let slot = *slot.get_or_insert_with(|| edit.func.add_slot(Type::U64));
    let ty = edit.decls.types.ptr(Space::Stack, Type::U64);
    let at = edit.inst(Inst::new(Op::LocalAddr, ty, &[]).with(Aux::Slot(slot)));
    let zero = edit.int(Type::U64, 0);
    edit.op(Op::Store, Type::UNIT, &[at, zero]);
    edit.op(Op::AtomicAdd, Type::U64, &[at, zero]);
}

/// Makes a load an acquire load where the next access of memory in its block is a barrier, and drops that.
fn fuse(func: &mut Function, decls: &Decls) -> bool {
    let mut changed = false;
    for b in func.layout().to_vec() {
        let mut last: Option<Value> = None;
        let mut dropped = Vec::new();
        for v in func.block(b).insts.clone() {
            let inst = func.inst(v);
            match inst.op {
                Op::Sync => {
                    if let Some(load) = last.take() {
                        func.inst_mut(load).op = Op::AtomicLoad;
                        dropped.push(v);
                    }
                }
                Op::Load | Op::AtomicLoad if decls.types.is_int(inst.ty) => last = Some(v),
                _ if decls.effects(inst).is_pure() => {}
                _ => last = None,
            }
        }
        if !dropped.is_empty() {
            func.retain(b, |_, v| !dropped.contains(&v));
            changed = true;
        }
    }
    changed
}
