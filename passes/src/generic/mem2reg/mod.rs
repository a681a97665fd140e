//! `mem2reg`: slots whose address nobody keeps become values.
//!
//! An aggregate is split first: each piece that is always accessed whole is a variable of its own. Phis go to
//! the iterated dominance frontier of each variable's stores, where the variable is live (Cytron, Ferrante,
//! Rosen, Wegman, Zadeck, "Efficiently computing static single assignment form", 1991), then one walk of the
//! dominator tree replaces loads by what reaches them. A load becomes a `Copy`, which `copyelim` looks through
//! where types allow; a store goes.
//!
//! A slot is uninitialised memory: reading it before writing is an error of the program, so any value does. It
//! is zero here, so that runs repeat.

mod access;

use std::collections::HashMap;

use cranelift_entity::SecondaryMap;
use larrow_ir::cfg::{DomTree, Frontier};
use larrow_ir::{Aux, Block, Decls, Function, Inst, Op, Type, TypeKind, Value};
use smallvec::SmallVec;

use super::deadcode::drop_unreachable;
use crate::manager::{Changed, FunctionPass, Pass, PassCx, PassResult};
use access::{Access, Slots};

/// The pass.
pub struct Mem2Reg;

/// The row of `mem2reg`.
pub fn mem2reg() -> Pass {
    Pass::function("mem2reg", "turns slots whose address nobody keeps into values", Mem2Reg)
}

impl FunctionPass for Mem2Reg {
    fn run(&self, func: &mut Function, decls: &mut Decls, cx: &mut PassCx<'_>) -> PassResult {
        // Phis need an operand from every predecessor, and unreachable ones have none.
        let unreachable = drop_unreachable(func);
        cx.count("unreachable blocks", unreachable);
        let slots = Slots::find(func, decls);
        if slots.is_empty() {
            return Ok(Changed::from(unreachable > 0));
        }
        let tree = DomTree::compute(func);
        let phis = place_phis(func, &slots, &tree);
        cx.count("slots", slots.slots().len() as u64);
        cx.count("variables", slots.parts.len() as u64);
        cx.count("phis", phis.variable.len() as u64);
        for &phi in phis.variable.keys() {
            cx.origin(phi, "join", &[]);
        }
        let dead = Renamer::new(func, decls, &slots, phis).run(&tree);
        remove(func, &slots, &dead);
        Ok(Changed::Yes)
    }
}

/// Takes out what the renaming left over.
fn remove(func: &mut Function, slots: &Slots, dead: &SecondaryMap<Value, bool>) {
    for b in func.layout().to_vec() {
        if func.block(b).insts.iter().any(|&v| dead[v]) {
            func.retain(b, |_, v| !dead[v]);
        }
    }
    slots.slots().into_iter().for_each(|s| func.remove_slot(s));
}

/// The phis made for variables.
#[derive(Default)]
struct Phis {
    variable: HashMap<Value, usize>,
    /// The phis of a block, with their variables.
    of_block: SecondaryMap<Block, SmallVec<[(Value, usize); 2]>>,
}

/// How a variable is used in the function.
#[derive(Default)]
struct Places {
    /// Blocks that write it.
    defs: Vec<Block>,
    /// Blocks that read it before they write it.
    reads: Vec<Block>,
}

fn places(func: &Function, slots: &Slots) -> Vec<Places> {
    let mut places: Vec<Places> = slots.parts.iter().map(|_| Places::default()).collect();
    for &b in func.layout() {
        for &v in &func.block(b).insts {
            let written: SmallVec<[usize; 4]> = match slots.access(func, v) {
                Some(Access::Load(part)) => {
                    let place = &mut places[part];
                    if place.defs.last() != Some(&b) && place.reads.last() != Some(&b) {
                        place.reads.push(b);
                    }
                    continue;
                }
                Some(Access::Store(part, _)) => SmallVec::from_slice(&[part]),
                Some(Access::Zero(parts)) => SmallVec::from_vec(parts),
                Some(Access::Address) | None => continue,
            };
            for part in written {
                if places[part].defs.last() != Some(&b) {
                    places[part].defs.push(b);
                }
            }
        }
    }
    places
}

/// Makes phis, each operand the phi itself until renaming fills it.
fn place_phis(func: &mut Function, slots: &Slots, tree: &DomTree) -> Phis {
    let frontier = Frontier::with(func, tree);
    let places = places(func, slots);
    let mut phis = Phis::default();
    let mut fresh: SecondaryMap<Block, Vec<Value>> = SecondaryMap::new();
    // Marks that hold the variable they were set for need no clearing.
    let mut live: SecondaryMap<Block, usize> = SecondaryMap::new();
    let mut placed: SecondaryMap<Block, usize> = SecondaryMap::new();
    let mut defined: SecondaryMap<Block, usize> = SecondaryMap::new();
    for (variable, place) in places.iter().enumerate() {
        let mark = variable + 1;
        place.defs.iter().for_each(|&b| defined[b] = mark);
        mark_live(func, place, mark, &defined, &mut live);
        let mut open = place.defs.clone();
        while let Some(b) = open.pop() {
            for &join in frontier.of(b) {
                if live[join] != mark || std::mem::replace(&mut placed[join], mark) == mark {
                    continue;
                }
                let phi = func.make(Inst::new(Op::Phi, slots.parts[variable].ty, &[]));
                let operands = func.preds(join).len();
                func.inst_mut(phi).args = SmallVec::from_elem(phi, operands);
                phis.variable.insert(phi, variable);
                phis.of_block[join].push((phi, variable));
                fresh[join].push(phi);
                if defined[join] != mark {
                    open.push(join);
                }
            }
        }
    }
    for b in func.layout().to_vec() {
        if !fresh[b].is_empty() {
            let mut insts = std::mem::take(&mut fresh[b]);
            insts.extend(func.block(b).insts.iter().copied());
            func.set_insts(b, insts);
        }
    }
    phis
}

