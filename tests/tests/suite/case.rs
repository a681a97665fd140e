//! Case files: a module in the text format, and directives in its comments.
//!
//! | directive | says |
//! |---|---|
//! | `; CHECK: text` | the printed result has a line with `text`, behind the line of the check before |
//! | `; CHECK-NOT: text` | no line between the checks around it has `text` |
//! | `; RUN: @f(1, 2) send ports=1,2 close ports → 7 left ports=3` | a run and what comes of it |
//! | `; SITE: recv@x.go:3:4 received=1 empty=2` | what the run before it counted; all that was counted is listed |
//! | `; ERROR: 8:14 text` | an error with `text` in its message at that source position |
//! | `; OPTIONS: would-block=reject` | options of the target |
//!
//! A run: arguments are numbers, `true`, `false`, `nil` or `ctx`; `send CH=V,V` and `close CH` come before it;
//! values are numbers, or an element's bytes as `"0a00"`. The result is `7`, `true`, `(1, true)`, `()`,
//! `panic "text"` or `abort`; `left CH=V,V` says what waits in a channel afterwards, `left CH=` that nothing does.

use std::path::Path;

use larrow_ir::verify::render;
use larrow_ir::{Module, text, verify};

/// A parsed case.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) module: Module,
    pub(crate) checks: Vec<Check>,
    pub(crate) runs: Vec<Run>,
    pub(crate) errors: Vec<ExpectedError>,
    pub(crate) options: Vec<(String, String)>,
}

/// A `CHECK` or `CHECK-NOT` line.
pub(crate) struct Check {
    not: bool,
    text: String,
}

/// A `RUN` line with its `SITE` lines.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    pub(crate) line: usize,
    pub(crate) func: String,
    pub(crate) args: Vec<Arg>,
    pub(crate) before: Vec<Action>,
    pub(crate) result: String,
    pub(crate) left: Vec<(String, Vec<Elem>)>,
    pub(crate) sites: Vec<String>,
}

/// An argument of a run.
#[derive(Clone, Debug)]
pub(crate) enum Arg {
    Int(i128),
    Nil,
    Ctx,
}

/// What is done from outside before a run.
#[derive(Clone, Debug)]
pub(crate) enum Action {
    Send(String, Vec<Elem>),
    Close(String),
}

/// An element of a channel.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Elem {
    Int(i128),
    Bytes(Vec<u8>),
}

impl Elem {
    /// The element's bytes in memory.
    pub(crate) fn bytes(&self, size: usize) -> Vec<u8> {
        match self {
            Elem::Int(n) => n.to_le_bytes()[..size].to_vec(),
            Elem::Bytes(bytes) => bytes.clone(),
        }
    }
}

/// An `ERROR` line.
#[derive(Debug)]
pub(crate) struct ExpectedError {
    /// `8:14`, if it is located in the source.
    pub(crate) place: Option<String>,
    pub(crate) text: String,
}

impl Case {
    /// Reads a case. Its module must parse, verify, and come back from printing.
    pub(crate) fn read(path: &Path) -> Case {
        let name = path.file_stem().expect("a file").to_string_lossy().into_owned();
        let source = std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        Case::parse(&name, &source)
    }

    /// Reads a case from text.
    pub(crate) fn parse(name: &str, source: &str) -> Case {
        let module = parse_module(name, source);
        let mut case = Case {
            name: name.to_string(),
            module,
            checks: Vec::new(),
            runs: Vec::new(),
            errors: Vec::new(),
            options: Vec::new(),
        };
        for (number, line) in source.lines().enumerate() {
            if let Some(comment) = line.trim_start().strip_prefix(';') {
                case.directive(number + 1, comment.trim());
            }
        }
        case
    }

    fn directive(&mut self, line: usize, comment: &str) {
        let Some((word, rest)) = comment.split_once(':') else { return };
        let rest = rest.trim();
        match word {
            "CHECK" => self.checks.push(Check { not: false, text: rest.to_string() }),
            "CHECK-NOT" => self.checks.push(Check { not: true, text: rest.to_string() }),
            "RUN" => self
                .runs
                .push(parse_run(line, rest).unwrap_or_else(|| panic!("{}:{line}: {rest}", self.name))),
            "SITE" => {
                let run =
                    self.runs.last_mut().unwrap_or_else(|| panic!("{}:{line}: no run before", self.name));
                run.sites.push(rest.to_string());
            }
            "ERROR" => self.errors.push(parse_error(rest)),
            "OPTIONS" => {
                let pairs = rest.split_whitespace().filter_map(|w| w.split_once('='));
                self.options.extend(pairs.map(|(k, v)| (k.to_string(), v.to_string())));
            }
            word => {
                let directive = !word.is_empty() && word.chars().all(|c| c.is_ascii_uppercase() || c == '-');
                assert!(!directive, "{}:{line}: there is no directive {word}", self.name);
            }
        }
    }

