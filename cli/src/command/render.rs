//! Diagnostics in rustc's look.

use std::fmt::Write as _;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Element, Group, Level, Origin, Renderer, Snippet};
use larrow_ir::{Diagnostic, Entity, Module, Severity, Span};

use super::style;

/// A line longer than this many bytes is not drawn.
const LONGEST_LINE: usize = 400;
/// How many diagnostics are drawn; the rest is counted.
const MOST: usize = 20;

/// Draws diagnostics, with what stands in `text` at their spans, and a count at the end where there are several
/// errors. The result has colours, which the stream takes out where they are not wanted.
pub(super) fn all(diagnostics: &[Diagnostic], text: &str, module: Option<&Module>) -> String {
    let lines = Lines::of(text);
    let mut out = String::new();
    for diagnostic in diagnostics.iter().take(MOST) {
        out.push_str(&one(diagnostic, &lines, module));
        out.push_str("\n\n");
    }
    let errors = diagnostics.iter().filter(|d| d.severity == Severity::Error).count();
    let more = diagnostics.len().saturating_sub(MOST);
    if more > 0 {
        let _ = writeln!(out, "{more} more are not shown");
    }
    if errors > 1 {
        let _ = writeln!(out, "{errors} errors");
    }
    out.truncate(out.trim_end().len());
    out.push('\n');
    out
}

/// Where the lines of a text start.
struct Lines<'a> {
    lines: Vec<&'a str>,
}

impl<'a> Lines<'a> {
    fn of(text: &'a str) -> Lines<'a> {
        Lines { lines: text.lines().collect() }
    }
    fn get(&self, span: &Span) -> Option<&'a str> {
        let index = usize::try_from(span.line).ok()?.checked_sub(1)?;
        let drawable = |line: &&str| line.len() <= LONGEST_LINE && !line.chars().any(is_noise);
        self.lines.get(index).copied().filter(drawable)
    }
}

/// What a terminal may make anything of.
fn is_noise(c: char) -> bool {
    c == char::REPLACEMENT_CHARACTER || (c.is_control() && c != '\t')
}

fn one(diagnostic: &Diagnostic, lines: &Lines<'_>, module: Option<&Module>) -> String {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Note => Level::NOTE,
    };
    let drawn = diagnostic.span.as_ref().and_then(|span| lines.get(span).map(|line| (span, line)));
    let mut group = Group::with_title(level.primary_title(diagnostic.message.as_str()));
    match (&diagnostic.span, drawn) {
        (Some(_), Some((span, line))) => group = group.element(snippet(span, line)),
        (Some(span), None) => {
            let origin = Origin::path(span.file.to_string());
            group = group.element(origin.line(span.line as usize).char_column(span.col as usize));
        }
        (None, _) => {}
    }
    let source = module.and_then(|m| source_place(diagnostic, m));
    if diagnostic.span.is_none() && source.is_none() {
        return placeless(diagnostic);
    }
    match source {
        Some((file, line, col)) if diagnostic.span.is_none() => {
            let origin = Origin::path(file).line(line as usize).char_column(col as usize);
            group = group.element(origin);
        }
        Some((file, line, col)) => {
            group = group.element(message(Level::NOTE, &format!("in the source at {file}:{line}:{col}")));
        }
        None => {}
    }
    let entity = diagnostic.entity.filter(|_| diagnostic.span.is_none());
    if let (Some(entity), Some(module)) = (entity, module)
        && known(entity, module)
        && entity != Entity::Module
    {
        group = group.element(message(Level::NOTE, &format!("in {}", entity.spell(module))));
    }
    for note in &diagnostic.notes {
        group = group.element(message(Level::NOTE, note));
    }
    for help in &diagnostic.help {
        group = group.element(message(Level::HELP, help));
    }
    Renderer::styled().decor_style(DecorStyle::Ascii).render(&[group])
}

