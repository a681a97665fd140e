//! What the machine lacks, in terms of what it has.

use larrow_ir::{Decls, FuncBuilder, Function, Inst, Op, Type, Value};
use larrow_passes::{Changed, Facts, Pass, PassCx, PassResult};

/// The row.
pub fn row() -> Pass {
    Pass::function("stack-legalize", "Neq, LeqU → Not of the opposite; Sub → Add of Neg", run)
        .required()
        .breaks(Facts::VALUES)
        .needs("check-lowered", "a channel op has no expansion here")
        .after("last-copyelim", "rewrite rules would put the shorter forms back")
}

fn run(func: &mut Function, decls: &mut Decls, cx: &mut PassCx<'_>) -> PassResult {
    let mut expanded = 0;
    for block in func.layout().to_vec() {
        for v in func.detach_insts(block) {
            let mut build = FuncBuilder::new(func, decls);
            build.switch_to(block);
            expanded += u64::from(expand(&mut build, v));
            func.attach(block, v);
        }
    }
    cx.count("expanded", expanded);
    Ok(Changed::from(expanded > 0))
}

/// Puts what an instruction needs before it and turns it into the last step; whether it did.
fn expand(build: &mut FuncBuilder<'_>, v: Value) -> bool {
    let inst = build.func.inst(v).clone();
    let [x, y] = inst.args[..] else { return false };
    build.at(inst.pos);
    let (op, args) = match inst.op {
        Op::Neq => (Op::Not, vec![build.op(Op::Eq, Type::BOOL, &[x, y])]),
        Op::LeqU => (Op::Not, vec![build.op(Op::LessU, Type::BOOL, &[y, x])]),
        Op::Sub => (Op::Add, vec![x, build.op(Op::Neg, inst.ty, &[y])]),
        // Not a table of all ops: these are the few that the machine lacks.
        _ => return false,
    };
    *build.func.inst_mut(v) = Inst::new(op, inst.ty, &args).at(inst.pos);
    true
}
