//! `compare`: levels side by side, what they cost, and whether they mean the same.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;

use larrow_backend_bpf::CompiledFunc;
use larrow_ir::{FuncId, Module, Op};
use serde_json::{Value, json};

use super::args::{CompareArgs, TableFormat};
use super::attribution::{Attribution, attribute, callee, instructions, reachable};
use super::build::{Built, compile, target_options};
use super::error::CliError;
use super::input::Input;
use super::{inputs, output, style};
use crate::engine::{self, EngineError, Facts, Inputs, Loaded, Observed, kernel_version};

/// How many runs a measurement of time takes, and how many measurements there are: the least one counts.
const RUNS: u32 = 20_000;
const MEASUREMENTS: u32 = 5;
/// How many differences are listed.
const LISTED: usize = 6;

pub(super) fn run(args: &CompareArgs) -> Result<(), CliError> {
    let input = Input::module(&args.input)?;
    let entry = input.entry(args.inputs.func.as_deref())?;
    let given = inputs::gather(&input, &args.inputs, &args.target)?;
    let mut all = vec![given.clone()];
    all.extend(inputs::made_up(&input.module, &given, args.random));
    let levels: Vec<u8> = if args.level.is_empty() { vec![0, 4] } else { args.level.clone() };
    let kernel = if args.no_kernel { Err("--no-kernel".to_string()) } else { probe() };

    let as_written = all.iter().map(|i| engine::interp(&input.module, &entry, i));
    let as_written = as_written.collect::<Result<Vec<_>, _>>()?;
    let case = Case { entry: &entry, inputs: &all, as_written: &as_written };
    let mut columns = Vec::new();
    for level in levels {
        let built = compile(&input, &args.target, &target_options(&args.target), level, &mut [])?;
        columns.push(column(&case, level, &built, kernel.is_ok())?);
    }
    let attribution = match columns.last() {
        Some(last) => Some(attribute(&input, &args.target, last.level, last.instructions)?),
        None => None,
    };
    let tested = all.len();
    let report = Report { input: &input, args, entry: &entry, kernel, columns, tested, attribution };
    match args.format {
        TableFormat::Table => output::text(&report.text())?,
        TableFormat::Json => output::text(&format!("{:#}\n", report.json()))?,
    }
    report.verdict()
}

/// The kernel's version, or why there is none.
fn probe() -> Result<String, String> {
    match kernel_version() {
        Ok(version) => Ok(version.to_string()),
        Err(EngineError::Unavailable(reason)) => Err(reason),
        Err(other) => Err(other.to_string()),
    }
}

/// What every level is held to.
struct Case<'a> {
    entry: &'a str,
    inputs: &'a [Inputs],
    as_written: &'a [Observed],
}

/// A level.
struct Column {
    level: u8,
    instructions: usize,
    runtime_calls: usize,
    stack: u32,
    blocks: usize,
    /// Differences between the interpreter before and after the passes, by input.
    interp: Vec<(usize, String)>,
    kernel: Option<OnKernel>,
    /// What the kernel said when it refused the object.
    refused: Option<String>,
}

/// What the kernel says of a level.
struct OnKernel {
    facts: Facts,
    ns: Option<u64>,
    /// Differences by input; or why they were not looked for.
    differences: Result<Vec<(usize, String)>, String>,
}

fn column(case: &Case<'_>, level: u8, built: &Built, use_kernel: bool) -> Result<Column, CliError> {
    let mut interp = Vec::new();
    for (n, (inputs, expected)) in case.inputs.iter().zip(case.as_written).enumerate() {
        let observed = engine::interp(&built.module, case.entry, inputs)?;
        interp.extend(expected.differences(&observed).into_iter().map(|d| (n, d)));
    }
    let (kernel, refused) = match use_kernel.then(|| on_kernel(case, built)) {
        None => (None, None),
        Some(Ok(kernel)) => (Some(kernel), None),
        Some(Err(EngineError::Kernel(refusal))) => (None, Some(refusal.to_string())),
        Some(Err(other)) => return Err(other.into()),
    };
    Ok(Column {
        level,
        instructions: instructions(built),
        runtime_calls: runtime_calls(built),
        stack: deepest_stack(&reachable(built)),
        blocks: reachable(built)
            .iter()
            .map(|f| built.output.compiled.module.funcs[f.id].layout().len())
            .sum(),
        interp,
        kernel,
        refused,
    })
}

