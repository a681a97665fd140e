//! Control flow, calls, the environment; and that every op can be translated.

use larrow_ir::{Aux, Effects, IntrinsicDecl, Module, Op, Pos, RecvForm, RuntimeFn, SelectShape, Type};

use super::{add, interp, module, number, panic_text, returned, trap};
use crate::{Interp, Options, Outcome, TestEnv, TrapKind, Val};

/// A sum from 1 to n by a loop whose phis exchange values.
fn fibonacci() -> Module {
    module(Type::U64, &[Type::U64], |b, p| {
        let (head, body, done) = (b.block(), b.block(), b.block());
        let (zero, one) = (b.int(Type::U64, 0), b.int(Type::U64, 1));
        b.jump(head);
        b.switch_to(head);
        let i = b.phi(Type::U64, &[zero]);
        let x = b.phi(Type::U64, &[zero]);
        let y = b.phi(Type::U64, &[one]);
        let more = b.less_u(i, p[0]);
        b.branch(more, body, done);
        b.switch_to(body);
        let next = b.add(x, y);
        let i1 = b.add(i, one);
        b.jump(head);
        for (phi, arg) in [(i, i1), (x, y), (y, next)] {
            b.func.inst_mut(phi).args.push(arg);
        }
        b.switch_to(done);
        b.ret(Some(x));
    })
}

#[test]
fn phis_read_all_operands_at_once() {
    assert_eq!(number(&fibonacci(), &[50]), 12_586_269_025);
}

#[test]
fn a_switch_goes_by_value_and_edges_to_one_block_stay_apart() {
    let m = module(Type::U32, &[Type::U32], |b, p| {
        let join = b.block();
        let entry = b.current();
        let (x, y, z) = (b.int(Type::U32, 10), b.int(Type::U32, 20), b.int(Type::U32, 30));
        b.switch_to(entry);
        b.switch(p[0], &[(7, join), (2, join)], join);
        b.switch_to(join);
        let phi = b.phi(Type::U32, &[x, y, z]);
        b.ret(Some(phi));
    });
    assert_eq!([number(&m, &[7]), number(&m, &[2]), number(&m, &[5])], [10, 20, 30]);
}

#[test]
fn calls_return_tuples_and_go_through_pointers() {
    let mut m = Module::new("t.go");
    let two = m.decls.types.tuple(&[Type::U32, Type::BOOL]);
    let ty = m.decls.types.func(&[Type::U32], two);
    let callee = add(&mut m, "g", two, &[Type::U32], |b, p| {
        let t = b.bool(true);
        let r = b.tuple(&[p[0], t]);
        b.ret(Some(r));
    });
    add(&mut m, "f", Type::U32, &[], |b, _| {
        let x = b.int(Type::U32, 5);
        let direct = b.call(two, callee, &[x]);
        let ptr = b.func_addr(ty, callee);
        let far = b.call_indirect(ptr, &[x]);
        let (a, c) = (b.extract(direct, 0), b.extract(far, 1));
        let zero = b.int(Type::U32, 0);
        let r = b.cond_select(c, a, zero);
        b.ret(Some(r));
    });
    assert_eq!(number(&m, &[]), 5);
}

#[test]
fn a_deep_recursion_needs_no_stack_of_ours() {
    let mut m = Module::new("t.go");
    let this = larrow_ir::FuncId::from_u32(0);
    add(&mut m, "f", Type::U64, &[Type::U64], |b, p| {
        let (more, done) = (b.block(), b.block());
        let zero = b.int(Type::U64, 0);
        let end = b.eq(p[0], zero);
        b.branch(end, done, more);
        b.switch_to(more);
        let one = b.int(Type::U64, 1);
        let less = b.sub(p[0], one);
        let rest = b.call(Type::U64, this, &[less]);
        let sum = b.add(rest, p[0]);
        b.ret(Some(sum));
        b.switch_to(done);
        b.ret(Some(zero));
    });
    let options = Options { depth: 200_000, ..Options::default() };
    let mut interp = Interp::new(&m, options).unwrap();
    let sum = interp.run("f", &[Val::Int(100_000)]).unwrap().value();
    assert_eq!(sum, Some(Val::Int(5_000_050_000)));
}

#[test]
fn panics_and_exits_end_the_run() {
    let m = module(Type::UNIT, &[], |b, _| b.panic("boom"));
    assert_eq!(panic_text(&m), "boom");
    let m = module(Type::UNIT, &[], |b, _| {
        let x = b.int(Type::I8, 0xff);
        b.terminate(larrow_ir::Terminator::Panic(larrow_ir::PanicWith::Value(x)));
    });
    assert_eq!(panic_text(&m), "-1");
    let m = module(Type::UNIT, &[], |b, _| b.exit());
    assert!(matches!(interp(&m).run("f", &[]).unwrap().outcome, Outcome::Aborted { .. }));
}

