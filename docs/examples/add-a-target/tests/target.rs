//! The target's code does what the interpreter says of the source.

use std::collections::HashMap;

use add_a_target::{Code, Insn, compile, pipeline};
use larrow_interp::{Interp, Options as Limits, Val};
use larrow_ir::{Module, Op, Value, text, verify};
use larrow_passes::Options;

const SOURCE: &str = r#"
func @gcd(v0: u32, v1: u32) -> u32 {
b0:
    Plain → b1
b1: ← b0, b2
    v2 = Phi <u32> v0, v6
    v3 = Phi <u32> v1, v7
    v4 = Neq <bool> v2, v3
    If v4 → b2, b3
b2: ← b1
    v5 = LessU <bool> v2, v3
    v6 = CondSelect <u32> v5, v2, v3
    v8 = CondSelect <u32> v5, v3, v2
    v7 = Sub <u32> v8, v6
    Plain → b1
b3: ← b1
    Ret v2
}

; Two phis that are each other's operands.
func @fibonacci(v0: u32, v1: u32) -> u32 {
b0:
    v2 = Const <u32> [0]
    v3 = Const <u32> [1]
    Plain → b1
b1: ← b0, b2
    v4 = Phi <u32> v2, v5
    v5 = Phi <u32> v1, v8
    v6 = Phi <u32> v2, v9
    v7 = LessU <bool> v6, v0
    If v7 → b2, b3
b2: ← b1
    v8 = Add <u32> v4, v5
    v9 = Add <u32> v6, v3
    Plain → b1
b3: ← b1
    Ret v4
}
"#;

fn module(source: &str) -> Module {
    let module = text::parse("test.ssa", source).expect("it is valid").module;
    verify(&module).expect("it verifies");
    module
}

/// The machine.
fn execute(code: &Code, args: &[u64]) -> u64 {
    let labels: HashMap<u32, usize> = code
        .insns
        .iter()
        .enumerate()
        .filter_map(|(at, i)| if let Insn::Label(n) = i { Some((*n, at)) } else { None })
        .collect();
    let mut vars: HashMap<Value, u64> = code.params.iter().copied().zip(args.iter().copied()).collect();
    let (mut stack, mut pc) = (Vec::new(), 0);
    loop {
        let insn = code.insns[pc];
        pc += 1;
        match insn {
            Insn::Label(_) => {}
            Insn::Push(n) => stack.push(n),
            Insn::Get(v) => stack.push(vars[&v]),
            Insn::Set(v) => {
                vars.insert(v, stack.pop().expect("a value"));
            }
            Insn::Op(op, bits) => operate(op, bits, &mut stack),
            Insn::Jump(n) => pc = labels[&n],
            Insn::JumpIfZero(n) => {
                if stack.pop() == Some(0) {
                    pc = labels[&n];
                }
            }
            Insn::Return => {
                let result = stack.pop().expect("a result");
                assert!(stack.is_empty(), "the stack is even");
                return result;
            }
        }
    }
}

fn operate(op: Op, bits: u32, stack: &mut Vec<u64>) {
    let mut pop = || stack.pop().expect("an operand");
    let result = match op {
        Op::Neg => pop().wrapping_neg(),
        Op::Not | Op::Com => !pop(),
        Op::Trunc => pop(),
        Op::CondSelect => {
            let (no, yes, cond) = (pop(), pop(), pop());
            if cond != 0 { yes } else { no }
        }
        _ => {
            let (y, x) = (pop(), pop());
            match op {
                Op::Add => x.wrapping_add(y),
                Op::Mul => x.wrapping_mul(y),
                Op::And => x & y,
                Op::Or => x | y,
                Op::Xor => x ^ y,
                Op::Eq => u64::from(x == y),
                Op::LessU => u64::from(x < y),
                other => panic!("{other} is no code of the machine"),
            }
        }
    };
    stack.push(result & (u64::MAX >> (64 - bits)));
}

#[test]
fn code_does_what_the_interpreter_says_of_the_source() {
    let source = module(SOURCE);
    let mut interp = Interp::new(&source, Limits::default()).expect("it can be run");
    for level in [0, 2, 4] {
        let codes = compile(&mut source.clone(), &Options::checked(level, 5)).expect("it compiles");
        assert_eq!(codes.len(), 2);
        for code in &codes {
            for args in [[12, 18], [7, 1], [40, 1], [1_000, 24], [90, 3]] {
                let vals = args.map(Val::Int);
                // By subtraction, gcd(0, n) would not end.
                let want = interp.run(&code.name, &vals).expect("it ends").value();
                assert_eq!(Some(Val::Int(execute(code, &args))), want, "{code}");
            }
        }
    }
}

#[test]
fn the_text_is_as_documented() {
    let mut module = module(
        "func @double(v0: u8) -> u8 {\nb0:\n v1 = Sub <u8> v0, v0\n v2 = Mul <u8> v0, v0\n Ret v2\n}\n",
    );
    let codes = compile(&mut module, &Options::checked(2, 5)).expect("it compiles");
    assert_eq!(
        codes[0].to_string(),
        "double(v0):\nL0:\n    get v0\n    get v0\n    mul.8\n    set v2\n    get v2\n    ret\n"
    );
}

#[test]
fn what_it_cannot_do_is_refused_with_its_place() {
    let mut module = module(
        "chan @c: chan u32 cap 1\nfunc @f() -> u32 {\nb0:\n v1 = ChanAddr <chan u32> @c @1:2\n v2 = ChanRecv <(u32, bool)> [value] v1 @3:4\n v3 = Extract <u32> [0] v2\n Ret v3\n}\n",
    );
    let errors = compile(&mut module, &Options::checked(2, 5)).expect_err("there are no channels here");
    let found: Vec<String> = errors.iter().map(|e| e.message.clone()).collect();
    assert!(found.iter().any(|m| m == "the stack machine has no code for `CallRuntime`"), "{found:?}");
}

#[test]
fn the_composed_pipeline_is_checked_like_the_built_in_one() {
    pipeline().check().expect("its constraints hold");
    let mut wrong = pipeline();
    let row = wrong.remove("stack-check").expect("it is there");
    wrong.insert_before("stack-legalize", row).expect("the place is there");
    assert!(wrong.check().expect_err("too early")[0].to_string().contains("what it expands is legal"));
}
