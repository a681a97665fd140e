//! A trace as lines of JSON: a header, the functions before the first pass, then a line for each step.

use std::collections::BTreeMap;

use larrow_passes::{Delta, Edit, Step, Trace};
use serde_json::{Value, json};

/// The lines. Without `timing` the same input gives the same bytes.
pub(super) fn lines(trace: &Trace, steps: &[&Step], timing: bool) -> String {
    let header = &trace.header;
    let mut values = vec![json!({
        "schema": header.schema,
        "tool": header.tool,
        "arguments": header.arguments,
        "level": header.level,
        "pipeline": header.pipeline,
        "input_hash": header.input_hash,
        "file": header.file,
    })];
    values.extend(trace.initial.iter().map(|t| json!({ "func": t.func, "initial": t.text })));
    values.extend(steps.iter().map(|step| one(step, timing)));
    values.iter().map(|value| format!("{value}\n")).collect()
}

fn one(step: &Step, timing: bool) -> Value {
    let remarks = step.remarks.iter().map(|r| json!({ "missed": r.missed, "text": r.text }));
    let diagnostics = step.diagnostics.iter().map(ToString::to_string);
    let origins = step.origins.iter().map(|o| {
        let from: Vec<String> = o.from.iter().map(ToString::to_string).collect();
        json!({ "value": o.value.to_string(), "rule": o.rule, "from": from })
    });
    let mut value = json!({
        "index": step.index,
        "pass": step.pass,
        "func": step.func,
        "machine": step.machine,
        "changed": step.changed(),
        "values": delta(step.values),
        "blocks": delta(step.blocks),
        "edits": step.edits.iter().map(edit).collect::<Vec<_>>(),
        "counters": step.counters.iter().collect::<BTreeMap<_, _>>(),
        "remarks": remarks.collect::<Vec<_>>(),
        "origins": origins.collect::<Vec<_>>(),
        "diagnostics": diagnostics.collect::<Vec<_>>(),
        "text": step.text,
    });
    if timing {
        value["time_ns"] = json!(u64::try_from(step.time.as_nanos()).unwrap_or(u64::MAX));
    }
    value
}

fn delta(delta: Delta) -> Value {
    json!({ "added": delta.added, "removed": delta.removed, "edited": delta.edited })
}

fn edit(edit: &Edit) -> Value {
    match edit {
        Edit::Added { id, line } => json!({ "id": id, "added": line }),
        Edit::Removed { id, line } => json!({ "id": id, "removed": line }),
        Edit::Changed { id, before, after } => json!({ "id": id, "before": before, "after": after }),
    }
}
