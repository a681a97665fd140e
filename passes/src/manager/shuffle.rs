//! Shuffling of what has no defined order, so that a pass that leans on an accidental order fails early.

use std::collections::HashMap;

use larrow_ir::{Block, Decls, Function, Module, Op, Terminator, Value};

/// A small deterministic generator: splitmix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number
/// generators", 2014).
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Random {
        Random(seed)
    }
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    /// Below `n`, which is not 0. The bias of the remainder does not matter here.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }
    /// Fisher and Yates.
    pub(crate) fn permute<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i + 1));
        }
    }
}

/// Reorders the instructions within every block as far as operands and effects allow.
pub(super) fn shuffle(module: &mut Module, random: &mut Random) {
    let ids: Vec<_> = module.funcs.ids().collect();
    for id in ids {
        module.with_func(id, |func, decls| {
            for b in func.layout().to_vec() {
                block(func, decls, b, random);
            }
        });
    }
}

/// A random topological order: phis first, operands before users, effects in their order.
fn block(func: &mut Function, decls: &Decls, b: Block, random: &mut Random) {
    // A block that control does not leave ends with the call that does not come back.
    if *func.term(b) == Terminator::Exit {
        return;
    }
    let insts = func.block(b).insts.clone();
    let (mut order, body): (Vec<Value>, Vec<Value>) =
        insts.iter().partition(|&&v| func.inst(v).op == Op::Phi);
    random.permute(&mut order);

    let place: HashMap<Value, usize> = body.iter().enumerate().map(|(i, &v)| (v, i)).collect();
    let mut users: Vec<Vec<usize>> = vec![Vec::new(); body.len()];
    let mut waits = vec![0u32; body.len()];
    let mut last_ordered = None;
    for (i, &v) in body.iter().enumerate() {
        let inst = func.inst(v);
        let operands = inst.args.iter().filter_map(|a| place.get(a).copied()).filter(|&j| j < i);
        let fence = if decls.effects(inst).ordered() { last_ordered.replace(i) } else { None };
        for j in operands.chain(fence) {
            users[j].push(i);
            waits[i] += 1;
        }
    }
    let mut ready: Vec<usize> = (0..body.len()).filter(|&i| waits[i] == 0).collect();
    while !ready.is_empty() {
        let i = ready.swap_remove(random.below(ready.len()));
        order.push(body[i]);
        for &user in &users[i] {
            waits[user] -= 1;
            if waits[user] == 0 {
                ready.push(user);
            }
        }
    }
    func.set_insts(b, order);
}

#[cfg(test)]
mod tests {
    use super::*;
    use larrow_ir::{FuncBuilder, Type};

    #[test]
    fn effects_and_operands_keep_their_order_and_the_rest_moves() {
        let mut m = Module::new("t.go");
        let mut f = Function::new("f", Type::UNIT);
        let x = f.add_param(Type::U64);
        let mut b = FuncBuilder::new(&mut f, &mut m.decls);
        let entry = b.block();
        b.switch_to(entry);
        let slot = b.slot(Type::U64);
        let p = b.local_addr(slot);
        let mut stores = Vec::new();
        for _ in 0..20 {
            let y = b.add(x, x);
            stores.push(b.store(p, y));
        }
        b.ret(None);
        let id = m.add_func(f).unwrap();
        let before = m.funcs[id].block(entry).insts.clone();
        shuffle(&mut m, &mut Random::new(7));
        let after = m.funcs[id].block(entry).insts.clone();
        assert_ne!(before, after);
        let at: HashMap<Value, usize> = after.iter().enumerate().map(|(i, &v)| (v, i)).collect();
        assert_eq!(at.len(), before.len());
        assert!(stores.windows(2).all(|w| at[&w[0]] < at[&w[1]]));
        for &v in &after {
            assert!(m.funcs[id].args(v).iter().all(|a| at.get(a).is_none_or(|&i| i < at[&v])));
        }
        let mut again = m.clone();
        shuffle(&mut m, &mut Random::new(8));
        shuffle(&mut again, &mut Random::new(8));
        assert_eq!(m.funcs[id].block(entry).insts, again.funcs[id].block(entry).insts);
    }
}
