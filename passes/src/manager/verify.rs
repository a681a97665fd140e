//! What `verify_each` checks after a pass.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

use larrow_ir::{Diagnostic, FuncId, Function, Module};

/// Everything wrong with a function, or with the module where none is given.
pub(super) fn verify(module: &Module, func: Option<FuncId>) -> Vec<Diagnostic> {
    let found = match func {
        Some(id) => larrow_ir::verify::verify_func(module, id),
        None => larrow_ir::verify::verify(module),
    };
    found.err().unwrap_or_default()
}

/// A hash of all that is printed of a function, or of every function where none is given.
pub(super) fn fingerprint(module: &Module, func: Option<FuncId>) -> u64 {
    let mut hasher = DefaultHasher::new();
    for (id, f) in module.funcs.iter().filter(|(id, _)| func.is_none_or(|only| only == *id)) {
        id.hash(&mut hasher);
        hash_function(f, &mut hasher);
    }
    hasher.finish()
}

fn hash_function(func: &Function, hasher: &mut DefaultHasher) {
    (&func.name, &func.params, func.result, &func.section, func.noinline, func.pos).hash(hasher);
    for (slot, data) in func.slots() {
        (slot, data.ty).hash(hasher);
    }
    for &b in func.layout() {
        let data = func.block(b);
        (b, data.preds(), data.term_pos, format!("{:?}", data.term)).hash(hasher);
        for &v in &data.insts {
            let inst = func.inst(v);
            (v, inst.op, inst.ty, &inst.args[..], &inst.aux, inst.pos).hash(hasher);
        }
    }
}
