//! Which runtime call gc makes of each form, as a table: channel ops on the left, calls with their operands
//! described on the right. Measured on gc 1.27: order of arguments, nil for what nobody keeps, what is zeroed
//! first, how a select's cases are numbered, and in which order the chosen one is looked for.

use std::collections::HashMap;

use larrow_ir::{Aux, Function, Module, Op, PanicWith, RuntimeFn, Slot, Terminator, TypeKind, Value};
use larrow_passes::{Options, Pipeline};

use crate::case::{parse_module, verified};

/// A form: the body of `@f(v0: u32, v1: chan<- u32, v2: <-chan u32)`, and what is called for it.
struct Form {
    go: &'static str,
    body: &'static str,
    calls: &'static [&'static str],
}

const HEAD: &str = "chan @a: chan u32 cap 1\nchan @b: chan u32 cap 1\nchan @c: chan u32 cap 1\nchan @d: chan u32 cap 1\n\
    chan @pair: chan [2]u32 cap 1\nchan @ptrs: chan ptr<u8> cap 1\n\
    func @g(v0: u32, v1: chan u32) {\nb0:\n    Ret\n}\n\
    func @f(v0: u32, v1: chan<- u32, v2: <-chan u32) {\n    slot s0: [2]u32\nb0:\n    v10 = ChanAddr <chan u32> @a\n    \
    v11 = ChanAddr <chan u32> @b\n    v12 = ChanAddr <chan u32> @c\n    v13 = ChanAddr <chan u32> @d\n    \
    v14 = ChanAddr <chan [2]u32> @pair\n    v15 = ChanAddr <chan ptr<u8>> @ptrs\n    \
    v16 = LocalAddr <ptr<stack [2]u32>> s0\n    v17 = Const <chan u32> [nil]\n";

