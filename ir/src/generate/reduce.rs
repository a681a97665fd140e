//! Making a module small that shows a failure: delta debugging (Zeller, Hildebrandt: "Simplifying and isolating
//! failure-inducing input", TSE 2002) over edits that keep a module well-formed.
//!
//! Edits of one kind are tried in halves: all of them, then each half, and so on down to single ones. What stays
//! is kept, and the kinds go round until none of them helps. Every attempt is tidied (unreachable blocks, phis of
//! one edge, unused pure instructions, jumps to a block's only successor), so that one edit takes what hung on it.

use std::collections::HashSet;

use cranelift_entity::SecondaryMap;

use crate::entity::{Block, FuncId, Slot, Type, Value};
use crate::function::Function;
use crate::inst::{Aux, Inst, Terminator};
use crate::module::{Decls, Module};
use crate::op::Op;
use crate::types::TypeKind;

/// A step towards a smaller module.
#[derive(Clone, Copy, Debug)]
enum Edit {
    /// The function goes, if nothing refers to it.
    DropFunc(FuncId),
    /// The block returns at once.
    Return(FuncId, Block),
    /// The block goes on along this of its edges always.
    Straighten(FuncId, Block, usize),
    /// The instruction goes; who used its result gets this number.
    Replace(FuncId, Value, u64),
}

impl Edit {
    /// Whether both are made in one walk over their function.
    fn same_walk(self, other: Edit) -> bool {
        matches!((self, other), (Edit::Replace(x, ..), Edit::Replace(y, ..)) if x == y)
    }
}

/// A module for which `fails` still holds and in which no single edit can be made any more. `fails` holds for
/// `module` itself. Every candidate that it sees is valid; it is called some n·log n times for n instructions.
pub fn reduce(module: &Module, mut fails: impl FnMut(&Module) -> bool) -> Module {
    let mut best = module.clone();
    loop {
        let mut progress = false;
        for kind in [drop_funcs, returns, straight_edges, zeros, ones] {
            progress |= sweep(&mut best, kind, &mut fails);
        }
        if !progress {
            break;
        }
    }
    for drop in [drop_slots, drop_declarations] {
        let mut candidate = best.clone();
        drop(&mut candidate);
        if crate::verify(&candidate).is_ok() && fails(&candidate) {
            best = candidate;
        }
    }
    best
}

/// Tries the edits of one kind in halves. Says whether any was kept.
fn sweep(best: &mut Module, kind: fn(&Module) -> Vec<Edit>, fails: &mut impl FnMut(&Module) -> bool) -> bool {
    let mut edits = kind(best);
    let (mut chunk, mut progress) = (edits.len(), false);
    while chunk > 0 {
        let mut left = Vec::new();
        for part in edits.chunks(chunk) {
            let mut candidate = best.clone();
            let mut changed = false;
            for run in part.chunk_by(|x, y| x.same_walk(*y)) {
                changed |= apply(&mut candidate, run);
            }
            if !changed {
                continue;
            }
            let mut tidied = candidate.clone();
            tidy(&mut tidied, true);
            // What fails may be unused by now: then it only survives where the unused stays.
            tidy(&mut candidate, false);
            match [tidied, candidate].into_iter().find(|m| crate::verify(m).is_ok() && fails(m)) {
                Some(smaller) => {
                    *best = smaller;
                    progress = true;
                }
                None => left.extend_from_slice(part),
            }
        }
        edits = left;
        chunk /= 2;
    }
    progress
}

// ---- the edits -----------------------------------------------------------------------------------------------

fn drop_funcs(module: &Module) -> Vec<Edit> {
    module.funcs.ids().map(Edit::DropFunc).collect()
}

fn in_blocks(module: &Module, mut edits: impl FnMut(FuncId, &Function, Block, &mut Vec<Edit>)) -> Vec<Edit> {
    let mut out = Vec::new();
    for (id, func) in module.funcs.iter() {
        func.layout().iter().for_each(|&b| edits(id, func, b, &mut out));
    }
    out
}

fn returns(module: &Module) -> Vec<Edit> {
    in_blocks(module, |id, func, b, out| {
        if !func.term(b).successors().is_empty() {
            out.push(Edit::Return(id, b));
        }
    })
}

fn straight_edges(module: &Module) -> Vec<Edit> {
    in_blocks(module, |id, func, b, out| {
        let edges = func.term(b).successors().len();
        if edges > 1 {
            out.extend((0..edges).map(|edge| Edit::Straighten(id, b, edge)));
        }
    })
}

fn zeros(module: &Module) -> Vec<Edit> {
    replacements(module, 0)
}

fn ones(module: &Module) -> Vec<Edit> {
    replacements(module, 1)
}

/// From the last instruction to the first, so that uses go before what they use.
fn replacements(module: &Module, number: u64) -> Vec<Edit> {
    let mut out = in_blocks(module, |id, func, b, out| {
        out.extend(func.block(b).insts.iter().map(|&v| Edit::Replace(id, v, number)));
    });
    out.reverse();
    out
}

