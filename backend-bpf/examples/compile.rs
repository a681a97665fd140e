//! Compiles an `.ssa` file with the library alone: `compile [compile] IN [-l LEVEL] [--emit llvm|ir] [-o OUT]`.

use std::process::ExitCode;

use larrow_backend_bpf::{TargetOptions, llvm, target};
use larrow_ir::{Diagnostic, text};
use larrow_passes::Options;

struct Args {
    input: String,
    output: String,
    emit: String,
    level: u8,
}

fn args() -> Option<Args> {
    let mut args = Args { input: String::new(), output: "/dev/stdout".into(), emit: "obj".into(), level: 2 };
    let mut rest = std::env::args().skip(1);
    while let Some(arg) = rest.next() {
        match arg.as_str() {
            "-l" => args.level = rest.next()?.parse().ok()?,
            "-o" => args.output = rest.next()?,
            "--emit" => args.emit = rest.next()?,
            // As the command spells it.
            "compile" if args.input.is_empty() => {}
            _ => args.input = arg,
        }
    }
    (!args.input.is_empty()).then_some(args)
}

fn compile(args: &Args, source: &str) -> Result<Vec<u8>, Vec<Diagnostic>> {
    let mut module = text::parse(&args.input, source)?.module;
    let options = Options { level: args.level, ..Options::default() };
    let target = TargetOptions::default();
    match args.emit.as_str() {
        "llvm" => llvm::emit(&mut module, &options, &target).map(String::into_bytes),
        "ir" => {
            let pipeline = llvm::pipeline(&target);
            let done = pipeline.run(&mut module, &options, &mut []);
            done.map_err(|failure| failure.diagnostics().to_vec())?;
            Ok(text::print(&module).into_bytes())
        }
        _ => {
            let pipeline = target::pipeline(&target);
            target::compile(&mut module, &pipeline, &options, &target, Some(source), &mut [])
                .map(|output| output.bytes)
        }
    }
}

fn main() -> Result<ExitCode, std::io::Error> {
    let Some(args) = args() else {
        return Err(std::io::Error::other("usage: compile IN [-l LEVEL] [--emit llvm|ir] [-o OUT]"));
    };
    let source = std::fs::read_to_string(&args.input)?;
    match compile(&args, &source) {
        Ok(bytes) => {
            std::fs::write(&args.output, bytes)?;
            Ok(ExitCode::SUCCESS)
        }
        Err(errors) => {
            Err(std::io::Error::other(errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")))
        }
    }
}