#[test]
fn intrinsics_are_evaluated_by_the_embedder() {
    let mut m = Module::new("t.go");
    let ty = m.decls.types.func(&[Type::U8], Type::U8);
    let decl = IntrinsicDecl { ty, effects: Effects::PURE, pos: Pos::None };
    let id = m.decls.intrinsics.insert("my.twice", decl).unwrap();
    add(&mut m, "f", Type::U8, &[], |b, _| {
        let x = b.int(Type::U8, 100);
        let r = b.intrinsic(id, &[x]);
        b.ret(Some(r));
    });
    assert_eq!(trap(&m).message, "nothing evaluates the intrinsic @my.twice");
    let mut interp = interp(&m);
    interp.register_intrinsic("my.twice", Box::new(|a| Ok(Val::Int(a[0].as_int().unwrap() * 2)))).unwrap();
    assert_eq!(interp.run("f", &[]).unwrap().value(), Some(Val::Int(200)));
    interp.register_intrinsic("my.twice", Box::new(|_| Ok(Val::Int(256)))).unwrap();
    assert_eq!(interp.run("f", &[]).unwrap_err().kind, TrapKind::Malformed);
    assert!(interp.register_intrinsic("other", Box::new(|_| Ok(Val::Unit))).is_err());
}

#[test]
fn a_packet_is_read_and_written_through_the_context() {
    let mut m = Module::new("t.go");
    let xdp = m.decls.types.opaque("xdp");
    let ctx = m.decls.types.ptr(larrow_ir::Space::Ctx, xdp);
    let bytes = m.decls.types.ptr(larrow_ir::Space::Packet, Type::U8);
    add(&mut m, "f", Type::U32, &[ctx], |b, p| {
        let (fits, short) = (b.block(), b.block());
        let data = b.ctx_load(bytes, p[0], "data");
        let end = b.ctx_load(bytes, p[0], "data_end");
        let stop = b.ptr_offset(Type::U8, data, 3);
        let ok = b.leq_u(stop, end);
        b.branch(ok, fits, short);
        b.switch_to(fits);
        // Packet accesses need no alignment.
        let at = b.ptr_offset(Type::U16, data, 1);
        let word = b.load(Type::U16, at);
        let x = b.int(Type::U8, 0xee);
        b.store(data, x);
        let wide = b.op(Op::ZeroExt, Type::U32, &[word]);
        b.ret(Some(wide));
        b.switch_to(short);
        let index = b.ctx_load(Type::U32, p[0], "ingress_ifindex");
        b.ret(Some(index));
    });
    let mut env = TestEnv::default();
    env.fields.insert("ingress_ifindex".into(), 4);
    let mut interp = Interp::with_env(&m, Options::default(), Box::new(env)).unwrap();
    let args = interp.entry_args("f").unwrap();
    assert_eq!(interp.run("f", &args).unwrap().value(), Some(Val::Int(4)));
    interp.set_packet(&[1, 2, 3]);
    assert_eq!(interp.run("f", &args).unwrap().value(), Some(Val::Int(0x0302)));
    assert_eq!(interp.packet(), [0xee, 2, 3]);
}

#[test]
fn helpers_come_from_the_environment() {
    let m = module(Type::U32, &[], |b, _| {
        let r = b.call_helper(Type::U32, "get_prandom_u32", &[]);
        b.ret(Some(r));
    });
    assert_eq!(returned(&m, &[]), [Val::Int(u64::from(crate::Prng::new(0).next_u32()))]);
    let m = module(Type::U32, &[], |b, _| {
        let r = b.call_helper(Type::U32, "nothing", &[]);
        b.ret(Some(r));
    });
    assert_eq!(trap(&m).message, "the test environment has no helper `nothing`");
}

/// Every op, as bare as its table row allows, is translated and run without a panic of ours: what the verifier
/// would refuse is a trap.
#[test]
fn every_op_has_a_meaning_or_a_located_error() {
    for &op in Op::ALL {
        let mut m = Module::new("t.go");
        m.decls.sites.push(larrow_ir::SiteDecl {
            kind: larrow_ir::SiteKind::Recv,
            name: "s".into(),
            chan: None,
            pos: Pos::None,
        });
        let ty = m.decls.types.tuple(&[Type::I64, Type::BOOL]);
        add(&mut m, "f", Type::UNIT, &[], |b, _| {
            let x = b.int(Type::U64, 1);
            let arity = op.arity().unwrap_or(1);
            let args = vec![x; usize::from(arity)];
            b.op(op, ty, &args);
            b.ret(None);
        });
        // Either is fine; a panic is not.
        let _ = interp(&m).run("f", &[]);
    }
}

#[test]
fn every_runtime_function_survives_missing_operands() {
    for &function in RuntimeFn::ALL {
        let m = module(Type::UNIT, &[], |b, _| {
            b.call_runtime(function, Type::UNIT, &[]);
            b.ret(None);
        });
        let _ = interp(&m).run("f", &[]);
    }
    let m = module(Type::UNIT, &[], |b, _| {
        b.op_with(Op::Select, Type::UNIT, &[], Aux::Select(Box::<SelectShape>::default()));
        b.op_with(Op::ChanRecv, Type::UNIT, &[], Aux::Form(RecvForm::Value));
        b.ret(None);
    });
    let _ = interp(&m).run("f", &[]);
}
