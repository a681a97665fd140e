//! `run`.

use std::fmt::Write as _;

use larrow_ir::{Module, SiteKind};
use serde_json::{Map, Value, json};

use super::args::{Engine, Format, RunArgs};
use super::build::{compile, show_report, target_options};
use super::element::{elem_type, hex_of, show};
use super::error::CliError;
use super::input::Input;
use super::{inputs, output, style};
use crate::engine::{self, Inputs, Observed, kernel_version};

/// The level of the kernel's program, unless another is asked for.
const DEFAULT_LEVEL: u8 = 2;

pub(super) fn run(args: &RunArgs) -> Result<(), CliError> {
    let input = Input::module(&args.input)?;
    let entry = input.entry(args.inputs.func.as_deref())?;
    let mut inputs = inputs::gather(&input, &args.inputs, &args.target)?;
    inputs.args.clone_from(&args.args);
    for chan in &args.recv {
        elem_type(&input.module, chan.strip_prefix('@').unwrap_or(chan))?;
    }
    let (observed, engine) = observe(args, &input, &entry, &inputs)?;
    if let Some(seen) = &observed.trap {
        let diagnostic = seen.trap.diagnostic().note("the interpreter stopped the program here");
        return Err(input.failed(vec![diagnostic], input.module.clone()));
    }
    let report = Report { module: &input.module, entry: &entry, engine, inputs: &inputs, observed, args };
    match args.format {
        Format::Text => output::text(&report.text()),
        Format::Json => output::text(&format!("{:#}\n", report.json())),
    }
}

/// Runs it; the second part says in what.
fn observe(
    args: &RunArgs,
    input: &Input,
    entry: &str,
    inputs: &Inputs,
) -> Result<(Observed, String), CliError> {
    if args.engine == Engine::Interp && args.level.is_none() {
        let observed = engine::interp(&input.module, entry, inputs)?;
        return Ok((observed, "interpreter, as written".into()));
    }
    if args.engine == Engine::Kernel {
        kernel_version()?;
    }
    let level = args.level.unwrap_or(DEFAULT_LEVEL);
    let built = compile(input, &args.target, &target_options(&args.target), level, &mut [])?;
    show_report(input, &built);
    match args.engine {
        Engine::Interp => {
            let observed = engine::interp(&built.module, entry, inputs)?;
            Ok((observed, format!("interpreter, after the passes of -l={level}")))
        }
        Engine::Kernel => {
            let observed = engine::kernel(&built.output.object, &built.module, entry, inputs)?;
            Ok((observed, format!("kernel {}, -l={level}", kernel_version()?)))
        }
    }
}

/// What is shown of a run.
struct Report<'a> {
    module: &'a Module,
    entry: &'a str,
    engine: String,
    inputs: &'a Inputs,
    observed: Observed,
    args: &'a RunArgs,
}

