//! Printing. What is printed here is what [`super::parse`] reads: `parse(print(m)) == m`.

use std::fmt::Write;

use crate::entity::{Block, FuncId, Type, Value};
use crate::function::{FuncKind, Function};
use crate::inst::{Aux, Inst, LookupRole, PanicWith, Pos, RecvForm, SelectCase, SelectShape, Terminator};
use crate::module::{Decls, GlobalSection, MapDecl, Module, Named};
use crate::types::TypeTable;

use super::spell::{Quoted, TypeText, float, integer, position, symbol, word};

/// Positions stand in a column of their own, this far to the right at most.
const WIDEST: usize = 64;

/// What the names in a function mean: a module, or its declarations alone, where the functions have lent out one
/// of their number to a pass. Without the module, functions are spelled by number: `@func3`.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
    decls: &'a Decls,
    funcs: Option<&'a Named<FuncId, Function>>,
}

impl<'a> From<&'a Module> for Scope<'a> {
    fn from(module: &'a Module) -> Self {
        Scope { decls: &module.decls, funcs: Some(&module.funcs) }
    }
}

impl<'a> From<&'a Decls> for Scope<'a> {
    fn from(decls: &'a Decls) -> Self {
        Scope { decls, funcs: None }
    }
}

/// The whole module.
pub fn print(module: &Module) -> String {
    let mut out = String::new();
    declarations(&mut out, &module.decls);
    for (_, func) in module.funcs.iter() {
        paragraph(&mut out);
        function(&mut out, func, module.into());
    }
    out
}

/// One function.
pub fn print_func<'a>(func: &Function, scope: impl Into<Scope<'a>>) -> String {
    let mut out = String::new();
    function(&mut out, func, scope.into());
    out
}

/// One live block: its label, instructions and terminator, without the function around it.
pub fn print_block<'a>(func: &Function, b: Block, scope: impl Into<Scope<'a>>) -> String {
    let mut lines = Lines::default();
    block(&mut lines, func, b, scope.into());
    lines.finish()
}

/// One instruction without indentation: `v7 = Load <u32> v3  @8:5`.
pub fn print_inst<'a>(func: &Function, v: Value, scope: impl Into<Scope<'a>>) -> String {
    let mut text = String::new();
    instruction(&mut text, func, v, scope.into());
    with_position(text, func.inst(v).pos)
}

/// How a block ends, without indentation: `If v3 → b1, b2  @9:5`.
pub fn print_term<'a>(func: &Function, b: Block, scope: impl Into<Scope<'a>>) -> String {
    let mut text = String::new();
    terminator(&mut text, func, b, scope.into());
    with_position(text, func.block(b).term_pos)
}

/// The header of a function without its brace: `func @filter(v0: ptr<ctx xdp>) -> u32 section "xdp"`.
pub fn print_header<'a>(func: &Function, scope: impl Into<Scope<'a>>) -> String {
    let mut text = String::new();
    header(&mut text, func, scope.into().decls);
    text
}

fn with_position(text: String, pos: Pos) -> String {
    if pos == Pos::None { text } else { format!("{text}  {}", position(pos)) }
}

// ---- declarations --------------------------------------------------------------------------------------------

/// Starts a paragraph: an empty line, except at the beginning.
fn paragraph(out: &mut String) {
    if !out.is_empty() {
        out.push('\n');
    }
}

