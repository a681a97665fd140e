//! Carets.

use super::super::render::{Lines, render_with};
use super::*;

/// Lines with no more than ids and ops.
struct Bare;

impl Lines for Bare {
    fn header(&self, _: &Module, func: &Function) -> String {
        format!("func @{} {{", func.name)
    }
    fn label(&self, _: &Module, _: &Function, block: Block) -> String {
        format!("{block}:")
    }
    fn inst(&self, _: &Module, func: &Function, value: Value) -> String {
        format!("{value} = {}   @1:1", func.inst(value).op)
    }
    fn term(&self, _: &Module, _: &Function, _: Block) -> String {
        "Ret".to_string()
    }
}

#[test]
fn carets_stand_under_the_instruction() {
    let module = module(|f, p| {
        f.not(p[2]);
        f.not(p[2]);
        f.not(p[0]);
        f.not(p[2]);
        f.decls.types.named_type("t");
    });
    let errors = verify(&module).expect_err("two breaches");
    let expected = "\
module: error: type %t is used but not declared
func @f {
  b0:
      …
      v14 = Not   @1:1
      v15 = Not   @1:1
      ^^^^^^^^^ Not yields a bool, not u32
      v16 = Not   @1:1
      …
";
    assert_eq!(render_with(&module, &errors, &Bare), expected);
}

#[test]
fn what_has_no_line_is_told_plainly() {
    let module = module(|_, _| ());
    let func = FuncId::new(1);
    let lost = [
        Diagnostic::error("gone").on(Entity::Value(func, Value::new(77))),
        Diagnostic::error("bad end").on(Entity::Block(func, b(0))),
        Diagnostic::error("bad head").on(Entity::Func(func)),
    ];
    let expected = "\
func @f {
^^^^^^^^^ bad head
  b0:
      Ret
      ^^^ bad end
@f v77: error: gone
";
    assert_eq!(render_with(&module, &lost, &Bare), expected);
}
