//! The rules of memory, maps, calls and channels.

use super::*;

#[test]
fn loads_and_stores() {
    passes(|f, p| {
        let slot = f.slot(Type::U32);
        let addr = f.local_addr(slot);
        let x = f.load(Type::I32, addr);
        f.store(p[4], x);
        f.load(Type::U16, p[10]);
        f.global_addr(crate::entity::GlobalId::new(0));
        f.ptr_offset(Type::U8, p[10], 3);
        f.mem_copy(p[4], p[10], 4);
        f.mem_zero(p[4], 4);
        f.new_object(Type::U64);
    });
    breaks(|f, p| _ = f.load(Type::U32, p[0]), &["operand v0 of Load is u32, not a pointer"]);
    breaks(|f, p| _ = f.load(Type::U8, p[4]), &["Load of u8 through v4, which is ptr<u32>"]);
    breaks(|f, p| _ = f.load(Type::U64, p[10]), &["Load of u64 through v10, which is ptr<[4]u8>"]);
    breaks(|f, p| _ = f.load(Type::U8, p[11]), &["Load of u8 through v11, which is ptr<ctx xdp>"]);
    breaks(
        |f, p| {
            let ty = f.decls.types.tuple(&[Type::U32]);
            f.load(ty, p[4]);
        },
        &["Load yields a scalar, not (u32,)"],
    );
    breaks(
        |f, p| {
            let pair = f.tuple(&[p[0]]);
            f.store(p[4], pair);
        },
        &["operand v13 of Store is (u32,), not a scalar"],
    );
    breaks(|f, p| _ = f.store(p[4], p[1]), &["Store of u8 through v4, which is ptr<u32>"]);
    breaks(|f, p| _ = f.mem_copy(p[4], p[0], 1), &["operand v0 of MemCopy is u32, not a pointer"]);
    breaks(|f, p| _ = f.mem_zero(p[0], 1), &["operand v0 of MemZero is u32, not a pointer"]);
    breaks(
        |f, p| _ = f.ptr_add(Type::U8, p[4], p[0]),
        &["operand v0 of PtrAdd is u32, not a 64-bit integer"],
    );
}

#[test]
fn addresses() {
    breaks(
        |f, _| {
            let slot = f.slot(Type::U32);
            let ty = f.decls.types.ptr(Space::Heap, Type::U8);
            f.op_with(Op::LocalAddr, ty, &[], Aux::Slot(slot));
        },
        &[
            "LocalAddr is about ptr<stack …>, not ptr<heap u8>",
            "LocalAddr yields a pointer to u32, not ptr<heap u8>",
        ],
    );
    breaks(
        |f, _| {
            let ty = f.decls.types.ptr(Space::Global, Type::U8);
            f.op_with(Op::GlobalAddr, ty, &[], Aux::Global(crate::entity::GlobalId::new(0)));
        },
        &["GlobalAddr yields a pointer to u32, not ptr<global u8>"],
    );
    breaks(
        |f, _| {
            let xdp = f.decls.types.opaque("xdp");
            f.new_object(xdp);
        },
        &["New of opaque \"xdp\", which has no layout"],
    );
    breaks(|f, _| _ = f.func_addr(Type::U64, FuncId::new(0)), &["FuncAddr yields a function, not u64"]);
    breaks(
        |f, _| {
            let ty = f.decls.types.func(&[], Type::U8);
            f.func_addr(ty, FuncId::new(0));
        },
        &["FuncAddr yields func(u32) -> u8 here, not func() -> u8"],
    );
}

#[test]
fn atomics() {
    passes(|f, p| {
        f.atomic_load(Type::U32, p[4]);
        f.atomic_store(p[4], p[0]);
        f.atomic_add(p[4], p[0]);
        f.op(Op::AtomicAnd, Type::UNIT, &[p[4], p[0]]);
        f.atomic_cas(p[4], p[0], p[0]);
        f.sync();
    });
    breaks(|f, p| _ = f.atomic_load(Type::BOOL, p[4]), &["AtomicLoad yields an integer, not bool"]);
    breaks(|f, p| _ = f.atomic_store(p[4], p[3]), &["operand v3 of AtomicStore is f32, not an integer"]);
    breaks(
        |f, p| _ = f.atomic_add(p[4], p[1]),
        &["operand v1 of AtomicAdd is u8, not an integer of 32 or 64 bits"],
    );
    breaks(|f, p| _ = f.op(Op::AtomicXor, Type::U64, &[p[4], p[0]]), &["AtomicXor yields u32 here, not u64"]);
    breaks(|f, p| _ = f.atomic_cas(p[4], p[8], p[0]), &["operand v8 of AtomicCas is u64, not u32"]);
    breaks(|f, _| _ = f.op(Op::Sync, Type::U32, &[]), &["Sync yields unit, not u32"]);
}