/// Marks the blocks at whose start the variable is read later without being written before.
fn mark_live(
    func: &Function,
    place: &Places,
    mark: usize,
    defined: &SecondaryMap<Block, usize>,
    live: &mut SecondaryMap<Block, usize>,
) {
    let mut open = place.reads.clone();
    while let Some(b) = open.pop() {
        if std::mem::replace(&mut live[b], mark) != mark {
            open.extend(func.preds(b).iter().copied().filter(|&p| defined[p] != mark));
        }
    }
}

struct Renamer<'a> {
    func: &'a mut Function,
    decls: &'a Decls,
    slots: &'a Slots,
    phis: Phis,
    /// Where each block's edges lead into blocks with phis: the block and the operand's place.
    edges: SecondaryMap<Block, SmallVec<[(Block, usize); 2]>>,
    current: Vec<Option<Value>>,
    /// What to restore on the way up the tree.
    undo: Vec<(usize, Option<Value>)>,
    zeros: HashMap<Type, Value>,
    dead: SecondaryMap<Value, bool>,
}

impl<'a> Renamer<'a> {
    fn new(func: &'a mut Function, decls: &'a Decls, slots: &'a Slots, phis: Phis) -> Self {
        let mut edges: SecondaryMap<Block, SmallVec<[(Block, usize); 2]>> = SecondaryMap::new();
        for &b in func.layout() {
            if !phis.of_block[b].is_empty() {
                func.preds(b).iter().enumerate().for_each(|(i, &p)| edges[p].push((b, i)));
            }
        }
        let current = vec![None; slots.parts.len()];
        let (undo, zeros, dead) = (Vec::new(), HashMap::new(), SecondaryMap::new());
        Renamer { func, decls, slots, phis, edges, current, undo, zeros, dead }
    }

    /// Walks the dominator tree; what is left over.
    fn run(mut self, tree: &DomTree) -> SecondaryMap<Value, bool> {
        enum Walk {
            Enter(Block),
            Leave(usize),
        }
        let entry = self.func.entry();
        let mut open = vec![Walk::Enter(entry)];
        while let Some(next) = open.pop() {
            match next {
                Walk::Enter(b) => {
                    open.push(Walk::Leave(self.undo.len()));
                    self.block(b);
                    open.extend(tree.children(b).map(Walk::Enter));
                }
                Walk::Leave(until) => {
                    while self.undo.len() > until {
                        let (variable, old) = self.undo.pop().expect("longer than `until`");
                        self.current[variable] = old;
                    }
                }
            }
        }
        self.place_zeros(entry);
        self.dead
    }

    fn set(&mut self, variable: usize, v: Value) {
        let old = self.current[variable].replace(v);
        self.undo.push((variable, old));
    }

    fn get(&mut self, variable: usize) -> Value {
        match self.current[variable] {
            Some(v) => v,
            None => self.zero(self.slots.parts[variable].ty),
        }
    }

    fn block(&mut self, b: Block) {
        for (phi, variable) in self.phis.of_block[b].clone() {
            self.set(variable, phi);
        }
        for v in self.func.block(b).insts.clone() {
            match self.slots.access(self.func, v) {
                None => continue,
                Some(Access::Load(variable)) => {
                    let value = self.get(variable);
                    let inst = self.func.inst_mut(v);
                    inst.op = Op::Copy;
                    inst.args = SmallVec::from_slice(&[value]);
                    continue;
                }
                Some(Access::Store(variable, value)) => self.set(variable, value),
                Some(Access::Zero(variables)) => {
                    for variable in variables {
                        let zero = self.zero(self.slots.parts[variable].ty);
                        self.set(variable, zero);
                    }
                }
                Some(Access::Address) => {}
            }
            self.dead[v] = true;
        }
        for (to, at) in self.edges[b].clone() {
            for (phi, variable) in self.phis.of_block[to].clone() {
                let value = self.get(variable);
                self.func.inst_mut(phi).args[at] = value;
            }
        }
    }

    /// The zero of a type, which is to stand in the entry block.
    fn zero(&mut self, ty: Type) -> Value {
        if let Some(&zero) = self.zeros.get(&ty) {
            return zero;
        }
        let aux = match self.decls.types.resolve(ty) {
            TypeKind::Ptr { .. } | TypeKind::Chan { .. } | TypeKind::Func { .. } => Aux::Nil,
            TypeKind::Float { .. } => Aux::Float(0),
            TypeKind::Bool
            | TypeKind::Int { .. }
            | TypeKind::Unit
            | TypeKind::Array { .. }
            | TypeKind::Struct { .. }
            | TypeKind::Tuple(_)
            | TypeKind::Named(_)
            | TypeKind::Opaque(_) => Aux::Int(0),
        };
        let zero = self.func.make(Inst::new(Op::Const, ty, &[]).with(aux));
        self.zeros.insert(ty, zero);
        zero
    }

    fn place_zeros(&mut self, entry: Block) {
        if self.zeros.is_empty() {
            return;
        }
        let mut zeros: Vec<Value> = self.zeros.values().copied().collect();
        zeros.sort_unstable();
        let mut insts = self.func.block(entry).insts.clone();
        let phis = self.func.phis(entry).count();
        insts.splice(phis..phis, zeros);
        self.func.set_insts(entry, insts);
    }
}

#[cfg(test)]
mod tests;
