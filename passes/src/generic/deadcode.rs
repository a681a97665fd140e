//! `deadcode`: blocks that control never reaches, values that nobody needs, slots that nobody names.
//!
//! A value is needed if it has an effect that others see, if a terminator looks at it, or if a needed value
//! does. What is left after marking those is dropped, cycles of phis included.

use cranelift_entity::EntitySet;
use larrow_ir::{Aux, Block, Decls, Function, Value};

use crate::manager::{Changed, FunctionPass, Pass, PassCx, PassResult};

/// The pass.
pub struct DeadCode;

/// The row of `deadcode`.
pub fn deadcode() -> Pass {
    Pass::function("deadcode", "drops unreachable blocks, unneeded values and unnamed slots", DeadCode)
}

impl FunctionPass for DeadCode {
    fn run(&self, func: &mut Function, decls: &mut Decls, cx: &mut PassCx<'_>) -> PassResult {
        let blocks = drop_unreachable(func);
        let values = drop_unneeded(func, decls);
        let slots = drop_unnamed_slots(func);
        cx.count("blocks", blocks);
        cx.count("values", values);
        cx.count("slots", slots);
        Ok(Changed::from(blocks + values + slots > 0))
    }
}

/// The blocks that control can get to.
pub(crate) fn reachable(func: &Function) -> EntitySet<Block> {
    let mut seen = EntitySet::with_capacity(func.num_blocks());
    let mut open: Vec<Block> = func.layout().first().copied().into_iter().collect();
    seen.extend(open.iter().copied());
    while let Some(b) = open.pop() {
        func.term(b).for_each_successor(|to| {
            if seen.insert(to) {
                open.push(to);
            }
        });
    }
    seen
}

/// Drops unreachable blocks; how many.
pub(crate) fn drop_unreachable(func: &mut Function) -> u64 {
    let seen = reachable(func);
    let dead: Vec<Block> = func.layout().iter().copied().filter(|&b| !seen.contains(b)).collect();
    if !dead.is_empty() {
        func.remove_blocks(&dead);
    }
    dead.len() as u64
}

/// Drops values that nobody needs; how many.
pub(crate) fn drop_unneeded(func: &mut Function, decls: &Decls) -> u64 {
    let mut needed: EntitySet<Value> = EntitySet::with_capacity(func.num_values());
    let mut open = Vec::new();
    for &b in func.layout() {
        open.extend(func.term(b).operand());
        let insts = func.block(b).insts.iter().copied();
        open.extend(insts.filter(|&v| !decls.effects(func.inst(v)).droppable()));
    }
    while let Some(v) = open.pop() {
        if needed.insert(v) {
            open.extend(func.args(v).iter().copied());
        }
    }
    let mut dropped = 0;
    for b in func.layout().to_vec() {
        let before = func.block(b).insts.len();
        if func.block(b).insts.iter().any(|&v| !needed.contains(v)) {
            func.retain(b, |_, v| needed.contains(v));
            dropped += before - func.block(b).insts.len();
        }
    }
    dropped as u64
}

/// Drops slots whose address nobody takes; how many.
fn drop_unnamed_slots(func: &mut Function) -> u64 {
    let mut named = EntitySet::with_capacity(func.num_slots());
    for (_, v) in func.iter_insts() {
        if let Aux::Slot(slot) = func.inst(v).aux {
            named.insert(slot);
        }
    }
    let dead: Vec<_> = func.slots().map(|(s, _)| s).filter(|&s| !named.contains(s)).collect();
    dead.iter().for_each(|&s| func.remove_slot(s));
    dead.len() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generic::testing::{Fixture, check};
    use larrow_ir::Type;

    #[test]
    fn an_unreachable_loop_goes_with_its_edge_into_live_code() {
        let mut t = Fixture::new(Type::U32, &[Type::U32]);
        let x = t.func.params[0];
        let (b0, b1, b2) = t.build(|b| (b.block(), b.block(), b.block()));
        t.build(|b| {
            b.switch_to(b0);
            b.jump(b2);
            b.switch_to(b1);
            let c = b.bool(true);
            b.branch(c, b1, b2);
            b.switch_to(b2);
            let p = b.phi(Type::U32, &[x, x]);
            b.ret(Some(p));
        });
        let changed = t.run(&DeadCode);
        assert!(changed.yes());
        assert_eq!(t.func.layout(), [b0, b2]);
        assert_eq!(t.func.preds(b2), [b0]);
        check(&t.func);
        assert!(!t.run(&DeadCode).yes());
    }

    #[test]
    fn unneeded_cycles_and_slots_go_and_effects_stay() {
        let mut t = Fixture::new(Type::UNIT, &[Type::U32]);
        let x = t.func.params[0];
        let (b0, b1) = t.build(|b| (b.block(), b.block()));
        t.build(|b| {
            b.switch_to(b0);
            let used = b.slot(Type::U32);
            b.slot(Type::U64);
            let p = b.local_addr(used);
            b.store(p, x);
            b.load(Type::U32, p);
            b.bounded(x, 0, 3);
            b.jump(b1);
            b.switch_to(b1);
            let phi = b.phi(Type::U32, &[x]);
            let next = b.add(phi, x);
            b.jump(b1);
            b.func.push_phi_args(b1, &[next]);
        });
        assert!(t.run(&DeadCode).yes());
        check(&t.func);
        assert_eq!(t.func.block(b1).insts, []);
        assert_eq!(t.ops(b0), ["LocalAddr", "Store", "Bounded"]);
        assert_eq!(t.func.slots().count(), 1);
    }

    #[test]
    fn ten_thousand_values_and_five_thousand_blocks_are_linear() {
        crate::generic::testing::assert_large(&DeadCode);
    }
}
