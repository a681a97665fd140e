//! Round trips, errors, and what noise does.

use crate::{
    Aux, AuxKind, Diagnostic, Entity, FuncBuilder, Function, Inst, Module, Op, Pos, RecvForm, SelectCase,
    SelectShape, Type,
};

use super::{parse, parse_bytes, print, print_block, print_func, print_inst, print_term};

/// A module that has one of everything.
const WHOLE: &str = r#"file "filter.go"

l0 = "chan.ssa" 12:3
l1 = "chan.ssa" 14:3 inlined-at l0
l2 = "chan.ssa" 14:9 inlined-at 8:14

type %event = struct {next: ptr<%event>, "odd name": [4]u8, port: %port}
type %port = u16
type %"far away"

chan @ports: chan u16 cap 8 storage ring  @3:1
chan @events: <-chan %event cap 0
chan @"odd \"name\"\n": chan (<-chan u16) cap 1

map @flows: hash<u32, u64> entries 1024 flags 0x1  @4:1
map @state: array<u32, struct {a: u64, b: packed struct {c: u8, d: i64}}> entries 1
map @q: queue<u32> entries 16
map @__sites: array<u32, [4]u64> entries 1

global @limit: u32 rodata "2a000000"
global @hits: u64 bss
global @empty: struct {} data ""

intrinsic @pkg.name: func(u32, (u8,), ()) -> u32 reads writes
intrinsic @pkg.pure: func() pure  @9:9

site 0 recv "recv@filter.go:8:14" chan @ports  @8:14
site 1 abort "abort"

func @filter(v0: ptr<ctx xdp>, v3: chan<- <-chan u16 @7:20) -> u32 section "xdp" noinline next v90, b9, s4 @7:1 {
    slot s0: u32
    slot s2: [16]%event
b0:
    v1 = ChanAddr <chan u16> @ports            @8:9
    v2 = ChanRecv <(u16, bool)> v1             @8:14
    v4 = Extract <bool> [1] v2                 @l1
    v5 = Const <i16> [-80]
    v6 = Const <u64> [18446744073709551615]
    v7 = Const <f64> [1.5]
    v8 = Const <f32> [0x7fc00001]
    v9 = Const <f64> [-inf]
    v10 = Const <chan (<-chan u16)> [nil]
    v11 = Const <ptr<opaque "u32">> [nil]
    v12 = Bounded <u64> [0..15] v6
    v13 = LocalAddr <ptr<stack u32>> s0
    v14: Store v13, v5
    v15 = Load <u32> v13
    v16 = GlobalAddr <ptr<global u32>> @limit
    v17 = FuncAddr <func(chan u16) -> u32> @"main.(*T).Run"
    v18 = CallIndirect <u32> v17, v1
    v19 = Call <u32> @"main.(*T).Run" v1
    v20 = CallRuntime <bool> [chanrecv2] v1, v13
    v21: Outcome [site 0] v20
    v22 = Select <(i64, bool, u16, u16, unit)> {recv v1, send v1 ← v5, recv [discard] v1, recv [value] v1 → v13, default}
    v23 = Select <(i64, bool)> {}
    v24 = MapLookup <ptr<map [4]u64>> [site] @__sites v13
    v25 = MapLookup <ptr<map u64>> @flows v13  @8:5
    v26 = MapLookup <ptr<map u64>> [bind] @flows v13
    v27 = MapUpdate <i64> [flags 0x2] @flows v13, v25
    v28 = MapDelete <i64> @flows v13
    v29 = MapPush <i64> @q v13
    v30 = MapValue <ptr<map u64>> [8] @state
    v31 = CtxLoad <ptr<packet u8>> [data] v0
    v32 = CallHelper <u64> [ktime_get_ns]
    v33: CallHelper ["odd helper"] v32
    v34 = Intrinsic <u32> @pkg.name v15
    v35: MemCopy [16] v13, v13
    v36: AtomicAdd v25, v6
    v37: ChanRecv [discard] v1
    v38: Go @"main.(*T).Run" v1
    v39 = Const <bool> [true]
    v40 = Phi <u32>
    If v39 → b5, b2                            @9:5
b5: ← b0
    Switch v5 [-1: b2, 7: b2] default b2       @l2
b2: ← b5, b0, b5, b5
    v60 = Phi <u16> v5, v5, v5, v5
    Ret v15
b3:
    Panic "no \u{1b}[31m\t"
b4:
    Panic v15
b6:
    Exit
}

func @"main.(*T).Run"(v0: chan u16) runtime {
b0:
    Ret
}
"#;