#[test]
fn calls_match_signatures() {
    passes(|f, p| {
        f.call(Type::I8, FuncId::new(0), &[p[0]]);
        let ty = f.decls.types.func(&[Type::U32], Type::U8);
        let addr = f.func_addr(ty, FuncId::new(0));
        f.call_indirect(addr, &[p[0]]);
        let resultless = f.decls.types.func(&[Type::U32], Type::UNIT);
        f.func_addr(resultless, FuncId::new(0));
        f.call_runtime(RuntimeFn::NewProc, Type::UNIT, &[addr, p[0]]);
        f.go(FuncId::new(0), &[p[0]]);
        f.intrinsic(crate::entity::IntrinsicId::new(0), &[p[0]]);
        f.call_helper(Type::U64, "ktime_get_ns", &[]);
        f.ctx_load(Type::U32, p[11], "ingress_ifindex");
    });
    breaks(
        |f, p| _ = f.call(Type::U8, FuncId::new(0), &[p[0], p[0]]),
        &["the callee takes 1 argument, not 2"],
    );
    breaks(|f, p| _ = f.call(Type::U8, FuncId::new(0), &[p[2]]), &["operand v2 of Call is bool, not u32"]);
    breaks(|f, p| _ = f.call(Type::U32, FuncId::new(0), &[p[0]]), &["Call yields u8 here, not u32"]);
    breaks(|f, p| _ = f.go(FuncId::new(0), &[p[3]]), &["operand v3 of Go is f32, not u32"]);
    breaks(|f, p| _ = f.call_indirect(p[0], &[]), &["operand v0 of CallIndirect is u32, not a function"]);
    breaks(
        |f, p| _ = f.intrinsic(crate::entity::IntrinsicId::new(0), &[p[8]]),
        &["operand v8 of Intrinsic is u64, not u32"],
    );
    breaks(
        |f, p| {
            let pair = f.tuple(&[p[0]]);
            f.call_helper(Type::U64, "h", &[pair]);
        },
        &["operand v13 of CallHelper is (u32,), not a scalar"],
    );
    breaks(
        |f, _| {
            let slot = f.slot(Type::U32);
            let addr = f.local_addr(slot);
            f.ctx_load(Type::U32, addr, "data");
        },
        &["CtxLoad is about ptr<ctx …>, not ptr<stack u32>"],
    );
}