const FORMS: &[Form] = &[
    Form {
        go: "make(chan T)",
        body: "v20 = Const <i64> [0]\n v21 = MakeChan <chan u32> v20",
        calls: &["makechan(0)"],
    },
    Form {
        go: "make(chan T, n), n a byte",
        body: "v20 = Const <u8> [200]\n v21 = MakeChan <chan u32> v20",
        calls: &["makechan(zero-extended 200)"],
    },
    Form {
        go: "make(chan T, n), n an int8",
        body: "v20 = Const <i8> [-1]\n v21 = MakeChan <chan u32> v20",
        calls: &["makechan(sign-extended 255)"],
    },
    Form {
        go: "make(chan T, n), n a uint64",
        body: "v20 = Const <u64> [3]\n v21 = MakeChan <chan u32> v20",
        calls: &["makechan(3)"],
    },
    Form { go: "c <- x", body: "v20: ChanSend v10, v0", calls: &["chansend1(@a, &tmp=v0)"] },
    Form { go: "c <- x, c a chan<-", body: "v20: ChanSend v1, v0", calls: &["chansend1(v1, &tmp=v0)"] },
    Form { go: "c <- x, x an aggregate", body: "v20: ChanSend v14, v16", calls: &["chansend1(@pair, &s0)"] },
    Form { go: "nil <- x", body: "v20: ChanSend v17, v0", calls: &["chansend1(nil, &tmp=v0)"] },
    Form {
        go: "v := <-c",
        body: "v20 = ChanRecv <(u32, bool)> [value] v10\n v21 = Extract <u32> [0] v20",
        calls: &["chanrecv1(@a, &tmp=0)"],
    },
    Form {
        go: "_ = <-c",
        body: "v20 = ChanRecv <(u32, bool)> [value] v10",
        calls: &["chanrecv1(@a, &tmp=0)"],
    },
    Form {
        go: "v := <-c, c a <-chan",
        body: "v20 = ChanRecv <(u32, bool)> [value] v2",
        calls: &["chanrecv1(v2, &tmp=0)"],
    },
    Form {
        go: "v := <-c, v an aggregate",
        body: "v20 = ChanRecv <(unit, bool)> [value] v14, v16",
        calls: &["chanrecv1(@pair, &s0)"],
    },
    Form { go: "<-c", body: "v20 = ChanRecv <(u32, bool)> [discard] v10", calls: &["chanrecv1(@a, nil)"] },
    Form {
        go: "<-c of an aggregate",
        body: "v20 = ChanRecv <(unit, bool)> [discard] v14",
        calls: &["chanrecv1(@pair, nil)"],
    },
    Form {
        go: "v, ok := <-c",
        body: "v20 = ChanRecv <(u32, bool)> v10\n v21 = Extract <bool> [1] v20",
        calls: &["chanrecv2(@a, &tmp)"],
    },
    Form {
        go: "v, ok := <-c, v a pointer",
        body: "v20 = ChanRecv <(ptr<u8>, bool)> v15",
        calls: &["chanrecv2(@ptrs, &tmp=nil)"],
    },
    Form { go: "_, ok := <-c", body: "v20 = ChanRecv <(u32, bool)> v10", calls: &["chanrecv2(@a, &tmp)"] },
    Form {
        go: "for v := range c",
        body: "Plain → b1\nb1: ← b0, b2\n v20 = ChanRecv <(u32, bool)> v10\n v21 = Extract <bool> [1] v20\n \
               If v21 → b2, b3\nb2: ← b1\n v22 = Extract <u32> [0] v20\n Plain → b1\nb3: ← b1",
        calls: &["chanrecv2(@a, &tmp)", "b1: if chanrecv2 → b2, b3", "b2: loads &tmp"],
    },
    Form { go: "close(c)", body: "v20: ChanClose v10", calls: &["closechan(@a)"] },
    Form { go: "close(c), c a chan<-", body: "v20: ChanClose v1", calls: &["closechan(v1)"] },
    Form { go: "len(c)", body: "v20 = ChanLen <i64> v10", calls: &["chanlen(@a)"] },
    Form { go: "cap(c)", body: "v20 = ChanCap <i64> v2", calls: &["chancap(v2)"] },
    Form { go: "len(nil)", body: "v20 = ChanLen <i64> v17", calls: &["chanlen(nil)"] },
    Form { go: "c == d", body: "v20 = Eq <bool> v10, v11", calls: &[] },
    Form { go: "c == nil", body: "v20 = Eq <bool> v10, v17", calls: &[] },
    Form { go: "chan T → <-chan T", body: "v20 = Copy <<-chan u32> v10", calls: &[] },
    Form { go: "go g(x, c)", body: "v20: Go @g v0, v10", calls: &["newproc(@g, v0, @a)"] },
    Form { go: "select {}", body: "v20 = Select <(i64, bool)> {}", calls: &["block()"] },
    Form { go: "select { default: }", body: "v20 = Select <(i64, bool)> {default}", calls: &[] },
    Form {
        go: "select { case c <- x: }",
        body: "v20 = Select <(i64, bool)> {send v10 ← v0}",
        calls: &["chansend1(@a, &tmp=v0)"],
    },
    Form {
        go: "select { case <-c: }",
        body: "v20 = Select <(i64, bool, u32)> {recv [discard] v10}",
        calls: &["chanrecv1(@a, nil)"],
    },
    Form {
        go: "select { case v := <-c: }",
        body: "v20 = Select <(i64, bool, u32)> {recv [value] v10}",
        calls: &["chanrecv2(@a, &tmp)"],
    },
    Form {
        go: "select { case v, ok := <-c: }",
        body: "v20 = Select <(i64, bool, u32)> {recv v10}",
        calls: &["chanrecv2(@a, &tmp)"],
    },
    Form {
        go: "select { case c <- x: default: }",
        body: "v20 = Select <(i64, bool)> {send v10 ← v0, default}",
        calls: &["selectnbsend(@a, &tmp=v0)"],
    },
    Form {
        go: "select { case v := <-c: default: }",
        body: "v20 = Select <(i64, bool, u32)> {recv v10, default}",
        calls: &["selectnbrecv(&tmp, @a)"],
    },
    Form {
        go: "select { case <-c: default: }",
        body: "v20 = Select <(i64, bool, u32)> {recv [discard] v10, default}",
        calls: &["selectnbrecv(nil, @a)"],
    },
    Form {
        go: "select of an aggregate and a default",
        body: "v20 = Select <(i64, bool, unit)> {recv v14 → v16, default}",
        calls: &["selectnbrecv(&s0, @pair)"],
    },
    Form {
        go: "select { case <-a: case b <- x: case <-c: case d <- x: }",
        body: "v20 = Select <(i64, bool, u32, u32)> {recv v10, send v11 ← v0, recv [discard] v12, send v13 ← v0}",
        calls: &[
            "selectgo([{@b, &tmp=v0}, {@d, &tmp=v0}, {@c, nil}, {@a, &tmp}], order[8], nil, 2, 2, true)",
            "== 0: send @b; == 1: send @d; == 2: recv @c; else: recv @a",
        ],
    },
    Form {
        go: "three receives: the last one in the source has the lowest number",
        body: "v20 = Select <(i64, bool, u32, u32, u32)> {recv v10, recv v11, recv v12}",
        calls: &[
            "selectgo([{@c, &tmp}, {@b, &tmp}, {@a, &tmp}], order[6], nil, 0, 3, true)",
            "== 0: recv @c; == 1: recv @b; else: recv @a",
        ],
    },
    Form {
        go: "two sends and a default",
        body: "v20 = Select <(i64, bool)> {send v10 ← v0, send v11 ← v0, default}",
        calls: &[
            "selectgo([{@a, &tmp=v0}, {@b, &tmp=v0}], order[4], nil, 2, 0, false)",
            "< 0: send @a, send @b; == 0: send @a; else: send @b",
        ],
    },
    Form {
        go: "one channel twice, and a nil one",
        body: "v20 = Select <(i64, bool, u32, u32)> {recv v10, send v17 ← v0, recv v10}",
        calls: &[
            "selectgo([{nil, &tmp=v0}, {@a, &tmp}, {@a, &tmp}], order[6], nil, 1, 2, true)",
            "== 0: send ?; == 1: recv @a; else: recv @a",
        ],
    },
];

