use larrow_ir::{Aux, Op, Type, Value};

use super::Mem2Reg;
use crate::generic::copyelim::CopyElim;
use crate::generic::testing::{Fixture, assert_large, check};

#[test]
fn a_variable_of_a_loop_becomes_a_phi() {
    let mut t = Fixture::new(Type::U32, &[Type::U32]);
    let n = t.func.params[0];
    let bs = t.build(|b| {
        let bs: Vec<_> = (0..4).map(|_| b.block()).collect();
        let slot = b.slot(Type::U32);
        b.switch_to(bs[0]);
        let p = b.local_addr(slot);
        b.store(p, n);
        b.jump(bs[1]);
        b.switch_to(bs[1]);
        let v = b.load(Type::U32, p);
        let zero = b.int(Type::U32, 0);
        let more = b.neq(v, zero);
        b.branch(more, bs[2], bs[3]);
        b.switch_to(bs[2]);
        let v = b.load(Type::U32, p);
        let one = b.int(Type::U32, 1);
        let less = b.sub(v, one);
        b.store(p, less);
        b.jump(bs[1]);
        b.switch_to(bs[3]);
        let v = b.load(Type::U32, p);
        b.ret(Some(v));
        bs
    });
    assert!(t.run(&Mem2Reg).yes());
    check(&t.func);
    assert!(t.run(&CopyElim).yes());
    check(&t.func);
    assert_eq!(t.ops(bs[0]), [] as [&str; 0]);
    assert_eq!(t.ops(bs[1]), ["Phi", "Const", "Neq"]);
    assert_eq!(t.ops(bs[2]), ["Const", "Sub"]);
    let phi = t.func.block(bs[1]).insts[0];
    assert_eq!(t.func.args(phi), [n, t.func.block(bs[2]).insts[1]]);
    assert_eq!(t.func.term(bs[3]).operand(), Some(phi));
    assert_eq!(t.func.slots().count(), 0);
}

#[test]
fn a_struct_is_split_and_zeroing_covers_its_fields() {
    let mut t = Fixture::new(Type::U32, &[Type::U16]);
    let x = t.func.params[0];
    let pair = t.decls.types.structure(&[("a", Type::U32), ("b", Type::U16), ("c", Type::U16)], false);
    let b0 = t.build(|b| {
        let b0 = b.block();
        b.switch_to(b0);
        let slot = b.slot(pair);
        let p = b.local_addr(slot);
        b.mem_zero(p, 8);
        let q = b.ptr_offset(Type::U16, p, 4);
        b.store(q, x);
        let a = b.load(Type::I32, p);
        let again = b.local_addr(slot);
        let r = b.ptr_offset(Type::U16, again, 4);
        let c = b.load(Type::I16, r);
        let wide = b.zero_ext(Type::U32, c);
        let sum = b.add(wide, a);
        b.ret(Some(sum));
        b0
    });
    assert!(t.run(&Mem2Reg).yes());
    check(&t.func);
    assert_eq!(t.counters["variables"], 2);
    assert!(t.run(&CopyElim).yes());
    let sum = t.func.term(b0).operand().unwrap();
    let (wide, a) = (t.func.args(sum)[0], t.func.args(sum)[1]);
    assert_eq!(t.func.args(wide), [x]);
    assert_eq!(t.func.inst(a).int_const(), Some(0));
}

fn refused(build: impl FnOnce(&mut larrow_ir::FuncBuilder<'_>, Value)) {
    let mut t = Fixture::new(Type::UNIT, &[]);
    t.build(|b| {
        let b0 = b.block();
        b.switch_to(b0);
        let slot = b.slot(Type::U64);
        let p = b.local_addr(slot);
        build(b, p);
        b.ret(None);
    });
    assert!(!t.run(&Mem2Reg).yes());
    check(&t.func);
}

#[test]
fn escaping_overlapping_and_mixed_accesses_stay_in_memory() {
    // The address is stored.
    refused(|b, p| {
        b.store(p, p);
    });
    // Two widths at one place, then an overlap.
    refused(|b, p| {
        b.load(Type::U32, p);
        b.load(Type::U64, p);
    });
    refused(|b, p| {
        let q = b.ptr_offset(Type::U32, p, 2);
        b.load(Type::U32, p);
        b.load(Type::U32, q);
    });
    // A float's bits read as a number.
    refused(|b, p| {
        let x = b.float_bits(Type::F64, 0);
        b.store(p, x);
        b.load(Type::U64, p);
    });
    // Outside of the slot.
    refused(|b, p| {
        let q = b.ptr_offset(Type::U64, p, 8);
        b.load(Type::U64, q);
    });
    // Zeroing that cuts a field in two.
    refused(|b, p| {
        b.mem_zero(p, 4);
        b.load(Type::U64, p);
    });
    // An unknown offset.
    refused(|b, p| {
        let x = b.load(Type::U64, p);
        let q = b.ptr_add(Type::U64, p, x);
        b.load(Type::U64, q);
    });
}

#[test]
fn what_was_never_written_reads_as_zero_and_dead_variables_get_no_phi() {
    let mut t = Fixture::new(Type::U8, &[Type::BOOL]);
    let c = t.func.params[0];
    let join = t.build(|b| {
        let (b0, b1, b2) = (b.block(), b.block(), b.block());
        let (read, unread) = (b.slot(Type::U8), b.slot(Type::U8));
        b.switch_to(b0);
        let (p, q) = (b.local_addr(read), b.local_addr(unread));
        b.branch(c, b1, b2);
        b.switch_to(b1);
        let seven = b.int(Type::U8, 7);
        b.store(p, seven);
        b.store(q, seven);
        b.jump(b2);
        b.switch_to(b2);
        let v = b.load(Type::U8, p);
        b.ret(Some(v));
        b2
    });
    assert!(t.run(&Mem2Reg).yes());
    check(&t.func);
    assert_eq!(t.ops(join), ["Phi", "Copy"]);
    let phi = t.func.inst(t.func.block(join).insts[0]);
    let consts: Vec<&Aux> = phi.args.iter().map(|&a| &t.func.inst(a).aux).collect();
    assert_eq!(consts, [&Aux::Int(0), &Aux::Int(7)]);
    assert!(t.func.iter_insts().all(|(_, v)| t.func.inst(v).op != Op::Store));
}

#[test]
fn it_is_linear() {
    assert_large(&Mem2Reg);
}
