//! The arguments.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use larrow_backend_bpf::isa::{Isa, Kernel};

/// A compiler for an SSA IR with Go's channel operations, with an eBPF backend that is watched pass by pass.
#[derive(Parser, Debug)]
#[command(name = "larrow", version, arg_required_else_help = true)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) command: Command,
    /// When to colour: NO_COLOR is honoured
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", hide_possible_values = true)]
    pub(super) color: Color,
}

#[derive(Subcommand, Debug)]
pub(super) enum Command {
    /// Compile a module to a BPF object, or to a stage on the way
    Compile(CompileArgs),
    /// Run a program in the interpreter or on the kernel
    Run(RunArgs),
    /// Show what each pass did
    Inspect(InspectArgs),
    /// Compare levels: size, cost, and whether they mean the same
    Compare(CompareArgs),
    /// Print the code of an object file
    Disasm(DisasmArgs),
    /// List the passes with their order and its reasons
    Passes(PassesArgs),
    /// Print a completion script
    Completions {
        /// For which shell
        shell: clap_complete::Shell,
    },
}

/// When to colour.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum, Debug)]
pub(super) enum Color {
    Auto,
    Always,
    Never,
}

impl Color {
    pub(super) fn write_global(self) {
        match self {
            Color::Auto => anstream::ColorChoice::Auto,
            Color::Always => anstream::ColorChoice::AlwaysAnsi,
            Color::Never => anstream::ColorChoice::Never,
        }
        .write_global();
    }
}

/// What code is made for, without the level.
#[derive(Args, Clone, Debug)]
pub(super) struct TargetArgs {
    /// Run the required passes alone, and do not inline
    #[arg(short = 'N')]
    pub(super) required_only: bool,
    /// The level of the instruction set: v1, v2, v3 or v4
    #[arg(long, value_name = "ISA", default_value = "v3")]
    pub(super) mcpu: Isa,
    /// The oldest kernel that must take the program, such as 5.15
    #[arg(long, value_name = "V", value_parser = kernel_version)]
    pub(super) kernel: Option<Kernel>,
    /// What becomes of an operation that would block: a BPF program cannot wait
    #[arg(long, value_name = "HOW", default_value = "poll")]
    pub(super) would_block: WouldBlock,
    /// How a program gets at a channel
    #[arg(long, value_name = "HOW", default_value = "lookup")]
    pub(super) bind: Bind,
    /// Do not count what happens at receives and sends
    #[arg(long)]
    pub(super) no_hooks: bool,
    /// Where a select starts to look
    #[arg(long, value_name = "ORDER", default_value = "random")]
    pub(super) select_order: Order,
    /// Leave a pass out; may be given several times
    #[arg(long, value_name = "PASS")]
    pub(super) without: Vec<String>,
    /// Switch a rewrite rule off; may be given several times
    #[arg(long, value_name = "RULE")]
    pub(super) without_rule: Vec<String>,
    /// Verify the module after every pass
    #[arg(long)]
    pub(super) verify_each: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum, Debug)]
pub(super) enum WouldBlock {
    /// It completes at once, with a note
    Poll,
    /// It is an error
    Reject,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum, Debug)]
pub(super) enum Bind {
    /// By a map lookup at each use
    Lookup,
    /// By the address of the map's value
    Direct,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum, Debug)]
pub(super) enum Order {
    /// At a random case, and on from there around the end
    Random,
    /// At the first: sends in source order, then receives
    Source,
}

/// `5.15`, `6.18.4`
fn kernel_version(text: &str) -> Result<Kernel, String> {
    let wrong = || format!("`{text}` is no kernel version: expected one such as 5.15");
    let mut parts = text.split('.').map(str::parse::<u16>);
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(Ok(major)), Some(Ok(minor)), None | Some(Ok(_)), None) => Ok((major, minor)),
        _ => Err(wrong()),
    }
}

/// A level.
fn level(text: &str) -> Result<u8, String> {
    match text.parse() {
        Ok(level @ 0..=4) => Ok(level),
        Ok(_) | Err(_) => Err("expected 0 (no inlining) to 4".to_string()),
    }
}

