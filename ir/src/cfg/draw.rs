//! Functions drawn as lists of edges, for tests: `0>1 1>1 1>2`.

use crate::entity::{Block, Type, Value};
use crate::function::Function;
use crate::inst::{Aux, Inst, Pos, Terminator};
use crate::op::Op;
use cranelift_entity::EntityRef;

pub(crate) fn b(i: usize) -> Block {
    Block::new(i)
}

pub(crate) fn blocks<const N: usize>(ids: [usize; N]) -> Vec<Block> {
    ids.into_iter().map(b).collect()
}

/// A function of these edges over blocks `0..=max`: no edge is a return, one a jump, more a switch.
pub(crate) fn graph(text: &str) -> Function {
    let edges: Vec<(usize, usize)> = text
        .split_whitespace()
        .map(|e| {
            let (from, to) = e.split_once('>').expect("from>to");
            (from.parse().expect("a number"), to.parse().expect("a number"))
        })
        .collect();
    let count = edges.iter().map(|&(from, to)| from.max(to) + 1).max().unwrap_or(1);
    from_edges(count, &edges)
}

pub(crate) fn from_edges(count: usize, edges: &[(usize, usize)]) -> Function {
    let mut func = Function::new("f", Type::UNIT);
    let on = func.add_param(Type::U32);
    let mut succs = vec![Vec::new(); count];
    for &(from, to) in edges {
        succs[from].push(b(to));
    }
    for _ in 0..count {
        func.add_block();
    }
    for (i, mut to) in succs.into_iter().enumerate() {
        let term = match to.pop() {
            None => Terminator::Ret(None),
            Some(only) if to.is_empty() => Terminator::Plain(only),
            Some(default) => Terminator::Switch { on, cases: (0..).zip(to).collect(), default },
        };
        func.set_terminator(b(i), term, Pos::None);
    }
    func
}

/// A constant, and a use of values, for liveness.
pub(crate) fn def(func: &mut Function, at: usize) -> Value {
    func.append(b(at), Inst::new(Op::Const, Type::U32, &[]).with(Aux::Int(1)))
}

/// A small deterministic generator (xorshift64*), so that random tests repeat.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let bits = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(bits).expect("31 bits") % n
    }

    /// A graph of up to `max` blocks, block 0 without predecessors.
    pub(crate) fn graph(&mut self, max: usize) -> Function {
        let count = 1 + self.below(max);
        let mut edges = Vec::new();
        for from in 0..count {
            let degree = [0, 1, 1, 2, 2, 3][self.below(6)];
            for _ in 0..degree {
                if count > 1 {
                    edges.push((from, 1 + self.below(count - 1)));
                }
            }
        }
        from_edges(count, &edges)
    }
}