#[test]
fn runtime_calls_match_signatures() {
    passes(|f, p| {
        let chan = f.func.ty(p[5]);
        f.call_runtime(RuntimeFn::MakeChan, chan, &[p[8]]);
        let send = f.call_runtime(RuntimeFn::ChanSend1, Type::UNIT, &[p[7], p[4]]);
        let nil_ty = f.decls.types.ptr(Space::Any, Type::U8);
        let nil = f.nil(nil_ty);
        f.call_runtime(RuntimeFn::ChanRecv1, Type::UNIT, &[p[6], nil]);
        f.call_runtime(RuntimeFn::ChanRecv2, Type::UNIT, &[p[9], p[10]]);
        f.call_runtime(RuntimeFn::SelectNbSend, Type::UNIT, &[p[5], p[4]]);
        f.call_runtime(RuntimeFn::SelectNbRecv, Type::UNIT, &[p[4], p[5]]);
        f.call_runtime(RuntimeFn::SelectGo, Type::UNIT, &[p[4], p[4], nil, p[8], p[8], p[2]]);
        f.call_runtime(RuntimeFn::ChanLen, Type::UNIT, &[p[6]]);
        f.call_runtime(RuntimeFn::CloseChan, Type::UNIT, &[p[5]]);
        f.status(send);
        f.outcome(send, SiteId::new(0));
    });
    breaks(
        |f, p| _ = f.call_runtime(RuntimeFn::ChanSend1, Type::UNIT, &[p[5]]),
        &["CallRuntime takes 2 operands here, not 1"],
    );
    breaks(
        |f, p| _ = f.call_runtime(RuntimeFn::ChanSend1, Type::UNIT, &[p[5], p[10]]),
        &["operand v10 is ptr<[4]u8>, but the channel's element is u32"],
    );
    breaks(
        |f, p| _ = f.call_runtime(RuntimeFn::ChanRecv1, Type::UNIT, &[p[7], p[4]]),
        &[
            "invalid operation: cannot receive from send-only channel chan<- u32 v7 (value of type chan<- u32)",
        ],
    );
    breaks(
        |f, p| _ = f.call_runtime(RuntimeFn::SelectGo, Type::UNIT, &[p[4], p[4], p[4], p[0], p[8], p[2]]),
        &["operand v0 of CallRuntime is u32, not a 64-bit integer"],
    );
    breaks(
        |f, _| _ = f.call_runtime(RuntimeFn::NewProc, Type::UNIT, &[]),
        &["newproc takes a function first"],
    );
    breaks(
        |f, p| {
            let args = Aux::Runtime(RuntimeFn::SelectNbRecv);
            f.op_with(Op::CallRuntime, Type::BOOL, &[p[4], p[5]], args);
        },
        &["CallRuntime yields a tuple, not bool"],
    );
    let no_status = "operand v13 of Status is no channel runtime call with a status";
    breaks(
        |f, p| {
            let len = f.call_runtime(RuntimeFn::ChanLen, Type::UNIT, &[p[5]]);
            f.status(len);
        },
        &[no_status],
    );
    breaks(
        |f, p| {
            let sum = f.add(p[0], p[0]);
            f.outcome(sum, SiteId::new(0));
        },
        &["operand v13 of Outcome is no channel runtime call with a status"],
    );
}

#[test]
fn channel_directions_in_gos_words() {
    breaks(
        |f, p| _ = f.chan_send(p[6], p[0]),
        &["invalid operation: cannot send to receive-only channel <-chan u32 v6 (value of type <-chan u32)"],
    );
    breaks(
        |f, p| _ = f.chan_send(p[0], p[0]),
        &["invalid operation: cannot send to non-channel u32 v0 (value of type u32)"],
    );
    breaks(
        |f, p| _ = f.chan_recv(p[7], None, RecvForm::CommaOk),
        &[
            "invalid operation: cannot receive from send-only channel chan<- u32 v7 (value of type chan<- u32)",
        ],
    );
    breaks(
        |f, p| _ = f.chan_close(p[6]),
        &["invalid operation: cannot close receive-only channel v6 (value of type <-chan u32)"],
    );
    breaks(
        |f, p| _ = f.chan_close(p[0]),
        &["invalid operation: cannot close non-channel v0 (value of type u32)"],
    );
}

#[test]
fn channel_ops() {
    passes(|f, p| {
        let chan = f.func.ty(p[5]);
        f.make_chan(chan, p[0]);
        f.chan_send(p[5], p[0]);
        f.chan_send(p[9], p[10]);
        let got = f.chan_recv(p[5], None, RecvForm::CommaOk);
        f.extract(got, 1);
        f.chan_recv(p[9], Some(p[10]), RecvForm::Value);
        f.chan_recv(p[9], None, RecvForm::Discard);
        f.chan_len(p[5]);
        f.chan_cap(p[7]);
        f.chan_close(p[7]);
    });
    breaks(|f, p| _ = f.chan_send(p[5], p[1]), &["operand v1 of ChanSend is u8, not u32"]);
    breaks(
        |f, p| _ = f.chan_send(p[9], p[4]),
        &["operand v4 is ptr<u32>, but the channel's element is [4]u8"],
    );
    breaks(
        |f, p| _ = f.chan_recv(p[5], Some(p[4]), RecvForm::CommaOk),
        &["ChanRecv takes 1 operand here, not 2"],
    );
    breaks(|f, p| _ = f.chan_recv(p[9], None, RecvForm::Value), &["ChanRecv takes 2 operands here, not 1"]);
    breaks(
        |f, p| {
            let ty = f.decls.types.tuple(&[Type::U8, Type::BOOL]);
            f.op_with(Op::ChanRecv, ty, &[p[5]], Aux::Form(RecvForm::CommaOk));
        },
        &["ChanRecv yields (u32, bool) here, not (u8, bool)"],
    );
    breaks(
        |f, p| {
            let got = f.chan_recv(p[5], None, RecvForm::Value);
            f.extract(got, 1);
        },
        &["v13 is a receive of form [value]: it keeps no member [1]"],
    );
    breaks(|f, p| _ = f.chan_len(p[0]), &["operand v0 of ChanLen is u32, not a channel"]);
    breaks(
        |f, p| {
            let big = f.decls.types.array(Type::U8, 1 << 16);
            let chan = f.decls.types.chan(ChanDir::Both, big);
            f.make_chan(chan, p[0]);
        },
        &["channel element type too large (>64kB)"],
    );
}

