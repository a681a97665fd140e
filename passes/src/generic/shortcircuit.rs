//! `shortcircuit`: a branch whose way is known on some incoming edge is taken there.
//!
//! ```text
//!     b1: …                 b1: …
//!         Plain → b3            Plain → b4
//!     b3: ← b1, b2     ⇒    b3: ← b2
//!         v = Phi 1, x          v = Phi x
//!         Switch v [1: b4] …    Switch v [1: b4] …
//! ```
//!
//! A select's lowering leaves exactly this: a phi of the chosen index, then the user's switch over it. The block
//! holds phis and a few pure values that nobody outside uses, and its branch is computed with the phis standing
//! for their operands on the edge; if that gives a constant, the edge goes where the branch would.
//!
//! The block's phis may be used further down. Each is a variable then, defined by the block and by each sent-on
//! edge, and its uses are rebuilt (Braun, Buchwald, Hack, Leißa, Mallon, Zwinkau, "Simple and efficient
//! construction of static single assignment form", 2013). Loop headers are left alone: an edge past one would
//! make a second entry.

mod repair;

use std::collections::HashMap;

use cranelift_entity::SecondaryMap;
use larrow_ir::cfg::Rpo;
use larrow_ir::{Block, Decls, Function, Inst, Op, Terminator, Value};
use smallvec::SmallVec;

use super::deadcode::drop_unreachable;
use super::fold::eval;
use super::phielim::drop_redundant;
use crate::manager::{Changed, FunctionPass, Pass, PassCx, PassResult};
use repair::Repair;

/// The pass.
pub struct ShortCircuit;

/// The row of `shortcircuit`.
pub fn shortcircuit() -> Pass {
    Pass::function("shortcircuit", "sends edges past branches that they decide", ShortCircuit)
}

/// So many values beside phis and constants may stand in a block that is passed by.
const FEW: usize = 4;

impl FunctionPass for ShortCircuit {
    fn run(&self, func: &mut Function, decls: &mut Decls, cx: &mut PassCx<'_>) -> PassResult {
        let dead = drop_unreachable(func);
        let uses = Uses::of(func);
        let mut sent = 0;
        let mut repair = Repair::default();
        let rpo = Rpo::compute(func);
        for &b in rpo.blocks() {
            sent += block(func, decls, b, &rpo, &uses, &mut repair);
        }
        if sent > 0 {
            drop_unreachable(func);
            repair.run(func);
            drop_redundant(func, decls);
        }
        cx.count("edges", sent);
        Ok(Changed::from(dead + sent > 0))
    }
}

/// Which values are used outside of their block. Phi operands count where the phi stands.
struct Uses {
    outside: SecondaryMap<Value, bool>,
}

impl Uses {
    fn of(func: &Function) -> Uses {
        let mut outside = SecondaryMap::with_capacity(func.num_values());
        for (b, v) in func.iter_insts() {
            for &arg in func.args(v) {
                if func.home(arg) != Some(b) || func.inst(v).op == Op::Phi {
                    outside[arg] = true;
                }
            }
        }
        for &b in func.layout() {
            if let Some(v) = func.term(b).operand().filter(|&v| func.home(v) != Some(b)) {
                outside[v] = true;
            }
        }
        Uses { outside }
    }
}

/// Sends the edges of one block on; how many.
fn block(func: &mut Function, decls: &Decls, b: Block, rpo: &Rpo, uses: &Uses, repair: &mut Repair) -> u64 {
    let decides = matches!(func.term(b), Terminator::If { .. } | Terminator::Switch { .. });
    let is_header = func.preds(b).iter().any(|&p| rpo.is_retreating(p, b));
    if !decides || is_header || func.phis(b).next().is_none() || !is_light(func, decls, b, uses) {
        return 0;
    }
    let known: Vec<(Block, usize, usize)> = (0..func.preds(b).len())
        .filter_map(|at| Some((at, taken(func, decls, b, at)?)))
        .filter(|&(_, edge)| func.term(b).successors()[edge] != b)
        .map(|(at, edge)| (func.preds(b)[at], at, edge))
        .collect();
    // From the last to the first, so that places in the predecessor list stay.
    for &(p, at, edge) in known.iter().rev() {
        send(func, b, p, at, edge, uses, repair);
    }
    known.len() as u64
}