/// Makes edits of one walk; says whether any could be made.
fn apply(module: &mut Module, edits: &[Edit]) -> bool {
    let [first, ..] = *edits else { return false };
    match first {
        Edit::DropFunc(id) => {
            let used = module
                .funcs
                .iter()
                .any(|(_, func)| func.iter_insts().any(|(_, v)| func.inst(v).aux == Aux::Func(id)));
            !used && module.funcs.count() > 1 && module.funcs.remove(id).is_some()
        }
        Edit::Return(id, b) => edit_func(module, id, |func, decls| return_at(func, decls, b)),
        Edit::Straighten(id, b, edge) => edit_func(module, id, |func, _| straighten(func, b, edge)),
        Edit::Replace(id, ..) => {
            let value = |edit: &Edit| if let Edit::Replace(_, v, n) = *edit { Some((v, n)) } else { None };
            let values: Vec<_> = edits.iter().filter_map(value).collect();
            edit_func(module, id, |func, decls| replace(func, decls, &values))
        }
    }
}

fn edit_func(module: &mut Module, id: FuncId, edit: impl FnOnce(&mut Function, &Decls) -> bool) -> bool {
    module.funcs.get(id).is_some() && module.with_func(id, |func, decls| edit(func, decls))
}

fn return_at(func: &mut Function, decls: &Decls, b: Block) -> bool {
    if !func.is_live_block(b) || func.term(b).successors().is_empty() {
        return false;
    }
    let pos = func.block(b).term_pos;
    let value = if func.result == Type::UNIT {
        None
    } else {
        let Some(zero) = constant(decls, func.result, 0) else { return false };
        Some(func.append(b, zero))
    };
    func.set_terminator(b, Terminator::Ret(value), pos);
    true
}

fn straighten(func: &mut Function, b: Block, edge: usize) -> bool {
    if !func.is_live_block(b) {
        return false;
    }
    let succs = func.term(b).successors();
    if succs.len() < 2 || edge >= succs.len() {
        return false;
    }
    let (to, index) = (succs[edge], func.pred_index(b, edge));
    let args: Vec<Value> = func.phis(to).map(|phi| func.args(phi)[index]).collect();
    let pos = func.block(b).term_pos;
    func.set_terminator(b, Terminator::Plain(to), pos);
    func.push_phi_args(to, &args);
    true
}

/// Makes numbers of values, or drops those that nothing uses. One walk for all of them.
fn replace(func: &mut Function, decls: &Decls, values: &[(Value, u64)]) -> bool {
    let mut counts = func.use_counts();
    let mut dropped: HashSet<Value> = HashSet::new();
    let mut changed = false;
    for &(v, number) in values {
        if func.home(v).is_none() || dropped.contains(&v) {
            continue;
        }
        let args = func.args_of(v);
        if counts[v] == 0 {
            dropped.insert(v);
        } else if func.inst(v).op == Op::Const {
            continue;
        } else if let Some(constant) = constant(decls, func.ty(v), number) {
            *func.inst_mut(v) = constant;
        } else {
            continue;
        }
        changed = true;
        args.iter().for_each(|&arg| counts[arg] -= 1);
    }
    for i in 0..func.layout().len() {
        let b = func.layout()[i];
        func.retain(b, |_, v| !dropped.contains(&v));
        // Phis stand first; what was one comes behind them.
        let insts = func.block(b).insts.clone();
        let (mut phis, rest): (Vec<Value>, Vec<Value>) =
            insts.into_iter().partition(|&v| func.inst(v).op == Op::Phi);
        phis.extend(rest);
        func.set_insts(b, phis);
    }
    changed
}

/// A number of a type: none for pointers and channels, where it would be another failure.
fn constant(decls: &Decls, ty: Type, number: u64) -> Option<Inst> {
    let aux = match *decls.types.resolve(ty) {
        TypeKind::Bool | TypeKind::Int { .. } => Aux::Int(number),
        TypeKind::Float { bits: 32 } => Aux::Float(u64::from((number as f32).to_bits())),
        TypeKind::Float { .. } => Aux::Float((number as f64).to_bits()),
        TypeKind::Unit
        | TypeKind::Ptr { .. }
        | TypeKind::Chan { .. }
        | TypeKind::Array { .. }
        | TypeKind::Struct { .. }
        | TypeKind::Tuple(_)
        | TypeKind::Func { .. }
        | TypeKind::Named(_)
        | TypeKind::Opaque(_) => return None,
    };
    Some(Inst::new(Op::Const, ty, &[]).with(aux))
}

// ---- tidying -------------------------------------------------------------------------------------------------

fn tidy(module: &mut Module, drop: bool) {
    let ids: Vec<FuncId> = module.funcs.ids().collect();
    for id in ids {
        module.with_func(id, |func, decls| {
            drop_unreachable(func);
            forward_phis(func);
            if drop {
                drop_unused(func, decls);
            }
            merge_blocks(func);
        });
    }
}