#[test]
fn the_tuple_of_a_channel_op_is_taken_apart() {
    breaks(
        |f, p| {
            let got = f.chan_recv(p[5], None, RecvForm::CommaOk);
            f.copy(got);
            let ty = f.func.ty(got);
            f.func.result = ty;
            f.ret(Some(got));
        },
        &[
            "operand v13 is the tuple of a ChanRecv, which only Extract takes",
            "b0 ends in a use of v13, the tuple of a ChanRecv, which only Extract takes",
        ],
    );
}

fn shape(cases: &[SelectCase]) -> SelectShape {
    SelectShape { cases: cases.iter().copied().collect(), has_default: true }
}

#[test]
fn selects() {
    use SelectCase::{Recv, RecvInto, Send};
    passes(|f, p| {
        let cases = [Send, Recv(RecvForm::CommaOk), RecvInto(RecvForm::Value), Recv(RecvForm::Discard)];
        f.select(shape(&cases), &[p[5], p[0], p[6], p[9], p[10], p[9]]);
    });
    breaks(
        |f, p| _ = f.op_with(Op::Select, Type::UNIT, &[p[5]], Aux::Select(Box::new(shape(&[Send])))),
        &["Select takes 2 operands here, not 1"],
    );
    breaks(
        |f, _| _ = f.op_with(Op::Select, Type::UNIT, &[], Aux::Select(Box::new(shape(&[])))),
        &["Select yields a tuple, not unit"],
    );
    breaks(
        |f, p| _ = f.select(shape(&[Send, Recv(RecvForm::Value)]), &[p[6], p[0], p[9]]),
        &[
            "invalid operation: cannot send to receive-only channel <-chan u32 v6 (value of type <-chan u32)",
            "a kept receive of [4]u8 from v9 takes a pointer to receive into",
        ],
    );
    breaks(
        |f, p| _ = f.select(shape(&[RecvInto(RecvForm::Value)]), &[p[5], p[4]]),
        &["a receive of u32 from v5 yields its value and takes no pointer"],
    );
}

#[test]
fn maps() {
    passes(|f, p| {
        let key = p[4];
        let value = f.map_lookup(hash(), LookupRole::Plain, key);
        f.map_update(hash(), key, value, 0);
        f.map_delete(hash(), key);
        f.map_value_io(Op::MapPush, queue(), value, 0);
        f.map_value(Type::U32, one(), 4);
    });
    breaks(
        |f, p| _ = f.map_lookup(queue(), LookupRole::Plain, p[4]),
        &["MapLookup on @queue, which has no keys"],
    );
    breaks(
        |f, p| _ = f.map_update(hash(), p[4], p[4], 0),
        &["operand v4 is ptr<u32>, but the map's value is u64"],
    );
    breaks(
        |f, p| _ = f.map_value_io(Op::MapPop, hash(), p[4], 0),
        &[
            "MapPop on @hash, which is no queue or stack",
            "operand v4 is ptr<u32>, but the map's value is u64",
        ],
    );
    breaks(
        |f, _| _ = f.map_value(Type::U8, hash(), 0),
        &["MapValue on @hash, which is no array of one element"],
    );
    breaks(
        |f, _| _ = f.map_value(Type::U32, one(), 5),
        &["MapValue reaches to byte 9 of a value of 8 bytes"],
    );
}