fn on_kernel(case: &Case<'_>, built: &Built) -> Result<OnKernel, EngineError> {
    let object = &built.output.object;
    let load = || Loaded::new(object, &built.module);
    let mut first = load()?;
    let facts = first.facts(case.entry)?;
    let random = draws_random(&built.module);
    let mut differences = Vec::new();
    if !random {
        for (n, (inputs, expected)) in case.inputs.iter().zip(case.as_written).enumerate() {
            let observed = engine::kernel(object, &built.module, case.entry, inputs)?;
            differences.extend(expected.differences(&observed).into_iter().map(|d| (n, d)));
        }
    }
    let inputs = &case.inputs[0];
    first.feed(inputs)?;
    let mut best = None;
    for _ in 0..MEASUREMENTS {
        // Some kinds of program cannot be run by hand: the other figures stand all the same.
        let Ok(ns) = first.time(case.entry, inputs, RUNS) else { break };
        best = Some(best.map_or(ns, |best: u64| best.min(ns)));
    }
    let why = "the program draws random numbers, or asks for the time or the CPU \
               (with `--select-order source` selects draw none)";
    let differences = if random { Err(why.to_string()) } else { Ok(differences) };
    Ok(OnKernel { facts, ns: best, differences })
}

/// Whether a module draws random numbers or asks for the time or the CPU, which the kernel has of its own.
fn draws_random(module: &Module) -> bool {
    let own = |name: &str| {
        ["get_prandom_u32", "get_smp_processor_id"].contains(&name) || name.starts_with("ktime_get")
    };
    module.funcs.iter().any(|(_, func)| {
        func.iter_insts().any(|(_, v)| {
            let inst = func.inst(v);
            inst.op == Op::CallHelper && matches!(&inst.aux, larrow_ir::Aux::Name(name) if own(name))
        })
    })
}

/// How many calls of channel functions the code has.
fn runtime_calls(built: &Built) -> usize {
    let runtime = |id: FuncId| built.output.compiled.module.funcs.name(id).starts_with("runtime.");
    let calls = reachable(built).into_iter().flat_map(|f| &f.code.relocs);
    calls.filter(|r| callee(r.symbol).is_some_and(runtime)).count()
}

/// The most bytes of frames that are on the stack at a time.
fn deepest_stack(funcs: &[&CompiledFunc]) -> u32 {
    let by_id: HashMap<FuncId, &CompiledFunc> = funcs.iter().map(|f| (f.id, *f)).collect();
    let mut known = HashMap::new();
    funcs.iter().map(|f| stack_of(f, &by_id, &mut known)).max().unwrap_or(0)
}

/// The stack of a function and what it calls. Recursion is refused before there is code.
fn stack_of(
    func: &CompiledFunc,
    by_id: &HashMap<FuncId, &CompiledFunc>,
    known: &mut HashMap<FuncId, u32>,
) -> u32 {
    if let Some(&depth) = known.get(&func.id) {
        return depth;
    }
    let mut below = 0;
    for reloc in &func.code.relocs {
        if let Some(callee) = callee(reloc.symbol).and_then(|id| by_id.get(&id)) {
            below = below.max(stack_of(callee, by_id, known));
        }
    }
    known.insert(func.id, func.frame + below);
    func.frame + below
}

