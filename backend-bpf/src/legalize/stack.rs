//! The stack along call chains.

use larrow_ir::cranelift_entity::SecondaryMap;
use larrow_ir::{Aux, Diagnostic, Entity, FuncId, Module, Op};

use crate::frame::{Frame, MAX_FRAMES, STACK_BYTES};

/// The functions that a function calls, or gives to a helper to call, each once.
pub(super) fn callees(module: &Module, id: FuncId) -> Vec<FuncId> {
    let func = &module.funcs[id];
    let mut out: Vec<FuncId> = func
        .iter_insts()
        .filter_map(|(_, v)| match (func.inst(v).op, &func.inst(v).aux) {
            (Op::Call | Op::FuncAddr, Aux::Func(callee)) => Some(*callee),
            _ => None,
        })
        .collect();
    out.sort_unstable();
    out.dedup();
    out
}

/// The deepest chain below a function, itself included.
#[derive(Clone, Default)]
struct Deepest {
    bytes: u32,
    frames: usize,
    next: Option<FuncId>,
}

/// Checks that no chain of calls needs more stack than there is. The module has no recursion.
pub fn check_stack(module: &Module, frames: &[(FuncId, Frame)]) -> Vec<Diagnostic> {
    let mut sizes: SecondaryMap<FuncId, u32> = SecondaryMap::new();
    for (id, frame) in frames {
        sizes[*id] = frame.counted();
    }
    let mut deepest: SecondaryMap<FuncId, Option<Deepest>> = SecondaryMap::new();
    for (id, _) in module.funcs.iter() {
        walk(module, &sizes, &mut deepest, id);
    }
    let mut errors = Vec::new();
    for (id, func) in module.funcs.iter() {
        let Some(chain) = deepest[id].clone().filter(|_| func.section.is_some()) else { continue };
        if chain.bytes > STACK_BYTES || chain.frames > MAX_FRAMES {
            errors.push(explain(module, frames, &deepest, id, &chain));
        }
    }
    errors
}

fn walk(
    module: &Module,
    sizes: &SecondaryMap<FuncId, u32>,
    deepest: &mut SecondaryMap<FuncId, Option<Deepest>>,
    root: FuncId,
) {
    let mut stack = vec![(root, callees(module, root))];
    while let Some((id, rest)) = stack.last_mut() {
        let id = *id;
        if let Some(callee) = rest.pop() {
            if deepest[callee].is_none() {
                stack.push((callee, callees(module, callee)));
            }
            continue;
        }
        stack.pop();
        let mut best = Deepest::default();
        for callee in callees(module, id) {
            let below = deepest[callee].clone().unwrap_or_default();
            best.frames = best.frames.max(below.frames);
            if below.bytes >= best.bytes {
                (best.bytes, best.next) = (below.bytes, Some(callee));
            }
        }
        best.bytes += sizes[id];
        best.frames += 1;
        deepest[id] = Some(best);
    }
}

fn explain(
    module: &Module,
    frames: &[(FuncId, Frame)],
    deepest: &SecondaryMap<FuncId, Option<Deepest>>,
    id: FuncId,
    chain: &Deepest,
) -> Diagnostic {
    let mut names = Vec::new();
    let mut slots = Vec::new();
    let mut at = Some(id);
    while let Some(f) = at {
        let frame = frames.iter().find(|(g, _)| *g == f).map_or(0, |(_, frame)| frame.counted());
        names.push(format!("@{} ({frame} bytes)", module.funcs.name(f)));
        let func = &module.funcs[f];
        slots.extend(func.slots().map(|(s, data)| (module.decls.types.size(data.ty), f, s)));
        at = deepest[f].as_ref().and_then(|d| d.next);
    }
    slots.sort_unstable_by(|a, b| b.cmp(a));
    let message = if chain.frames > MAX_FRAMES {
        format!(
            "calls from @{} nest {} deep, but BPF has {MAX_FRAMES} frames",
            module.funcs.name(id),
            chain.frames
        )
    } else {
        let name = module.funcs.name(id);
        format!("@{name} and what it calls need {} bytes of stack, but BPF has {STACK_BYTES}", chain.bytes)
    };
    let mut diagnostic = Diagnostic::error(message)
        .on(Entity::Func(id))
        .at(module.funcs[id].pos)
        .note(format!("the deepest chain of calls is {}", names.join(" → ")))
        .help("keep large values in a map instead of on the stack");
    for (size, f, slot) in slots.into_iter().take(3).filter(|(size, ..)| *size > 8) {
        diagnostic = diagnostic.note(format!("{slot} of @{} takes {size} bytes", module.funcs.name(f)));
    }
    diagnostic
}
