//! What the unit tests of the generic passes share: a function with its declarations, structural checks, and
//! large inputs for the tests of running time.

use std::collections::HashMap;

use larrow_ir::{Block, Decls, FuncBuilder, FuncId, Function, Module, Op, Type, Value};

use crate::manager::{AnalysisCache, Changed, Counters, FunctionPass, Options, PassCx};

/// A function under test.
pub(crate) struct Fixture {
    pub(crate) func: Function,
    pub(crate) decls: Decls,
    pub(crate) options: Options,
    pub(crate) counters: Counters,
}

impl Fixture {
    pub(crate) fn new(result: Type, params: &[Type]) -> Fixture {
        let mut func = Function::new("f", result);
        for &ty in params {
            func.add_param(ty);
        }
        let decls = Module::new("t.go").decls;
        Fixture { func, decls, options: Options::default(), counters: Counters::new() }
    }
    pub(crate) fn build<R>(&mut self, f: impl FnOnce(&mut FuncBuilder<'_>) -> R) -> R {
        f(&mut FuncBuilder::new(&mut self.func, &mut self.decls))
    }
    pub(crate) fn run(&mut self, pass: &dyn FunctionPass) -> Changed {
        let mut cache = AnalysisCache::default();
        let mut cx = PassCx::new(&self.options, &mut cache, Some(FuncId::from_u32(0)));
        let changed = pass.run(&mut self.func, &mut self.decls, &mut cx).expect("the pass goes through");
        self.counters = cx.counters;
        changed
    }
    pub(crate) fn ops(&self, b: Block) -> Vec<&'static str> {
        self.func.block(b).insts.iter().map(|&v| self.func.inst(v).op.name()).collect()
    }
}

/// The invariants of a function that passes lean on: edges and lists agree, phis stand first with an operand per
/// predecessor, homes are right, operands are live.
pub(crate) fn check(func: &Function) {
    let mut edges: HashMap<(Block, Block), i64> = HashMap::new();
    for &b in func.layout() {
        func.term(b).for_each_successor(|to| *edges.entry((b, to)).or_default() += 1);
        for &p in func.preds(b) {
            *edges.entry((p, b)).or_default() -= 1;
        }
        let insts = &func.block(b).insts;
        let phis = func.phis(b).count();
        for (i, &v) in insts.iter().enumerate() {
            let inst = func.inst(v);
            assert_eq!(func.home(v), Some(b), "{v}");
            assert_eq!(inst.op == Op::Phi, i < phis, "{v} in {b}");
            assert!(inst.op != Op::Phi || inst.args.len() == func.preds(b).len(), "{v} in {b}");
            inst.args.iter().for_each(|&a| assert!(func.is_live(a), "{a} of {v}"));
        }
        func.term(b).operand().into_iter().for_each(|a| assert!(func.is_live(a), "{a} at the end of {b}"));
    }
    assert!(edges.values().all(|&n| n == 0), "{edges:?}");
}

/// One block with `n` values, each used by the next.
pub(crate) fn long_block(n: usize) -> Fixture {
    let mut t = Fixture::new(Type::U32, &[Type::U32, Type::U32]);
    let (x, y) = (t.func.params[0], t.func.params[1]);
    t.build(|b| {
        let entry = b.block();
        b.switch_to(entry);
        let slot = b.slot(Type::U32);
        let p = b.local_addr(slot);
        let mut v = x;
        for i in 0..n / 4 {
            v = match i % 4 {
                0 => b.add(v, y),
                1 => b.copy(v),
                2 => {
                    let zero = b.int(Type::U32, 0);
                    b.add(v, zero)
                }
                _ => {
                    b.store(p, v);
                    b.load(Type::U32, p)
                }
            };
            b.sub(v, y);
            b.xor(v, y);
        }
        b.ret(Some(v));
    });
    t
}

/// `n` blocks in a chain of diamonds, each with a phi, after a chain of plain blocks.
pub(crate) fn many_blocks(n: usize) -> Fixture {
    let mut t = Fixture::new(Type::U32, &[Type::U32, Type::BOOL]);
    let (x, c) = (t.func.params[0], t.func.params[1]);
    t.build(|b| {
        let slot = b.slot(Type::U32);
        let entry = b.block();
        b.switch_to(entry);
        let p = b.local_addr(slot);
        b.store(p, x);
        for _ in 0..n / 4 {
            let next = b.block();
            b.jump(next);
            b.switch_to(next);
        }
        let mut v: Value = x;
        for i in 0..n / 4 {
            let (l, r, j) = (b.block(), b.block(), b.block());
            b.branch(c, l, r);
            b.switch_to(l);
            let y = b.add(v, x);
            b.store(p, y);
            b.jump(j);
            b.switch_to(r);
            b.jump(j);
            b.switch_to(j);
            let loaded = b.load(Type::U32, p);
            v = if i % 2 == 0 { loaded } else { v };
            let phi = b.func.insert_phi(j, Type::U32, &[y, v]);
            if i % 2 == 1 {
                v = phi;
            }
        }
        b.ret(Some(v));
    });
    t
}

/// Runs a pass over large inputs of both shapes: what it leaves is valid. How long it takes is the benchmarks'
/// business.
pub(crate) fn assert_large(pass: &dyn FunctionPass) {
    for make in [long_block as fn(usize) -> Fixture, many_blocks] {
        let mut t = make(20_000);
        let _ = t.run(pass);
        check(&t.func);
    }
}
