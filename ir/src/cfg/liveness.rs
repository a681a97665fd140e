//! Liveness of SSA values, by walking up from each use to the definition (Boissinot et al., *Computing Liveness
//! Sets for SSA-Form Programs*, 2011, algorithm 6). The cost is that of the sets themselves.
//!
//! A phi reads its operands at the end of the predecessors and defines its value at the head of its block: an
//! operand is live-out of the predecessor, and neither it nor the phi is live-in for that alone. Parameters are
//! defined at the head of the entry.

use cranelift_entity::{EntityRef, SecondaryMap};

use crate::entity::{Block, Value};
use crate::function::Function;
use crate::op::Op;

/// What uses a value last.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum UsePoint {
    /// An instruction.
    Inst(Value),
    /// The terminator of the block.
    Terminator,
}

/// A last use: the value is used there and not live behind it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Death {
    /// What dies.
    pub value: Value,
    /// Where.
    pub at: UsePoint,
}

/// Which values are live at the ends of each block, and where they die inside.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Liveness {
    live_in: SecondaryMap<Block, Vec<Value>>,
    live_out: SecondaryMap<Block, Vec<Value>>,
    deaths: SecondaryMap<Block, Vec<Death>>,
}

impl Liveness {
    /// The liveness of a function in which definitions dominate uses.
    pub fn compute(func: &Function) -> Liveness {
        let mut live = Liveness {
            live_in: SecondaryMap::with_capacity(func.num_blocks()),
            live_out: SecondaryMap::with_capacity(func.num_blocks()),
            deaths: SecondaryMap::with_capacity(func.num_blocks()),
        };
        if func.layout().is_empty() {
            return live;
        }
        let uses = Uses::of(func);
        let mut open = Vec::new();
        for i in 0..func.num_values() {
            let v = Value::new(i);
            if let Some(home) = def_block(func, v) {
                live.spread(func, v, home, uses.of_value(i), &mut open);
            }
        }
        live.find_deaths(func);
        live
    }

    /// The values live at the head of a block, in order of their ids. Phis of the block are not among them.
    pub fn live_in(&self, b: Block) -> &[Value] {
        &self.live_in[b]
    }
    /// The values live behind a block's terminator, in order of their ids: with what phis of successors read.
    pub fn live_out(&self, b: Block) -> &[Value] {
        &self.live_out[b]
    }
    /// Whether a value is live at the head of a block.
    pub fn is_live_in(&self, b: Block, v: Value) -> bool {
        self.live_in[b].binary_search(&v).is_ok()
    }
    /// Whether a value is live behind a block's terminator.
    pub fn is_live_out(&self, b: Block, v: Value) -> bool {
        self.live_out[b].binary_search(&v).is_ok()
    }
    /// The last uses in a block, in order of instructions. What dies on the way to a phi dies on the edge.
    pub fn deaths(&self, b: Block) -> &[Death] {
        &self.deaths[b]
    }

    /// Marks one value in every block between its definition and its uses. Values come in order of their ids,
    /// so the last entry of a set tells whether this value is in it.
    fn spread(&mut self, func: &Function, v: Value, home: Block, uses: &[Use], open: &mut Vec<Block>) {
        for &Use { block, out } in uses {
            if out {
                mark(&mut self.live_out[block], v);
            }
            if block != home {
                open.push(block);
            }
            while let Some(b) = open.pop() {
                if !mark(&mut self.live_in[b], v) {
                    continue;
                }
                for &pred in func.preds(b) {
                    mark(&mut self.live_out[pred], v);
                    if pred != home {
                        open.push(pred);
                    }
                }
            }
        }
    }

