//! `inspect`: what each pass did.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Write as _;
use std::ops::RangeInclusive;
use std::time::Duration;

use larrow_passes::{Delta, Edit, Observer, Step, Trace};
use similar::{ChangeTag, TextDiff};

use super::args::{Format, InspectArgs};
use super::build::{Built, compile, no_pass, pipeline, show_report, target_options, validator};
use super::error::CliError;
use super::input::Input;
use super::passes::STAGES;
use super::{output, style, trace_json};

/// How many edits of a function are shown, unless its pass is asked for.
const EDITS: usize = 16;
/// How long a line may be in the short form.
const LINE: usize = 110;

/// An empty trace for an input.
pub(super) fn new_trace(input: &Input, level: u8) -> Trace {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let tool = concat!("larrow ", env!("CARGO_PKG_VERSION"));
    Trace::new(tool, &arguments, level, &format!("fnv1a:{:016x}", fnv1a(input.text.as_bytes())))
}

/// Fowler, Noll, Vo: the 64-bit hash FNV-1a, enough to tell inputs apart.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Appends the machine stages of every function to a trace.
pub(super) fn push_stages(trace: &mut Trace, built: &Built) {
    for (name, _) in STAGES {
        for func in &built.output.compiled.funcs {
            for stage in func.stages.iter().filter(|s| s.name == name) {
                trace.push_stage(name, &func.name, stage.text.clone(), Duration::ZERO);
            }
        }
    }
}

pub(super) fn run(args: &InspectArgs) -> Result<(), CliError> {
    let input = Input::module(&args.input)?;
    let mut target = target_options(&args.target);
    target.stages = true;
    let selected = select_passes(args)?;
    let mut trace = new_trace(&input, args.level);
    let mut validate = validator(&input, &args.target);
    let mut observers: Vec<&mut dyn Observer> = vec![&mut trace];
    if args.validate {
        observers.push(&mut validate);
    }
    let result = compile(&input, &args.target, &target, args.level, &mut observers);
    if let Ok(built) = &result {
        push_stages(&mut trace, built);
    }
    let func = known_function(args, &trace)?;
    let own = trace.initial.iter().map(|t| t.func.clone()).chain(func.clone()).collect();
    let view = View { args, trace: &trace, func, selected, own, name: input.name.clone() };
    match args.format {
        Format::Text => output::text(&view.text())?,
        Format::Json => output::text(&trace_json::lines(&trace, &view.steps(), !args.no_timing))?,
    }
    show_report(&input, &result?);
    Ok(())
}

/// The names of the passes that are asked for; `None` for all.
fn select_passes(args: &InspectArgs) -> Result<Option<HashSet<String>>, CliError> {
    let pipeline = pipeline(&args.target, &target_options(&args.target))?;
    let names: Vec<&str> = pipeline.names().chain(STAGES.iter().map(|(name, _)| *name)).collect();
    let Some(wanted) = &args.pass else { return Ok(None) };
    let range = pass_range(&names, wanted)?;
    Ok(Some(names[range].iter().map(|name| (*name).to_string()).collect()))
}

/// `NAME`, `A..B` (B included), `A..`, `..B`.
fn pass_range(names: &[&str], wanted: &str) -> Result<RangeInclusive<usize>, CliError> {
    let find = |name: &str, open: usize| {
        if name.is_empty() {
            return Ok(open);
        }
        names.iter().position(|n| *n == name).ok_or_else(|| {
            let nearest = larrow_ir::nearest(name, names.iter().copied()).map(str::to_string);
            no_pass(&larrow_passes::PipelineError::Unknown { name: name.to_string(), nearest })
        })
    };
    let last = names.len().saturating_sub(1);
    let (from, to) = match wanted.split_once("..") {
        Some((from, to)) => (find(from, 0)?, find(to, last)?),
        None => (find(wanted, 0)?, find(wanted, 0)?),
    };
    if from > to {
        return Err(CliError::usage(format!("{} runs after {}", names[from], names[to])));
    }
    Ok(from..=to)
}

/// The function that is asked for; one that a pass made is fine.
fn known_function(args: &InspectArgs, trace: &Trace) -> Result<Option<String>, CliError> {
    let Some(wanted) = &args.func else { return Ok(None) };
    let wanted = wanted.strip_prefix('@').unwrap_or(wanted);
    let made = trace.steps.iter().filter_map(|s| s.func.as_deref());
    let mut names: Vec<&str> = trace.initial.iter().map(|t| t.func.as_str()).chain(made).collect();
    names.dedup();
    if names.contains(&wanted) {
        return Ok(Some(wanted.to_string()));
    }
    Err(CliError::usage(format!("there is no function @{wanted}")).tip(larrow_ir::nearest(wanted, names)))
}