#[derive(Args, Debug)]
pub(super) struct CompileArgs {
    /// The module: a .ssa file, or - for standard input
    #[arg(value_name = "IN")]
    pub(super) input: PathBuf,
    /// Where the output goes; an object goes to IN.o, text to standard output (-)
    #[arg(short, long, value_name = "OUT")]
    pub(super) output: Option<PathBuf>,
    /// The inlining level, 0 to 4: 0 calls the channel functions, 4 puts their fast paths into the caller
    #[arg(short, long, value_name = "LEVEL", default_value = "2", value_parser = level)]
    pub(super) level: u8,
    #[command(flatten)]
    pub(super) target: TargetArgs,
    /// Run the program after every pass and compare what it does: a test on 21 inputs, not a proof
    #[arg(long)]
    pub(super) validate: bool,
    /// What to write
    #[arg(long, value_name = "WHAT", default_value = "obj")]
    pub(super) emit: Emit,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum, Debug)]
pub(super) enum Emit {
    /// The object file
    Obj,
    /// The instructions
    Asm,
    /// The module after the last pass
    Ir,
    /// The lowered module as LLVM IR, for llc -march=bpf
    Llvm,
    /// What each pass did, as lines of JSON
    Trace,
    /// Functions, maps, channels and sites of the object, as JSON
    Json,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum, Debug)]
pub(super) enum Format {
    /// For people
    Text,
    /// For programs
    Json,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum, Debug)]
pub(super) enum TableFormat {
    /// For people
    Table,
    /// For programs
    Json,
}

/// What a program is run on.
#[derive(Args, Clone, Debug)]
pub(super) struct InputArgs {
    /// The function; the program's entry if there is just one
    #[arg(long, value_name = "F")]
    pub(super) func: Option<String>,
    /// A file with the packet, raw bytes; else NAME.packet beside the example, else 64 zero bytes
    #[arg(long, value_name = "FILE")]
    pub(super) packet: Option<PathBuf>,
    /// Send values to a channel before the run: numbers, true, false, or x0a0b for bytes as in memory
    #[arg(long, value_name = "CH=V,V…")]
    pub(super) send: Vec<String>,
    /// Close a channel before the run, after what is sent
    #[arg(long, value_name = "CH")]
    pub(super) close: Vec<String>,
    /// Run the program several times on the same channels and maps
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(super) repeat: u32,
    /// The seed of what is random
    #[arg(long, value_name = "N", default_value_t = 42)]
    pub(super) seed: u64,
}

#[derive(Args, Debug)]
pub(super) struct RunArgs {
    /// The module: a .ssa file, or - for standard input
    #[arg(value_name = "IN")]
    pub(super) input: PathBuf,
    /// Arguments of a function that is no program entry
    #[arg(value_name = "ARGS", value_parser = number, allow_negative_numbers = true)]
    pub(super) args: Vec<u64>,
    /// Which engine runs it
    #[arg(long, value_name = "E", default_value = "interp")]
    pub(super) engine: Engine,
    /// Compile at this level first; without, the interpreter runs the module as it is written
    #[arg(short, long, value_name = "LEVEL", value_parser = level)]
    pub(super) level: Option<u8>,
    #[command(flatten)]
    pub(super) inputs: InputArgs,
    /// Show what is left in this channel alone; may be given several times
    #[arg(long, value_name = "CH")]
    pub(super) recv: Vec<String>,
    #[command(flatten)]
    pub(super) target: TargetArgs,
    /// The form of the output
    #[arg(long, value_name = "FORM", default_value = "text")]
    pub(super) format: Format,
}

/// A number as Go writes it, with its sign.
pub(super) fn number(text: &str) -> Result<u64, String> {
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |digits| (true, digits));
    let parsed = match digits.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16),
        None => digits.parse(),
    };
    let value = parsed.map_err(|_| format!("`{text}` is no number"))?;
    Ok(if negative { value.wrapping_neg() } else { value })
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum, Debug)]
pub(super) enum Engine {
    /// The reference interpreter
    Interp,
    /// The kernel's verifier and test run; needs root
    Kernel,
}