    /// From the end of each block up: the first use met of a value that does not live on is its last.
    fn find_deaths(&mut self, func: &Function) {
        // Blocks in which the value was met or lives on: the number of the block's visit.
        let mut alive: SecondaryMap<Value, u32> = SecondaryMap::with_capacity(func.num_values());
        for (stamp, &b) in (1..).zip(func.layout()) {
            let mut deaths = Vec::new();
            for &v in &self.live_out[b] {
                alive[v] = stamp;
            }
            let mut meet = |value: Value, at| {
                if std::mem::replace(&mut alive[value], stamp) != stamp {
                    deaths.push(Death { value, at });
                }
            };
            if let Some(v) = func.term(b).operand() {
                meet(v, UsePoint::Terminator);
            }
            for &user in func.block(b).insts.iter().rev() {
                if func.inst(user).op != Op::Phi {
                    func.args(user).iter().rev().for_each(|&v| meet(v, UsePoint::Inst(user)));
                }
            }
            deaths.reverse();
            self.deaths[b] = deaths;
        }
    }
}

/// Adds a value to a set unless it is the last in it; says whether it was added.
fn mark(set: &mut Vec<Value>, v: Value) -> bool {
    let fresh = set.last() != Some(&v);
    if fresh {
        set.push(v);
    }
    fresh
}

/// The block that defines a value; `None` if nothing does.
fn def_block(func: &Function, v: Value) -> Option<Block> {
    func.home(v).or_else(|| (func.inst(v).op == Op::Param).then(|| func.entry()))
}

/// A use: in a block, or by a phi at the end of it.
#[derive(Clone, Copy, Debug)]
struct Use {
    block: Block,
    out: bool,
}

/// The uses of every value, those of value `i` at `starts[i]..starts[i + 1]`.
struct Uses {
    starts: Vec<usize>,
    uses: Vec<Use>,
}

impl Uses {
    fn of(func: &Function) -> Uses {
        let mut starts = vec![0; func.num_values() + 1];
        for_each_use(func, |v, _| starts[v.index() + 1] += 1);
        for i in 1..starts.len() {
            starts[i] += starts[i - 1];
        }
        let mut next = starts.clone();
        let mut uses = vec![Use { block: func.entry(), out: false }; starts[func.num_values()]];
        for_each_use(func, |v, u| {
            uses[next[v.index()]] = u;
            next[v.index()] += 1;
        });
        Uses { starts, uses }
    }

    fn of_value(&self, i: usize) -> &[Use] {
        &self.uses[self.starts[i]..self.starts[i + 1]]
    }
}

