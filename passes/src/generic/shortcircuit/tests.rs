use larrow_ir::{Block, Op, Type, Value};

use super::ShortCircuit;
use crate::generic::copyelim::CopyElim;
use crate::generic::deadcode::DeadCode;
use crate::generic::fuse::Fuse;
use crate::generic::testing::{Fixture, assert_large, check};

/// Two producers meet, an index says which, and a switch goes apart again; each arm uses the value that came
/// with the index, and the default is for nobody.
fn dispatch() -> (Fixture, Vec<Block>) {
    let mut t = Fixture::new(Type::U32, &[Type::U32, Type::U32, Type::BOOL]);
    let (x, y, c) = (t.func.params[0], t.func.params[1], t.func.params[2]);
    let bs = t.build(|b| {
        let bs: Vec<Block> = (0..7).map(|_| b.block()).collect();
        b.switch_to(bs[0]);
        b.branch(c, bs[1], bs[2]);
        b.switch_to(bs[1]);
        let zero = b.int(Type::I64, 0);
        b.jump(bs[3]);
        b.switch_to(bs[2]);
        let one = b.int(Type::I64, 1);
        b.jump(bs[3]);
        b.switch_to(bs[3]);
        let index = b.phi(Type::I64, &[zero, one]);
        let value = b.phi(Type::U32, &[x, y]);
        b.switch(index, &[(0, bs[4]), (1, bs[5])], bs[6]);
        b.switch_to(bs[4]);
        b.ret(Some(value));
        b.switch_to(bs[5]);
        let twice = b.add(value, value);
        b.ret(Some(twice));
        b.switch_to(bs[6]);
        b.panic("unreachable");
        bs
    });
    (t, bs)
}

#[test]
fn a_dispatch_on_a_known_index_goes_away() {
    let (mut t, bs) = dispatch();
    let (x, y) = (t.func.params[0], t.func.params[1]);
    assert!(t.run(&ShortCircuit).yes());
    check(&t.func);
    assert_eq!(t.counters["edges"], 2);
    assert!(!t.func.is_live_block(bs[3]) && !t.func.is_live_block(bs[6]));
    assert!(t.run(&CopyElim).yes() && t.run(&DeadCode).yes() && t.run(&Fuse).yes());
    check(&t.func);
    let ends: Vec<Vec<Value>> = t.func.layout()[1..]
        .iter()
        .map(|&b| match t.func.term(b).operand() {
            Some(v) if t.func.inst(v).op == Op::Add => t.func.args(v).to_vec(),
            v => v.into_iter().collect(),
        })
        .collect();
    assert_eq!(ends, [vec![x], vec![y, y]]);
}

#[test]
fn an_unknown_edge_keeps_the_branch_and_uses_below_join_again() {
    let mut t = Fixture::new(Type::U32, &[Type::U32, Type::U32, Type::BOOL]);
    let (x, y, c) = (t.func.params[0], t.func.params[1], t.func.params[2]);
    let (b3, b5) = t.build(|b| {
        let bs: Vec<Block> = (0..6).map(|_| b.block()).collect();
        b.switch_to(bs[0]);
        b.branch(c, bs[1], bs[2]);
        b.switch_to(bs[1]);
        let five = b.int(Type::U32, 5);
        b.jump(bs[3]);
        b.switch_to(bs[2]);
        b.jump(bs[3]);
        b.switch_to(bs[3]);
        let p = b.phi(Type::U32, &[five, x]);
        let q = b.phi(Type::U32, &[x, y]);
        let limit = b.int(Type::U32, 3);
        let big = b.less_u(limit, p);
        b.branch(big, bs[4], bs[5]);
        b.switch_to(bs[4]);
        b.jump(bs[5]);
        b.switch_to(bs[5]);
        let sum = b.add(q, limit);
        let all = b.add(sum, p);
        b.ret(Some(all));
        (bs[3], bs[5])
    });
    assert!(t.run(&ShortCircuit).yes());
    check(&t.func);
    assert_eq!(t.func.preds(b3).len(), 1);
    let sum = t.func.block(b5).insts.iter().copied().find(|&v| t.func.inst(v).op == Op::Add).unwrap();
    assert!(t.func.args(sum).iter().all(|&a| t.func.home(a) != Some(b3)));
    // Every value is defined before it is used on every path: what the verifier checks.
    let mut module = larrow_ir::Module { decls: t.decls, ..larrow_ir::Module::default() };
    module.add_func(t.func).unwrap();
    larrow_ir::verify::verify(&module).unwrap();
}

#[test]
fn a_loop_header_is_left_alone() {
    let mut t = Fixture::new(Type::UNIT, &[Type::BOOL]);
    let c = t.func.params[0];
    t.build(|b| {
        let bs: Vec<Block> = (0..4).map(|_| b.block()).collect();
        b.switch_to(bs[0]);
        let yes = b.bool(true);
        b.jump(bs[1]);
        b.switch_to(bs[1]);
        let go = b.phi(Type::BOOL, &[yes]);
        b.branch(go, bs[2], bs[3]);
        b.switch_to(bs[2]);
        b.jump(bs[1]);
        b.func.push_phi_args(bs[1], &[c]);
        b.switch_to(bs[3]);
        b.ret(None);
    });
    assert!(!t.run(&ShortCircuit).yes());
    check(&t.func);
}

#[test]
fn it_is_linear() {
    assert_large(&ShortCircuit);
}