/// What is to be shown of a trace.
struct View<'a> {
    args: &'a InspectArgs,
    trace: &'a Trace,
    func: Option<String>,
    selected: Option<HashSet<String>>,
    /// The functions that are shown in full: the user's own, or the one that is asked for.
    own: HashSet<String>,
    name: String,
}

/// A pass with its steps.
struct Row<'a> {
    index: usize,
    pass: &'a str,
    steps: Vec<&'a Step>,
}

impl Row<'_> {
    fn changed(&self) -> bool {
        self.steps.iter().any(|s| s.changed())
    }
    fn machine(&self) -> bool {
        self.steps.iter().any(|s| s.machine)
    }
    fn time(&self) -> Duration {
        self.steps.iter().map(|s| s.time).sum()
    }
    fn edits(&self) -> usize {
        self.steps.iter().map(|s| s.edits.len()).sum()
    }
    /// By how much the number of values or blocks grew.
    fn growth(&self, of: impl Fn(&Step) -> Delta) -> i64 {
        let one = |d: Delta| d.added as i64 - d.removed as i64;
        self.steps.iter().map(|s| one(of(s))).sum()
    }
}

impl<'a> View<'a> {
    fn wants(&self, step: &Step) -> bool {
        let func = self.func.as_deref().is_none_or(|f| step.func.as_deref().is_none_or(|name| name == f));
        func && self.selected.as_ref().is_none_or(|names| names.contains(&step.pass))
    }