/// The figures of a level, by name, in order.
type Figures = Vec<(&'static str, Option<u64>)>;

impl Column {
    fn figures(&self) -> Figures {
        let facts = self.kernel.as_ref().map(|k| k.facts).unwrap_or_default();
        vec![
            ("instructions", Some(self.instructions as u64)),
            ("calls to runtime.*", Some(self.runtime_calls as u64)),
            ("stack bytes", Some(u64::from(self.stack))),
            ("blocks", Some(self.blocks as u64)),
            ("verifier: processed", facts.processed),
            ("kernel: jited bytes", facts.jited.map(u64::from)),
            ("kernel: ns/run", self.kernel.as_ref().and_then(|k| k.ns)),
        ]
    }

    /// Whether it means the same in the interpreter, and on the kernel as far as that was looked at.
    fn same(&self) -> bool {
        let kernel = self.kernel.as_ref().and_then(|k| k.differences.as_ref().ok());
        self.interp.is_empty() && self.refused.is_none() && kernel.is_none_or(Vec::is_empty)
    }
}

struct Report<'a> {
    input: &'a Input,
    args: &'a CompareArgs,
    entry: &'a str,
    kernel: Result<String, String>,
    columns: Vec<Column>,
    tested: usize,
    attribution: Option<Attribution>,
}

/// What is not known is said, not left blank.
const UNKNOWN: &str = "not checked";

impl Report<'_> {
    fn text(&self) -> String {
        let title = format!("{} · @{} · bpf-{}", self.input.name, self.entry, self.args.target.mcpu);
        let figures: Vec<Figures> = self.columns.iter().map(Column::figures).collect();
        let width = figures.iter().flatten().map(|(name, _)| name.len()).max().unwrap_or(0);
        let width = width.max(title.chars().count()).max(35) + 2;
        let mut out = style::bold(style::left(&title, width));
        for column in &self.columns {
            out.push_str(&style::bold(format!("{:>12}", format!("-l={}", column.level))));
        }
        let pair = self.columns.len() > 1;
        out.push_str(&if pair { style::bold(format!("{:>9}", "Δ")) } else { String::new() });
        out.push('\n');
        for (n, (name, _)) in figures[0].iter().enumerate() {
            out.push_str(&style::left(name, width));
            for column in &figures {
                let shown = column[n].1.map_or(style::dim(UNKNOWN), |v| v.to_string());
                out.push_str(&style::right(&shown, 12));
            }
            if let (Some(first), Some(last), true) = (figures[0][n].1, figures[figures.len() - 1][n].1, pair)
            {
                out.push_str(&style::right(&change(first, last), 9));
            }
            out.push('\n');
        }
        self.verdicts(&mut out, width);
        out
    }

    /// The lines about meaning.
    fn verdicts(&self, out: &mut String, width: usize) {
        out.push_str(&style::left("same as written: interpreter", width));
        for column in &self.columns {
            out.push_str(&style::right(&yes_no(Some(column.interp.is_empty())), 12));
        }
        out.push('\n');
        out.push_str(&style::left("same as written: kernel", width));
        for column in &self.columns {
            let same = column.kernel.as_ref().and_then(|k| k.differences.as_ref().ok()).map(Vec::is_empty);
            let shown = if column.refused.is_some() { style::red("REFUSED") } else { yes_no(same) };
            out.push_str(&style::right(&shown, 12));
        }
        out.push('\n');
        let tested = format!("TESTED {} (seed {}), not proved", self.inputs(), self.args.inputs.seed);
        let _ = writeln!(out, "{}{tested}", style::left("equivalence", width));
        let compared = "results, packet, channels, maps, variables, counts at sites";
        let _ = writeln!(out, "{}{}", " ".repeat(width), style::dim(compared));
        if let Some(why) = self.unchecked() {
            let _ =
                writeln!(out, "{}{}", style::left("kernel", width), style::dim(format!("{UNKNOWN}: {why}")));
        }
        if let Some(attribution) = &self.attribution {
            let head = format!("saved by pass (leave one out, -l={})", attribution.level);
            let _ = writeln!(out, "{}", style::left(&head, width) + &attribution.line());
        }
        for column in &self.columns {
            let kernel = column.kernel.as_ref().and_then(|k| k.differences.as_ref().ok());
            list(out, &format!("-l={}, interpreter", column.level), &column.interp);
            list(out, &format!("-l={}, kernel", column.level), kernel.map_or(&[], |d| d));
            if let Some(refusal) = &column.refused {
                let head = style::red(format!("-l={}, kernel:", column.level));
                let _ = writeln!(out, "  {head} {}", refusal.replace('\n', "\n    "));
            }
        }
    }

    fn inputs(&self) -> String {
        style::count(self.tested, "input")
    }

    /// Why the kernel was not asked whether it agrees.
    fn unchecked(&self) -> Option<&str> {
        if let Err(why) = &self.kernel {
            return Some(why);
        }
        let kernels = self.columns.iter().filter_map(|c| c.kernel.as_ref());
        kernels.filter_map(|k| k.differences.as_ref().err()).map(String::as_str).next()
    }

    fn json(&self) -> Value {
        let columns = self.columns.iter().map(|column| {
            let figures: BTreeMap<&str, Option<u64>> = column.figures().into_iter().collect();
            let list = |found: &[(usize, String)]| -> Vec<Value> {
                found.iter().map(|(input, text)| json!({ "input": input, "difference": text })).collect()
            };
            let kernel = column.kernel.as_ref().map(|k| match &k.differences {
                Ok(found) => json!({ "same": found.is_empty(), "differences": list(found) }),
                Err(why) => json!({ "not_checked": why }),
            });
            json!({
                "level": column.level,
                "figures": figures,
                "interpreter": { "same": column.interp.is_empty(), "differences": list(&column.interp) },
                "kernel": kernel,
                "refused": column.refused,
            })
        });
        json!({
            "file": self.input.name,
            "function": self.entry,
            "isa": self.args.target.mcpu.to_string(),
            "kernel": self.kernel.as_ref().ok(),
            "not_checked": self.unchecked(),
            "inputs": self.tested,
            "seed": self.args.inputs.seed,
            "claim": "tested",
            "attribution": self.attribution.as_ref().map(|a| json!({
                "level": a.level, "saved": a.passes, "interaction": a.interaction,
            })),
            "levels": columns.collect::<Vec<_>>(),
        })
    }

    /// An error if any level means something else.
    fn verdict(&self) -> Result<(), CliError> {
        let wrong: Vec<String> =
            self.columns.iter().filter(|c| !c.same()).map(|c| format!("-l={}", c.level)).collect();
        if wrong.is_empty() {
            return Ok(());
        }
        Err(CliError::input(format!("not the same as written: {}", wrong.join(", "))))
    }
}

