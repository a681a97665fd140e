//! Why the command ends early, and what the user reads then.

use std::process::ExitCode;

use larrow_ir::{Diagnostic, Module};

use super::{output, render};

/// Why the command ends early.
#[derive(Debug)]
pub(super) enum CliError {
    /// The arguments ask for what there is not.
    Usage(Box<Diagnostic>),
    /// The input, or a check of it, failed.
    Input(Box<Diagnostic>),
    /// Located errors in the module.
    Diagnostics(Box<Located>),
    /// Whoever read the output went away: nothing to report.
    BrokenPipe,
}

/// Diagnostics with what is needed to draw them.
#[derive(Debug)]
pub(super) struct Located {
    /// The diagnostics.
    pub(super) diagnostics: Vec<Diagnostic>,
    /// The text that spans refer to.
    pub(super) text: String,
    /// The module that entities refer to, if it could be read.
    pub(super) module: Option<Module>,
}

impl CliError {
    pub(super) fn usage(message: impl Into<String>) -> CliError {
        CliError::Usage(Box::new(Diagnostic::error(message)))
    }
    pub(super) fn input(message: impl Into<String>) -> CliError {
        CliError::Input(Box::new(Diagnostic::error(message)))
    }
    /// With a way out, for errors without a place.
    pub(super) fn help(self, help: impl Into<String>) -> CliError {
        match self {
            CliError::Usage(d) => CliError::Usage(Box::new(d.help(help))),
            CliError::Input(d) => CliError::Input(Box::new(d.help(help))),
            CliError::Diagnostics(_) | CliError::BrokenPipe => self,
        }
    }
    /// With the name that was probably meant.
    pub(super) fn tip(self, nearest: Option<&str>) -> CliError {
        match nearest {
            Some(name) => self.help(format!("did you mean `{name}`?")),
            None => self,
        }
    }

    /// Tells the user, and gives the exit code.
    pub(super) fn report(&self) -> ExitCode {
        match self {
            CliError::Usage(diagnostic) => {
                output::diagnostic(&render::all(std::slice::from_ref(&**diagnostic), "", None));
                ExitCode::from(2)
            }
            CliError::Input(diagnostic) => {
                output::diagnostic(&render::all(std::slice::from_ref(&**diagnostic), "", None));
                ExitCode::from(1)
            }
            CliError::Diagnostics(located) => {
                let Located { diagnostics, text, module } = &**located;
                output::diagnostic(&render::all(diagnostics, text, module.as_ref()));
                ExitCode::from(1)
            }
            CliError::BrokenPipe => ExitCode::SUCCESS,
        }
    }
}

impl From<crate::engine::EngineError> for CliError {
    fn from(error: crate::engine::EngineError) -> CliError {
        use crate::engine::EngineError as E;
        let nearest = error.nearest().map(str::to_string);
        let made = match &error {
            E::NoFunction { .. }
            | E::NoChannel { .. }
            | E::Arguments { .. }
            | E::Element { .. }
            | E::NoEntry(_) => CliError::usage(error.to_string()),
            E::Interp(_) | E::Map { .. } | E::Kernel(_) | E::Unavailable(_) => {
                CliError::input(error.to_string())
            }
        };
        made.tip(nearest.as_deref())
    }
}
