//! Channels in poll mode, as ops and as runtime calls.

use larrow_ir::{
    ChanDecl, ChanDir, ChanId, FuncBuilder, Module, Pos, RecvForm, RuntimeFn, SelectCase, SelectShape,
    SiteDecl, SiteId, SiteKind, Type, Value,
};

use super::{add, interp, module, number, panic_text, trap};
use crate::{Env, Interp, Options, Outcome, Prng, SelectOrder, TestEnv, Val};

fn with_chans(caps: &[u64]) -> (Module, Vec<ChanId>) {
    let mut m = Module::new("t.go");
    let ty = m.decls.types.chan(ChanDir::Both, Type::U32);
    let ids = caps.iter().enumerate().map(|(i, &cap)| {
        let decl = ChanDecl { ty, cap, storage: None, pos: Pos::None };
        m.decls.chans.insert(format!("c{i}"), decl).unwrap()
    });
    let ids = ids.collect();
    (m, ids)
}

/// `v, ok := <-c0`, as an op or as a call, with its site counted.
fn receiver(lowered: bool, cap: u64) -> Module {
    let (mut m, ids) = with_chans(&[cap]);
    m.decls.sites.push(SiteDecl { kind: SiteKind::Recv, name: "r".into(), chan: None, pos: Pos::None });
    let two = m.decls.types.tuple(&[Type::U32, Type::BOOL]);
    add(&mut m, "f", two, &[], |b, _| {
        let c = b.chan_addr(ids[0]);
        if lowered {
            let s = b.slot(Type::U32);
            let p = b.local_addr(s);
            let ok = b.call_runtime(RuntimeFn::ChanRecv2, Type::UNIT, &[c, p]);
            b.outcome(ok, SiteId::from_u32(0));
            let v = b.load(Type::U32, p);
            let both = b.tuple(&[v, ok]);
            b.ret(Some(both));
        } else {
            let r = b.chan_recv(c, None, RecvForm::CommaOk);
            b.ret(Some(r));
        }
    });
    m
}