    fn steps(&self) -> Vec<&'a Step> {
        self.trace.steps.iter().filter(|s| self.wants(s)).collect()
    }

    fn rows(&self) -> Vec<Row<'a>> {
        let mut rows: Vec<Row<'a>> = Vec::new();
        for step in self.steps() {
            match rows.last_mut() {
                Some(row) if row.index == step.index => row.steps.push(step),
                Some(_) | None => rows.push(Row { index: step.index, pass: &step.pass, steps: vec![step] }),
            }
        }
        rows
    }

    fn text(&self) -> String {
        let rows = self.rows();
        let mut out = self.header(&rows);
        self.table(&mut out, &rows);
        self.details(&mut out, &rows);
        self.next(&mut out, &rows);
        out
    }

    fn header(&self, rows: &[Row<'_>]) -> String {
        let subject = self.func.as_ref().map_or(self.name.clone(), |f| format!("@{f}"));
        let changed = rows.iter().filter(|r| r.changed()).count();
        let mut parts = vec![subject, format!("-l={}", self.args.level)];
        parts.push(format!("bpf-{}", self.args.target.mcpu));
        let passes = match rows.len() {
            1 => "1 pass".to_string(),
            n => format!("{n} passes"),
        };
        let verified = if self.args.target.verify_each { ", verified each" } else { "" };
        let validated = if self.args.validate { ", run after each" } else { "" };
        parts.push(format!("{passes}, {changed} changed{verified}{validated}"));
        format!("{}\n", style::bold(parts.join(" · ")))
    }

    fn table(&self, out: &mut String, rows: &[Row<'_>]) {
        let shown: Vec<&Row<'_>> = rows.iter().filter(|r| self.args.full || r.changed()).collect();
        if shown.is_empty() {
            let why = if rows.is_empty() {
                "did not run: `larrow passes` says when it does"
            } else {
                "nothing changed"
            };
            let _ = writeln!(out, "  {}", style::dim(why));
            return;
        }
        let width = shown.iter().map(|r| r.pass.len()).max().unwrap_or(0).max(4);
        let time = if self.args.no_timing { "" } else { "    time" };
        let _ =
            writeln!(out, "{}", style::dim(format!("  {:>3}  {:<width$}  Δval  Δblk{time}", "#", "pass")));
        for row in shown {
            let name = if row.changed() { style::cyan(row.pass) } else { style::dim(row.pass) };
            let growth = |n: i64| match n {
                0 => style::dim("·"),
                1.. => style::green(format!("+{n}")),
                _ => style::red(n),
            };
            let (values, blocks) = match row.machine() {
                true => (String::new(), String::new()),
                false => (growth(row.growth(|s| s.values)), growth(row.growth(|s| s.blocks))),
            };
            let time = match (self.args.no_timing, row.machine()) {
                (false, false) => style::right(&style::time(row.time()), 8),
                (true, _) | (_, true) => String::new(),
            };
            let (values, blocks) = (style::right(&values, 4), style::right(&blocks, 4));
            let line =
                format!("  {:>3}  {}  {values}  {blocks}{time}", row.index + 1, style::left(&name, width));
            let _ = writeln!(out, "{}", line.trim_end());
        }
    }

    /// Under a heading each, what the changed passes did.
    fn details(&self, out: &mut String, rows: &[Row<'_>]) {
        let mut current: HashMap<&str, &str> =
            self.trace.initial.iter().map(|t| (t.func.as_str(), t.text.as_str())).collect();
        let shown: HashSet<usize> = rows.iter().filter(|r| r.changed()).map(|r| r.index).collect();
        let mut heading = None;
        for step in &self.trace.steps {
            let Some(func) = step.func.as_deref() else { continue };
            let Some(after) = step.text.as_deref() else { continue };
            let before = current.insert(func, after).unwrap_or("");
            if !shown.contains(&step.index) || !self.wants(step) {
                continue;
            }
            if step.machine && !self.args.full && self.selected.is_none() {
                continue;
            }
            if heading != Some(step.index) {
                heading = Some(step.index);
                let row = rows.iter().find(|r| r.index == step.index);
                let _ = writeln!(out, "{}", self.heading(step, row));
            }
            self.step(out, step, func, before, after);
        }
    }

    /// `── 4 insert-map-lookup ── main.go:6 ───────────`
    fn heading(&self, step: &Step, row: Option<&Row<'_>>) -> String {
        let mut line = format!("── {} {} ", step.index + 1, step.pass);
        let place = row.and_then(|r| r.steps.iter().flat_map(|s| &s.edits).find_map(position));
        if let Some(place) = place.filter(|_| !self.trace.header.file.is_empty()) {
            let _ = write!(line, "── {}:{place} ", self.trace.header.file);
        }
        let rest = 72usize.saturating_sub(line.chars().count());
        line.push_str(&"─".repeat(rest.max(2)));
        style::bold(line)
    }

    fn step(&self, out: &mut String, step: &Step, func: &str, before: &str, after: &str) {
        let several = self.func.is_none() && self.trace.initial.len() > 1;
        let own = self.own.contains(func);
        if step.machine {
            let _ = writeln!(out, "  {}", style::cyan(format!("@{func}")));
            for line in after.lines() {
                let _ = writeln!(out, "  {line}");
            }
            return;
        }
        if after.is_empty() {
            let _ = writeln!(out, "  {}", style::red(format!("- @{func}")));
            return;
        }
        if !own && !self.args.full {
            let size = format!(
                "{}, {}",
                style::count(step.values.added, "value"),
                style::count(step.blocks.added, "block")
            );
            let _ = match before.is_empty() {
                true => writeln!(out, "  {} {}", style::green(format!("+ @{func}")), style::dim(size)),
                false => {
                    let edits = style::count(step.edits.len(), "edit");
                    writeln!(out, "  {} {}", style::yellow(format!("~ @{func}")), style::dim(edits))
                }
            };
            return;
        }
        if several || !own {
            let _ = writeln!(out, "  {}", style::cyan(format!("@{func}")));
        }
        if self.args.full {
            whole(out, before, after);
        } else {
            self.edits(out, step);
        }
        self.remarks(out, step);
    }

    fn edits(&self, out: &mut String, step: &Step) {
        let most = if self.selected.is_some() { usize::MAX } else { EDITS };
        for edit in step.edits.iter().take(most) {
            let _ = writeln!(out, "  {}", colour(edit, cut(&edit.to_string(), self.selected.is_some())));
        }
        let more = step.edits.len().saturating_sub(most);
        if more > 0 {
            let hint = format!("… {more} more edits: --pass {}", step.pass);
            let _ = writeln!(out, "  {}", style::dim(hint));
        }
    }

    fn remarks(&self, out: &mut String, step: &Step) {
        for remark in &step.remarks {
            let mark = if remark.missed { "✗" } else { "✓" };
            let _ = writeln!(out, "  {}", style::dim(format!("{mark} {}", remark.text)));
        }
        if !step.counters.is_empty() && (self.selected.is_some() || self.args.full) {
            let counts: Vec<String> = step.counters.iter().map(|(name, n)| format!("{name} ×{n}")).collect();
            let _ = writeln!(out, "  {}", style::dim(format!("counted: {}", counts.join(" · "))));
        }
    }

    /// The user's function with the most edits.
    fn busiest_function(&self, rows: &[Row<'a>]) -> Option<&'a str> {
        let mut edits: BTreeMap<&str, usize> = BTreeMap::new();
        for step in rows.iter().flat_map(|r| &r.steps) {
            if let Some(func) = step.func.as_deref().filter(|f| self.own.contains(*f)) {
                *edits.entry(func).or_default() += step.edits.len();
            }
        }
        edits.into_iter().max_by_key(|(_, n)| *n).map(|(func, _)| func)
    }

    /// What to look at next.
    fn next(&self, out: &mut String, rows: &[Row<'a>]) {
        let busiest = rows.iter().filter(|r| !r.machine()).max_by_key(|r| r.edits());
        let mut hints = Vec::new();
        if let (None, Some(row)) = (&self.selected, busiest.filter(|r| r.edits() > 0)) {
            hints.push(format!("--pass {}", row.pass));
        }
        if !self.args.full {
            hints.push("--full".into());
        }
        if self.selected.is_none() && rows.iter().any(Row::machine) {
            hints.push("--pass peephole".into());
        }
        if self.func.is_none() && self.trace.initial.len() > 1 {
            hints.extend(self.busiest_function(rows).map(|func| format!("--func {func}")));
        }
        hints.push("--format json".into());
        let _ = writeln!(out, "{} {}", style::bold("next:"), hints.join(" | "));
    }
}

/// A whole function, with what a pass changed marked. That positions stand in another column is no change.
fn whole(out: &mut String, before: &str, after: &str) {
    let (old, new) = (text_lines(before), text_lines(after));
    let (old_keys, new_keys) = (keys(&old), keys(&new));
    let old_refs: Vec<&str> = old_keys.iter().map(String::as_str).collect();
    let new_refs: Vec<&str> = new_keys.iter().map(String::as_str).collect();
    let diff = TextDiff::from_slices(&old_refs, &new_refs);
    for change in diff.iter_all_changes() {
        let line = match (change.tag(), change.old_index(), change.new_index()) {
            (ChangeTag::Delete, Some(index), _) => style::red(format!("- {}", old[index])),
            (ChangeTag::Insert, _, Some(index)) => style::green(format!("+ {}", new[index])),
            (_, _, Some(index)) => format!("  {}", new[index]),
            (_, _, None) => continue,
        };
        let _ = writeln!(out, "  {line}");
    }
}

fn text_lines(text: &str) -> Vec<&str> {
    text.lines().collect()
}

/// What makes two lines the same: the code, and the position wherever it stands.
fn keys(lines: &[&str]) -> Vec<String> {
    let key = |line: &&str| match line.rsplit_once(" @") {
        Some((code, pos)) => format!("{} @{pos}", code.trim_end()),
        None => (*line).to_string(),
    };
    lines.iter().map(key).collect()
}

fn colour(edit: &Edit, text: String) -> String {
    match edit {
        Edit::Added { .. } => style::green(text),
        Edit::Removed { .. } => style::red(text),
        Edit::Changed { .. } => style::yellow(text),
    }
}

/// The text, cut to a line's length unless all of it is wanted.
fn cut(text: &str, all: bool) -> String {
    if all || text.chars().count() <= LINE {
        return text.to_string();
    }
    text.chars().take(LINE - 1).chain(['…']).collect()
}

/// The line of the source that an edit's instruction stands at.
fn position(edit: &Edit) -> Option<&str> {
    let line = match edit {
        Edit::Added { line, .. } | Edit::Removed { line, .. } => line,
        Edit::Changed { after, .. } => after,
    };
    let (_, place) = line.rsplit_once(" @")?;
    let (row, col) = place.split_once(':')?;
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    (digits(row) && digits(col)).then_some(row)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_of_passes_is_read_from_either_side() {
        let names = ["a", "bee", "c"];
        assert_eq!(pass_range(&names, "bee").unwrap(), 1..=1);
        assert_eq!(pass_range(&names, "bee..").unwrap(), 1..=2);
        assert_eq!(pass_range(&names, "..bee").unwrap(), 0..=1);
        assert_eq!(pass_range(&names, "a..c").unwrap(), 0..=2);
        assert!(matches!(pass_range(&names, "c..a"), Err(CliError::Usage(_))));
        assert!(matches!(pass_range(&names, "beee"), Err(CliError::Usage(_))));
    }

    #[test]
    fn a_position_in_another_column_is_no_change() {
        let mut out = String::new();
        whole(&mut out, "b0:\n    Ret v1  @1:2\n    x\n", "b0:\n    Ret v1      @1:2\n    y\n");
        let shown = anstream::adapter::strip_str(&out).to_string();
        assert_eq!(shown, "    b0:\n        Ret v1      @1:2\n  -     x\n  +     y\n");
    }

    #[test]
    fn the_position_is_the_one_behind_the_instruction() {
        let added = |line: &str| Edit::Added { id: "v1".into(), line: line.into() };
        assert_eq!(position(&added("v1 = ChanAddr <chan u16> @ports @8:9")), Some("8"));
        assert_eq!(position(&added("v1 = ChanAddr <chan u16> @ports")), None);
        assert_eq!(position(&added("v1 = Load <u32> v2 @l3")), None);
    }
}
