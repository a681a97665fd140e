//! The cases of a `selectgo` call, read back from the stores into its scase array.

use std::collections::HashMap;

use larrow_ir::{Aux, Decls, Function, Op, RuntimeFn, Slot, Value};

/// The channel stored at each `(slot, offset)`.
pub(super) struct Scases {
    stored: HashMap<(Slot, u64), Value>,
}

impl Scases {
    /// Collects the channels that `func` stores into its slots; empty unless it calls `selectgo`.
    pub(super) fn collect(func: &Function, decls: &Decls) -> Scases {
        let mut stored = HashMap::new();
        let is_selectgo = |v: Value| func.inst(v).aux == Aux::Runtime(RuntimeFn::SelectGo);
        if func.iter_insts().any(|(_, v)| is_selectgo(v)) {
            for (_, v) in func.iter_insts() {
                let inst = func.inst(v);
                if inst.op == Op::Store
                    && decls.types.chan_parts(func.ty(inst.args[1])).is_some()
                    && let Some(place) = place(func, inst.args[0])
                {
                    stored.insert(place, inst.args[1]);
                }
            }
        }
        Scases { stored }
    }

    /// The channels of a call with `n` cases, in gc's order; `None` if one was not stored in the open.
    pub(super) fn of(&self, func: &Function, array: Value, n: u64) -> Option<Vec<Value>> {
        let (slot, base) = place(func, array)?;
        (0..n).map(|i| self.stored.get(&(slot, base + 16 * i)).copied()).collect()
    }
}

/// The slot and the constant offset behind an address.
fn place(func: &Function, mut v: Value) -> Option<(Slot, u64)> {
    let mut offset = 0u64;
    loop {
        let inst = func.inst(v);
        match (inst.op, &inst.aux) {
            (Op::Copy, _) => v = inst.args[0],
            (Op::PtrAdd, _) => {
                offset = offset.wrapping_add(func.inst(inst.args[1]).int_const()?);
                v = inst.args[0];
            }
            (Op::LocalAddr, Aux::Slot(slot)) => return Some((*slot, offset)),
            _ => return None,
        }
    }
}