fn for_each_use(func: &Function, mut f: impl FnMut(Value, Use)) {
    for &b in func.layout() {
        for &user in &func.block(b).insts {
            if func.inst(user).op == Op::Phi {
                for (&v, &pred) in func.args(user).iter().zip(func.preds(b)) {
                    f(v, Use { block: pred, out: true });
                }
            } else {
                func.args(user).iter().for_each(|&v| f(v, Use { block: b, out: false }));
            }
        }
        if let Some(v) = func.term(b).operand() {
            f(v, Use { block: b, out: false });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{Death, Liveness, UsePoint};
    use crate::cfg::draw::{Random, b, def, graph};
    use crate::entity::{Block, Type, Value};
    use crate::function::Function;
    use crate::inst::Inst;
    use crate::op::Op;

    fn add(func: &mut Function, at: usize, x: Value, y: Value) -> Value {
        func.append(b(at), Inst::new(Op::Add, Type::U32, &[x, y]))
    }

    #[test]
    fn a_value_lives_through_the_loop_that_uses_it() {
        //  0: x      1 ⇄ 2: use x      3
        let mut func = graph("0>1 1>2 2>1 1>3");
        let x = def(&mut func, 0);
        let y = add(&mut func, 2, x, x);
        let live = Liveness::compute(&func);
        assert!(live.is_live_out(b(0), x) && live.is_live_in(b(1), x) && live.is_live_out(b(2), x));
        assert!(!live.is_live_in(b(3), x) && !live.is_live_in(b(0), x) && !live.is_live_out(b(2), y));
        assert!(live.deaths(b(2)).is_empty());
    }

    #[test]
    fn a_phi_reads_at_the_end_of_its_predecessors() {
        let mut func = graph("0>1 0>2 1>3 2>3");
        let (x, y) = (def(&mut func, 0), def(&mut func, 2));
        let phi = func.insert_phi(b(3), Type::U32, &[x, y]);
        let z = add(&mut func, 3, phi, phi);
        let live = Liveness::compute(&func);
        assert!(live.is_live_in(b(1), x) && live.is_live_out(b(1), x) && live.is_live_out(b(2), y));
        assert!(!live.is_live_in(b(2), x) && live.live_in(b(3)).is_empty());
        assert_eq!(live.deaths(b(3)), [Death { value: phi, at: UsePoint::Inst(z) }]);
    }

    #[test]
    fn last_uses_come_in_order() {
        let mut func = graph("0>1");
        let (x, y) = (def(&mut func, 0), def(&mut func, 0));
        let first = add(&mut func, 0, x, y);
        let second = add(&mut func, 0, y, first);
        let live = Liveness::compute(&func);
        let die = |value, at| Death { value, at: UsePoint::Inst(at) };
        assert_eq!(live.deaths(b(0)), [die(x, first), die(y, second), die(first, second)]);
    }

    /// The oracle: backward data flow to a fixed point, a set per block.
    fn simple(func: &Function) -> Vec<(BTreeSet<Value>, BTreeSet<Value>)> {
        let mut sets = vec![(BTreeSet::new(), BTreeSet::new()); func.num_blocks()];
        let at = |x: Block| x.as_u32() as usize;
        loop {
            let before = sets.clone();
            for &x in func.layout() {
                let mut out = BTreeSet::new();
                for to in func.term(x).successors() {
                    out.extend(sets[at(to)].0.iter().copied());
                    for phi in func.phis(to) {
                        let pairs = func.args(phi).iter().zip(func.preds(to));
                        out.extend(pairs.filter(|(_, p)| **p == x).map(|(v, _)| *v));
                    }
                }
                let mut set = out.clone();
                set.extend(func.term(x).operand());
                for &v in func.block(x).insts.iter().rev() {
                    set.remove(&v);
                    if func.inst(v).op != Op::Phi {
                        set.extend(func.args(v));
                    }
                }
                if x == func.entry() {
                    func.params.iter().for_each(|p| {
                        set.remove(p);
                    });
                }
                sets[at(x)] = (set, out);
            }
            if sets == before {
                return sets;
            }
        }
    }

    #[test]
    fn random_functions_agree_with_the_oracle() {
        let mut random = Random(17);
        for _ in 0..2000 {
            let mut func = random.graph(12);
            let n = func.num_blocks();
            // Definitions need not dominate uses for the sets to be defined; only what is defined is used.
            let mut values: Vec<Value> = (0..n).map(|i| def(&mut func, i)).collect();
            values.push(func.params[0]);
            for i in 1..n {
                if random.below(3) == 0 {
                    let preds = func.preds(b(i)).len();
                    let args: Vec<_> = (0..preds).map(|_| values[random.below(values.len())]).collect();
                    func.insert_phi(b(i), Type::U32, &args);
                }
                let (x, y) = (values[random.below(values.len())], values[random.below(values.len())]);
                if func.home(x) != Some(b(i)) || func.home(y) != Some(b(i)) {
                    add(&mut func, i, x, y);
                }
            }
            let (live, sets) = (Liveness::compute(&func), simple(&func));
            for &x in func.layout() {
                let (live_in, live_out) = &sets[x.as_u32() as usize];
                assert_eq!(live.live_in(x), live_in.iter().copied().collect::<Vec<_>>(), "into {x}");
                assert_eq!(live.live_out(x), live_out.iter().copied().collect::<Vec<_>>(), "out of {x}");
            }
        }
    }
}
