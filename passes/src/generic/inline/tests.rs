use larrow_ir::{FuncBuilder, FuncKind, Function, Module, Op, Pos, Terminator, Type};

use crate::generic::testing::check;
use crate::manager::{Options, Pipeline};

use super::inline;

/// `@small(x) = x > 9 ? x : 9`, with two returns and a slot.
fn small(m: &mut Module) -> larrow_ir::FuncId {
    let mut f = Function::new("small", Type::U32);
    let x = f.add_param(Type::U32);
    let mut b = FuncBuilder::new(&mut f, &mut m.decls);
    let (b0, b1, b2) = (b.block(), b.block(), b.block());
    b.switch_to(b0);
    b.at_line(3, 1);
    let slot = b.slot(Type::U32);
    let p = b.local_addr(slot);
    b.store(p, x);
    let nine = b.int(Type::U32, 9);
    let big = b.less_u(nine, x);
    b.branch(big, b1, b2);
    b.switch_to(b1);
    let y = b.load(Type::U32, p);
    b.ret(Some(y));
    b.switch_to(b2);
    b.ret(Some(nine));
    m.add_func(f).unwrap()
}

/// A function that calls `callee` twice and adds.
fn twice(m: &mut Module, name: &str, callee: larrow_ir::FuncId) -> larrow_ir::FuncId {
    let mut f = Function::new(name, Type::U32);
    let x = f.add_param(Type::U32);
    let mut b = FuncBuilder::new(&mut f, &mut m.decls);
    let b0 = b.block();
    b.switch_to(b0);
    b.at_line(10, 2);
    let y = b.call(Type::U32, callee, &[x]);
    b.at_line(11, 2);
    let z = b.call(Type::U32, callee, &[y]);
    let sum = b.add(y, z);
    b.ret(Some(sum));
    m.add_func(f).unwrap()
}

fn calls(m: &Module, name: &str) -> usize {
    let f = &m.funcs[m.funcs.id(name).unwrap()];
    f.iter_insts().filter(|(_, v)| f.inst(*v).op == Op::Call).count()
}

fn run(m: &mut Module, level: u8) {
    let options = Options { level, verify_each: true, ..Options::default() };
    Pipeline::new([inline()]).run(m, &options, &mut []).unwrap();
    m.funcs.iter().for_each(|(_, f)| check(f));
}

#[test]
fn the_level_decides() {
    for (level, want_mid, want_top) in [(0, 2, 2), (1, 0, 2), (2, 0, 0), (4, 0, 0)] {
        let mut m = Module::new("t.go");
        let leaf = small(&mut m);
        let mid = twice(&mut m, "mid", leaf);
        twice(&mut m, "top", mid);
        run(&mut m, level);
        assert_eq!((calls(&m, "mid"), calls(&m, "top")), (want_mid, want_top), "-l={level}");
    }
}

#[test]
fn minus_n_inlines_nothing() {
    let mut m = Module::new("t.go");
    let leaf = small(&mut m);
    twice(&mut m, "mid", leaf);
    let options = Options { required_only: true, ..Options::default() };
    Pipeline::new([inline().required()]).run(&mut m, &options, &mut []).unwrap();
    assert_eq!(calls(&m, "mid"), 2);
}

#[test]
fn results_join_and_slots_are_copied_and_positions_say_through_which_call() {
    let mut m = Module::new("t.go");
    let leaf = small(&mut m);
    let mid = twice(&mut m, "mid", leaf);
    run(&mut m, 2);
    let f = &m.funcs[mid];
    assert_eq!(f.slots().count(), 2);
    let sum = f.iter_insts().find(|(_, v)| f.inst(*v).op == Op::Add).unwrap().1;
    let phis: Vec<Op> = f.args(sum).iter().map(|&a| f.inst(a).op).collect();
    assert_eq!(phis, [Op::Phi, Op::Phi]);
    let load = f.iter_insts().find(|(_, v)| f.inst(*v).op == Op::Load).unwrap().1;
    let pos = f.inst(load).pos;
    assert_eq!(m.decls.locate(pos).map(|(_, line, _)| line), Some(3));
    assert!(matches!(m.decls.outermost(pos), Pos::At { line: 10 | 11, col: 2 }));
    // One location per place and call.
    assert_eq!(m.decls.locs.len(), 2);
}

