//! One table: our compiler against `llc-19 -O2 -march=bpf` on the same IR, in time and in code.
//!
//! `ratios [COMPILER]`: times are of whole processes, COMPILER against llc, in turn, the median of many. COMPILER
//! takes `compile IN -l 4 -o OUT`; it is the `larrow` beside this program if none is given.

use std::fmt::Write as _;
use std::io::{Error, Result, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use larrow_backend_bpf::kernel::{Kernel, LoadedObject};
use larrow_backend_bpf::object::Object;
use larrow_backend_bpf::{TargetOptions, llvm, target};
use larrow_ir::text;
use larrow_passes::Options;
use larrow_tests::large::{self, Shape};
use larrow_tests::llc;

/// A program at every place that needs it.
struct Input {
    name: String,
    source: PathBuf,
    text: PathBuf,
    object: Object,
    llvm: String,
}

struct Times {
    ours: Duration,
    theirs: Option<Duration>,
}

fn main() -> Result<()> {
    let compiler = std::env::args().nth(1).map_or_else(beside, PathBuf::from);
    let folder = std::env::temp_dir().join(format!("larrow-ratios-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let table = table(&compiler, &folder);
    std::fs::remove_dir_all(&folder)?;
    std::io::stdout().write_all(table?.as_bytes())
}

/// The `larrow` that was built with this program.
fn beside() -> PathBuf {
    std::env::current_exe().map_or_else(|_| "larrow".into(), |exe| exe.with_file_name("larrow"))
}

fn table(compiler: &Path, folder: &Path) -> Result<String> {
    let has_llc = llc::available();
    let mut out = String::new();
    if !has_llc {
        out += "llc-19 is not installed: no comparison, our own figures only\n";
    }
    let verifier = Kernel::probe();
    if let Err(reason) = &verifier {
        let _ = writeln!(out, "no verified counts: {reason}");
    }
    out += "program            |  ours ms |   llc ms | llc/ours | growth | insns ours / llc   ratio | verified ours / llc\n";
    out += "-------------------+----------+----------+----------+--------+--------------------------+--------------------\n";
    for (name, source) in llc::examples()? {
        let input = prepare(folder, &name, &source)?;
        let times = measure(compiler, &input, has_llc)?;
        row(&mut out, &input, &times, None, has_llc, verifier.is_ok())?;
    }
    for shape in Shape::ALL {
        let mut before: Option<Duration> = None;
        for size in [1000, 10_000] {
            let source = text::print(&large::module(shape, size));
            let input = prepare(folder, &format!("{} {size}", shape.name()), &source)?;
            let times = measure(compiler, &input, has_llc)?;
            let growth = before.map(|b| times.ours.as_secs_f64() / b.as_secs_f64());
            row(&mut out, &input, &times, growth, has_llc, false)?;
            before = Some(times.ours);
        }
    }
    out += "times: whole processes, median; ours is `compile -l 4` from .ssa to an object, llc's from .ll to an object.\n";
    out += "growth: our time at ten times the size; wanted: 12 at most. llc/ours: wanted 5 at least. ratio: wanted 1.3 at most.\n";
    out += "insns: every function of the object, -l 4, -mcpu=v3. verified: instructions the kernel's verifier processed.\n";
    Ok(out)
}

fn diagnosed(errors: &[larrow_ir::Diagnostic]) -> Error {
    Error::other(errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
}

/// Compiles in both ways inside this process, and leaves the two inputs as files.
fn prepare(folder: &Path, name: &str, source: &str) -> Result<Input> {
    let (options, target) = (Options { level: 4, ..Options::default() }, TargetOptions::default());
    let parse = || text::parse(name, source).map_err(|e| diagnosed(&e)).map(|parsed| parsed.module);
    let llvm = llvm::emit(&mut parse()?, &options, &target).map_err(|e| diagnosed(&e))?;
    let pipeline = target::pipeline(&target);
    let object = target::compile(&mut parse()?, &pipeline, &options, &target, None, &mut [])
        .map_err(|e| diagnosed(&e))?
        .object;
    let file = name.replace(' ', "-");
    let (source_path, text_path) = (folder.join(format!("{file}.ssa")), folder.join(format!("{file}.ll")));
    std::fs::write(&source_path, source)?;
    std::fs::write(&text_path, &llvm)?;
    Ok(Input { name: name.to_string(), source: source_path, text: text_path, object, llvm })
}

/// Runs both in turn, at least five times and at most forty, for two seconds.
fn measure(compiler: &Path, input: &Input, has_llc: bool) -> Result<Times> {
    let mut ours = Vec::new();
    let mut theirs = Vec::new();
    let start = Instant::now();
    while ours.len() < 5 || (ours.len() < 40 && start.elapsed() < Duration::from_secs(2)) {
        let mut command = Command::new(compiler);
        command.arg("compile").arg(&input.source).args(["-l", "4", "-o", "/dev/null"]);
        ours.push(time(&mut command)?);
        if has_llc {
            let mut command = Command::new(llc::LLC);
            command.args(llc::ARGS).arg(&input.text).args(["-o", "/dev/null"]);
            theirs.push(time(&mut command)?);
        }
    }
    Ok(Times { ours: median(ours).unwrap_or_default(), theirs: median(theirs) })
}

fn time(command: &mut Command) -> Result<Duration> {
    let start = Instant::now();
    let output = command.stdin(Stdio::null()).output()?;
    let spent = start.elapsed();
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(Error::other(format!("{command:?}: {said}")));
    }
    Ok(spent)
}

fn median(mut times: Vec<Duration>) -> Option<Duration> {
    times.sort();
    times.get(times.len() / 2).copied()
}

fn row(
    out: &mut String,
    input: &Input,
    times: &Times,
    growth: Option<f64>,
    has_llc: bool,
    verify: bool,
) -> Result<()> {
    let ms = |d: Duration| d.as_secs_f64() * 1e3;
    let theirs = times.theirs.map_or("-".into(), |t| format!("{:.2}", ms(t)));
    let faster = times.theirs.map_or("-".into(), |t| format!("{:.1}", ms(t) / ms(times.ours)));
    let growth = growth.map_or(String::new(), |g| format!("{g:.1}"));
    let count = llc::instructions(&input.object)?;
    let grafted = if has_llc { Some(llc::graft(&input.object, &input.llvm, &llc::ARGS)?) } else { None };
    let insns = match &grafted {
        Some(object) => {
            let theirs = llc::instructions(object)?;
            format!("{count:>6} / {theirs:<7} {:>7.2}", count as f64 / theirs as f64)
        }
        None => format!("{count:>6} / -              "),
    };
    let mut verified = String::new();
    if verify {
        let theirs = grafted.as_ref().map_or("-".into(), processed);
        verified = format!("{} / {theirs}", processed(&input.object));
    }
    let _ = writeln!(
        out,
        "{:<18} | {:>8.2} | {theirs:>8} | {faster:>8} | {growth:>6} | {insns} | {verified}",
        input.name,
        ms(times.ours)
    );
    Ok(())
}

/// How many instructions the verifier looks at, all programs together.
fn processed(object: &Object) -> String {
    match LoadedObject::load(object) {
        Ok(loaded) => {
            let stats = loaded.programs.values().filter_map(|p| p.stats());
            stats.map(|s| s.processed).sum::<u64>().to_string()
        }
        Err(error) => {
            let text = error.to_string();
            format!("rejected: {}", text.lines().next().unwrap_or_default())
        }
    }
}