/// Whether a block holds nothing but phis, constants, and a few pure values of its own.
fn is_light(func: &Function, decls: &Decls, b: Block, uses: &Uses) -> bool {
    let mut few = 0;
    func.block(b).insts.iter().all(|&v| {
        let inst = func.inst(v);
        match inst.op {
            Op::Phi | Op::Const => true,
            _ => {
                few += 1;
                few <= FEW && decls.effects(inst).is_pure() && !uses.outside[v]
            }
        }
    })
}

/// The edge that the block's branch takes when control comes over its `at`-th incoming edge.
fn taken(func: &Function, decls: &Decls, b: Block, at: usize) -> Option<usize> {
    let mut known: HashMap<Value, u64> = HashMap::new();
    for &v in &func.block(b).insts {
        let inst = func.inst(v);
        let constant = |v: Value| known.get(&v).copied().or_else(|| func.inst(v).int_const());
        let bits = match inst.op {
            Op::Phi => func.inst(inst.args[at]).int_const(),
            Op::Const => inst.int_const(),
            op => {
                let args: Option<SmallVec<[(u32, u64); 3]>> =
                    inst.args.iter().map(|&a| Some((decls.types.bits(func.ty(a))?, constant(a)?))).collect();
                args.zip(decls.types.bits(inst.ty)).and_then(|(args, to)| eval(op, to, &args))
            }
        };
        known.extend(bits.map(|bits| (v, bits)));
    }
    let on = known.get(&func.term(b).operand()?).copied()?;
    match func.term(b) {
        Terminator::If { .. } => Some(usize::from(on == 0)),
        Terminator::Switch { cases, .. } => {
            Some(cases.iter().position(|(case, _)| *case == on).unwrap_or(cases.len()))
        }
        Terminator::Plain(_) | Terminator::Ret(_) | Terminator::Panic(_) | Terminator::Exit => None,
    }
}

/// Sends the `at`-th incoming edge of `b`, from `p`, to where `b`'s `edge` leads, through a block of its own.
fn send(func: &mut Function, b: Block, p: Block, at: usize, edge: usize, uses: &Uses, repair: &mut Repair) {
    let nth = func.preds(b)[..at].iter().filter(|&&x| x == p).count();
    let succs = func.term(p).successors();
    let mut edges = (0..succs.len()).filter(|&e| succs[e] == b);
    let from = edges.nth(nth).expect("a predecessor has as many edges as entries");
    let mid = func.split_edge(p, from);

    // What the block's phis and constants are on this edge. Those that others use become values of `mid`.
    let mut here: HashMap<Value, Value> = HashMap::new();
    for v in func.block(b).insts.clone() {
        let inst = func.inst(v);
        let stands_for = match inst.op {
            Op::Phi if !uses.outside[v] => {
                here.insert(v, inst.args[at]);
                continue;
            }
            Op::Phi => Inst::new(Op::Copy, inst.ty, &[inst.args[at]]),
            Op::Const if uses.outside[v] => Inst::new(Op::Const, inst.ty, &[]).with(inst.aux.clone()),
            _ => continue,
        };
        let new = func.append(mid, stands_for.at(func.inst(v).pos));
        here.insert(v, new);
        repair.define(v, b, v);
        repair.define(v, mid, new);
    }
    let to = func.term(b).successors()[edge];
    let place = func.pred_index(b, edge);
    let operands: Vec<Value> = func.phis(to).map(|phi| func.args(phi)[place]).collect();
    let args: Vec<Value> = operands.into_iter().map(|v| here.get(&v).copied().unwrap_or(v)).collect();
    func.redirect(mid, 0, to, &args);
}

#[cfg(test)]
mod tests;