#[test]
fn recursion_and_noinline_and_what_costs_too_much_stay_calls() {
    let mut m = Module::new("t.go");
    // A function that calls itself: its id is the next one.
    let own = larrow_ir::FuncId::from_u32(0);
    assert_eq!(twice(&mut m, "rec", own), own);
    let mut quiet = Function::new("quiet", Type::U32);
    let x = quiet.add_param(Type::U32);
    quiet.noinline = true;
    let mut b = FuncBuilder::new(&mut quiet, &mut m.decls);
    let b0 = b.block();
    b.switch_to(b0);
    b.ret(Some(x));
    let quiet = m.add_func(quiet).unwrap();
    let big = large(&mut m, FuncKind::User);
    let rt = large(&mut m, FuncKind::Runtime);
    twice(&mut m, "a", own);
    twice(&mut m, "b", quiet);
    twice(&mut m, "c", big);
    twice(&mut m, "d", rt);
    run(&mut m, 4);
    let left: Vec<usize> = ["rec", "a", "b", "c", "d"].map(|f| calls(&m, f)).to_vec();
    assert_eq!(left, [2, 2, 2, 2, 0]);
}

fn large(m: &mut Module, kind: FuncKind) -> larrow_ir::FuncId {
    let mut f = Function::new(if kind == FuncKind::User { "big" } else { "runtime.big" }, Type::U32);
    f.kind = kind;
    let mut v = f.add_param(Type::U32);
    let mut b = FuncBuilder::new(&mut f, &mut m.decls);
    let b0 = b.block();
    b.switch_to(b0);
    for _ in 0..1000 {
        v = b.add(v, v);
    }
    b.ret(Some(v));
    m.add_func(f).unwrap()
}

#[test]
fn tuples_join_member_by_member_and_a_callee_that_never_returns_cuts_off_the_rest() {
    let mut m = Module::new("t.go");
    let pair = m.decls.types.tuple(&[Type::U32, Type::BOOL]);
    let mut f = Function::new("pair", pair);
    let c = f.add_param(Type::BOOL);
    let mut b = FuncBuilder::new(&mut f, &mut m.decls);
    let (b0, b1, b2) = (b.block(), b.block(), b.block());
    b.switch_to(b0);
    let one = b.int(Type::U32, 1);
    let t = b.tuple(&[one, c]);
    b.branch(c, b1, b2);
    b.switch_to(b1);
    b.ret(Some(t));
    b.switch_to(b2);
    let two = b.int(Type::U32, 2);
    let u = b.tuple(&[two, c]);
    b.ret(Some(u));
    let pair_id = m.add_func(f).unwrap();

    let mut f = Function::new("dies", Type::U32);
    let mut b = FuncBuilder::new(&mut f, &mut m.decls);
    let b0 = b.block();
    b.switch_to(b0);
    b.panic("no");
    let dies = m.add_func(f).unwrap();

    let mut f = Function::new("top", Type::U32);
    let c = f.add_param(Type::BOOL);
    let mut b = FuncBuilder::new(&mut f, &mut m.decls);
    let b0 = b.block();
    b.switch_to(b0);
    let t = b.call(pair, pair_id, &[c]);
    let x = b.extract(t, 0);
    let y = b.call(Type::U32, dies, &[]);
    let sum = b.add(x, y);
    b.ret(Some(sum));
    let top = m.add_func(f).unwrap();
    run(&mut m, 2);
    let f = &m.funcs[top];
    assert!(f.layout().iter().any(|&b| matches!(f.term(b), Terminator::Panic(_))));
    assert!(f.layout().iter().all(|&b| !matches!(f.term(b), Terminator::Ret(_))));
    let tuple = f.args(x)[0];
    assert_eq!(f.inst(tuple).op, Op::Tuple);
    let member = f.inst(f.args(tuple)[0]);
    assert_eq!((member.op, member.args.len()), (Op::Phi, 2));
}

#[test]
fn a_block_of_many_calls_is_inlined() {
    let mut m = Module::new("t.go");
    let leaf = small(&mut m);
    let mut f = Function::new("top", Type::U32);
    let mut v = f.add_param(Type::U32);
    let mut b = FuncBuilder::new(&mut f, &mut m.decls);
    let b0 = b.block();
    b.switch_to(b0);
    for _ in 0..2_000 {
        v = b.call(Type::U32, leaf, &[v]);
    }
    b.ret(Some(v));
    let top = m.add_func(f).unwrap();
    Pipeline::new([inline()]).run(&mut m, &Options::default(), &mut []).unwrap();
    assert!(m.funcs[top].iter_insts().all(|(_, v)| m.funcs[top].inst(v).op != Op::Call));
}
