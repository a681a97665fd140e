//! Errors drawn under the lines that they are about:
//!
//! ```text
//! func @f(v0: u32, v1: u8) -> u32
//!   b0:
//!       v2 = Add <u32> v0, v1
//!       ^^^^^^^^^^^^^^^^^^^^^ operand v1 of Add is u8, not u32
//!       Ret v2
//! ```
//!
//! Only the lines around errors are shown; `…` stands for the rest.

use std::collections::HashMap;

use cranelift_entity::EntityRef;
use indexmap::IndexMap;

use crate::diag::{Diagnostic, Entity};
use crate::entity::{Block, FuncId, Type, Value};
use crate::function::Function;
use crate::module::Module;
use crate::text::{print_header, print_inst, print_term};

/// Renders diagnostics with carets under the functions' lines; those about nothing in a function stand first.
pub fn render(module: &Module, diagnostics: &[Diagnostic]) -> String {
    let mut out = String::new();
    let mut by_func: IndexMap<FuncId, Vec<&Diagnostic>> = IndexMap::new();
    for diagnostic in diagnostics {
        match diagnostic.entity.and_then(func_of).filter(|&f| module.funcs.get(f).is_some()) {
            Some(func) => by_func.entry(func).or_default().push(diagnostic),
            None => plain(&mut out, module, diagnostic),
        }
    }
    for (id, diagnostics) in by_func {
        let mut about: HashMap<Entity, Vec<&Diagnostic>> = HashMap::new();
        for &diagnostic in &diagnostics {
            about.entry(diagnostic.entity.unwrap_or(Entity::Func(id))).or_default().push(diagnostic);
        }
        Page::of(module, id, &mut about).print(&mut out);
        // What is left names a part that no line stands for, such as a value outside every block.
        let rest = diagnostics.iter().filter(|d| d.entity.is_some_and(|e| about.contains_key(&e)));
        rest.for_each(|d| plain(&mut out, module, d));
    }
    out
}

fn func_of(entity: Entity) -> Option<FuncId> {
    match entity {
        Entity::Func(f) | Entity::Block(f, _) | Entity::Value(f, _) | Entity::Slot(f, _) => Some(f),
        Entity::Module | Entity::Chan(_) | Entity::Map(_) | Entity::Global(_) => None,
    }
}

fn plain(out: &mut String, module: &Module, diagnostic: &Diagnostic) {
    let place = diagnostic.entity.map_or(String::new(), |e| format!("{}: ", e.spell(module)));
    out.push_str(&format!("{place}{diagnostic}\n"));
}

/// The header; a bare one where its parts do not exist.
fn header(module: &Module, func: &Function) -> String {
    let known = |ty: Type| ty.index() < module.decls.types.len();
    let exists = |v: Value| v.index() < func.num_values() && known(func.ty(v));
    if known(func.result) && func.params.iter().all(|&p| exists(p)) {
        print_header(func, module)
    } else {
        format!("func @{}", func.name)
    }
}

/// An instruction; a bare one where its type is not of the module.
fn inst(module: &Module, func: &Function, v: Value) -> String {
    if func.ty(v).index() < module.decls.types.len() {
        print_inst(func, v, module)
    } else {
        format!("{v} = {} <?>", func.inst(v).op)
    }
}

/// `b3: ← b1, b2`
fn label(func: &Function, b: Block) -> String {
    let preds: Vec<String> = func.preds(b).iter().map(Block::to_string).collect();
    if preds.is_empty() { format!("{b}:") } else { format!("{b}: ← {}", preds.join(", ")) }
}

/// A terminator; a bare one where its operand does not exist.
fn term(module: &Module, func: &Function, b: Block) -> String {
    let known = |v: Value| v.index() < func.num_values() && func.ty(v).index() < module.decls.types.len();
    match func.term(b).operand() {
        Some(v) if !known(v) => format!("… {v}"),
        Some(_) | None => print_term(func, b, module),
    }
}

/// A line of a function and what is wrong with it.
struct Line {
    indent: usize,
    text: String,
    messages: Vec<String>,
    /// Shown whenever something below it in its block is.
    is_label: bool,
}

/// A function's lines in order.
struct Page {
    lines: Vec<Line>,
}

impl Page {
    fn of(module: &Module, id: FuncId, about: &mut HashMap<Entity, Vec<&Diagnostic>>) -> Page {
        let func = &module.funcs[id];
        let mut page = Page { lines: Vec::new() };
        let mut take = |entity| {
            let found = about.remove(&entity).unwrap_or_default();
            found.into_iter().map(|d| d.message.clone()).collect::<Vec<_>>()
        };
        let mut head = take(Entity::Func(id));
        head.extend(func.params.iter().flat_map(|&p| take(Entity::Value(id, p))));
        head.extend(func.slots().flat_map(|(s, _)| take(Entity::Slot(id, s))));
        page.push(0, header(module, func), head, true);
        for &b in func.layout().iter().filter(|&&b| func.is_live_block(b)) {
            page.push(2, label(func, b), Vec::new(), true);
            for &v in func.block(b).insts.iter().filter(|v| v.index() < func.num_values()) {
                let messages = take(Entity::Value(id, v));
                page.push(6, inst(module, func, v), messages, false);
            }
            let messages = take(Entity::Block(id, b));
            page.push(6, term(module, func, b), messages, false);
        }
        page
    }

    fn push(&mut self, indent: usize, text: String, messages: Vec<String>, is_label: bool) {
        self.lines.push(Line { indent, text, messages, is_label });
    }

    /// Whether each line is shown: it is wrong, next to a wrong one, or the label of a block with a wrong one.
    fn shown(&self) -> Vec<bool> {
        let mut shown = vec![false; self.lines.len()];
        let (mut label, last) = (0, self.lines.len() - 1);
        for (i, line) in self.lines.iter().enumerate() {
            label = if line.is_label { i } else { label };
            if !line.messages.is_empty() {
                shown[i.saturating_sub(1)..=(i + 1).min(last)].fill(true);
                shown[label] = true;
            }
        }
        shown[0] = true;
        shown
    }

    fn print(&self, out: &mut String) {
        let mut gap = false;
        for (line, shown) in self.lines.iter().zip(self.shown()) {
            if !shown {
                gap = true;
                continue;
            }
            if std::mem::replace(&mut gap, false) {
                out.push_str("      …\n");
            }
            line.print(out);
        }
        if gap {
            out.push_str("      …\n");
        }
    }
}

impl Line {
    fn print(&self, out: &mut String) {
        let margin = " ".repeat(self.indent);
        let text = self.text.trim();
        out.push_str(&format!("{margin}{text}\n"));
        // The position at the end of a line is no part of the instruction.
        let body = text.rsplit_once("  @").map_or(text, |(body, _)| body.trim_end());
        let carets = "^".repeat(body.chars().count());
        for message in &self.messages {
            out.push_str(&format!("{margin}{carets} {message}\n"));
        }
    }
}