fn declarations(out: &mut String, decls: &Decls) {
    if !decls.file.is_empty() {
        line(out, format!("file {}", Quoted(&decls.file)), Pos::None);
    }
    group(
        out,
        decls.locs.iter().map(|(id, loc)| {
            let outer = match loc.inlined_at {
                Pos::None => String::new(),
                Pos::At { line, col } => format!(" inlined-at {line}:{col}"),
                Pos::Loc(outer) => format!(" inlined-at {outer}"),
            };
            (format!("{id} = {} {}:{}{outer}", Quoted(&loc.file), loc.line, loc.col), Pos::None)
        }),
    );
    group(
        out,
        decls.types.named().values().map(|named| {
            let body =
                named.body.map_or(String::new(), |body| format!(" = {}", TypeText::new(&decls.types, body)));
            (format!("type {}{body}", symbol('%', &named.name)), Pos::None)
        }),
    );
    channels(out, decls);
    group(
        out,
        decls.maps.iter().map(|(id, map)| {
            (format!("map {}: {}", symbol('@', decls.maps.name(id)), map_text(&decls.types, map)), map.pos)
        }),
    );
    group(
        out,
        decls.globals.iter().map(|(id, global)| {
            let mut text = format!("global {}: ", symbol('@', decls.globals.name(id)));
            let _ = write!(text, "{} {}", TypeText::new(&decls.types, global.ty), global.section.name());
            if global.section != GlobalSection::Bss || !global.init.is_empty() {
                let _ = write!(text, " \"{}\"", hex(&global.init));
            }
            (text, global.pos)
        }),
    );
    group(
        out,
        decls.intrinsics.iter().map(|(id, intrinsic)| {
            let ty = TypeText::new(&decls.types, intrinsic.ty);
            let name = symbol('@', decls.intrinsics.name(id));
            (format!("intrinsic {name}: {ty} {}", intrinsic.effects), intrinsic.pos)
        }),
    );
    sites(out, decls);
}

fn channels(out: &mut String, decls: &Decls) {
    group(
        out,
        decls.chans.iter().map(|(id, chan)| {
            let ty = TypeText::new(&decls.types, chan.ty);
            let storage = chan.storage.as_ref().map_or(String::new(), |s| format!(" storage {}", word(s)));
            let name = symbol('@', decls.chans.name(id));
            (format!("chan {name}: {ty} cap {}{storage}", chan.cap), chan.pos)
        }),
    );
}

fn sites(out: &mut String, decls: &Decls) {
    group(
        out,
        decls.sites.iter().map(|(id, site)| {
            // A channel that is gone leaves its sites behind without one.
            let live = site.chan.filter(|&c| decls.chans.get(c).is_some());
            let chan = live.map_or(String::new(), |c| format!(" chan {}", symbol('@', decls.chans.name(c))));
            (format!("site {} {} {}{chan}", id.as_u32(), site.kind.name(), Quoted(&site.name)), site.pos)
        }),
    );
}

fn map_text(types: &TypeTable, map: &MapDecl) -> String {
    let key = match map.key {
        Type::UNIT => String::new(),
        key => format!("{}, ", TypeText::new(types, key)),
    };
    let value = TypeText::new(types, map.value);
    let mut text = format!("{}<{key}{value}> entries {}", map.kind.name(), map.max_entries);
    if map.flags != 0 {
        let _ = write!(text, " flags {:#x}", map.flags);
    }
    text
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble)]);
    bytes.iter().flat_map(|b| [digit(b >> 4), digit(b & 15)]).collect()
}

/// A paragraph of declarations of one kind.
fn group(out: &mut String, items: impl Iterator<Item = (String, Pos)>) {
    for (i, (text, pos)) in items.enumerate() {
        if i == 0 {
            paragraph(out);
        }
        line(out, text, pos);
    }
}

fn line(out: &mut String, text: String, pos: Pos) {
    out.push_str(&with_position(text, pos));
    out.push('\n');
}

// ---- functions -----------------------------------------------------------------------------------------------

/// Lines of which some have a position, to be aligned.
#[derive(Default)]
struct Lines(Vec<(String, Pos)>);

impl Lines {
    fn push(&mut self, text: String, pos: Pos) {
        self.0.push((text, pos));
    }

    fn finish(self) -> String {
        let wide = |(text, _): &(String, Pos)| Some(text.chars().count()).filter(|n| *n <= WIDEST);
        let column =
            self.0.iter().filter(|(_, pos)| *pos != Pos::None).filter_map(wide).max().unwrap_or(0) + 2;
        let mut out = String::new();
        for (text, pos) in self.0 {
            out.push_str(&text);
            if pos != Pos::None {
                let gap = column.saturating_sub(text.chars().count()).max(2);
                out.extend(std::iter::repeat_n(' ', gap));
                out.push_str(&position(pos));
            }
            out.push('\n');
        }
        out
    }
}