fn drop_unreachable(func: &mut Function) {
    let mut reached: SecondaryMap<Block, bool> = SecondaryMap::new();
    let mut stack = vec![func.entry()];
    while let Some(b) = stack.pop() {
        if !std::mem::replace(&mut reached[b], true) {
            stack.extend(func.term(b).successors());
        }
    }
    let dead: Vec<Block> = func.layout().iter().copied().filter(|&b| !reached[b]).collect();
    func.remove_blocks(&dead);
}

/// Phis of one edge are what comes along it.
fn forward_phis(func: &mut Function) {
    let mut forward: SecondaryMap<Value, Option<Value>> = SecondaryMap::new();
    let single: Vec<Value> = func
        .iter_insts()
        .map(|(_, v)| v)
        .filter(|&v| func.inst(v).op == Op::Phi && func.args(v).len() == 1)
        .collect();
    for &phi in &single {
        forward[phi] = Some(func.args(phi)[0]);
    }
    // A chain of them is no circle: a block with one edge does not lead to itself from the entry.
    func.replace_uses(|mut v| {
        while let Some(to) = forward[v] {
            v = to;
        }
        v
    });
    let single: HashSet<Value> = single.into_iter().collect();
    for i in 0..func.layout().len() {
        let b = func.layout()[i];
        func.retain(b, |_, v| !single.contains(&v));
    }
}

/// Drops what is unused and has no effect, and what only that used.
fn drop_unused(func: &mut Function, decls: &Decls) {
    let mut counts = func.use_counts();
    let droppable = |func: &Function, v: Value| decls.effects(func.inst(v)).droppable();
    let mut work: Vec<Value> =
        func.iter_insts().map(|(_, v)| v).filter(|&v| counts[v] == 0 && droppable(func, v)).collect();
    let mut dead: HashSet<Value> = HashSet::new();
    while let Some(v) = work.pop() {
        if !dead.insert(v) {
            continue;
        }
        for &arg in func.args(v) {
            counts[arg] -= 1;
            if counts[arg] == 0 && func.home(arg).is_some() && droppable(func, arg) {
                work.push(arg);
            }
        }
    }
    for i in 0..func.layout().len() {
        let b = func.layout()[i];
        func.retain(b, |_, v| !dead.contains(&v));
    }
}

/// Appends each block that only one jump leads to to where that comes from.
fn merge_blocks(func: &mut Function) {
    let mut i = 0;
    while i < func.layout().len() {
        let b = func.layout()[i];
        match *func.term(b) {
            Terminator::Plain(next)
                if next != b
                    && next != func.entry()
                    && func.preds(next).len() == 1
                    && func.phis(next).next().is_none() =>
            {
                func.merge_into(b, next);
                // What was laid out before `b` has moved it up by one.
                i = func.layout().iter().position(|&x| x == b).unwrap_or(0);
            }
            _ => i += 1,
        }
    }
}

fn drop_slots(module: &mut Module) {
    let ids: Vec<FuncId> = module.funcs.ids().collect();
    for id in ids {
        module.with_func(id, |func, _| {
            let used: HashSet<Slot> = func
                .iter_insts()
                .filter_map(|(_, v)| if let Aux::Slot(slot) = func.inst(v).aux { Some(slot) } else { None })
                .collect();
            let unused: Vec<Slot> =
                func.slots().map(|(slot, _)| slot).filter(|s| !used.contains(s)).collect();
            unused.into_iter().for_each(|slot| func.remove_slot(slot));
        });
    }
}

fn drop_declarations(module: &mut Module) {
    let auxes =
        || module.funcs.iter().flat_map(|(_, func)| func.iter_insts().map(move |(_, v)| &func.inst(v).aux));
    let maps: HashSet<_> = auxes()
        .filter_map(|aux| match aux {
            Aux::Lookup { map, .. } | Aux::MapFlags { map, .. } | Aux::MapOffset { map, .. } => Some(*map),
            _ => None,
        })
        .collect();
    let globals: HashSet<_> =
        auxes().filter_map(|aux| if let Aux::Global(id) = aux { Some(*id) } else { None }).collect();
    let chans: HashSet<_> =
        auxes().filter_map(|aux| if let Aux::Chan(id) = aux { Some(*id) } else { None }).collect();
    let intrinsics: HashSet<_> =
        auxes().filter_map(|aux| if let Aux::Intrinsic(id) = aux { Some(*id) } else { None }).collect();
    let decls = &mut module.decls;
    for id in decls.maps.ids().filter(|id| !maps.contains(id)).collect::<Vec<_>>() {
        decls.maps.remove(id);
    }
    for id in decls.globals.ids().filter(|id| !globals.contains(id)).collect::<Vec<_>>() {
        decls.globals.remove(id);
    }
    for id in decls.intrinsics.ids().filter(|id| !intrinsics.contains(id)).collect::<Vec<_>>() {
        decls.intrinsics.remove(id);
    }
    // Sites may still name a channel that nothing else does.
    let named: HashSet<_> = decls.sites.values().filter_map(|site| site.chan).collect();
    for id in decls.chans.ids().filter(|id| !chans.contains(id) && !named.contains(id)).collect::<Vec<_>>() {
        decls.chans.remove(id);
    }
}
