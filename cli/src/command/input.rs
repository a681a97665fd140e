//! Reading what the user names.

use std::collections::HashMap;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use larrow_ir::{Diagnostic, Entity, Module, Pos, text, verify};

use super::error::{CliError, Located};
use super::output::reason;

/// More than this is not read.
const LIMIT: u64 = 256 << 20;

/// A module with what surrounds it.
pub(super) struct Input {
    /// As diagnostics show it.
    pub(super) name: String,
    /// The text.
    pub(super) text: String,
    /// The module, verified.
    pub(super) module: Module,
    /// Where its parts stand in the text.
    pub(super) spans: text::SourceMap,
    /// The file; `None` for standard input.
    pub(super) path: Option<PathBuf>,
}

impl Input {
    /// Reads, parses and verifies a module.
    pub(super) fn module(path: &Path) -> Result<Input, CliError> {
        let (path, name, bytes) = find(path)?;
        let fail = |diagnostics: Vec<Diagnostic>, module: Option<Module>| {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            CliError::Diagnostics(Box::new(Located { diagnostics, text, module }))
        };
        if bytes.iter().all(u8::is_ascii_whitespace) {
            let error = CliError::input(format!("{} is empty", quoted(&name)));
            return Err(
                error.help("a module starts with `file \"name.go\"` and holds functions; see `examples/`")
            );
        }
        let parsed = text::parse_bytes(&name, &bytes).map_err(|errors| fail(errors, None))?;
        if let Err(errors) = verify(&parsed.module) {
            let located = errors.into_iter().map(|d| parsed.spans.locate(d)).collect();
            return Err(fail(located, Some(parsed.module)));
        }
        if parsed.module.funcs.count() == 0 {
            return Err(CliError::input(format!("{} holds no function", quoted(&name))));
        }
        let text = String::from_utf8_lossy(&bytes).into_owned();
        Ok(Input { name, text, module: parsed.module, spans: parsed.spans, path })
    }

    /// Gives diagnostics their place in the text. One about what a pass made gets the place of the instruction
    /// that stands at the same position of the source.
    pub(super) fn locate(&self, diagnostics: Vec<Diagnostic>) -> Vec<Diagnostic> {
        let places = self.places();
        let locate = |diagnostic| {
            let mut located = self.spans.locate(diagnostic);
            if located.span.is_none() {
                located.span = places.get(&located.pos).and_then(|&entity| self.spans.get(entity));
            }
            located
        };
        diagnostics.into_iter().map(locate).collect()
    }

    /// The instruction at each position of the source: the first that does more than compute, else the first.
    fn places(&self) -> HashMap<Pos, Entity> {
        let mut places = HashMap::new();
        for pure in [false, true] {
            for (id, func) in self.module.funcs.iter() {
                for (_, v) in func.iter_insts().filter(|&(_, v)| func.inst(v).effects().is_pure() == pure) {
                    let pos = func.inst(v).pos;
                    if pos != Pos::None {
                        places.entry(pos).or_insert(Entity::Value(id, v));
                    }
                }
            }
        }
        places
    }

    /// An error from diagnostics on a module that was made from this one.
    pub(super) fn failed(&self, diagnostics: Vec<Diagnostic>, module: Module) -> CliError {
        let diagnostics = self.locate(diagnostics);
        CliError::Diagnostics(Box::new(Located {
            diagnostics,
            text: self.text.clone(),
            module: Some(module),
        }))
    }

    /// The text of the module's source file, if it lies beside the module.
    pub(super) fn source(&self) -> Option<String> {
        let file = &*self.module.decls.file;
        let path = self.path.as_ref()?.with_file_name(Path::new(file).file_name()?);
        std::fs::read_to_string(path).ok()
    }

    /// The packet that lies beside the module.
    pub(super) fn packet(&self) -> Option<Vec<u8>> {
        std::fs::read(self.path.as_ref()?.with_extension("packet")).ok()
    }

    /// The function that is meant: the one that is named, or the only program entry.
    pub(super) fn entry(&self, wanted: Option<&str>) -> Result<String, CliError> {
        let funcs = &self.module.funcs;
        if let Some(name) = wanted {
            let name = name.strip_prefix('@').unwrap_or(name);
            if funcs.id(name).is_none() {
                let names = funcs.iter().map(|(_, f)| &*f.name);
                let error = CliError::usage(format!("there is no function @{name}"));
                return Err(error.tip(larrow_ir::nearest(name, names)));
            }
            return Ok(name.to_string());
        }
        let entries: Vec<&str> =
            funcs.iter().filter(|(_, f)| f.section.is_some()).map(|(_, f)| &*f.name).collect();
        let all: Vec<&str> = funcs.iter().map(|(_, f)| &*f.name).collect();
        match (&entries[..], &all[..]) {
            ([only], _) | ([], [only]) => Ok((*only).to_string()),
            ([], names) | (names, _) => {
                let names: Vec<String> = names.iter().map(|n| format!("@{n}")).collect();
                let error = CliError::usage("it is not clear which function is meant");
                Err(error.help(format!("say --func with one of {}", names.join(", "))))
            }
        }
    }
}

/// Reads a file or standard input; a name without its `.ssa` is completed. The file, its name, its contents.
fn find(path: &Path) -> Result<(Option<PathBuf>, String, Vec<u8>), CliError> {
    if path == Path::new("-") {
        return Ok((None, "-".to_string(), read(path)?));
    }
    let mut path = path.to_path_buf();
    if !path.exists() && path.extension().is_none() {
        let completed = path.with_extension("ssa");
        if completed.exists() {
            path = completed;
        }
    }
    if path.extension().is_some_and(|e| e == "go") {
        let error = CliError::input(format!("Go source is not read yet: `{}`", path.display()));
        return Err(error.help("write the program in the text format: a `.ssa` file, as in `examples/`"));
    }
    let bytes = read(&path)?;
    Ok((Some(path.clone()), path.display().to_string(), bytes))
}

/// Reads the bytes of a file, or of standard input for `-`.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, CliError> {
    let name = path.display().to_string();
    let failed =
        |error: io::Error| CliError::input(format!("cannot read {}: {}", quoted(&name), reason(&error)));
    let mut bytes = Vec::new();
    if path == Path::new("-") {
        io::stdin().lock().take(LIMIT + 1).read_to_end(&mut bytes).map_err(failed)?;
    } else {
        let file = std::fs::File::open(path).map_err(failed)?;
        if file.metadata().is_ok_and(|meta| meta.is_dir()) {
            return Err(CliError::input(format!("cannot read {}: it is a directory", quoted(&name))));
        }
        file.take(LIMIT + 1).read_to_end(&mut bytes).map_err(failed)?;
    }
    if bytes.len() as u64 > LIMIT {
        return Err(CliError::input(format!("{} is larger than 256 MiB", quoted(&name))));
    }
    Ok(bytes)
}

/// `standard input` for `-`.
fn quoted(name: &str) -> String {
    if name == "-" { "standard input".into() } else { format!("`{name}`") }
}
