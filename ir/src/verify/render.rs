//! Errors drawn under the lines that they are about:
//!
//! ```text
//! func @f(v0: u32, v1: u8) -> u32 {
//!   b0:
//!       v2 = Add <u32> v0, v1
//!       ^^^^^^^^^^^^^^^^^^^^^ operand v1 of Add is u8, not u32
//!       Ret v2
//! ```
//!
//! Only the lines around errors are shown; `…` stands for the rest.

use std::collections::HashMap;

use indexmap::IndexMap;

use crate::diag::{Diagnostic, Entity};
use crate::entity::{Block, FuncId, Value};
use crate::function::Function;
use crate::module::Module;

/// The text of the parts of a function, a line each, not indented.
pub trait Lines {
    /// The function's header.
    fn header(&self, module: &Module, func: &Function) -> String;
    /// A block's label.
    fn label(&self, module: &Module, func: &Function, block: Block) -> String;
    /// An instruction.
    fn inst(&self, module: &Module, func: &Function, value: Value) -> String;
    /// A block's terminator.
    fn term(&self, module: &Module, func: &Function, block: Block) -> String;
}

/// Renders diagnostics with carets under the functions' lines; those about nothing in a function stand first.
pub fn render_with(module: &Module, diagnostics: &[Diagnostic], text: &dyn Lines) -> String {
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
        Page::of(module, id, &mut about, text).print(&mut out);
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
    fn of(
        module: &Module,
        id: FuncId,
        about: &mut HashMap<Entity, Vec<&Diagnostic>>,
        text: &dyn Lines,
    ) -> Page {
        let func = &module.funcs[id];
        let mut page = Page { lines: Vec::new() };
        let mut take = |entity| {
            let found = about.remove(&entity).unwrap_or_default();
            found.into_iter().map(|d| d.message.clone()).collect::<Vec<_>>()
        };
        let mut head = take(Entity::Func(id));
        head.extend(func.params.iter().flat_map(|&p| take(Entity::Value(id, p))));
        head.extend(func.slots().flat_map(|(s, _)| take(Entity::Slot(id, s))));
        page.push(0, text.header(module, func), head, true);
        for &b in func.layout().iter().filter(|&&b| func.is_live_block(b)) {
            page.push(2, text.label(module, func, b), Vec::new(), true);
            for &v in func.block(b).insts.iter().filter(|v| (v.as_u32() as usize) < func.num_values()) {
                let messages = take(Entity::Value(id, v));
                page.push(6, text.inst(module, func, v), messages, false);
            }
            let messages = take(Entity::Block(id, b));
            page.push(6, text.term(module, func, b), messages, false);
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