fn errors(text: &str) -> Vec<Diagnostic> {
    parse("t.ssa", text).map(|p| print(&p.module)).expect_err("the text is wrong")
}

/// `line:col+len message` of each error, with its notes and helps.
fn shown(text: &str) -> Vec<String> {
    let show = |d: &Diagnostic| {
        let span = d.span.as_ref().expect("every error is located");
        let more = d.notes.iter().map(|n| format!(" | {n}")).chain(d.help.iter().map(|h| format!(" ? {h}")));
        format!("{}:{}+{} {}{}", span.line, span.col, span.len, d.message, more.collect::<String>())
    };
    errors(text).iter().map(show).collect()
}

fn in_body(lines: &str) -> String {
    format!("chan @ports: chan u16 cap 8\nfunc @f(v0: u32) -> u32 {{\nb0:\n{lines}\n}}\n")
}

#[test]
fn everything_reads_back_as_printed() {
    let parsed = parse("whole.ssa", WHOLE).unwrap_or_else(|e| panic!("{e:#?}"));
    let printed = print(&parsed.module);
    assert_eq!(printed, WHOLE);
    let again = parse("again.ssa", &printed).unwrap();
    assert!(again.module == parsed.module);
    assert_eq!(parsed.module.to_string(), printed);
}

#[test]
fn ascii_arrows_crlf_comments_and_a_byte_order_mark_are_read() {
    let plain = WHOLE.replace('→', "->").replace('←', "<-").replace('\n', " ; comment {\r\n");
    let parsed = parse("t", &format!("\u{feff}{plain}")).unwrap_or_else(|e| panic!("{e:#?}"));
    assert_eq!(print(&parsed.module), WHOLE);
}

#[test]
fn spans_lead_to_the_users_own_line() {
    let parsed = parse("t.ssa", WHOLE).unwrap();
    let line = |entity| {
        let span = parsed.spans.get(entity).unwrap();
        let text = WHOLE.lines().nth(span.line as usize - 1).unwrap();
        text[span.col as usize - 1..][..span.len as usize].to_string()
    };
    let f = parsed.module.funcs.id("filter").unwrap();
    let value = |n| Entity::Value(f, crate::Value::from_u32(n));
    assert_eq!(line(value(2)), "v2 = ChanRecv <(u16, bool)> v1");
    assert_eq!(line(value(0)), "v0: ptr<ctx xdp>");
    assert_eq!(line(Entity::Block(f, crate::Block::from_u32(0))), "If v39 → b5, b2");
    assert_eq!(line(Entity::Slot(f, crate::Slot::from_u32(2))), "s2: [16]%event");
    assert_eq!(line(Entity::Chan(parsed.module.decls.chans.id("ports").unwrap())), "@ports");
    assert_eq!(line(Entity::Map(parsed.module.decls.maps.id("q").unwrap())), "@q");
    assert_eq!(line(Entity::Global(parsed.module.decls.globals.id("hits").unwrap())), "@hits");
    assert!(line(Entity::Func(f)).starts_with("func @filter(") && line(Entity::Func(f)).ends_with("@7:1"));
    assert_eq!(parsed.spans.label(f, crate::Block::from_u32(5)).map(|s| s.col), Some(1));
    assert!(parsed.spans.get(Entity::Module).is_none());
}

/// An instruction of an op with a payload of its kind.
fn sample(module: &mut Module, func: &mut Function, op: Op) -> Inst {
    let f = module.funcs.id("callee").unwrap();
    let decls = &mut module.decls;
    let map = decls.maps.id("m").unwrap();
    let aux = match op.aux_kind() {
        AuxKind::None => Aux::None,
        AuxKind::Const => Aux::Int(7),
        AuxKind::Index => Aux::Index(1),
        AuxKind::Bounds => Aux::Bounds { lo: 2, hi: u64::MAX },
        AuxKind::Size => Aux::Size(16),
        AuxKind::Slot => Aux::Slot(func.add_slot(Type::U32)),
        AuxKind::Global => Aux::Global(decls.globals.id("g").unwrap()),
        AuxKind::Func => Aux::Func(f),
        AuxKind::Chan => Aux::Chan(decls.chans.id("c").unwrap()),
        AuxKind::Form => Aux::Form(RecvForm::Value),
        AuxKind::Select => Aux::Select(Box::new(SelectShape {
            cases: [SelectCase::Send, SelectCase::Recv(RecvForm::Discard)].into_iter().collect(),
            has_default: true,
        })),
        AuxKind::Runtime => Aux::Runtime(crate::RuntimeFn::SelectGo),
        AuxKind::Intrinsic => Aux::Intrinsic(decls.intrinsics.id("i").unwrap()),
        AuxKind::Site => Aux::Site(crate::SiteId::from_u32(0)),
        AuxKind::Name => Aux::Name("name".into()),
        AuxKind::Lookup => Aux::Lookup { map, role: crate::LookupRole::Bind },
        AuxKind::MapFlags => Aux::MapFlags { map, flags: 3 },
        AuxKind::MapOffset => Aux::MapOffset { map, offset: 8 },
    };
    let operands = match (op, op.arity()) {
        (Op::Select, _) => 3,
        (_, Some(n)) => usize::from(n),
        (_, None) => 2,
    };
    Inst::new(op, Type::I8, &vec![func.params[0]; operands]).with(aux).at(Pos::At { line: 3, col: 9 })
}