/// A diagnostic that is about no place: its lines alone.
fn placeless(diagnostic: &Diagnostic) -> String {
    let colour = |text: String| match diagnostic.severity {
        Severity::Error => style::red(text),
        Severity::Warning => style::yellow(text),
        Severity::Note => style::green(text),
    };
    let mut out = format!(
        "{}{}",
        style::bold(colour(diagnostic.severity.to_string())),
        style::bold(format!(": {}", diagnostic.message))
    );
    let notes = diagnostic.notes.iter().map(|text| ("note", text));
    for (what, text) in notes.chain(diagnostic.help.iter().map(|text| ("help", text))) {
        let _ = write!(out, "\n  {}: {text}", style::cyan(what));
    }
    out
}

fn message<'a>(level: Level<'a>, text: &str) -> Element<'a> {
    Element::from(level.message(text.to_string()))
}

/// The line of a span with the span marked.
fn snippet<'a>(span: &Span, line: &'a str) -> Snippet<'a, annotate_snippets::Annotation<'a>> {
    let boundary = |at: usize| (at..=line.len()).find(|&i| line.is_char_boundary(i)).unwrap_or(line.len());
    let start = boundary((span.col as usize).saturating_sub(1).min(line.len()));
    let end = boundary((start + span.len as usize).min(line.len())).max(start);
    Snippet::source(line)
        .line_start(span.line as usize)
        .path(span.file.to_string())
        .annotation(AnnotationKind::Primary.span(start..end))
}

/// Whether an entity is part of the module as it is now.
fn known(entity: Entity, module: &Module) -> bool {
    match entity {
        Entity::Module => true,
        Entity::Func(f) | Entity::Block(f, _) | Entity::Value(f, _) | Entity::Slot(f, _) => {
            module.funcs.get(f).is_some()
        }
        Entity::Chan(c) => module.decls.chans.get(c).is_some(),
        Entity::Map(m) => module.decls.maps.get(m).is_some(),
        Entity::Global(g) => module.decls.globals.get(g).is_some(),
    }
}

/// The user's own position behind a diagnostic.
fn source_place(diagnostic: &Diagnostic, module: &Module) -> Option<(String, u32, u32)> {
    let (file, line, col) = module.decls.locate(module.decls.outermost(diagnostic.pos))?;
    (!file.is_empty()).then(|| (file.to_string(), line, col))
}

#[cfg(test)]
mod tests {
    use super::*;
    use larrow_ir::text;

    /// Without colours.
    fn plain(diagnostics: &[Diagnostic], text: &str, module: Option<&Module>) -> String {
        anstream::adapter::strip_str(&all(diagnostics, text, module)).to_string()
    }

    #[test]
    fn an_error_is_drawn_under_its_line() {
        let source = "func @f(v0: u32) -> u32 {\nb0:\n    v1 = Addd <u32> v0, v0\n    Ret v1\n}\n";
        let errors = text::parse("f.ssa", source).unwrap_err();
        let drawn = plain(&errors[..1], source, None);
        assert!(drawn.starts_with("error: "), "{drawn}");
        assert!(drawn.contains("--> f.ssa:3:10\n"), "{drawn}");
        assert!(drawn.contains("3 |     v1 = Addd <u32> v0, v0\n  |          ^^^^"), "{drawn}");
    }

    #[test]
    fn errors_without_a_place_and_hostile_spans_are_drawn() {
        let error = Diagnostic::error("no").help("try").note("so");
        assert_eq!(plain(&[error], "", None), "error: no\n  note: so\n  help: try\n");
        for (line, col, len) in [(1, 1, 1), (1, 3, 900), (9, 9, 9), (1, 2, 1), (u32::MAX, u32::MAX, u32::MAX)]
        {
            let span = Span { file: "é.ssa".into(), line, col, len };
            assert!(plain(&[Diagnostic::error("no").in_text(span)], "é→\n", None).contains("error: no"));
        }
    }

    #[test]
    fn several_errors_are_counted() {
        let errors = vec![Diagnostic::error("a"); 25];
        let drawn = plain(&errors, "", None);
        assert!(drawn.ends_with("5 more are not shown\n25 errors\n"), "{drawn}");
    }
}