#[test]
fn each_form_becomes_the_calls_that_gc_makes() {
    for form in FORMS {
        let source = format!("{HEAD}    {}\n    Ret\n}}\n", form.body);
        let mut module = parse_module(form.go, &source);
        let mut pipeline = Pipeline::default();
        pipeline.extend(larrow_passes::lowering().into_iter().filter(|p| p.name != "insert-map-lookup"));
        let options = Options { verify_each: true, ..Options::default() };
        pipeline.run(&mut module, &options, &mut []).unwrap_or_else(|e| panic!("{}: {e}", form.go));
        verified(form.go, &module);
        let func = &module.funcs[module.funcs.id("f").unwrap()];
        let reader = Reader { module: &module, func };
        let mut calls = reader.calls();
        if form.go.starts_with("for") {
            calls.extend(reader.range_loop());
        }
        assert_eq!(calls, form.calls, "{}\n{module}", form.go);
    }
}

/// Describes what a lowered function calls.
struct Reader<'a> {
    module: &'a Module,
    func: &'a Function,
}

impl Reader<'_> {
    /// Every runtime call in layout order; behind a `selectgo` the chain that looks for the chosen case.
    fn calls(&self) -> Vec<String> {
        let mut out = Vec::new();
        for (b, v) in self.func.iter_insts() {
            let inst = self.func.inst(v);
            let Aux::Runtime(callee) = inst.aux else { continue };
            let mut args: Vec<String> = inst.args.iter().map(|&a| self.operand(a)).collect();
            if callee == RuntimeFn::SelectGo {
                args[0] = self.scases(inst.args[0]);
                args[1] = self.order(inst.args[1]);
            }
            out.push(format!("{callee}({})", args.join(", ")));
            match callee {
                RuntimeFn::SelectGo => out.push(self.chain(b)),
                RuntimeFn::Block => assert_eq!(*self.func.term(b), Terminator::Exit),
                _ => {}
            }
        }
        out
    }

    fn operand(&self, v: Value) -> String {
        let inst = self.func.inst(v);
        match (inst.op, &inst.aux) {
            (Op::ChanAddr, Aux::Chan(c)) => format!("@{}", self.module.decls.chans.name(*c)),
            (Op::FuncAddr, Aux::Func(f)) => format!("@{}", self.module.funcs.name(*f)),
            (Op::Const, Aux::Nil) => "nil".into(),
            (Op::Const, Aux::Int(n)) if self.func.ty(v) == larrow_ir::Type::BOOL => (*n == 1).to_string(),
            (Op::Const, Aux::Int(n)) => n.to_string(),
            (Op::ZeroExt, _) => format!("zero-extended {}", self.operand(inst.args[0])),
            (Op::SignExt, _) => format!("sign-extended {}", self.operand(inst.args[0])),
            (Op::Copy, _) => self.operand(inst.args[0]),
            (Op::LocalAddr, Aux::Slot(s)) if s.as_u32() == 0 => "&s0".into(),
            (Op::LocalAddr, _) => match self.stored(v) {
                Some(value) => format!("&tmp={}", self.operand(value)),
                None => "&tmp".into(),
            },
            _ => v.to_string(),
        }
    }

    /// What is stored straight through an address.
    fn stored(&self, addr: Value) -> Option<Value> {
        let mut stores = self.func.iter_insts().map(|(_, v)| self.func.inst(v));
        stores.find(|i| i.op == Op::Store && i.args[0] == addr).map(|i| i.args[1])
    }

    fn slot(&self, addr: Value) -> Slot {
        match self.func.inst(addr).aux {
            Aux::Slot(slot) => slot,
            _ => panic!("{addr} is no slot's address"),
        }
    }

    fn order(&self, addr: Value) -> String {
        let ty = self.func.slot(self.slot(addr)).unwrap().ty;
        match self.module.decls.types.kind(ty) {
            TypeKind::Array { len, .. } => format!("order[{len}]"),
            other => panic!("the order is {other:?}"),
        }
    }

    /// The words stored into the case array, by offset.
    fn scases(&self, array: Value) -> String {
        let mut words: HashMap<u64, Value> = HashMap::new();
        for (_, v) in self.func.iter_insts() {
            let inst = self.func.inst(v);
            if inst.op == Op::Store && self.func.inst(inst.args[0]).op == Op::PtrAdd {
                let place = self.func.inst(inst.args[0]);
                if place.args[0] == array {
                    words.insert(self.func.inst(place.args[1]).int_const().unwrap(), inst.args[1]);
                }
            }
        }
        let word = |offset: u64| self.operand(words[&offset]);
        let n = words.len() as u64 / 2;
        let cases: Vec<String> =
            (0..n).map(|i| format!("{{{}, {}}}", word(16 * i), word(16 * i + 8))).collect();
        format!("[{}]", cases.join(", "))
    }

    /// The tests for the chosen number in order, each with the sites of its arm.
    fn chain(&self, mut b: larrow_ir::Block) -> String {
        let mut out = Vec::new();
        while let Terminator::If { cond, then, other } = *self.func.term(b) {
            let test = self.func.inst(cond);
            let spelled = match test.op {
                Op::Less => format!("< {}", self.operand(test.args[1])),
                Op::Eq => format!("== {}", self.operand(test.args[1])),
                op => panic!("the chain asks {op}"),
            };
            assert_eq!(self.func.inst(test.args[0]).aux, Aux::Index(0), "it asks for the chosen number");
            out.push(format!("{spelled}: {}", self.arm(then)));
            b = other;
        }
        out.push(format!("else: {}", self.arm(b)));
        out.join("; ")
    }

    fn arm(&self, b: larrow_ir::Block) -> String {
        let site = |&v: &Value| match self.func.inst(v).aux {
            Aux::Site(site) => {
                let site = &self.module.decls.sites[site];
                let chan = site.chan.map_or("?".into(), |c| format!("@{}", self.module.decls.chans.name(c)));
                Some(format!("{} {chan}", site.kind.name()))
            }
            _ => None,
        };
        let sites: Vec<String> = self.func.block(b).insts.iter().filter_map(site).collect();
        sites.join(", ")
    }

    /// The shape of a range loop: the flag decides at the head, the body loads the temporary.
    fn range_loop(&self) -> Vec<String> {
        let mut out = Vec::new();
        for &b in self.func.layout() {
            if let Terminator::If { cond, then, other } = *self.func.term(b) {
                let flag = self.func.inst(cond);
                let call = if flag.op == Op::Copy { self.func.inst(flag.args[0]) } else { flag };
                let Aux::Runtime(callee) = call.aux else { panic!("the flag is {flag:?}") };
                out.push(format!("{b}: if {callee} → {then}, {other}"));
                out.push(format!("{then}: loads {}", self.loaded_before(b)));
            }
        }
        out
    }

    /// What the value of a receive in `b` is loaded from.
    fn loaded_before(&self, b: larrow_ir::Block) -> String {
        let insts = &self.func.block(b).insts;
        let load = insts.iter().map(|&v| self.func.inst(v)).find(|i| i.op == Op::Load);
        load.map_or("nothing".into(), |load| self.operand(load.args[0]))
    }
}

#[test]
fn a_lowered_function_ends_as_it_did() {
    // A select without cases never comes back: the panic behind it goes with the rest of the block.
    let source = "func @f() {\nb0:\n    v0 = Select <(i64, bool)> {}\n    Panic \"never\"\n}\n";
    let mut module = parse_module("never", source);
    let mut pipeline = Pipeline::default();
    pipeline.extend(larrow_passes::lowering());
    pipeline.run(&mut module, &Options::checked(0, 1), &mut []).unwrap();
    let func = module.funcs.iter().next().unwrap().1;
    let panics = |t: &Terminator| matches!(t, Terminator::Panic(PanicWith::Text(_)));
    assert!(!func.layout().iter().any(|&b| panics(func.term(b))));
}
