//! The command: arguments in, text or files out.
//!
//! Data goes to standard output, everything else to standard error. Exit codes: 0 done; 1 the input or a check
//! failed; 2 the arguments are wrong; 101 a bug of ours.

mod args;
mod attribution;
mod build;
mod compare;
mod compile;
mod disasm;
mod element;
mod error;
mod input;
mod inputs;
mod inspect;
mod output;
mod passes;
mod render;
mod run;
mod style;
mod trace_json;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use args::{Cli, Command};
use error::CliError;

/// Runs the command on the process's arguments.
pub fn main() -> ExitCode {
    std::panic::set_hook(Box::new(|info| {
        let place = info.location().map_or(String::new(), |at| format!(" at {at}"));
        let message = info.payload_as_str().unwrap_or("it left no message");
        let version = env!("CARGO_PKG_VERSION");
        output::diagnostic(&format!(
            "error: this is a bug of larrow {version}, not of your input\n  {message}{place}\n  \
             please report it with the input and the arguments\n"
        ));
    }));
    match std::panic::catch_unwind(|| run(Cli::parse())) {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(error)) => error.report(),
        Err(_) => ExitCode::from(101),
    }
}

fn run(cli: Cli) -> Result<(), CliError> {
    cli.color.write_global();
    match cli.command {
        Command::Compile(args) => compile::run(&args),
        Command::Run(args) => run::run(&args),
        Command::Inspect(args) => inspect::run(&args),
        Command::Compare(args) => compare::run(&args),
        Command::Disasm(args) => disasm::run(&args),
        Command::Passes(args) => passes::run(&args),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "larrow", &mut script);
            output::bytes(&script)
        }
    }
}
