//! `check-lowered`: proves that no channel op is left.

use larrow_ir::{Diagnostic, Entity, Family, FuncId, Function};

/// An error per channel op that is left in a function. From here on a channel is a pointer that only runtime
/// calls look into.
pub fn check_lowered(id: FuncId, func: &Function) -> Vec<Diagnostic> {
    let left = func.iter_insts().filter(|&(_, v)| func.inst(v).op.family() == Family::Channel);
    left.map(|(_, v)| {
        let inst = func.inst(v);
        Diagnostic::error(format!("`{}` is left after the channel lowerings", inst.op))
            .on(Entity::Value(id, v))
            .at(inst.pos)
            .help("the pipeline lacks the lowering pass of this op")
    })
    .collect()
}