#[test]
fn every_op_is_spelled_and_read_back() {
    const DECLS: &str = "chan @c: chan u8 cap 1\nmap @m: array<u32, u64> entries 1\nglobal @g: u8 bss\n\
                         intrinsic @i: func() pure\nsite 0 send \"s\"\nfunc @callee() {\nb0:\n Ret\n}\n";
    let mut module = parse("decls", DECLS).unwrap().module;
    let mut func = Function::new("all", Type::UNIT);
    func.add_param(Type::U32);
    let b = func.add_block();
    for &op in Op::ALL {
        if op != Op::Param {
            let inst = sample(&mut module, &mut func, op);
            func.append(b, inst.clone());
            if op != Op::Const {
                func.append(b, Inst { ty: Type::UNIT, ..inst });
            }
        }
    }
    func.set_terminator(b, crate::Terminator::Ret(None), Pos::None);
    let id = module.add_func(func).unwrap();
    let text = print(&module);
    let parsed = parse("all", &text).unwrap_or_else(|e| panic!("{text}\n{e:#?}"));
    assert!(parsed.module == module, "{text}");
    for &op in Op::ALL {
        let mut insts = parsed.module.funcs[id].iter_insts();
        assert!(op == Op::Param || insts.any(|(_, v)| parsed.module.funcs[id].inst(v).op == op), "{op}");
    }
}

#[test]
fn floats_keep_every_bit() {
    let mut module = Module::new("");
    let mut func = Function::new("f", Type::UNIT);
    let mut build = FuncBuilder::new(&mut func, &mut module.decls);
    let entry = build.block();
    build.switch_to(entry);
    let mut bits = 0x9e37_79b9_7f4a_7c15u64;
    for i in 0..2000u64 {
        bits = bits.wrapping_mul(0xd129_42f0_5a5b_d1e5).wrapping_add(i);
        build.float_bits(Type::F64, bits);
        build.float_bits(Type::F32, bits >> 32);
    }
    for special in [0, 1 << 63, f64::NAN.to_bits(), f64::NEG_INFINITY.to_bits(), 1, u64::MAX] {
        build.float_bits(Type::F64, special);
        build.float_bits(Type::F32, special >> 32);
    }
    build.ret(None);
    module.add_func(func).unwrap();
    let parsed = parse("f", &print(&module)).unwrap_or_else(|e| panic!("{e:?}"));
    assert!(parsed.module == module);
}

#[test]
fn parts_print_alone() {
    let parsed = parse("t", WHOLE).unwrap();
    let module = &parsed.module;
    let func = &module.funcs[module.funcs.id("filter").unwrap()];
    let (v2, v19, b5) = (crate::Value::from_u32(2), crate::Value::from_u32(19), crate::Block::from_u32(5));
    assert_eq!(print_inst(func, v2, module), "v2 = ChanRecv <(u16, bool)> v1  @8:14");
    assert_eq!(print_inst(func, v19, &module.decls), "v19 = Call <u32> @func1 v1");
    assert_eq!(print_term(func, b5, module), "Switch v5 [-1: b2, 7: b2] default b2  @l2");
    assert_eq!(print_block(func, b5, module), "b5: ← b0\n    Switch v5 [-1: b2, 7: b2] default b2  @l2\n");
    assert!(WHOLE.contains(&print_func(func, module)));
}

