//! Carets.

use super::super::render;
use super::*;
use crate::diag::Diagnostic;

/// `@g(v0: u32, v1: bool)` with a body before its return.
fn small(body: impl FnOnce(&mut FuncBuilder<'_>)) -> Module {
    let mut module = Module::new("a.go");
    let mut func = Function::new("g", Type::UNIT);
    func.add_param(Type::U32);
    func.add_param(Type::BOOL);
    let mut build = FuncBuilder::new(&mut func, &mut module.decls);
    let entry = build.block();
    build.switch_to(entry);
    body(&mut build);
    build.ret(None);
    module.add_func(func).expect("fresh");
    module
}

#[test]
fn carets_stand_under_the_instruction() {
    let module = small(|f| {
        let (number, truth) = (Value::new(0), Value::new(1));
        f.not(truth);
        f.not(truth);
        f.at_line(3, 9).not(number);
        f.at(Pos::None).not(truth);
        f.decls.types.named_type("t");
    });
    let errors = verify(&module).expect_err("two breaches");
    let expected = "\
module: error: type %t is used but not declared
func @g(v0: u32, v1: bool)
  b0:
      …
      v3 = Not <bool> v1
      v4 = Not <u32> v0  @3:9
      ^^^^^^^^^^^^^^^^^ Not yields a bool, not u32
      v5 = Not <bool> v1
      …
";
    assert_eq!(render(&module, &errors), expected);
}

#[test]
fn what_has_no_line_is_told_plainly() {
    let module = small(|_| ());
    let func = FuncId::new(0);
    let lost = [
        Diagnostic::error("gone").on(Entity::Value(func, Value::new(77))),
        Diagnostic::error("bad end").on(Entity::Block(func, b(0))),
        Diagnostic::error("bad head").on(Entity::Func(func)),
    ];
    let expected = "\
func @g(v0: u32, v1: bool)
^^^^^^^^^^^^^^^^^^^^^^^^^^ bad head
  b0:
      Ret
      ^^^ bad end
@g v77: error: gone
";
    assert_eq!(render(&module, &lost), expected);
}

#[test]
fn text_verifies_and_errors_carry_its_positions() {
    let good = r#"file "filter.go"
chan @ports: chan u16 cap 8
func @filter(v0: ptr<ctx xdp>) -> u32 section "xdp" {
b0:
    v1 = ChanAddr <chan u16> @ports                  @8:9
    v2 = ChanRecv <(u16, bool)> v1                   @8:14
    v3 = Extract <bool> [1] v2                       @8:5
    If v3 → b1, b2                                   @9:5
b1: ← b0
    v4 = Extract <u16> [0] v2                        @8:2
    Plain → b3
b2: ← b0
    v5 = Const <u16> [80]                            @12:3
    Plain → b3
b3: ← b1, b2
    v6 = Phi <u16> v4, v5                            @14:7
    v7 = ZeroExt <u32> v6
    Ret v7
}
"#;
    let parsed = |text: &str| crate::text::parse("-", text).expect("well-formed").module;
    assert_eq!(verify(&parsed(good)), Ok(()));
    let bad = good.replace("Phi <u16> v4, v5", "Phi <u16> v5, v4");
    let errors = verify(&parsed(&bad)).expect_err("swapped operands");
    let expected = "\
func @filter(v0: ptr<ctx xdp>) -> u32 section \"xdp\"
      …
  b3: ← b1, b2
      v6 = Phi <u16> v5, v4  @14:7
      ^^^^^^^^^^^^^^^^^^^^^ operand v5 does not dominate the end of predecessor b1
      ^^^^^^^^^^^^^^^^^^^^^ operand v4 does not dominate the end of predecessor b2
      v7 = ZeroExt <u32> v6
      …
";
    assert_eq!(render(&parsed(&bad), &errors), expected);
}