fn function(out: &mut String, func: &Function, scope: Scope<'_>) {
    header(out, func, scope.decls);
    out.push_str(" {\n");
    let mut lines = Lines::default();
    for (slot, data) in func.slots() {
        lines.push(format!("    slot {slot}: {}", TypeText::new(&scope.decls.types, data.ty)), Pos::None);
    }
    for &b in func.layout() {
        block(&mut lines, func, b, scope);
    }
    out.push_str(&lines.finish());
    out.push_str("}\n");
}

fn header(out: &mut String, func: &Function, decls: &Decls) {
    let _ = write!(out, "func {}(", symbol('@', &func.name));
    for (i, &v) in func.params.iter().enumerate() {
        let comma = if i > 0 { ", " } else { "" };
        let _ = write!(out, "{comma}{v}: {}", TypeText::new(&decls.types, func.ty(v)));
        if func.inst(v).pos != Pos::None {
            let _ = write!(out, " {}", position(func.inst(v).pos));
        }
    }
    out.push(')');
    if func.result != Type::UNIT {
        let _ = write!(out, " -> {}", TypeText::new(&decls.types, func.result));
    }
    if let Some(section) = &func.section {
        let _ = write!(out, " section {}", Quoted(section));
    }
    match func.kind {
        FuncKind::User => {}
        FuncKind::Runtime => out.push_str(" runtime"),
    }
    if func.noinline {
        out.push_str(" noinline");
    }
    next_ids(out, func);
    if func.pos != Pos::None {
        let _ = write!(out, " {}", position(func.pos));
    }
}

/// Where numbering goes on, for each kind of id whose last ones are gone.
fn next_ids(out: &mut String, func: &Function) {
    let mut named = Vec::new();
    let values = func.iter_insts().map(|(_, v)| v).chain(func.params.iter().copied()).max();
    if values.map_or(0, |v| v.as_u32() as usize + 1) != func.num_values() {
        named.push(format!("v{}", func.num_values()));
    }
    if func.layout().iter().max().map_or(0, |b| b.as_u32() as usize + 1) != func.num_blocks() {
        named.push(format!("b{}", func.num_blocks()));
    }
    if func.slots().last().map_or(0, |(s, _)| s.as_u32() as usize + 1) != func.num_slots() {
        named.push(format!("s{}", func.num_slots()));
    }
    if !named.is_empty() {
        let _ = write!(out, " next {}", named.join(", "));
    }
}

fn block(lines: &mut Lines, func: &Function, b: Block, scope: Scope<'_>) {
    let preds: Vec<String> = func.preds(b).iter().map(Block::to_string).collect();
    let arrow = if preds.is_empty() { "" } else { " ← " };
    lines.push(format!("{b}:{arrow}{}", preds.join(", ")), Pos::None);
    for &v in &func.block(b).insts {
        let mut text = String::from("    ");
        instruction(&mut text, func, v, scope);
        lines.push(text, func.inst(v).pos);
    }
    let mut text = String::from("    ");
    terminator(&mut text, func, b, scope);
    lines.push(text, func.block(b).term_pos);
}

fn terminator(out: &mut String, func: &Function, b: Block, scope: Scope<'_>) {
    let _ = match func.term(b) {
        Terminator::Plain(to) => write!(out, "Plain → {to}"),
        Terminator::If { cond, then, other } => write!(out, "If {cond} → {then}, {other}"),
        Terminator::Switch { on, cases, default } => {
            let types = &scope.decls.types;
            let ty = func.ty(*on);
            let cases: Vec<_> =
                cases.iter().map(|(n, to)| format!("{}: {to}", integer(types, ty, *n))).collect();
            write!(out, "Switch {on} [{}] default {default}", cases.join(", "))
        }
        Terminator::Ret(None) => write!(out, "Ret"),
        Terminator::Ret(Some(v)) => write!(out, "Ret {v}"),
        Terminator::Panic(PanicWith::Text(text)) => write!(out, "Panic {}", Quoted(text)),
        Terminator::Panic(PanicWith::Value(v)) => write!(out, "Panic {v}"),
        Terminator::Exit => write!(out, "Exit"),
    };
}

// ---- instructions --------------------------------------------------------------------------------------------

