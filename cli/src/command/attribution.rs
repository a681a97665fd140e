//! Which pass is responsible: the code's size without each of them.

use std::collections::{HashMap, HashSet};

use larrow_backend_bpf::CompiledFunc;
use larrow_backend_bpf::mach::Symbol;
use larrow_ir::FuncId;

use super::args::TargetArgs;
use super::build::{Built, compile, pass_options, pipeline, target_options};
use super::error::CliError;
use super::input::Input;

/// How many instructions each optional pass saves at a level.
pub(super) struct Attribution {
    /// The level.
    pub(super) level: u8,
    /// Pass and saving, the largest first; what is negative costs instructions. Those that make no difference
    /// alone are left out.
    pub(super) passes: Vec<(String, i64)>,
    /// What the passes save together beyond the sum of these: several do the same work, or need one another.
    pub(super) interaction: i64,
}

/// Compiles once without each optional pass, and once without all of them.
pub(super) fn attribute(
    input: &Input,
    args: &TargetArgs,
    level: u8,
    size: usize,
) -> Result<Attribution, CliError> {
    let target = target_options(args);
    let whole = pipeline(args, &target)?;
    let options = pass_options(args, level);
    let optional = whole.rows().iter().filter(|row| !row.pass.required && whole.runs(row, &options));
    let mut passes = Vec::new();
    for row in optional {
        let name = row.pass.name.to_string();
        let mut without = args.clone();
        without.without.push(name.clone());
        // A pass that others need cannot be left out alone.
        let Ok(built) = compile(input, &without, &target, level, &mut []) else { continue };
        let saved = instructions(&built) as i64 - size as i64;
        if saved != 0 {
            passes.push((name, saved));
        }
    }
    passes.sort_by_key(|(_, saved)| std::cmp::Reverse(*saved));
    let bare = TargetArgs { required_only: true, ..args.clone() };
    let bare = compile(input, &bare, &target, level, &mut [])?;
    let total = instructions(&bare) as i64 - size as i64;
    let interaction = total - passes.iter().map(|(_, saved)| saved).sum::<i64>();
    Ok(Attribution { level, passes, interaction })
}

/// The number of instructions that programs can reach: what a loader loads.
pub(super) fn instructions(built: &Built) -> usize {
    reachable(built).iter().map(|f| f.code.insts.len()).sum()
}

/// The program entries and what they call.
pub(super) fn reachable(built: &Built) -> Vec<&CompiledFunc> {
    let funcs = &built.output.compiled.funcs;
    let mut work: Vec<FuncId> = funcs.iter().filter(|f| f.section.is_some()).map(|f| f.id).collect();
    let by_id: HashMap<FuncId, &CompiledFunc> = funcs.iter().map(|f| (f.id, f)).collect();
    let mut seen = HashSet::new();
    while let Some(id) = work.pop() {
        if let (Some(func), true) = (by_id.get(&id), seen.insert(id)) {
            work.extend(func.code.relocs.iter().filter_map(|r| callee(r.symbol)));
        }
    }
    funcs.iter().filter(|f| seen.contains(&f.id)).collect()
}

/// The function that an instruction calls, or takes the address of for a callback.
pub(super) fn callee(symbol: Symbol) -> Option<FuncId> {
    match symbol {
        Symbol::Call(id) | Symbol::Func(id) => Some(id),
        Symbol::Map(_) | Symbol::MapValue(..) | Symbol::Global(_) => None,
    }
}

impl Attribution {
    /// `inline -11 · cse -6 · interaction -5`, from what the passes change.
    pub(super) fn line(&self) -> String {
        let shown = self.passes.iter().map(|(name, saved)| (name.as_str(), *saved));
        let shown = shown.chain([("interaction", self.interaction)]).filter(|(_, saved)| *saved != 0);
        let shown: Vec<String> = shown.map(|(name, saved)| format!("{name} {:+}", -saved)).collect();
        if shown.is_empty() { "no pass makes a difference".into() } else { shown.join(" · ") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn savings_are_shown_as_changes() {
        let attribution = Attribution {
            level: 4,
            passes: vec![("inline".into(), 11), ("trim".into(), -2)],
            interaction: 5,
        };
        assert_eq!(attribution.line(), "inline -11 · trim +2 · interaction -5");
        let none = Attribution { level: 0, passes: vec![], interaction: 0 };
        assert_eq!(none.line(), "no pass makes a difference");
    }
}
