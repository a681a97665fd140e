//! `copyelim`: uses of a `Copy` become uses of what it copies.
//!
//! A copy that changes a pointer's pointee or space, or a channel's direction, is a cast and stays. `Bounded` is
//! no copy: what it proved is a value of its own.

use larrow_ir::{Decls, Function, Op};

use super::replace::{Replacements, interchangeable};
use crate::manager::{Changed, Facts, FunctionPass, Pass, PassCx, PassResult};

/// The pass.
pub struct CopyElim;

/// The row of `copyelim`.
pub fn copyelim() -> Pass {
    Pass::function("copyelim", "replaces copies by what they copy", CopyElim).breaks(Facts::VALUES)
}

impl FunctionPass for CopyElim {
    fn run(&self, func: &mut Function, decls: &mut Decls, cx: &mut PassCx<'_>) -> PassResult {
        let mut replaced = Replacements::default();
        for (_, v) in func.iter_insts() {
            let inst = func.inst(v);
            // A copy of itself stands in an unreachable block only.
            if inst.op == Op::Copy
                && interchangeable(&decls.types, inst.ty, func.ty(inst.args[0]))
                && replaced.get(inst.args[0]) != v
            {
                replaced.set(v, inst.args[0]);
            }
        }
        let n = replaced.count();
        cx.count("copies", n);
        replaced.apply(func);
        Ok(Changed::from(n > 0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generic::testing::{Fixture, assert_large, check};
    use larrow_ir::{Space, Type};

    #[test]
    fn chains_collapse_and_casts_stay() {
        let mut t = Fixture::new(Type::U32, &[Type::I32]);
        let x = t.func.params[0];
        let wide = t.decls.types.ptr(Space::Stack, Type::U64);
        let b0 = t.build(|b| {
            let b0 = b.block();
            b.switch_to(b0);
            let one = b.op(Op::Copy, Type::U32, &[x]);
            let two = b.copy(one);
            let bounded = b.bounded(two, 0, 9);
            let three = b.copy(bounded);
            let slot = b.slot(Type::U32);
            let p = b.local_addr(slot);
            let cast = b.op(Op::Copy, wide, &[p]);
            b.load(Type::U64, cast);
            b.ret(Some(three));
            b0
        });
        assert!(t.run(&CopyElim).yes());
        check(&t.func);
        assert_eq!(t.ops(b0), ["Bounded", "LocalAddr", "Copy", "Load"]);
        let bounded = t.func.block(b0).insts[0];
        assert_eq!(t.func.args(bounded), [x]);
        assert_eq!(t.func.term(b0).operand(), Some(bounded));
        assert!(!t.run(&CopyElim).yes());
    }

    #[test]
    fn it_is_linear() {
        assert_large(&CopyElim);
    }
}
