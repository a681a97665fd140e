//! Shape, terminators, dominance.

use super::*;

#[test]
fn a_diamond_with_a_phi_passes() {
    passes(|f, p| {
        let (then, other, join) = (f.block(), f.block(), f.block());
        f.branch(p[2], then, other);
        f.switch_to(then);
        let x = f.int(Type::U32, 1);
        f.jump(join);
        f.switch_to(other);
        f.jump(join);
        f.switch_to(join);
        f.phi(Type::I32, &[x, p[0]]);
        f.ret(None);
    });
}

#[test]
fn errors_name_entity_and_position() {
    let module = module(|f, p| {
        f.at_line(3, 7);
        f.op(Op::Not, Type::BOOL, &[p[0]]);
    });
    let errors = verify_func(&module, FuncId::new(1)).expect_err("a breach");
    assert_eq!(errors[0].entity, Some(Entity::Value(FuncId::new(1), Value::new(13))));
    assert_eq!(errors[0].pos, Pos::At { line: 3, col: 7 });
    assert_eq!(verify_func(&module, FuncId::new(0)), Ok(()));
    let missing = verify_func(&module, FuncId::new(9)).expect_err("no such function");
    assert_eq!(missing[0].message, "the module has no function func9");
}

#[test]
fn operands_must_exist() {
    breaks(|f, p| _ = f.add(p[0], p[0]), &[]);
    breaks(|f, p| _ = f.op(Op::Add, Type::U32, &[p[0], Value::new(99)]), &["operand v99 does not exist"]);
    breaks(
        |f, p| {
            let x = f.add(p[0], p[0]);
            f.add(x, x);
            f.func.remove(x);
        },
        &["operand v13 does not exist", "operand v13 does not exist"],
    );
    breaks(|f, _| f.ret(Some(Value::new(99))), &["b0 ends in a use of v99, which does not exist"]);
}

#[test]
fn arity_is_the_ops() {
    breaks(|f, p| _ = f.op(Op::Add, Type::U32, &[p[0]]), &["Add takes 2 operands, not 1"]);
    breaks(|f, p| _ = f.op(Op::Neg, Type::U32, &[p[0], p[0]]), &["Neg takes 1 operand, not 2"]);
}

#[test]
fn a_use_before_its_definition() {
    breaks(
        |f, p| {
            let x = f.add(p[0], p[0]);
            let y = f.add(x, x);
            let entry = f.current();
            f.func.set_insts(entry, vec![y, x]);
        },
        &["operand v13 is defined only after its use", "operand v13 is defined only after its use"],
    );
}

#[test]
fn a_use_that_is_not_dominated() {
    breaks(
        |f, p| {
            let (then, other) = (f.block(), f.block());
            f.branch(p[2], then, other);
            f.switch_to(then);
            let x = f.not(p[2]);
            f.ret(None);
            f.switch_to(other);
            f.not(x);
            f.branch(x, then, then);
        },
        &[
            "operand v13, defined in b1, does not dominate its use in b2",
            "b2 ends in a use of v13, which does not dominate it",
        ],
    );
}

#[test]
fn a_phi_operand_that_is_not_dominated() {
    breaks(
        |f, p| {
            let (then, other, join) = (f.block(), f.block(), f.block());
            f.branch(p[2], then, other);
            f.switch_to(then);
            let x = f.int(Type::U32, 1);
            f.jump(join);
            f.switch_to(other);
            f.jump(join);
            f.switch_to(join);
            f.phi(Type::U32, &[p[0], x]);
            f.ret(None);
        },
        &["operand v13 does not dominate the end of predecessor b2"],
    );
}

#[test]
fn phis_stand_first_with_an_operand_per_predecessor() {
    breaks(
        |f, p| {
            let next = f.block();
            f.jump(next);
            f.switch_to(next);
            f.not(p[2]);
            f.phi(Type::U32, &[p[0], p[0]]);
            f.ret(None);
        },
        &["phi v14 stands behind other instructions of b1", "phi has 2 operands, but b1 has 1 predecessor"],
    );
    breaks(
        |f, p| {
            let next = f.block();
            f.jump(next);
            f.switch_to(next);
            f.phi(Type::U32, &[p[1]]);
            f.ret(None);
        },
        &["operand v1 of Phi is u8, not u32"],
    );
}

#[test]
fn edges_and_predecessors_agree() {
    breaks(
        |f, _| {
            let next = f.block();
            f.func.block_mut(b(0)).term = Terminator::Plain(next);
            f.switch_to(next);
            f.ret(None);
        },
        &["b0 leads to b1, which does not list it as a predecessor"],
    );
    breaks(
        |f, _| {
            let next = f.block();
            f.jump(next);
            f.func.block_mut(b(0)).term = Terminator::Ret(None);
            f.switch_to(next);
            f.ret(None);
        },
        &["b1 lists b0 as a predecessor, which does not lead to it"],
    );
    breaks(
        |f, _| f.func.block_mut(b(0)).term = Terminator::Plain(b(7)),
        &["b0 leads to b7, which does not exist"],
    );
}