#[derive(Args, Debug)]
pub(super) struct InspectArgs {
    /// The module: a .ssa file, or - for standard input
    #[arg(value_name = "IN")]
    pub(super) input: PathBuf,
    /// The inlining level, 0 to 4
    #[arg(short, long, value_name = "LEVEL", default_value = "2", value_parser = level)]
    pub(super) level: u8,
    /// Show this function alone
    #[arg(long, value_name = "F")]
    pub(super) func: Option<String>,
    /// Show this pass, or those from one to another: A..B, A.., ..B
    #[arg(long, value_name = "PASS")]
    pub(super) pass: Option<String>,
    /// Run the program after every pass and compare what it does: a test on 21 inputs, not a proof
    #[arg(long)]
    pub(super) validate: bool,
    /// Every pass, and whole functions with the changed lines marked
    #[arg(long)]
    pub(super) full: bool,
    #[command(flatten)]
    pub(super) target: TargetArgs,
    /// The form of the output
    #[arg(long, value_name = "FORM", default_value = "text")]
    pub(super) format: Format,
    /// Leave times out, so that the output is reproducible
    #[arg(long)]
    pub(super) no_timing: bool,
}

#[derive(Args, Debug)]
pub(super) struct CompareArgs {
    /// The module: a .ssa file, or - for standard input
    #[arg(value_name = "IN")]
    pub(super) input: PathBuf,
    /// A level to compare; give at least two, or none for 0 and 4
    #[arg(short, long, value_name = "LEVEL", value_parser = level)]
    pub(super) level: Vec<u8>,
    #[command(flatten)]
    pub(super) inputs: InputArgs,
    /// How many more inputs to make up, from the seed
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub(super) random: u32,
    #[command(flatten)]
    pub(super) target: TargetArgs,
    /// The form of the output
    #[arg(long, value_name = "FORM", default_value = "table")]
    pub(super) format: TableFormat,
    /// Do not use the kernel
    #[arg(long)]
    pub(super) no_kernel: bool,
}

#[derive(Args, Debug)]
pub(super) struct DisasmArgs {
    /// The object file, or - for standard input
    #[arg(value_name = "OBJECT")]
    pub(super) input: PathBuf,
    /// Print this function alone
    #[arg(long, value_name = "F")]
    pub(super) func: Option<String>,
    /// Leave the bytes of the instructions out
    #[arg(long)]
    pub(super) no_bytes: bool,
}

#[derive(Args, Debug)]
pub(super) struct PassesArgs {
    /// The form of the output
    #[arg(long, value_name = "FORM", default_value = "text")]
    pub(super) format: Format,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn parse(line: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(line.split(' '))
    }

    #[test]
    fn the_declaration_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_level_is_written_in_every_way() {
        for line in ["-l 3", "-l3", "-l=3", "--level 3", "--level=3"] {
            let Command::Compile(args) = parse(&format!("larrow compile x.ssa {line}")).unwrap().command
            else {
                panic!("{line}");
            };
            assert_eq!(args.level, 3);
        }
        assert!(parse("larrow compile x.ssa -l 5").is_err());
    }

    #[test]
    fn levels_to_compare_add_up() {
        let Command::Compare(args) = parse("larrow compare - -l 0 -l=4 --no-kernel").unwrap().command else {
            panic!("another command");
        };
        assert_eq!(args.level, [0, 4]);
    }

    #[test]
    fn kernels_and_numbers_are_read_as_people_write_them() {
        assert_eq!(kernel_version("5.15"), Ok((5, 15)));
        assert_eq!(kernel_version("6.18.44"), Ok((6, 18)));
        assert!(kernel_version("six").is_err());
        assert!(kernel_version("6").is_err());
        assert_eq!(number("-1"), Ok(u64::MAX));
        assert_eq!(number("0xff"), Ok(255));
        assert!(number("seven").is_err());
    }
}
