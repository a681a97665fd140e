//! `inline`: calls become the body of what they call, callees first.
//!
//! The level decides what is worth it, as the article's `-l` does:
//!
//! | level | inlines | budget |
//! |---|---|---|
//! | 0 | nothing | |
//! | 1 | functions that call nothing | 80 |
//! | 2 | any small function, as gc does by default | 80 |
//! | 3 | larger ones too | 400 |
//! | 4 | a call in the body costs next to nothing, and runtime functions always | 400 |
//!
//! A function costs one for each instruction that becomes code and for each branch, and 57 more for each call
//! that stays in it, which is gc's figure: two calls are over the budget. Recursion is never inlined, nor is
//! `noinline`.

mod body;
mod cost;

use std::collections::{HashMap, HashSet};

use larrow_ir::cfg::{CallGraph, Rpo};
use larrow_ir::{Aux, Entity, FuncId, FuncKind, Function, LocData, LocId, Module, Op, Terminator, Value};

use super::deadcode::drop_unreachable;
use crate::manager::{Changed, ModulePass, Pass, PassCx, PassResult};
use body::inline_call;
use cost::{calls_anything, cost};

/// The pass.
pub struct Inline;

/// The row of `inline`.
pub fn inline() -> Pass {
    Pass::module("inline", "puts callees' bodies in the place of calls, by level", Inline)
}

/// What a level allows.
struct Policy {
    leaves_only: bool,
    budget: u64,
    call_cost: u64,
    runtime_always: bool,
}

/// A caller of more instructions takes no more bodies but runtime functions'.
const BIG: usize = 20_000;

fn policy(level: u8) -> Option<Policy> {
    let policy = |leaves_only, budget, call_cost, runtime_always| {
        Some(Policy { leaves_only, budget, call_cost, runtime_always })
    };
    match level {
        0 => None,
        1 => policy(true, 80, 57, false),
        2 => policy(false, 80, 57, false),
        3 => policy(false, 400, 57, false),
        _ => policy(false, 400, 1, true),
    }
}

impl ModulePass for Inline {
    fn run(&self, module: &mut Module, cx: &mut PassCx<'_>) -> PassResult {
        let Some(policy) = policy(cx.options.level).filter(|_| !cx.options.required_only) else {
            return Ok(Changed::No);
        };
        let graph = cx.module_analysis::<CallGraph>(module);
        let mut inliner = Inliner::new(module, &graph, policy);
        let mut changed = Changed::No;
        for &caller in graph.bottom_up().iter().flatten() {
            changed |= Changed::from(inliner.caller(module, caller, cx));
        }
        Ok(changed)
    }
}

struct Inliner {
    policy: Policy,
    recursive: HashSet<FuncId>,
    /// What called something before anything was inlined.
    callers: HashSet<FuncId>,
    costs: HashMap<FuncId, u64>,
    locs: HashMap<LocData, LocId>,
}

impl Inliner {
    fn new(module: &Module, graph: &CallGraph, policy: Policy) -> Inliner {
        let callers = module.funcs.iter().filter(|(_, f)| calls_anything(f)).map(|(id, _)| id).collect();
        Inliner {
            policy,
            recursive: recursive(graph),
            callers,
            costs: HashMap::new(),
            locs: module.decls.locs.iter().map(|(id, data)| (data.clone(), id)).collect(),
        }
    }

    /// Why a function is not inlined; `None` if it is.
    fn refusal(&mut self, id: FuncId, callee: &Function, caller_size: usize) -> Option<String> {
        if callee.noinline {
            return Some("it is marked noinline".into());
        }
        if self.recursive.contains(&id) {
            return Some("it is recursive".into());
        }
        if callee.layout().is_empty() {
            return Some("it has no body".into());
        }
        if self.policy.runtime_always && callee.kind == FuncKind::Runtime {
            return None;
        }
        if caller_size > BIG {
            return Some(format!("the caller has over {BIG} instructions"));
        }
        if self.policy.leaves_only && self.callers.contains(&id) {
            return Some("it calls others".into());
        }
        let call_cost = self.policy.call_cost;
        let cost = *self.costs.entry(id).or_insert_with(|| cost(callee, call_cost));
        let budget = self.policy.budget;
        (cost > budget).then(|| format!("its cost {cost} exceeds the budget {budget}"))
    }

    /// Inlines what is worth it into one function; whether anything was.
    fn caller(&mut self, module: &mut Module, caller: FuncId, cx: &mut PassCx<'_>) -> bool {
        let calls = calls_of(&module.funcs[caller]);
        if calls.is_empty() {
            return false;
        }
        let hollow = Function::new("", larrow_ir::Type::UNIT);
        let mut func = std::mem::replace(&mut module.funcs[caller], hollow);
        let observed = observed_calls(&func);
        let mut inlined = 0;
        // The last call of a block first: splitting then moves every instruction once.
        for (v, id) in calls.into_iter().rev() {
            let callee = &module.funcs[id];
            let name = module.funcs.name(id);
            let entity = Some(Entity::Value(caller, v));
            let pos = func.inst(v).pos;
            let refusal = if id == caller {
                Some("it is recursive".into())
            } else if ends_block(&func, v) && returns(callee) {
                Some("the caller ends with this call".into())
            } else if observed.contains(&v) {
                Some("the status of this call is used".into())
            } else {
                self.refusal(id, callee, func.num_values())
            };
            if let Some(why) = refusal {
                cx.missed(entity, pos, format!("@{name} is not inlined: {why}"));
                continue;
            }
            cx.remark(entity, pos, format!("@{name} is inlined"));
            let made = inline_call(&mut func, callee, v, &mut module.decls, &mut self.locs);
            made.iter().for_each(|&(new, old)| cx.origin_in(caller, new, name.to_string(), &[old]));
            inlined += 1;
        }
        if inlined > 0 {
            drop_unreachable(&mut func);
            let order = Rpo::compute(&func).blocks().to_vec();
            func.set_layout(order);
        }
        module.funcs[caller] = func;
        cx.count("calls", inlined);
        inlined > 0
    }
}

/// Functions that reach themselves. A group tied by other edges than calls counts as well: that costs little.
fn recursive(graph: &CallGraph) -> HashSet<FuncId> {
    let groups = graph.bottom_up().iter().filter(|group| group.len() > 1);
    groups.chain(graph.recursion()).flatten().copied().collect()
}

/// The direct calls of a function, in layout order.
fn calls_of(func: &Function) -> Vec<(Value, FuncId)> {
    let calls = func.iter_insts().filter_map(|(_, v)| match (func.inst(v).op, &func.inst(v).aux) {
        (Op::Call, &Aux::Func(id)) => Some((v, id)),
        (_, _) => None,
    });
    calls.collect()
}

/// Whether control is not expected back from a call: its block ends in `Exit` right behind it.
fn ends_block(func: &Function, v: Value) -> bool {
    let block = func.home(v).map(|b| func.block(b));
    block.is_some_and(|b| b.term == Terminator::Exit && b.insts.last() == Some(&v))
}

/// Whether any block of a function returns.
fn returns(func: &Function) -> bool {
    func.layout().iter().any(|&b| matches!(func.term(b), Terminator::Ret(_)))
}

/// Calls that something asks about beside their result: they must stay calls.
fn observed_calls(func: &Function) -> HashSet<Value> {
    let asking = func.iter_insts().filter(|(_, v)| matches!(func.inst(*v).op, Op::Status | Op::Outcome));
    asking.map(|(_, v)| func.args(v)[0]).collect()
}

#[cfg(test)]
mod tests;