fn list(out: &mut String, head: &str, differences: &[(usize, String)]) {
    for (input, text) in differences.iter().take(LISTED) {
        let which =
            if *input == 0 { "the given input".to_string() } else { format!("made-up input {input}") };
        let _ = writeln!(out, "  {} {which}: {text}", style::red(head));
    }
    if differences.len() > LISTED {
        let _ = writeln!(out, "  {} {} more", style::red(head), differences.len() - LISTED);
    }
}

fn yes_no(same: Option<bool>) -> String {
    match same {
        Some(true) => style::green("yes"),
        Some(false) => style::red("NO"),
        None => style::dim(UNKNOWN),
    }
}

/// By how much a figure changed, in per cent; down is good.
fn change(first: u64, last: u64) -> String {
    if first == 0 || first == last {
        return if first == last { style::dim("=") } else { String::new() };
    }
    let percent = (last as f64 - first as f64) * 100.0 / first as f64;
    let text = format!("{percent:+.1}%");
    if last < first { style::green(text) } else { style::yellow(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_in_per_cent_of_the_first() {
        let shown = |a, b| anstream::adapter::strip_str(&change(a, b)).to_string();
        assert_eq!(shown(58, 31), "-46.6%");
        assert_eq!(shown(10, 11), "+10.0%");
        assert_eq!(shown(3, 0), "-100.0%");
        assert_eq!(shown(0, 0), "=");
        assert_eq!(shown(0, 5), "");
    }
}
