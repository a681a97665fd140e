//! `passes`: the pipeline as a table.

use std::fmt::Write as _;

use larrow_backend_bpf::TargetOptions;
use larrow_backend_bpf::target;
use larrow_passes::{Pass, Relation};
use serde_json::{Value, json};

use super::args::{Format, PassesArgs};
use super::error::CliError;
use super::{output, style};

/// The stages behind the pipeline, which are no rows of it.
pub(super) const STAGES: [(&str, &str); 3] = [
    ("select", "choose an instruction for each operation"),
    ("assign-registers", "give each value a register or a place on the stack"),
    ("peephole", "remove moves, jumps and loads that are not needed"),
];

pub(super) fn run(args: &PassesArgs) -> Result<(), CliError> {
    let pipeline = target::pipeline(&TargetOptions::default());
    let passes: Vec<&Pass> = pipeline.rows().iter().map(|row| &row.pass).collect();
    match args.format {
        Format::Text => output::text(&text(&passes)),
        Format::Json => output::text(&format!("{}\n", json(&passes))),
    }
}

fn text(passes: &[&Pass]) -> String {
    let name_width = passes.iter().map(|p| style::width(&p.name)).max().unwrap_or(0).max(16);
    let mut out = String::new();
    let heading =
        format!("{:>3}  {:<name_width$}  {:<8}  {:<8}  what it does", "#", "pass", "over", "with -N");
    let _ = writeln!(out, "{}", style::bold(heading));
    let row = |n: usize, name: &str, kind: &str, required: bool, doc: &str| {
        let runs = if required { "runs" } else { "" };
        let name = style::left(&style::cyan(name), name_width);
        format!("{n:>3}  {name}  {kind:<8}  {runs:<8}  {doc}")
    };
    for (n, pass) in passes.iter().enumerate() {
        let _ = writeln!(out, "{}", row(n + 1, &pass.name, pass.body.kind(), pass.required, &pass.doc));
        for order in &pass.order {
            let line = format!("{} {}: {}", relation(order.relation), order.other, order.reason);
            let _ = writeln!(out, "{}{}", " ".repeat(name_width + 29), style::dim(line));
        }
    }
    for (n, (name, doc)) in STAGES.iter().enumerate() {
        let _ = writeln!(out, "{}", row(passes.len() + n + 1, name, "machine", true, doc));
    }
    out
}

fn relation(relation: Relation) -> &'static str {
    match relation {
        Relation::Before => "before",
        Relation::After => "after",
        Relation::Needs => "needs",
    }
}

fn json(passes: &[&Pass]) -> Value {
    let row = |pass: &&Pass| {
        let order = pass
            .order
            .iter()
            .map(|o| json!({ "relation": relation(o.relation), "pass": o.other, "reason": o.reason }));
        json!({
            "name": pass.name,
            "kind": pass.body.kind(),
            "required": pass.required,
            "breaks": pass.breaks.to_string(),
            "doc": pass.doc,
            "order": order.collect::<Vec<_>>(),
        })
    };
    let stage = |(name, doc): &(&str, &str)| json!({ "name": name, "kind": "machine", "required": true, "doc": doc, "order": [] });
    passes.iter().map(row).chain(STAGES.iter().map(stage)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pass_and_stage_has_a_line() {
        let pipeline = target::pipeline(&TargetOptions::default());
        let passes: Vec<&Pass> = pipeline.rows().iter().map(|row| &row.pass).collect();
        let shown = anstream::adapter::strip_str(&text(&passes)).to_string();
        for name in pipeline.names().chain(STAGES.iter().map(|(name, _)| *name)) {
            assert!(shown.lines().any(|l| l.split_whitespace().nth(1) == Some(name)), "{name} in\n{shown}");
        }
        assert_eq!(json(&passes).as_array().unwrap().len(), passes.len() + STAGES.len());
    }
}
