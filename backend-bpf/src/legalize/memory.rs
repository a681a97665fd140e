//! Copies and zeroing as loads and stores, and stack accesses that are not aligned as aligned ones.
//!
//! The kernel wants accesses to the stack aligned, always; map values and packets take any on the machines that
//! it runs these on.

use larrow_ir::{Aux, Decls, Function, Op, Slot, Space, Type, TypeKind, Value};

use super::edit::{Editor, rewrite};

/// Expands `MemCopy` and `MemZero`, and loads and stores of less alignment than size.
pub fn expand_memory(func: &mut Function, decls: &mut Decls) -> bool {
    rewrite(func, decls, |edit, v| {
        let inst = edit.func.inst(v);
        match (inst.op, inst.aux.clone()) {
            (Op::MemCopy, Aux::Size(size)) => {
                let (to, from) = (inst.args[0], inst.args[1]);
                copy(edit, to, from, size);
                true
            }
            (Op::MemZero, Aux::Size(size)) => {
                let to = inst.args[0];
                zero(edit, to, size);
                true
            }
            (Op::Load, _) => split_load(edit, v),
            (Op::Store, _) => split_store(edit, v),
            _ => false,
        }
    })
}

/// The unsigned type of so many bytes.
fn unsigned(bytes: u64) -> Type {
    match bytes {
        1 => Type::U8,
        2 => Type::U16,
        4 => Type::U32,
        _ => Type::U64,
    }
}

/// The widest access, of 8 bytes at most, at an offset with so many bytes left.
fn chunk(align: u64, offset: u64, left: u64) -> u64 {
    let at = if offset == 0 { 8 } else { 1 << offset.trailing_zeros().min(3) };
    let fits = 1 << (63 - left.min(8).leading_zeros());
    align.min(at).min(fits)
}

fn copy(edit: &mut Editor<'_>, to: Value, from: Value, size: u64) {
    let align = alignment(edit.func, edit.decls, to).min(alignment(edit.func, edit.decls, from));
    let mut at = 0;
    while at < size {
        let bytes = chunk(align, at, size - at);
        let ty = unsigned(bytes);
        let source = edit.at_offset(from, at, ty);
        let x = edit.op(Op::Load, ty, &[source]);
        let target = edit.at_offset(to, at, ty);
        edit.op(Op::Store, Type::UNIT, &[target, x]);
        at += bytes;
    }
}

fn zero(edit: &mut Editor<'_>, to: Value, size: u64) {
    let align = alignment(edit.func, edit.decls, to);
    let mut at = 0;
    while at < size {
        let bytes = chunk(align, at, size - at);
        let ty = unsigned(bytes);
        let target = edit.at_offset(to, at, ty);
        let x = edit.int(ty, 0);
        edit.op(Op::Store, Type::UNIT, &[target, x]);
        at += bytes;
    }
}

/// How a pointer may be accessed at offset 0: by how many bytes at a time, 8 at most.
pub(crate) fn alignment(func: &Function, decls: &Decls, ptr: Value) -> u64 {
    let types = &decls.types;
    let (mut base, mut align) = (ptr, 8u64);
    while func.inst(base).op == Op::PtrAdd {
        let by = func.inst(func.args(base)[1]).int_const();
        if let Some(by) = by.filter(|&by| by != 0) {
            align = align.min(1 << by.trailing_zeros().min(3));
        } else if by.is_none() && types.space(func.ty(base)) == Some(Space::Stack) {
            // A variable index keeps to the element's own alignment.
            return align.min(pointee_align(func, decls, base));
        }
        base = func.args(base)[0];
    }
    match types.space(func.ty(base)) {
        Some(Space::Map | Space::Packet | Space::Global) => 8,
        Some(Space::Stack | Space::Any | Space::Ctx | Space::Heap) | None => {
            align.min(slot_of(func, base).map_or_else(
                || pointee_align(func, decls, base),
                |slot| func.slot(slot).map_or(1, |data| crate::frame::slot_align(decls, data)),
            ))
        }
    }
}

fn slot_of(func: &Function, base: Value) -> Option<Slot> {
    match (func.inst(base).op, &func.inst(base).aux) {
        (Op::LocalAddr, Aux::Slot(slot)) => Some(*slot),
        _ => None,
    }
}

/// The alignment that a pointer's type promises.
fn pointee_align(func: &Function, decls: &Decls, ptr: Value) -> u64 {
    let types = &decls.types;
    let layout = types.pointee(func.ty(ptr)).and_then(|to| types.layout(to));
    layout.map_or(1, |l| l.align.min(8))
}

/// Whether an access of so many bytes is certainly to the stack and certainly not aligned: then how many go at once.
pub(crate) fn misaligned(func: &Function, decls: &Decls, ptr: Value, bytes: u64) -> Option<u64> {
    let mut base = ptr;
    while func.inst(base).op == Op::PtrAdd {
        base = func.args(base)[0];
    }
    slot_of(func, base)?;
    let align = alignment(func, decls, ptr);
    (align < bytes).then_some(align)
}

fn int_bytes(edit: &Editor<'_>, ty: Type) -> Option<u64> {
    match edit.decls.types.resolve(ty) {
        TypeKind::Int { bits, .. } => Some(u64::from(*bits) / 8),
        _ => None,
    }
}

fn split_load(edit: &mut Editor<'_>, v: Value) -> bool {
    let (ty, ptr) = (edit.func.ty(v), edit.func.args(v)[0]);
    let Some(bytes) = int_bytes(edit, ty) else { return false };
    let Some(part) = misaligned(edit.func, edit.decls, ptr, bytes) else { return false };
    let mut sum = None;
    let mut at = 0;
    while at < bytes {
        let from = edit.at_offset(ptr, at, unsigned(part));
        let x = edit.op(Op::Load, unsigned(part), &[from]);
        let wide = edit.op(Op::ZeroExt, ty, &[x]);
        let by = edit.int(ty, at * 8);
        let moved = if at == 0 { wide } else { edit.op(Op::Lsh, ty, &[wide, by]) };
        at += part;
        match sum {
            Some(sum) if at == bytes => edit.become_op(v, Op::Or, &[sum, moved], Aux::None),
            Some(low) => sum = Some(edit.op(Op::Or, ty, &[low, moved])),
            None => sum = Some(moved),
        }
    }
    true
}

fn split_store(edit: &mut Editor<'_>, v: Value) -> bool {
    let (ptr, x) = (edit.func.args(v)[0], edit.func.args(v)[1]);
    let ty = edit.func.ty(x);
    let Some(bytes) = int_bytes(edit, ty) else { return false };
    let Some(part) = misaligned(edit.func, edit.decls, ptr, bytes) else { return false };
    let mut at = 0;
    while at < bytes {
        let by = edit.int(ty, at * 8);
        let moved = if at == 0 { x } else { edit.op(Op::RshU, ty, &[x, by]) };
        let low = edit.op(Op::Trunc, unsigned(part), &[moved]);
        let to = edit.at_offset(ptr, at, unsigned(part));
        edit.op(Op::Store, Type::UNIT, &[to, low]);
        at += part;
    }
    true
}
