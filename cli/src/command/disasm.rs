//! `disasm`, and the listing that `compile --emit asm` writes.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;

use larrow_backend_bpf::helpers;
use larrow_backend_bpf::isa::{self, Inst, Listing, ProgramNames};
use larrow_backend_bpf::object::{self, Function, Object, Target};

use super::args::DisasmArgs;
use super::error::CliError;
use super::{input, output, style};

pub(super) fn run(args: &DisasmArgs) -> Result<(), CliError> {
    let bytes = input::read(&args.input)?;
    let name = args.input.display();
    let object = object::read(&bytes)
        .map_err(|error| CliError::input(format!("`{name}` is no BPF object that can be read: {error}")))?;
    if let Some(wanted) = args.func.as_deref()
        && !object.functions().any(|f| f.name == wanted)
    {
        let names: Vec<&str> = object.functions().map(|f| f.name.as_str()).collect();
        let error = CliError::usage(format!("there is no function `{wanted}` in `{name}`"));
        return Err(error.tip(larrow_ir::nearest(wanted, names)));
    }
    output::text(&listing(&object, args.func.as_deref(), !args.no_bytes)?)
}

/// The functions of an object, or one of them, as text.
pub(super) fn listing(object: &Object, only: Option<&str>, bytes: bool) -> Result<String, CliError> {
    let mut out = String::new();
    let programs = object.programs.iter().map(|p| (Some(p.section.as_str()), &p.function));
    let functions = programs.chain(object.subprograms.iter().map(|f| (None, f)));
    for (section, function) in functions.filter(|(_, f)| only.is_none_or(|name| name == f.name)) {
        let insts = decode(function)?;
        let slots = function.code.len() / isa::SLOT_BYTES;
        let place = section.map_or("subprogram".to_string(), |s| format!("section \"{s}\""));
        let size = format!("{place}, {}", style::count(insts.len(), "instruction"));
        let size = if slots == insts.len() { size } else { format!("{size} in {slots} slots") };
        if !out.is_empty() {
            out.push('\n');
        }
        let _ = writeln!(out, "{}  {}", style::bold(&function.name), style::dim(size));
        let names = Names::new(object, function, &insts);
        let listing = Listing::new(&insts, &names);
        let listing = if bytes { listing.with_bytes() } else { listing };
        for line in listing.to_string().lines() {
            out.push_str(&tidy(line));
            out.push('\n');
        }
    }
    Ok(out)
}

/// A line of the listing with its columns aligned and its comments dimmed.
fn tidy(line: &str) -> String {
    if line.starts_with(';') {
        return style::dim(line);
    }
    let columns: Vec<&str> = line.split('\t').collect();
    let text = |text: &str| match text.rsplit_once(" <") {
        Some((code, name)) => format!("{code} {}", style::cyan(format!("<{name}"))),
        None => text.to_string(),
    };
    match columns[..] {
        [slot, code] => format!("{slot}  {}", text(code)),
        [slot, bytes, code] => format!("{slot}  {}  {}", style::dim(format!("{bytes:<23}")), text(code)),
        _ => line.to_string(),
    }
}

/// The instructions of a function.
pub(super) fn decode(function: &Function) -> Result<Vec<Inst>, CliError> {
    let decoded = isa::decode(&function.code)
        .map_err(|error| CliError::input(format!("function `{}`: {error}", function.name)))?;
    Ok(decoded.into_iter().map(|(_, inst)| inst).collect())
}

/// What the parts of a function are called.
struct Names {
    references: BTreeMap<usize, String>,
    lines: BTreeMap<usize, String>,
}

impl Names {
    fn new(object: &Object, function: &Function, insts: &[Inst]) -> Names {
        let slot = |offset: u32| offset as usize / isa::SLOT_BYTES;
        let mut references: BTreeMap<usize, String> =
            function.relocations.iter().map(|r| (slot(r.offset), target(object, &r.target))).collect();
        let mut at = 0;
        for inst in insts {
            if let Some(name) = helper(*inst) {
                references.entry(at).or_insert_with(|| name.to_string());
            }
            at += inst.slots();
        }
        let lines = function.lines.iter().map(|line| {
            let text = if line.text.is_empty() { String::new() } else { format!("  {}", line.text) };
            (slot(line.offset), format!("{}:{}:{}{text}", line.file, line.line, line.column))
        });
        Names { references, lines: lines.collect() }
    }
}

impl ProgramNames for Names {
    fn reference(&self, slot: usize, _: Inst) -> Option<Cow<'_, str>> {
        self.references.get(&slot).map(|name| name.as_str().into())
    }
    fn line(&self, slot: usize) -> Option<Cow<'_, str>> {
        self.lines.range(..=slot).next_back().map(|(_, line)| line.as_str().into())
    }
}

/// The name of the helper that an instruction calls.
fn helper(inst: Inst) -> Option<&'static str> {
    use isa::{Callee, Kind};
    if inst.kind() != (Kind::Call { callee: Callee::Helper }) {
        return None;
    }
    helpers::HELPERS.iter().find(|h| i64::from(h.id) == inst.imm()).map(|h| h.name)
}

fn target(object: &Object, target: &Target) -> String {
    match target {
        Target::Map(map) => object.maps.get(*map).map_or("?".into(), |m| m.name.clone()),
        Target::Subprogram(f) | Target::FunctionAddress(f) => {
            object.subprograms.get(*f).map_or("?".into(), |f| f.name.clone())
        }
        Target::GlobalData { section, offset } => {
            let Some(section) = object.globals.get(*section) else { return "?".into() };
            let symbol =
                section.symbols.iter().find(|s| (s.offset..s.offset + s.size.max(1)).contains(offset));
            match symbol {
                Some(symbol) if symbol.offset == *offset => symbol.name.clone(),
                Some(symbol) => format!("{}+{}", symbol.name, offset - symbol.offset),
                None => format!("{}+{offset}", section.name),
            }
        }
        Target::Extern(name) => name.clone(),
    }
}
