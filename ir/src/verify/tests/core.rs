//! Payloads, and the rules of numbers.

use super::*;

#[test]
fn payloads_are_of_the_ops_kind() {
    breaks(|f, _| _ = f.op(Op::Const, Type::U32, &[]), &["Const carries a constant"]);
    breaks(
        |f, p| _ = f.op_with(Op::Add, Type::U32, &[p[0], p[0]], Aux::Size(1)),
        &["Add carries no payload"],
    );
    breaks(
        |f, _| _ = f.op_with(Op::LocalAddr, Type::U32, &[], Aux::Slot(Slot::new(4))),
        &["LocalAddr names slot s4, which does not exist"],
    );
    breaks(
        |f, _| _ = f.call(Type::UNIT, FuncId::new(9), &[]),
        &["Call names function func9, which does not exist"],
    );
    breaks(
        |f, p| {
            _ = f.op_with(Op::MapDelete, Type::I64, &[p[4]], Aux::MapFlags { map: MapId::new(9), flags: 0 });
        },
        &["MapDelete names map map9, which does not exist"],
    );
}

#[test]
fn every_op_without_its_payload_or_operands_is_reported() {
    for &op in Op::ALL {
        let module = module(|f, _| _ = f.op(op, Type::UNIT, &[]));
        let found = messages(&module);
        let fine = matches!(op, Op::Sync);
        assert_eq!(found.is_empty(), fine, "{op}: {found:?}");
    }
}

#[test]
fn constants_fit() {
    passes(|f, _| {
        f.int(Type::U8, 255);
        f.bool(true);
        f.float_bits(Type::F32, 0x3f80_0000);
        let ptr = f.decls.types.ptr(Space::Any, Type::U8);
        f.nil(ptr);
    });
    breaks(
        |f, _| _ = f.op_with(Op::Const, Type::U8, &[], Aux::Int(256)),
        &["constant 0x100 does not fit u8"],
    );
    breaks(
        |f, _| _ = f.op_with(Op::Const, Type::BOOL, &[], Aux::Int(2)),
        &["constant 0x2 does not fit bool"],
    );
    breaks(
        |f, _| _ = f.op_with(Op::Const, Type::F32, &[], Aux::Int(1)),
        &["Const yields an integer or a bool, not f32"],
    );
    breaks(
        |f, _| _ = f.op_with(Op::Const, Type::U32, &[], Aux::Float(1)),
        &["Const yields a float, not u32"],
    );
    breaks(|f, _| _ = f.nil(Type::U64), &["Const yields a pointer, channel or function, not u64"]);
}

#[test]
fn arithmetic() {
    passes(|f, p| {
        f.op(Op::Add, Type::I32, &[p[0], p[0]]);
        f.xor(p[2], p[2]);
        f.lsh(p[0], p[1]);
        f.bswap(p[0]);
        f.add_f(p[3], p[3]);
        f.neg_f(p[12]);
    });
    breaks(|f, p| _ = f.add(p[0], p[1]), &["operand v1 of Add is u8, not u32"]);
    breaks(|f, p| _ = f.add(p[2], p[2]), &["Add yields an integer, not bool"]);
    breaks(|f, p| _ = f.and(p[3], p[3]), &["And yields an integer or a bool, not f32"]);
    breaks(|f, p| _ = f.lsh(p[0], p[2]), &["operand v2 of Lsh is bool, not an integer"]);
    breaks(|f, p| _ = f.op(Op::Rsh, Type::U8, &[p[0], p[0]]), &["operand v0 of Rsh is u32, not u8"]);
    breaks(|f, p| _ = f.neg(p[3]), &["Neg yields an integer, not f32"]);
    breaks(|f, p| _ = f.bswap(p[1]), &["Bswap yields an integer of 16 bits or more, not u8"]);
    breaks(|f, p| _ = f.not(p[0]), &["Not yields a bool, not u32"]);
    breaks(|f, p| _ = f.add_f(p[0], p[0]), &["AddF yields a float, not u32"]);
    breaks(|f, p| _ = f.mul_f(p[3], p[12]), &["operand v12 of MulF is f64, not f32"]);
    breaks(|f, p| _ = f.neg_f(p[0]), &["NegF yields a float, not u32"]);
}