#[test]
fn equality_sees_every_part() {
    let change = [
        ("file \"filter.go\"", "file \"other.go\""),
        ("inlined-at l0", "inlined-at 1:1"),
        ("port: %port", "port: u16"),
        ("%port = u16", "%port = i16"),
        ("cap 8 storage ring", "cap 8"),
        ("flags 0x1", "flags 0x3"),
        ("2a000000", "2b000000"),
        ("reads writes", "reads"),
        (" chan @ports  @8:14", "  @8:14"),
        ("noinline ", ""),
        ("next v90", "next v91"),
        (", s4", ", s5"),
        ("slot s2: [16]%event", "slot s2: [15]%event"),
        ("v9 = Const <f64> [-inf]", "v9 = Const <f64> [inf]"),
        ("v15 = Load <u32> v13", "v15 = Load <i32> v13"),
        ("b2: ← b5, b0, b5, b5", "b2: ← b5, b5, b0, b5"),
        ("[8] @state", "[4] @state"),
        ("@9:5", "@9:6"),
        ("Panic v15", "Panic v6"),
        ("recv [value] v1 → v13", "recv v1 → v13"),
        ("v38: Go @\"main.(*T).Run\"", "v38: Go @filter"),
        ("-80", "80"),
    ];
    let module = parse("t", WHOLE).unwrap().module;
    for (from, to) in change {
        assert!(WHOLE.contains(from), "{from}");
        let other = parse("t", &WHOLE.replacen(from, to, 1)).unwrap_or_else(|e| panic!("{to}: {e:?}")).module;
        assert!(module != other, "{from} against {to}");
        assert!(other != module, "{to} against {from}");
    }
}

#[test]
fn removed_declarations_leave_no_trace_in_the_text() {
    let text = "chan @a: chan u8 cap 1\nchan @b: chan u8 cap 1\nfunc @f() {\nb0:\n    Ret\n}\nfunc @g() {\nb0:\n v1: Call @g\n v0 = ChanAddr <chan u8> @b\n Ret\n}\n";
    let mut module = parse("t", text).unwrap().module;
    module.funcs.remove(module.funcs.id("f").unwrap());
    module.decls.chans.remove(module.decls.chans.id("a").unwrap());
    let parsed = parse("t", &print(&module)).unwrap();
    assert!(parsed.module == module);
    assert!(module == parsed.module);
}

#[test]
fn errors_are_located_and_say_the_way_out() {
    assert_eq!(
        shown(&in_body("  v1 = Laod <u32> v0\n  Ret v1")),
        ["4:8+4 unknown op `Laod` ? did you mean `Load`?"]
    );
    assert_eq!(
        shown(&in_body("  v1 = Const <u8> [256]\n  v1 = Const <u8> [-1]\n  Ret v9")),
        [
            "4:20+3 256 is out of range | the type holds 0 to 255",
            "5:3+2 v1 is defined twice | the first definition stands in line 4",
            "6:7+2 value v9 is not defined",
        ]
    );
    assert_eq!(
        shown(&in_body("  v1 = Const <i8> [128]\n  Ret")),
        ["4:20+3 128 is out of range | the type holds -128 to 127"]
    );
    assert_eq!(
        shown(&in_body("  v1 = ChanAddr <chan u16> @port\n  Plain → b3")),
        ["4:28+5 channel @port is not declared ? did you mean `@ports`?", "5:13+2 block b3 is not defined"]
    );
    assert_eq!(
        shown(&in_body("  v1 = LocalAddr <ptr<stack u8>> s0\n  Rte v1\n  Ret")),
        [
            "4:34+2 slot s0 is not declared ? declare it at the function's beginning: `slot s0: T`",
            "5:3+3 `Rte` starts no instruction ? did you mean `Ret`?"
        ]
    );
    assert_eq!(
        shown(&in_body("  v1 = Load <u23> v0\n  Ret")),
        ["4:14+3 unknown type `u23` ? did you mean `u32`?"]
    );
    assert_eq!(
        shown(&in_body("")),
        ["3:1+1 block b0 does not end ? end it with Plain, If, Switch, Ret, Panic or Exit"]
    );
    assert_eq!(
        shown(&in_body("  Ret\n  Ret\nb0:\n Ret")),
        [
            "5:3+3 block b0 has ended already",
            "6:1+2 b0 is defined twice | the first definition stands in line 3",
            "7:2+3 block b0 has ended already"
        ]
    );
    assert_eq!(
        shown(&in_body("  Plain → b1\nb1: ← b0, b0\n  Ret v0")),
        ["5:5+3 these are not the blocks that lead to b1 ? write `b1: ← b0`"]
    );
    assert_eq!(
        shown(&in_body("  Plain → b1\nb1:\n  v1 = Phi <u32> v0\n  Ret v1")),
        ["5:1+1 block b1 has a Phi and does not list its predecessors ? write `b1: ← b0`"]
    );
    assert_eq!(
        shown(&in_body("  v4000000000 = Copy <u32> v0\n  Ret")),
        ["4:3+11 v4000000000 is too large a number for a text of this size ? number from 0 with few holes"]
    );
    assert_eq!(
        shown("func @f() next v0 {\nb0:\n v0 = Const <u8> [1]\n Ret\n}"),
        ["1:16+2 v0 cannot be next | v0 is in use"]
    );
    assert_eq!(
        shown("chan @a: chan u8 cap 1\nchan @a: u8 cap 1\nfunc @f() {\nfunc @f() {\n}"),
        [
            "2:6+2 a second chan a | the first stands in line 1",
            "3:1+4 the function has no closing brace",
            "3:1+4 the function has no blocks",
            "4:6+2 a second function f | the first stands in line 3"
        ]
    );
    assert_eq!(
        shown("type %a = ptr<%b>\nglbal @x: u8 bss"),
        [
            "1:15+2 type %b is not declared ? declare it: `type %b = …`",
            "2:1+5 `glbal` starts no declaration ? did you mean `global`?"
        ]
    );
    assert_eq!(shown("type %a = %b\ntype %b = %a").len(), 2);
    assert_eq!(
        shown("map @m: hash<u8> entries 1"),
        ["1:9+4 a map of kind hash has a key ? write `hash<K, V>`"]
    );
    assert_eq!(shown("global @g: u8 data \"0\""), ["1:20+3 bytes are pairs of hexadecimal digits"]);
    assert_eq!(
        shown("chan @c: chan u8 cap 99999999999999999999"),
        ["1:22+20 the number does not fit 64 bits"]
    );
    assert_eq!(shown("file \"x"), ["1:6+2 the string does not end on its line"]);
}