fn instruction(out: &mut String, func: &Function, v: Value, scope: Scope<'_>) {
    let inst = func.inst(v);
    let _ = if inst.ty == Type::UNIT {
        write!(out, "{v}: {}", inst.op)
    } else {
        write!(out, "{v} = {} <{}>", inst.op, TypeText::new(&scope.decls.types, inst.ty))
    };
    if let Aux::Select(shape) = &inst.aux {
        out.push(' ');
        select_cases(out, inst, shape);
        return;
    }
    let payload = payload(inst, scope);
    if !payload.is_empty() {
        let _ = write!(out, " {payload}");
    }
    for (i, arg) in inst.args.iter().enumerate() {
        let _ = write!(out, "{} {arg}", if i > 0 { "," } else { "" });
    }
}

fn payload(inst: &Inst, scope: Scope<'_>) -> String {
    let decls = scope.decls;
    let map_name = |map| symbol('@', decls.maps.name(map));
    match &inst.aux {
        Aux::None | Aux::Select(_) | Aux::Form(RecvForm::CommaOk) => String::new(),
        Aux::Int(bits) => format!("[{}]", integer(&decls.types, inst.ty, *bits)),
        Aux::Float(bits) => format!("[{}]", float(&decls.types, inst.ty, *bits)),
        Aux::Nil => "[nil]".to_string(),
        Aux::Index(index) => format!("[{index}]"),
        Aux::Bounds { lo, hi } => format!("[{lo}..{hi}]"),
        Aux::Size(size) => format!("[{size}]"),
        Aux::Slot(slot) => slot.to_string(),
        Aux::Global(global) => symbol('@', decls.globals.name(*global)),
        Aux::Func(func) => match scope.funcs {
            Some(funcs) => symbol('@', funcs.name(*func)),
            None => format!("@{func}"),
        },
        Aux::Chan(chan) => symbol('@', decls.chans.name(*chan)),
        Aux::Form(RecvForm::Value) => "[value]".to_string(),
        Aux::Form(RecvForm::Discard) => "[discard]".to_string(),
        Aux::Runtime(function) => format!("[{function}]"),
        Aux::Intrinsic(id) => symbol('@', decls.intrinsics.name(*id)),
        Aux::Site(site) => format!("[site {}]", site.as_u32()),
        Aux::Name(name) => format!("[{}]", word(name)),
        Aux::Lookup { map, role: LookupRole::Plain } => map_name(*map),
        Aux::Lookup { map, role: LookupRole::Bind } => format!("[bind] {}", map_name(*map)),
        Aux::Lookup { map, role: LookupRole::Site } => format!("[site] {}", map_name(*map)),
        Aux::MapFlags { map, flags: 0 } => map_name(*map),
        Aux::MapFlags { map, flags } => format!("[flags {flags:#x}] {}", map_name(*map)),
        Aux::MapOffset { map, offset } => format!("[{offset}] {}", map_name(*map)),
    }
}

/// `{recv v1, send v2 ← v3, recv [discard] v4, recv v5 → v6, default}`; operands that no case takes, and
/// operands that are missing, show as such.
fn select_cases(out: &mut String, inst: &Inst, shape: &SelectShape) {
    let operand = |i: usize| inst.args.get(i).map_or("?".to_string(), Value::to_string);
    let form = |form: RecvForm| match form {
        RecvForm::CommaOk => "",
        RecvForm::Value => " [value]",
        RecvForm::Discard => " [discard]",
    };
    let mut parts: Vec<String> = shape
        .iter()
        .map(|(case, first, _)| match case {
            SelectCase::Send => format!("send {} ← {}", operand(first), operand(first + 1)),
            SelectCase::Recv(f) => format!("recv{} {}", form(f), operand(first)),
            SelectCase::RecvInto(f) => format!("recv{} {} → {}", form(f), operand(first), operand(first + 1)),
        })
        .collect();
    if shape.has_default {
        parts.push("default".to_string());
    }
    parts.extend(inst.args.iter().skip(shape.operands()).map(|v| format!("extra {v}")));
    let _ = write!(out, "{{{}}}", parts.join(", "));
}