fn run_pair(interp: &mut Interp<'_>) -> (u64, u64) {
    match interp.run("f", &[]).unwrap().outcome {
        Outcome::Returned(v) => (v[0].as_int().unwrap(), v[1].as_int().unwrap()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_receive_takes_what_was_sent_then_nothing_then_the_end() {
    for lowered in [false, true] {
        let m = receiver(lowered, 2);
        let mut interp = interp(&m);
        assert_eq!(run_pair(&mut interp), (0, 0));
        assert!(interp.send_int("c0", 7).unwrap());
        assert!(interp.send("c0", &[8, 0, 0, 0]).unwrap());
        assert!(!interp.send_int("c0", 9).unwrap());
        interp.close("c0").unwrap();
        assert_eq!(interp.contents("c0").unwrap(), [[7, 0, 0, 0], [8, 0, 0, 0]]);
        assert_eq!(run_pair(&mut interp), (7, 1));
        assert_eq!(run_pair(&mut interp), (8, 1));
        assert_eq!(run_pair(&mut interp), (0, 0));
        if lowered {
            assert_eq!(interp.outcomes(SiteId::from_u32(0)), [2, 1, 1, 0]);
        }
        assert!(interp.send_int("c0", 1).is_err() && interp.close("c0").is_err());
        assert!(interp.send_int("none", 1).is_err() && interp.closed("c0").unwrap());
    }
}

#[test]
fn an_unbuffered_channel_is_never_ready() {
    let m = receiver(false, 0);
    let mut interp = interp(&m);
    assert!(!interp.send_int("c0", 1).unwrap());
    assert_eq!(run_pair(&mut interp), (0, 0));
}

/// Sends the parameter twice; yields the channel's length.
fn sender(lowered: bool) -> Module {
    let (mut m, ids) = with_chans(&[1]);
    m.decls.sites.push(SiteDecl { kind: SiteKind::Send, name: "s".into(), chan: None, pos: Pos::None });
    add(&mut m, "f", Type::I64, &[], |b, _| {
        let c = b.chan_addr(ids[0]);
        let x = b.int(Type::U32, 5);
        let s = b.slot(Type::U32);
        let p = b.local_addr(s);
        b.store(p, x);
        for _ in 0..2 {
            if lowered {
                let call = b.call_runtime(RuntimeFn::ChanSend1, Type::UNIT, &[c, p]);
                b.outcome(call, SiteId::from_u32(0));
            } else {
                b.chan_send(c, x);
            }
        }
        let len = if lowered { b.call_runtime(RuntimeFn::ChanLen, Type::UNIT, &[c]) } else { b.chan_len(c) };
        b.ret(Some(len));
    });
    m
}

#[test]
fn a_send_without_room_drops_and_one_on_a_closed_channel_panics() {
    for lowered in [false, true] {
        let m = sender(lowered);
        assert_eq!(number(&m, &[]), 1);
        let mut interp = interp(&m);
        interp.run("f", &[]).unwrap();
        interp.close("c0").unwrap();
        let end = interp.run("f", &[]).unwrap().outcome;
        assert!(matches!(end, Outcome::Panicked { text, .. } if text == "send on closed channel"));
        if lowered {
            // The call that panicked is counted too.
            assert_eq!(interp.outcomes(SiteId::from_u32(0)), [1, 1, 1, 0]);
        }
    }
}

/// Texts and programs that panic.
type Panic = (&'static str, fn(&mut FuncBuilder<'_>, Type));

#[test]
fn panics_have_gos_texts() {
    let table: &[Panic] = &[
        ("close of nil channel", |b, ty| {
            let c = b.nil(ty);
            b.chan_close(c);
        }),
        ("close of closed channel", |b, ty| {
            let n = b.int(Type::I64, 0);
            let c = b.make_chan(ty, n);
            b.chan_close(c);
            b.call_runtime(RuntimeFn::CloseChan, Type::UNIT, &[c]);
        }),
        ("makechan: size out of range", |b, ty| {
            let n = b.int(Type::I8, 0xff);
            b.make_chan(ty, n);
        }),
        ("makechan: size out of range", |b, ty| {
            let n = b.int(Type::I64, 1 << 46);
            b.call_runtime(RuntimeFn::MakeChan, ty, &[n]);
        }),
    ];
    for (text, build) in table {
        let m = module(Type::UNIT, &[], |b, _| {
            let ty = b.decls.types.chan(ChanDir::Both, Type::U32);
            build(b, ty);
            b.ret(None);
        });
        assert_eq!(panic_text(&m), *text);
    }
}

#[test]
fn a_nil_channel_is_never_ready_and_reads_as_empty() {
    let m = module(Type::BOOL, &[], |b, _| {
        let ty = b.decls.types.chan(ChanDir::Both, Type::U32);
        let c = b.nil(ty);
        let s = b.slot(Type::U32);
        let p = b.local_addr(s);
        let ok = b.call_runtime(RuntimeFn::ChanRecv2, Type::UNIT, &[c, p]);
        // The element was zeroed, so that it may be read.
        let v = b.load(Type::U32, p);
        b.chan_send(c, v);
        let (len, cap) = (b.chan_len(c), b.chan_cap(c));
        let same = b.eq(len, cap);
        let status = b.status(ok);
        let wide = b.op(larrow_ir::Op::ZeroExt, Type::I64, &[status]);
        let all = b.eq(wide, len);
        let both = b.and(same, all);
        b.ret(Some(both));
    });
    assert_eq!(number(&m, &[]), 1);
}

#[test]
fn aggregates_go_through_memory_with_their_pointers() {
    let m = module(Type::U32, &[], |b, _| {
        let ptr = b.decls.types.ptr(larrow_ir::Space::Any, Type::U32);
        let elem = b.decls.types.structure(&[("p", ptr), ("n", Type::U32)], false);
        let ty = b.decls.types.chan(ChanDir::Both, elem);
        let (s, t, x) = (b.slot(elem), b.slot(elem), b.slot(Type::U32));
        let (s, t, x) = (b.local_addr(s), b.local_addr(t), b.local_addr(x));
        let (n, nine) = (b.int(Type::I64, 1), b.int(Type::U32, 9));
        b.store(x, nine);
        // The struct's padding stays unwritten.
        b.store(s, x);
        let field = b.ptr_offset(Type::U32, s, 8);
        b.store(field, nine);
        let c = b.make_chan(ty, n);
        b.chan_send(c, s);
        b.chan_recv(c, Some(t), RecvForm::CommaOk);
        let back = b.load(ptr, t);
        let v = b.load(Type::U32, back);
        b.ret(Some(v));
    });
    assert_eq!(number(&m, &[]), 9);
}

#[test]
fn go_is_refused() {
    let m = module(Type::UNIT, &[], |b, _| {
        b.go(larrow_ir::FuncId::from_u32(0), &[]);
        b.ret(None);
    });
    assert_eq!(trap(&m).message, "poll mode runs a single goroutine");
}

/// The four-case select of the reference: recv c0; send c1; recv c2; send c3.
fn select_op(default: bool) -> Module {
    let (mut m, ids) = with_chans(&[1, 1, 1, 1]);
    let recv = SelectCase::Recv(RecvForm::CommaOk);
    let shape = SelectShape {
        cases: [recv, SelectCase::Send, recv, SelectCase::Send].into_iter().collect(),
        has_default: default,
    };
    add(&mut m, "f", Type::I64, &[], |b, _| {
        let c: Vec<_> = ids.iter().map(|&id| b.chan_addr(id)).collect();
        let x = b.int(Type::U32, 1);
        let s = b.select(shape, &[c[0], c[1], x, c[2], c[3], x]);
        let index = b.extract(s, 0);
        b.ret(Some(index));
    });
    m
}

/// The same as gc lowers it: sends c1, c3, then receives c2, c0; the index is mapped back.
fn select_call(default: bool) -> Module {
    let (mut m, ids) = with_chans(&[1, 1, 1, 1]);
    add(&mut m, "f", Type::I64, &[], |b, _| {
        let array = b.decls.types.array(Type::U64, 8);
        let (cases, elem) = (b.slot(array), b.slot(Type::U32));
        let (cases, elem) = (b.local_addr(cases), b.local_addr(elem));
        let x = b.int(Type::U32, 1);
        b.store(elem, x);
        for (i, chan) in [1usize, 3, 2, 0].into_iter().enumerate() {
            let c = b.chan_addr(ids[chan]);
            let ty = b.func.ty(c);
            let at = b.ptr_offset(ty, cases, 16 * i as u64);
            b.store(at, c);
            let at = b.ptr_offset(Type::U64, cases, 16 * i as u64 + 8);
            b.store(at, elem);
        }
        let nil = {
            let ty = b.func.ty(cases);
            b.nil(ty)
        };
        let two = b.int(Type::I64, 2);
        let block = b.bool(!default);
        let r = b.call_runtime(RuntimeFn::SelectGo, Type::UNIT, &[cases, nil, nil, two, two, block]);
        let index = b.extract(r, 0);
        let source = [1u64, 3, 2, 0];
        let done = b.block();
        let arms: Vec<_> = source.iter().map(|_| b.block()).collect();
        let cases: Vec<_> = arms.iter().enumerate().map(|(i, &arm)| (i as u64, arm)).collect();
        b.switch(index, &cases, done);
        for (&arm, &source) in arms.iter().zip(&source) {
            b.switch_to(arm);
            let s: Value = b.int(Type::I64, source);
            b.ret(Some(s));
        }
        b.switch_to(done);
        b.ret(Some(index));
    });
    m
}

/// Always the same number.
#[derive(Debug)]
struct Fixed(u32, std::rc::Rc<std::cell::Cell<u32>>);

impl Env for Fixed {
    fn ctx_field(&mut self, _: &str, _: &str) -> Option<crate::CtxValue> {
        None
    }
    fn helper(&mut self, _: &str, _: &[Val]) -> Result<Val, String> {
        Err("none".into())
    }
    fn random(&mut self) -> u32 {
        self.1.set(self.1.get() + 1);
        self.0
    }
}

/// What a select chooses; `ready` has a bit per case. And how many random numbers it drew.
fn chosen(m: &Module, ready: u32, order: SelectOrder, random: u32) -> (Option<u64>, u32) {
    let draws = std::rc::Rc::new(std::cell::Cell::new(0));
    let options = Options { select_order: order, ..Options::default() };
    let mut interp = Interp::with_env(m, options, Box::new(Fixed(random, draws.clone()))).unwrap();
    for (case, send) in [(0, false), (1, true), (2, false), (3, true)] {
        // A receive is ready when there is a value, a send when there is none.
        if (ready >> case & 1 == 1) != send {
            interp.send_int(&format!("c{case}"), 1).unwrap();
        }
    }
    let outcome = interp.run("f", &[]).unwrap().outcome;
    let index = match outcome {
        Outcome::Returned(v) => v[0].as_int(),
        Outcome::Aborted { .. } => None,
        Outcome::Panicked { text, .. } => panic!("{text}"),
    };
    (index, draws.get())
}

#[test]
fn a_rotation_goes_round_gcs_case_numbers_at_both_stages() {
    let gc = [1u64, 3, 2, 0];
    for default in [false, true] {
        let (op, call) = (select_op(default), select_call(default));
        for ready in 0..16u32 {
            for random in 0..8u32 {
                let want = (0..4).map(|i| gc[(random as usize + i) % 4]).find(|&c| ready >> c & 1 == 1);
                let want = want.or(default.then_some(u64::MAX));
                let a = chosen(&op, ready, SelectOrder::Rotation, random);
                let b = chosen(&call, ready, SelectOrder::Rotation, random);
                assert_eq!((a, b), ((want, 1), (want, 1)), "{ready:#b} {random}");
            }
            let want = [1u64, 3, 0, 2].into_iter().find(|&c| ready >> c & 1 == 1);
            let want = want.or(default.then_some(u64::MAX));
            let a = chosen(&op, ready, SelectOrder::Source, 0);
            let b = chosen(&call, ready, SelectOrder::Source, 0);
            assert_eq!((a, b), ((want, 0), (want, 0)), "{ready:#b}");
        }
    }
}

#[test]
fn a_lone_case_draws_nothing_and_completes_at_once() {
    for has_default in [false, true] {
        let (mut m, ids) = with_chans(&[1]);
        let recv = SelectCase::Recv(RecvForm::CommaOk);
        let shape = SelectShape { cases: [recv].into_iter().collect(), has_default };
        add(&mut m, "f", Type::I64, &[], |b, _| {
            let c = b.chan_addr(ids[0]);
            let s = b.select(shape, &[c]);
            let index = b.extract(s, 0);
            b.ret(Some(index));
        });
        let want = if has_default { u64::MAX } else { 0 };
        assert_eq!(chosen_one(&m), (want, 0));
    }
}

fn chosen_one(m: &Module) -> (u64, u32) {
    let draws = std::rc::Rc::new(std::cell::Cell::new(0));
    let mut interp = Interp::with_env(m, Options::default(), Box::new(Fixed(0, draws.clone()))).unwrap();
    (interp.run("f", &[]).unwrap().value().and_then(Val::as_int).unwrap(), draws.get())
}

#[test]
fn an_empty_select_aborts() {
    let m = module(Type::UNIT, &[], |b, _| {
        b.select(SelectShape::default(), &[]);
        b.ret(None);
    });
    assert!(matches!(interp(&m).run("f", &[]).unwrap().outcome, Outcome::Aborted { .. }));
    let m = module(Type::UNIT, &[], |b, _| {
        b.call_runtime(RuntimeFn::Block, Type::UNIT, &[]);
        b.exit();
    });
    assert!(matches!(interp(&m).run("f", &[]).unwrap().outcome, Outcome::Aborted { .. }));
}

#[test]
fn selects_and_helpers_draw_from_one_sequence() {
    let (mut env, mut rng) = (TestEnv::default(), Prng::new(0));
    let drawn = [env.random(), env.helper("get_prandom_u32", &[]).unwrap().as_int().unwrap() as u32];
    assert_eq!(drawn, [rng.next_u32(), rng.next_u32()]);
}
