//! A pass: `forward`, which gives a load the value that the same block stored, or loaded, before.
//!
//! ```text
//!     v3: Store v1, v2              v3: Store v1, v2
//!     v4 = Load <u32> v1      ⇒     v4 = Copy <u32> v2
//! ```
//!
//! What is known is a value per pointer value. A store makes everything else unknown, since two pointers may meet; so
//! does whatever writes, orders or calls. It is right without knowing anything about aliasing: what is behind a pointer
//! is known only while nothing was written through another.

use std::collections::HashMap;

use larrow_ir::{Decls, Effects, Function, Inst, Op, Value};
use larrow_passes::{Changed, Facts, FunctionPass, Pass, PassCx, PassResult};

/// The row.
pub fn forward() -> Pass {
    Pass::function("forward", "loads take what the block stored or loaded before", Forward)
        .breaks(Facts::VALUES)
        .after("mem2reg", "slots that become values need no forwarding")
        .before("copyelim", "a forwarded load becomes a copy")
}

/// The pass.
pub struct Forward;

impl FunctionPass for Forward {
    fn run(&self, func: &mut Function, decls: &mut Decls, cx: &mut PassCx<'_>) -> PassResult {
        let mut forwarded = 0;
        for block in func.layout().to_vec() {
            forwarded += forward_in(func, decls, block, cx);
        }
        cx.count("forwarded", forwarded);
        Ok(Changed::from(forwarded > 0))
    }
}

/// What makes memory unknown.
fn disturbs(effects: Effects) -> bool {
    let others = Effects::WRITES | Effects::ACQUIRES | Effects::CHANNEL | Effects::CALLS | Effects::BLOCKS;
    effects.any(others)
}

/// Forwards within a block, in one walk; how many loads it replaced.
fn forward_in(func: &mut Function, decls: &Decls, block: larrow_ir::Block, cx: &mut PassCx<'_>) -> u64 {
    let mut known: HashMap<Value, Value> = HashMap::new();
    let mut forwarded = 0;
    for v in func.block(block).insts.clone() {
        let inst = func.inst(v);
        let (ty, pos) = (inst.ty, inst.pos);
        if inst.op == Op::Load {
            let from = inst.args[0];
            // One of another type or width would be a conversion.
            match known.get(&from).copied().filter(|&x| func.ty(x) == ty) {
                Some(x) => {
                    *func.inst_mut(v) = Inst::new(Op::Copy, ty, &[x]).at(pos);
                    cx.origin(v, "forward", &[x]);
                    forwarded += 1;
                }
                None => {
                    known.insert(from, v);
                }
            }
        } else if disturbs(decls.effects(inst)) {
            let stored = (inst.op == Op::Store).then(|| (inst.args[0], inst.args[1]));
            known.clear();
            known.extend(stored);
        }
    }
    forwarded
}
