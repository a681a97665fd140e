//! What `opt` does to functions. That the rules are right is tested beside their patterns.

use larrow_ir::{Aux, Op, Terminator, Type, Value};

use super::special::{Pair, conversion_pair};
use super::{Opt, eval};
use crate::generic::testing::{Fixture, assert_large, check};

fn returned(t: &Fixture) -> Value {
    let last = *t.func.layout().last().expect("a block");
    t.func.term(last).operand().expect("a returned value")
}

#[test]
fn constants_run_through_to_the_return() {
    let mut t = Fixture::new(Type::U8, &[]);
    t.build(|b| {
        let b0 = b.block();
        b.switch_to(b0);
        let x = b.int(Type::U8, 200);
        let y = b.int(Type::U8, 100);
        let sum = b.add(x, y);
        let wide = b.sign_ext(Type::U32, sum);
        let back = b.trunc(Type::U8, wide);
        b.ret(Some(back));
    });
    assert!(t.run(&Opt).yes());
    check(&t.func);
    assert_eq!(t.func.inst(returned(&t)).int_const(), Some(44));
}

#[test]
fn rules_cascade_and_are_counted_and_can_be_switched_off() {
    let make = || {
        let mut t = Fixture::new(Type::U32, &[Type::U32]);
        let x = t.func.params[0];
        t.build(|b| {
            let b0 = b.block();
            b.switch_to(b0);
            let three = b.int(Type::U32, 3);
            let five = b.int(Type::U32, 5);
            let one = b.add(three, x);
            let two = b.add(one, five);
            let eight = b.int(Type::U32, 8);
            let z = b.sub(two, eight);
            let sixteen = b.int(Type::U32, 16);
            let w = b.mul(z, sixteen);
            b.ret(Some(w));
        });
        t
    };
    let mut t = make();
    assert!(t.run(&Opt).yes());
    check(&t.func);
    let result = t.func.inst(returned(&t));
    assert_eq!((result.op, result.args[0]), (Op::Lsh, t.func.params[0]));
    assert_eq!(t.func.inst(result.args[1]).int_const(), Some(4));
    assert_eq!(t.counters["mul-power"], 1);
    assert_eq!(t.counters["constant-right"], 1);
    assert!(!t.run(&Opt).yes());

    let mut t = make();
    t.options.disabled_rules.insert("mul-power".to_string());
    assert!(t.run(&Opt).yes());
    assert_eq!(t.func.inst(returned(&t)).op, Op::Mul);
}

#[test]
fn nothing_looks_through_bounded() {
    let mut t = Fixture::new(Type::U32, &[]);
    t.build(|b| {
        let b0 = b.block();
        b.switch_to(b0);
        let x = b.int(Type::U32, 3);
        let bounded = b.bounded(x, 0, 7);
        let one = b.int(Type::U32, 1);
        let y = b.add(bounded, one);
        b.ret(Some(y));
    });
    let _ = t.run(&Opt);
    check(&t.func);
    assert_eq!(t.func.inst(returned(&t)).op, Op::Add);
}

#[test]
fn a_branch_on_a_constant_leaves_one_edge_with_its_phi_operand() {
    let mut t = Fixture::new(Type::U32, &[Type::U32, Type::U32]);
    let (x, y) = (t.func.params[0], t.func.params[1]);
    t.build(|b| {
        let (b0, b1) = (b.block(), b.block());
        b.switch_to(b0);
        let on = b.int(Type::U8, 7);
        b.switch(on, &[(1, b1), (7, b1)], b1);
        b.switch_to(b1);
        let p = b.phi(Type::U32, &[x, y, x]);
        b.ret(Some(p));
    });
    assert!(t.run(&Opt).yes());
    check(&t.func);
    let (b0, b1) = (t.func.layout()[0], t.func.layout()[1]);
    assert_eq!(*t.func.term(b0), Terminator::Plain(b1));
    assert_eq!(t.func.args(returned(&t)), [y]);
}

#[test]
fn a_member_of_a_tuple_is_the_operand_and_moves_of_a_pointer_add_up() {
    let mut t = Fixture::new(Type::U32, &[Type::U32, Type::BOOL]);
    let (x, y) = (t.func.params[0], t.func.params[1]);
    let array = t.decls.types.array(Type::U32, 8);
    t.build(|b| {
        let b0 = b.block();
        b.switch_to(b0);
        let pair = b.tuple(&[x, y]);
        let first = b.extract(pair, 0);
        let slot = b.slot(array);
        let p = b.local_addr(slot);
        let q = b.ptr_offset(Type::U32, p, 8);
        let r = b.ptr_offset(Type::U32, q, 4);
        b.store(r, first);
        b.ret(Some(first));
    });
    assert!(t.run(&Opt).yes());
    check(&t.func);
    assert_eq!(returned(&t), x);
    let (_, store) = t.func.iter_insts().find(|(_, v)| t.func.inst(*v).op == Op::Store).unwrap();
    let r = t.func.inst(t.func.args(store)[0]);
    assert_eq!(t.func.inst(r.args[0]).op, Op::LocalAddr);
    assert_eq!(t.func.inst(r.args[1]).aux, Aux::Int(12));
}

#[test]
fn an_address_is_not_nil_and_nil_is() {
    let mut t = Fixture::new(Type::BOOL, &[]);
    let b0 = t.build(|b| {
        let b0 = b.block();
        b.switch_to(b0);
        let slot = b.slot(Type::U32);
        let p = b.local_addr(slot);
        let ty = b.func.ty(p);
        let cast = b.op(Op::Copy, ty, &[p]);
        let (nil, none) = (b.nil(ty), b.nil(ty));
        let one = b.eq(nil, cast);
        let two = b.neq(nil, none);
        let either = b.or(one, two);
        b.ret(Some(either));
        b0
    });
    assert!(t.run(&Opt).yes());
    let result = t.func.term(b0).operand().unwrap();
    assert_eq!(t.func.inst(result).int_const(), Some(0));
}

#[test]
fn conversion_pairs_are_right_for_every_byte_and_width() {
    let widths: &'static [u32] = &[8, 16, 32, 64];
    let legal = |op: Op, from: u32, to: u32| if op == Op::Trunc { to < from } else { to > from };
    let ops = [Op::SignExt, Op::ZeroExt, Op::Trunc];
    let samples = (0..=255u64).chain((0..256).map(|i| i << 8)).chain((0..64).map(|i| u64::MAX << i));
    let samples: Vec<u64> = samples.collect();
    let mut tested = 0;
    for (outer, inner) in ops.iter().flat_map(|&o| ops.iter().map(move |&i| (o, i))) {
        for (from, mid, to) in widths
            .iter()
            .flat_map(|&a| widths.iter().flat_map(move |&b| widths.iter().map(move |&c| (a, b, c))))
        {
            let Some(pair) = conversion_pair(outer, inner, from, to) else { continue };
            if !legal(inner, from, mid) || !legal(outer, mid, to) {
                continue;
            }
            for &x in &samples {
                let x = x & super::mask(from);
                let two = eval(outer, to, &[(mid, eval(inner, mid, &[(from, x)]).unwrap())]).unwrap();
                let one = match pair {
                    Pair::Nothing => x,
                    Pair::One(op) => {
                        assert!(legal(op, from, to));
                        eval(op, to, &[(from, x)]).unwrap()
                    }
                };
                assert_eq!(one, two, "{outer} {inner} {from} {mid} {to} {x:#x}");
                tested += 1;
            }
        }
    }
    assert!(tested > 10_000);
}

#[test]
fn it_is_linear() {
    assert_large(&Opt);
}
