//! `lower-make-chan`: `MakeChan` → `makechan(type, size)`; on 64-bit targets gc never needs `makechan64`.

use larrow_ir::{Aux, Decls, Function, Inst, Op, RuntimeFn, Type, TypeKind};

use super::rewrite;

/// Lowers every `MakeChan`. The size is widened to 64 bits as its type is signed or not; the channel's type is
/// the call's.
pub(super) fn lower(func: &mut Function, decls: &mut Decls) -> bool {
    rewrite(
        func,
        decls,
        |op| op == Op::MakeChan,
        |build, v, inst| {
            let size = inst.args[0];
            let size = match *build.decls.types.resolve(build.func.ty(size)) {
                TypeKind::Int { bits: 64, .. } => size,
                TypeKind::Int { signed: true, .. } => build.sign_ext(Type::I64, size),
                _ => build.zero_ext(Type::I64, size),
            };
            let call = Inst::new(Op::CallRuntime, inst.ty, &[size]).with(Aux::Runtime(RuntimeFn::MakeChan));
            *build.func.inst_mut(v) = call.at(inst.pos);
            let b = build.current();
            build.func.attach(b, v);
        },
    )
}
