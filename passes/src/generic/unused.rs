//! `unused-functions`: functions that nobody can call go.
//!
//! Programs (functions with a section) are called from outside. A module without any is a library: the user's
//! functions are, and runtime functions stay as far as something calls them.

use std::collections::HashSet;

use larrow_ir::cfg::CallGraph;
use larrow_ir::{FuncId, FuncKind, Module};

use crate::manager::{Changed, ModulePass, Pass, PassCx, PassResult};

/// The pass.
pub struct UnusedFunctions;

/// The row of `unused-functions`.
pub fn unused_functions() -> Pass {
    Pass::module("unused-functions", "drops functions that nobody can call", UnusedFunctions)
        .after("inline", "inlining takes the last call of many functions away")
}

impl ModulePass for UnusedFunctions {
    fn run(&self, module: &mut Module, cx: &mut PassCx<'_>) -> PassResult {
        let graph = cx.module_analysis::<CallGraph>(module);
        let mut used: HashSet<FuncId> = HashSet::new();
        let mut open = roots(module);
        while let Some(id) = open.pop() {
            if used.insert(id) {
                open.extend(graph.callees(id).iter().map(|(callee, _)| *callee));
            }
        }
        let dead: Vec<FuncId> = module.funcs.ids().filter(|id| !used.contains(id)).collect();
        for &id in &dead {
            module.funcs.remove(id);
        }
        cx.count("functions", dead.len() as u64);
        Ok(Changed::from(!dead.is_empty()))
    }
}

/// The functions that are called from outside.
fn roots(module: &Module) -> Vec<FuncId> {
    let programs: Vec<FuncId> =
        module.funcs.iter().filter(|(_, f)| f.section.is_some()).map(|(id, _)| id).collect();
    if !programs.is_empty() {
        return programs;
    }
    module.funcs.iter().filter(|(_, f)| f.kind == FuncKind::User).map(|(id, _)| id).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manager::{Options, Pipeline};
    use larrow_ir::{FuncBuilder, Function, Type};

    fn add(
        m: &mut Module,
        name: &str,
        kind: FuncKind,
        section: Option<&str>,
        callee: Option<FuncId>,
    ) -> FuncId {
        let mut f = Function::new(name, Type::UNIT);
        (f.kind, f.section) = (kind, section.map(Into::into));
        let mut b = FuncBuilder::new(&mut f, &mut m.decls);
        let b0 = b.block();
        b.switch_to(b0);
        if let Some(callee) = callee {
            b.call(Type::UNIT, callee, &[]);
        }
        b.ret(None);
        m.add_func(f).unwrap()
    }

    #[test]
    fn what_no_program_reaches_goes_and_a_library_keeps_the_users_functions() {
        for section in [Some("xdp"), None] {
            let mut m = Module::new("t.go");
            let helper = add(&mut m, "runtime.helper", FuncKind::Runtime, None, None);
            add(&mut m, "runtime.idle", FuncKind::Runtime, None, None);
            add(&mut m, "idle", FuncKind::User, None, None);
            add(&mut m, "main", FuncKind::User, section, Some(helper));
            Pipeline::new([unused_functions()]).run(&mut m, &Options::default(), &mut []).unwrap();
            let names: Vec<&str> = m.funcs.ids().map(|id| m.funcs.name(id)).collect();
            let want: &[&str] = if section.is_some() {
                &["runtime.helper", "main"]
            } else {
                &["runtime.helper", "idle", "main"]
            };
            assert_eq!(names, want);
        }
    }
}