#[test]
fn the_entry_has_no_predecessors_and_every_block_is_reached() {
    breaks(|f, _| f.jump(b(0)), &["entry block b0 has predecessors"]);
    breaks(
        |f, _| {
            let lost = f.block();
            f.switch_to(lost);
            f.ret(None);
        },
        &["b1 cannot be reached"],
    );
    let mut module = Module::new("");
    module.add_func(Function::new("empty", Type::UNIT)).expect("fresh");
    assert_eq!(messages(&module), ["the function has no block"]);
}

#[test]
fn blocks_list_what_stands_there() {
    breaks(|f, _| f.func.block_mut(b(0)).insts.push(Value::new(70)), &["b0 lists v70, which does not exist"]);
    breaks(
        |f, _| {
            let v = f.func.make(Inst::new(Op::Sync, Type::UNIT, &[]));
            f.func.block_mut(b(0)).insts.push(v);
        },
        &["b0 lists v13, which does not stand there"],
    );
    breaks(
        |f, _| {
            let v = f.sync();
            f.func.block_mut(b(0)).insts.push(v);
        },
        &["v13 stands in b0 twice"],
    );
    breaks(
        |f, _| _ = f.op_with(Op::Param, Type::U32, &[], Aux::Index(0)),
        &["a parameter stands in the header only"],
    );
}

#[test]
fn headers() {
    breaks(
        |f, _| f.func.inst_mut(Value::new(1)).aux = Aux::Index(7),
        &["the header lists v1 as parameter 1, but it is none"],
    );
    breaks(
        |f, _| {
            let unit = Type::UNIT;
            f.func.add_param(unit);
        },
        &["a parameter must be a scalar, not unit"],
    );
    breaks(
        |f, _| {
            let ty = f.decls.types.tuple(&[Type::U8]);
            f.slot(ty);
        },
        &["slot s0 holds (u8,), which has no layout"],
    );
    breaks(|f, _| f.func.params.push(Value::new(80)), &["parameter v80 does not exist"]);
    breaks(|f, _| f.func.result = Type::new(9999), &["the result's type is not of this module"]);
    breaks(|f, _| _ = f.op(Op::Sync, Type::new(9999), &[]), &["the type is not of this module"]);
    let mut module = Module::new("");
    let mut func = Function::new("a-b", Type::UNIT);
    func.section = Some("xdp".into());
    let entry = func.add_block();
    func.set_terminator(entry, Terminator::Ret(None), Pos::None);
    module.add_func(func).expect("fresh");
    assert_eq!(messages(&module), ["the name of program \"a-b\" may hold letters, digits, '_' and '.' only"]);
}

#[test]
fn terminators() {
    breaks(
        |f, p| {
            let next = f.block();
            f.branch(p[0], next, next);
            f.switch_to(next);
            f.ret(None);
        },
        &["If takes a bool, but v0 is u32"],
    );
    breaks(
        |f, p| {
            let next = f.block();
            f.switch(p[2], &[], next);
            f.switch_to(next);
            f.ret(None);
        },
        &["Switch takes an integer, but v2 is bool"],
    );
    breaks(
        |f, p| {
            let next = f.block();
            f.switch(p[1], &[(1, next), (256, next), (1, next)], next);
            f.switch_to(next);
            f.ret(None);
        },
        &["case 256 does not fit u8", "case 1 stands in the Switch twice"],
    );
    breaks(|f, p| f.ret(Some(p[0])), &["the function returns unit, but b0 returns v0 (u32)"]);
    breaks(|f, _| f.func.result = Type::U32, &["the function returns u32, but b0 returns nothing"]);
    breaks(
        |f, p| {
            let pair = f.tuple(&[p[0]]);
            f.terminate(Terminator::Panic(crate::inst::PanicWith::Value(pair)));
        },
        &["Panic takes a scalar, but v13 is (u32,)"],
    );
    passes(|f, _| f.panic("no"));
}

#[test]
fn exit_follows_what_never_returns() {
    passes(|f, _| {
        let call = f.call_runtime(RuntimeFn::Block, Type::UNIT, &[]);
        f.outcome(call, SiteId::new(0));
        f.exit();
    });
    let lost = "b0 ends in Exit, but nothing before it never returns";
    breaks(|f, _| f.exit(), &[lost]);
    breaks(
        |f, p| {
            f.call(Type::U8, FuncId::new(0), &[p[0]]);
            f.exit();
        },
        &[lost],
    );
}

#[test]
fn large_functions_are_checked() {
    passes(|f, p| {
        let mut x = p[0];
        for _ in 0..20_000 {
            x = f.add(x, p[0]);
        }
        let end = f.block();
        for _ in 0..5000 {
            let next = f.block();
            f.branch(p[2], next, end);
            f.switch_to(next);
            x = f.add(x, x);
        }
        f.jump(end);
        f.switch_to(end);
        f.ret(None);
    });
}