#[test]
fn comparisons() {
    passes(|f, p| {
        f.eq(p[5], p[6]);
        f.neq(p[2], p[2]);
        f.less_u(p[4], p[10]);
        f.less_f(p[3], p[3]);
    });
    breaks(|f, p| _ = f.eq(p[0], p[1]), &["operand v1 of Eq is u8, not u32"]);
    breaks(
        |f, p| _ = f.eq(p[3], p[3]),
        &["operand v3 of Eq is f32, not an integer, bool, pointer, channel or function"],
    );
    breaks(|f, p| _ = f.op(Op::Eq, Type::U8, &[p[0], p[0]]), &["Eq yields a bool, not u8"]);
    breaks(|f, p| _ = f.less(p[4], p[4]), &["operand v4 of Less is ptr<u32>, not an integer"]);
    breaks(|f, p| _ = f.leq_u(p[2], p[2]), &["operand v2 of LeqU is bool, not an integer or a pointer"]);
    breaks(|f, p| _ = f.less_f(p[0], p[0]), &["operand v0 of LessF is u32, not a float"]);
}

#[test]
fn conversions() {
    passes(|f, p| {
        f.sign_ext(Type::I64, p[0]);
        f.zero_ext(Type::U8, p[2]);
        f.trunc(Type::U16, p[0]);
        f.int_to_float(Type::F32, p[8]);
        f.float_to_uint(Type::U8, p[12]);
        f.float_cast(Type::F64, p[3]);
    });
    breaks(|f, p| _ = f.sign_ext(Type::U32, p[0]), &["SignExt to u32 takes a narrower operand, not u32"]);
    breaks(|f, p| _ = f.sign_ext(Type::U32, p[2]), &["operand v2 of SignExt is bool, not an integer"]);
    breaks(|f, p| _ = f.zero_ext(Type::U16, p[0]), &["ZeroExt to u16 takes a narrower operand, not u32"]);
    breaks(|f, p| _ = f.trunc(Type::U64, p[0]), &["Trunc to u64 takes a wider operand, not u32"]);
    breaks(|f, p| _ = f.int_to_float(Type::U32, p[0]), &["IntToFloat yields a float, not u32"]);
    breaks(|f, p| _ = f.float_to_int(Type::U32, p[0]), &["operand v0 of FloatToInt is u32, not a float"]);
    breaks(|f, p| _ = f.float_cast(Type::F32, p[3]), &["FloatCast to f32 takes another operand, not f32"]);
}

#[test]
fn tuples_copies_and_choices() {
    passes(|f, p| {
        let pair = f.tuple(&[p[0], p[2]]);
        let first = f.extract(pair, 0);
        f.copy(pair);
        f.cond_select(p[2], first, p[0]);
        f.bounded(p[0], 0, 15);
    });
    breaks(|f, p| _ = f.op(Op::Copy, Type::U8, &[p[0]]), &["operand v0 of Copy is u32, not u8"]);
    breaks(|f, p| _ = f.extract(p[0], 0), &["operand v0 of Extract is u32, not a tuple"]);
    breaks(
        |f, p| {
            let pair = f.tuple(&[p[0], p[2]]);
            f.extract(pair, 2);
        },
        &["v13 has no member [2]: it is (u32, bool)"],
    );
    breaks(
        |f, p| {
            let pair = f.tuple(&[p[0], p[2]]);
            f.op_with(Op::Extract, Type::U8, &[pair], Aux::Index(0));
        },
        &["Extract yields u32 here, not u8"],
    );
    breaks(
        |f, p| {
            let ty = f.decls.types.tuple(&[Type::U32, Type::U8]);
            f.op(Op::Tuple, ty, &[p[0]]);
            f.op(Op::Tuple, ty, &[p[0], p[2]]);
        },
        &["Tuple takes 2 operands here, not 1", "operand v2 of Tuple is bool, not u8"],
    );
    breaks(
        |f, p| _ = f.cond_select(p[0], p[0], p[1]),
        &["operand v0 of CondSelect is u32, not a bool", "operand v1 of CondSelect is u8, not u32"],
    );
    breaks(|f, p| _ = f.bounded(p[0], 3, 2), &["bounds [3..2] hold nothing"]);
    breaks(|f, p| _ = f.bounded(p[1], 0, 256), &["bound 256 does not fit u8"]);
}
