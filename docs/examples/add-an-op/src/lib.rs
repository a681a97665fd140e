//! An op added without forking: `@net.fold16`, the end of an Internet checksum (RFC 1071).
//!
//! It folds a 32-bit sum into 16 bits with end-around carry. Three things make an op: its declaration, which a module
//! carries; its meaning, which the interpreter is told; its lowering, a row of the pipeline.

use larrow_interp::{Interp, InterpError, Val};
use larrow_ir::{Aux, Decls, Effects, FuncBuilder, Function, Inst, IntrinsicDecl, Op, Pos, Type, Value};
use larrow_passes::{Changed, Facts, FunctionPass, Pass, PassCx, PassResult};

/// The name, with the package that owns it.
pub const NAME: &str = "net.fold16";

/// Declares the op: `intrinsic @net.fold16: func(u32) -> u16 pure`. Being pure, equal calls are merged and unneeded
/// ones dropped by passes that have never heard of it.
pub fn declare(decls: &mut Decls) {
    let ty = decls.types.func(&[Type::U32], Type::U16);
    let decl = IntrinsicDecl { ty, effects: Effects::PURE, pos: Pos::None };
    // Already there: the module's text declared it.
    let _ = decls.intrinsics.insert(NAME, decl);
}

/// The meaning.
pub fn fold16(sum: u32) -> u16 {
    let once = (sum & 0xffff) + (sum >> 16);
    ((once & 0xffff) + (once >> 16)) as u16
}

/// Tells an interpreter the meaning.
///
/// # Errors
/// The module does not declare the op.
pub fn register(interp: &mut Interp<'_>) -> Result<(), InterpError> {
    let eval = |args: &[Val]| match args {
        [Val::Int(sum)] => Ok(Val::Int(u64::from(fold16(*sum as u32)))),
        other => Err(format!("@{NAME} takes a number, not {other:?}")),
    };
    interp.register_intrinsic(NAME, Box::new(eval))
}

/// The row that expands the op. It is required, since no target has code for it, and stands before the inliner, which
/// counts what becomes code.
pub fn lower_fold16() -> Pass {
    Pass::function("lower-fold16", "@net.fold16 → two rounds of adding the halves", LowerFold16)
        .required()
        .breaks(Facts::VALUES)
        .before("inline", "a function's cost is that of the code it becomes")
        .before("check-bpf", "an intrinsic has no code")
}

struct LowerFold16;

impl FunctionPass for LowerFold16 {
    fn run(&self, func: &mut Function, decls: &mut Decls, cx: &mut PassCx<'_>) -> PassResult {
        let Some(id) = decls.intrinsics.id(NAME) else { return Ok(Changed::No) };
        let mut expanded = 0;
        for block in func.layout().to_vec() {
            for v in func.detach_insts(block) {
                if func.inst(v).aux == Aux::Intrinsic(id) {
                    let mut build = FuncBuilder::new(func, decls);
                    build.switch_to(block);
                    expand(&mut build, v, cx);
                    expanded += 1;
                }
                func.attach(block, v);
            }
        }
        cx.count("expanded", expanded);
        Ok(Changed::from(expanded > 0))
    }
}

/// Puts the code before the op, which becomes the last step under its own id: users need not be told.
fn expand(build: &mut FuncBuilder<'_>, v: Value, cx: &mut PassCx<'_>) {
    let (pos, sum) = (build.func.inst(v).pos, build.func.args(v)[0]);
    build.at(pos);
    let sixteen = build.int(Type::U32, 16);
    let mask = build.int(Type::U32, 0xffff);
    let mut folded = sum;
    for _ in 0..2 {
        let low = build.and(folded, mask);
        let high = build.rsh_u(folded, sixteen);
        folded = build.add(low, high);
    }
    *build.func.inst_mut(v) = Inst::new(Op::Trunc, Type::U16, &[folded]).at(pos);
    cx.origin(v, "fold16", &[sum]);
}