    /// Holds a printed module to the checks.
    pub(crate) fn check(&self, printed: &str) {
        let lines: Vec<&str> = printed.lines().collect();
        let mut at = 0;
        let mut forbidden: Vec<&str> = Vec::new();
        let refuse = |stretch: &[&str], forbidden: &mut Vec<&str>| {
            for text in forbidden.drain(..) {
                if let Some(line) = stretch.iter().find(|l| l.contains(text)) {
                    panic!("{}: `CHECK-NOT: {text}` stands in\n{line}\nin\n{printed}", self.name);
                }
            }
        };
        for check in &self.checks {
            if check.not {
                forbidden.push(&check.text);
                continue;
            }
            let Some(found) = lines[at..].iter().position(|l| l.contains(&check.text)) else {
                panic!("{}: `CHECK: {}` not found behind line {at} of\n{printed}", self.name, check.text);
            };
            refuse(&lines[at..at + found], &mut forbidden);
            at += found + 1;
        }
        refuse(&lines[at..], &mut forbidden);
    }
}

/// Parses and verifies; the module must come back from printing as it was.
pub(crate) fn parse_module(name: &str, source: &str) -> Module {
    let module = match text::parse(name, source) {
        Ok(parsed) => parsed.module,
        Err(errors) => panic!("{name} does not parse:\n{errors:#?}"),
    };
    verified(name, &module);
    module
}

/// Verifies a module and sends it through printer and parser.
pub(crate) fn verified(name: &str, module: &Module) {
    if let Err(errors) = verify(module) {
        panic!("{name} is not valid:\n{}", render(module, &errors));
    }
    let printed = text::print(module);
    match text::parse(name, &printed) {
        Ok(again) => {
            assert!(again.module == *module, "{name} changes on its way through the text:\n{printed}");
        }
        Err(errors) => panic!("{name} does not parse once printed: {errors:#?}\n{printed}"),
    }
}

fn parse_error(rest: &str) -> ExpectedError {
    let (place, text) = rest.split_once(' ').unwrap_or((rest, ""));
    let is_place = place.split_once(':').is_some_and(|(line, col)| {
        [line, col].iter().all(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
    });
    if is_place {
        ExpectedError { place: Some(place.to_string()), text: text.trim().to_string() }
    } else {
        ExpectedError { place: None, text: rest.to_string() }
    }
}

fn parse_run(line: usize, rest: &str) -> Option<Run> {
    let (call, result) = rest.split_once(" → ").or_else(|| rest.split_once(" -> "))?;
    let (func, call) = call.trim().strip_prefix('@')?.split_once('(')?;
    let (args, actions) = call.split_once(')')?;
    let args: Option<Vec<Arg>> =
        args.split(',').map(str::trim).filter(|a| !a.is_empty()).map(parse_arg).collect();
    let (result, left) = match result.split_once(" left ") {
        Some((result, left)) => (result, left),
        None => (result, ""),
    };
    let left: Option<Vec<_>> = left.split_whitespace().map(parse_elems).collect();
    Some(Run {
        line,
        func: func.to_string(),
        args: args?,
        before: parse_actions(actions)?,
        result: result.trim().to_string(),
        left: left?,
        sites: Vec::new(),
    })
}

fn parse_actions(text: &str) -> Option<Vec<Action>> {
    let mut actions = Vec::new();
    let mut words = text.split_whitespace();
    while let Some(word) = words.next() {
        actions.push(match word {
            "send" => {
                let (chan, elems) = parse_elems(words.next()?)?;
                Action::Send(chan, elems)
            }
            "close" => Action::Close(words.next()?.to_string()),
            _ => return None,
        });
    }
    Some(actions)
}

fn parse_elems(word: &str) -> Option<(String, Vec<Elem>)> {
    let (chan, elems) = word.split_once('=')?;
    let elems: Option<Vec<Elem>> = elems.split(',').filter(|e| !e.is_empty()).map(parse_elem).collect();
    Some((chan.to_string(), elems?))
}

fn parse_elem(text: &str) -> Option<Elem> {
    let Some(hex) = text.strip_prefix('"').and_then(|t| t.strip_suffix('"')) else {
        return text.parse().ok().map(Elem::Int);
    };
    let byte = |i: usize| u8::from_str_radix(hex.get(i..i + 2)?, 16).ok();
    (0..hex.len()).step_by(2).map(byte).collect::<Option<Vec<u8>>>().map(Elem::Bytes)
}

fn parse_arg(text: &str) -> Option<Arg> {
    match text {
        "nil" => Some(Arg::Nil),
        "ctx" => Some(Arg::Ctx),
        "true" => Some(Arg::Int(1)),
        "false" => Some(Arg::Int(0)),
        number => number.parse().ok().map(Arg::Int),
    }
}