impl Report<'_> {
    fn shown(&self, chan: &str) -> bool {
        let named = |name: &String| name.strip_prefix('@').unwrap_or(name) == chan;
        self.args.recv.is_empty() || self.args.recv.iter().any(named)
    }

    fn text(&self) -> String {
        let observed = &self.observed;
        let mut rows: Vec<(String, String)> = Vec::new();
        rows.push(("returned".into(), self.returned()));
        if let Some(text) = &observed.aborted {
            rows.push(("aborted".into(), style::yellow(format!("panic: {text}"))));
        }
        if !observed.packet.is_empty() {
            rows.push(("packet".into(), self.packet()));
        }
        for (name, state) in observed.channels.iter().filter(|(name, _)| self.shown(name)) {
            let elem = elem_type(self.module, name).unwrap_or(larrow_ir::Type::UNIT);
            let values: Vec<String> = state.contents.iter().map(|e| show(self.module, elem, e)).collect();
            let state = if state.closed { "closed" } else { "open" };
            let mut line = match values.len() {
                0 => format!("{state}, empty"),
                n => format!("{state}, {n} waiting: {}", values.join(" ")),
            };
            if let Some(refused) = observed.refused.get(name) {
                let _ = write!(line, " {}", style::yellow(format!("({refused} did not fit)")));
            }
            rows.push((format!("@{name}"), line));
        }
        rows.extend(observed.sites.iter().map(|(name, counts)| (name.clone(), self.counts(name, counts))));
        for (name, entries) in &observed.maps {
            let values: Vec<String> = entries.iter().take(8).map(entry).collect();
            let more = entries.len().saturating_sub(8);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            let line = if values.is_empty() { "empty".to_string() } else { values.join(" ") + &more };
            rows.push((format!("map @{name}"), line));
        }
        for (name, bytes) in &observed.globals {
            rows.push((format!("@{name}"), number_or_hex(bytes)));
        }
        let head = [format!("@{}", self.entry), self.engine.clone()];
        let mut out = format!("{}{}\n", style::bold(head.join(" · ")), self.runs());
        let width = rows.iter().map(|(name, _)| style::width(name)).max().unwrap_or(0);
        for (name, line) in rows {
            let _ = writeln!(out, "  {}  {line}", style::left(&style::cyan(name), width));
        }
        out
    }

    fn runs(&self) -> String {
        match self.observed.returns.len() {
            1 => String::new(),
            n => format!(" · {n} runs"),
        }
    }

    /// The results of all runs, equal ones in a row once.
    fn returned(&self) -> String {
        let section = self.module.funcs.id(self.entry).and_then(|id| self.module.funcs[id].section.clone());
        let mut parts: Vec<(Option<u64>, usize)> = Vec::new();
        for &ret in &self.observed.returns {
            match parts.last_mut() {
                Some((last, times)) if *last == ret => *times += 1,
                Some(_) | None => parts.push((ret, 1)),
            }
        }
        let spell = |ret: Option<u64>| match ret {
            None => "nothing".to_string(),
            Some(value) => match section.as_deref().and_then(|s| meaning(s, value)) {
                Some(name) => format!("{value} {}", style::dim(format!("({name})"))),
                None => value.to_string(),
            },
        };
        let times = |n: usize| if n == 1 { String::new() } else { format!(" ×{n}") };
        let parts: Vec<String> = parts.iter().map(|(ret, n)| spell(*ret) + &times(*n)).collect();
        parts.join(", then ")
    }

    fn packet(&self) -> String {
        let (after, before) = (&self.observed.packet, self.inputs.packet.as_deref());
        let size = style::count(after.len(), "byte");
        let zeros = [0; 64];
        let before = before.unwrap_or(&zeros);
        if after == before {
            return format!("{size}, unchanged");
        }
        let places: Vec<usize> = (0..after.len()).filter(|&i| before.get(i) != after.get(i)).collect();
        match (places.first(), places.last()) {
            (Some(first), Some(last)) if after.len() == before.len() => {
                format!("{size}, changed from byte {first} to {last}: {}", hex_of(&after[*first..=*last]))
            }
            _ => format!("{size}, was {}", before.len()),
        }
    }

    fn counts(&self, site: &str, counts: &[u64; 4]) -> String {
        let decl = |kind: SiteKind| site.starts_with(kind.name());
        let kind = SiteKind::ALL.iter().map(|(kind, _)| *kind).find(|kind| decl(*kind));
        let names = kind.map_or(["", "", "", ""], SiteKind::counters);
        let parts = names.iter().zip(counts).filter(|(name, _)| !name.is_empty());
        let parts = parts.map(|(name, n)| {
            let text = format!("{name} {n}");
            if *n == 0 { style::dim(text) } else { text }
        });
        parts.collect::<Vec<_>>().join(" · ")
    }

    fn json(&self) -> Value {
        let observed = &self.observed;
        let channels = observed.channels.iter().filter(|(name, _)| self.shown(name)).map(|(name, state)| {
            let elem = elem_type(self.module, name).unwrap_or(larrow_ir::Type::UNIT);
            let values: Vec<String> = state.contents.iter().map(|e| show(self.module, elem, e)).collect();
            let refused = observed.refused.get(name).copied().unwrap_or(0);
            let value = json!({ "closed": state.closed, "waiting": values, "refused": refused });
            (name.clone(), value)
        });
        let maps = observed.maps.iter().map(|(name, entries)| {
            let entries = entries.iter().map(|(k, v)| json!({ "key": hex_of(k), "value": hex_of(v) }));
            (name.clone(), entries.collect())
        });
        let globals = observed.globals.iter().map(|(name, bytes)| (name.clone(), json!(hex_of(bytes))));
        json!({
            "function": self.entry,
            "engine": self.engine,
            "returned": observed.ret,
            "returns": observed.returns,
            "aborted": observed.aborted,
            "packet": hex_of(&observed.packet),
            "channels": channels.collect::<Map<_, _>>(),
            "sites": observed.sites,
            "maps": maps.collect::<Map<_, _>>(),
            "globals": globals.collect::<Map<_, _>>(),
        })
    }
}

fn entry((key, value): &(Vec<u8>, Vec<u8>)) -> String {
    format!("{} → {}", number_or_hex(key), number_or_hex(value))
}

/// Bytes of a number's size as that number.
fn number_or_hex(bytes: &[u8]) -> String {
    match bytes.len() {
        1 | 2 | 4 | 8 => bytes.iter().rev().fold(0u64, |n, &byte| n << 8 | u64::from(byte)).to_string(),
        _ => format!("x{}", hex_of(bytes)),
    }
}

/// What a program's result means to the kernel.
fn meaning(section: &str, value: u64) -> Option<&'static str> {
    let family = section.split('/').next().unwrap_or(section);
    let names: &[&str] = match family {
        "xdp" => &["XDP_ABORTED", "XDP_DROP", "XDP_PASS", "XDP_TX", "XDP_REDIRECT"],
        "tc" | "classifier" => &["TC_ACT_OK", "TC_ACT_RECLASSIFY", "TC_ACT_SHOT"],
        _ => &[],
    };
    names.get(usize::try_from(value).ok()?).copied()
}
