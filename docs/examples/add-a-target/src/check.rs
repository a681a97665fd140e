//! What the machine cannot do, found before code is made.

use larrow_ir::{Decls, Diagnostic, Function, Op, Terminator};
use larrow_passes::{Changed, Facts, Pass, PassCx, PassResult};

/// The ops that the machine computes, with their names.
const CODES: [(Op, &str); 12] = [
    (Op::Add, "add"),
    (Op::Mul, "mul"),
    (Op::And, "and"),
    (Op::Or, "or"),
    (Op::Xor, "xor"),
    (Op::Neg, "neg"),
    (Op::Com, "com"),
    (Op::Not, "not"),
    (Op::Eq, "eq"),
    (Op::LessU, "less"),
    (Op::CondSelect, "select"),
    (Op::Trunc, "mask"),
];
/// The ops that cost nothing: values are kept zero-extended in their variables.
const MOVES: [Op; 2] = [Op::Copy, Op::ZeroExt];

/// The machine's name of an op, if it computes it.
pub fn code(op: Op) -> Option<&'static str> {
    CODES.iter().find(|(known, _)| *known == op).map(|(_, name)| *name)
}

/// The row.
pub fn row() -> Pass {
    Pass::function("stack-check", "refuse what the stack machine cannot do", run)
        .required()
        .breaks(Facts::NONE)
        .needs("stack-legalize", "what it expands is legal")
}

fn run(func: &mut Function, decls: &mut Decls, cx: &mut PassCx<'_>) -> PassResult {
    for (_, v) in func.iter_insts() {
        let inst = func.inst(v);
        let known =
            code(inst.op).is_some() || MOVES.contains(&inst.op) || matches!(inst.op, Op::Const | Op::Phi);
        let wide = decls.types.bits(inst.ty).is_none();
        if !known || wide {
            let text = format!("the stack machine has no code for `{}`", inst.op);
            let help = "it computes with integers and bools in variables; inline calls with level 4";
            cx.report(Diagnostic::error(text).on(cx.on_value(v)).at(inst.pos).help(help));
        }
    }
    for &b in func.layout() {
        let what = match func.term(b) {
            Terminator::Plain(_) | Terminator::If { .. } | Terminator::Ret(Some(_)) => continue,
            Terminator::Switch { .. } => "branches two ways at a time",
            Terminator::Ret(None) => "returns a value",
            Terminator::Panic(_) => "cannot panic",
            Terminator::Exit => "always goes on",
        };
        let text = format!("the stack machine {what}");
        cx.report(Diagnostic::error(text).on(cx.on_block(b)).at(func.block(b).term_pos));
    }
    Ok(Changed::No)
}