#[test]
fn after_a_hundred_errors_it_stops() {
    let all = errors(&"wrong\n".repeat(5000));
    assert_eq!(all.len(), 101);
    assert_eq!(all[100].message, "too many errors: reading stopped after 100");
    assert_eq!(all[99].span.as_ref().map(|s| s.line), Some(100));
}

#[test]
fn bytes_that_are_not_utf8_are_located() {
    let errors = parse_bytes("t", b"file \"x\"\nfile \"\xffx\"").unwrap_err();
    let span = errors[0].span.clone().unwrap();
    assert_eq!((span.line, span.col, span.len), (2, 7, 1));
    assert!(parse_bytes("t", WHOLE.as_bytes()).is_ok());
}

#[test]
fn deep_types_are_an_error_and_no_overflow() {
    for open in ["[1]", "chan ", "<-chan ", "(", "ptr<", "func(", "func() -> ", "struct {a: "] {
        let text = format!("type %a = {}u8", open.repeat(200_000));
        assert_eq!(
            shown(&text)[0].split(' ').skip(1).collect::<Vec<_>>().join(" "),
            "types nest more than 100 deep"
        );
    }
}

/// A small generator, so that failures repeat.
struct Lcg(u64);
impl Lcg {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n
    }
}

/// Reads a text; if it is right, it must print and read back.
fn survives(bytes: &[u8]) {
    match parse_bytes("noise", bytes) {
        Ok(parsed) => {
            let text = print(&parsed.module);
            let again = parse("again", &text).unwrap_or_else(|e| panic!("{text}\n{e:#?}"));
            assert!(again.module == parsed.module, "{text}");
        }
        Err(errors) => assert!(!errors.is_empty() && errors.iter().all(|e| e.span.is_some())),
    }
}

#[test]
fn truncation_at_every_byte_is_survived() {
    for end in 0..WHOLE.len() {
        survives(&WHOLE.as_bytes()[..end]);
    }
}

#[test]
fn flipped_swapped_and_dropped_bytes_are_survived() {
    let mut random = Lcg(1);
    for _ in 0..4000 {
        let mut bytes = WHOLE.as_bytes().to_vec();
        for _ in 0..1 + random.below(4) {
            let (i, j) = (random.below(bytes.len()), random.below(bytes.len()));
            match random.below(5) {
                0 => bytes[i] ^= 1 << random.below(8),
                1 => bytes.swap(i, j),
                2 => drop(bytes.remove(i)),
                3 => bytes.insert(i, b" @%\"<>[]{}()v0,:;.-\n"[random.below(20)]),
                _ => {
                    let line = bytes[i..].iter().position(|&b| b == b'\n').unwrap_or(0);
                    let part = bytes[i..i + line].to_vec();
                    bytes.splice(j..j, part);
                }
            }
        }
        survives(&bytes);
    }
}

#[test]
fn noise_without_lines_is_survived() {
    for noise in ["\"", "<", "((((", "v", "@", "func @f(", "{", "\\u{", "9", "-", "→", "\u{0}"] {
        survives(noise.repeat(200_000).as_bytes());
        survives(format!("func @f() {{\nb0:\n v0 = {}\n}}", noise.repeat(10_000)).as_bytes());
    }
    survives(b"");
}
