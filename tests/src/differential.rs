//! Everything against everything: a program means what the reference interpreter says of its source, and every
//! stage of the pipeline, at every level, and the object in the kernel must say the same.
//!
//! A failure is a [`Mismatch`] that prints as a runnable `.ssa` file: the reduced program behind comments that
//! say what differed, at which level, and after which pass.

use std::fmt;
use std::time::{Duration, Instant};

use larrow::engine::{self, EngineError, Inputs, Observed, SelectOrder};
use larrow_backend_bpf::bind::BindMode;
use larrow_backend_bpf::isa::Isa;
use larrow_backend_bpf::runtime::SelectOrder as TargetOrder;
use larrow_backend_bpf::{TargetOptions, target};
use larrow_ir::generate::{Random, entry_name};
use larrow_ir::{Diagnostic, Function, Module, Rule, Value, generate};
use larrow_passes::{Event, Observer, Options, Outcome};

/// A way to compile a program.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Setting {
    /// The inlining level; `None` is `-N`.
    pub level: Option<u8>,
    /// The instruction set.
    pub isa: Isa,
    /// How programs get at channels.
    pub bind: BindMode,
    /// The seed that passes are shuffled by.
    pub shuffle: u64,
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.level {
            Some(level) => write!(f, "-l={level} --mcpu {}", self.isa)?,
            None => write!(f, "-N --mcpu {}", self.isa)?,
        }
        match self.bind {
            BindMode::Lookup => Ok(()),
            BindMode::Direct => f.write_str(" --bind direct"),
        }
    }
}

/// The levels that every program is compiled at.
pub const LEVELS: [Option<u8>; 5] = [None, Some(0), Some(1), Some(2), Some(4)];

/// A difference between two engines, or two stages.
#[derive(Clone, Debug)]
pub struct Mismatch {
    /// The seed of the generated program, if it was one.
    pub seed: Option<u64>,
    /// How it was compiled.
    pub setting: Setting,
    /// Between what: `source and mem2reg`, `source and kernel`.
    pub between: String,
    /// What differs, a line each.
    pub differences: Vec<String>,
    /// The program.
    pub program: Module,
}

impl Mismatch {
    /// What must stay while the program is made smaller: between what, and what kind of thing differs. Of what the
    /// verifier says the reason counts, without its numbers.
    fn gist(&self) -> (String, String) {
        let first = self.differences.first().map_or("", String::as_str);
        let reason = match first
            .lines()
            .position(|l| l.starts_with("verification time") || l.starts_with("processed "))
        {
            Some(end) if end > 0 => first.lines().nth(end - 1).unwrap_or(first),
            _ => first.split([':', ',']).next().unwrap_or(first),
        };
        let reason = reason.chars().filter(|c| !c.is_ascii_digit()).collect();
        (self.between.clone(), reason)
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(seed) = self.seed {
            writeln!(f, "; seed {seed}")?;
        }
        writeln!(f, "; {}: {} differ", self.setting, self.between)?;
        for line in self.differences.iter().flat_map(|d| d.lines()) {
            writeln!(f, "; {line}")?;
        }
        write!(f, "{}", self.program)
    }
}

/// What came of comparing one program at one setting.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Compared {
    /// Stages that the interpreter ran.
    pub stages: u32,
    /// Whether the kernel ran the object.
    pub kernel: bool,
    /// Settings at which the program could not run: our own plain error that its calls need more than BPF's stack,
    /// or the verifier's limit of a million instructions.
    pub refused: u32,
}

/// Runs the interpreter after each pass that changed something, and remembers the first difference.
struct StageCheck<'a> {
    entry: &'a str,
    inputs: &'a Inputs,
    want: &'a Observed,
    /// The pass that is running, and whether it changed any function so far.
    running: Option<(String, bool)>,
    stages: u32,
    found: Option<(String, Vec<String>)>,
}

impl StageCheck<'_> {
    /// The running pass is through with every function: `module` is what it made.
    fn check(&mut self, module: &Module) {
        let Some((pass, true)) = self.running.take() else { return };
        if self.found.is_some() {
            return;
        }
        self.stages += 1;
        let differences = match engine::interp(module, self.entry, self.inputs) {
            Ok(seen) => self.want.differences(&seen),
            Err(error) => vec![error.to_string()],
        };
        if !differences.is_empty() {
            self.found = Some((pass, differences));
        }
    }
}

impl Observer for StageCheck<'_> {
    fn before_pass(&mut self, event: &Event<'_>) {
        let name = &event.pass.name;
        if self.running.as_ref().is_none_or(|(running, _)| running != name) {
            self.check(event.module);
            self.running = Some((name.to_string(), false));
        }
    }

    fn after_pass(&mut self, _: &Event<'_>, outcome: &Outcome) -> Result<(), Vec<Diagnostic>> {
        if let Some((_, changed)) = &mut self.running {
            *changed |= outcome.changed;
        }
        Ok(())
    }
}

/// Compiles `program` at a setting and compares: the source's meaning, every stage's, and the kernel's where it
/// is there.
///
/// # Errors
/// The first difference; a program that the compiler or the kernel refuses is one, too.
pub fn compare(
    program: &Module,
    entry: &str,
    inputs: &Inputs,
    setting: Setting,
    kernel: bool,
) -> Result<Compared, Box<Mismatch>> {
    let mismatch = |between: &str, differences: Vec<String>| {
        let program = program.clone();
        Box::new(Mismatch { seed: None, setting, between: between.to_string(), differences, program })
    };
    let want = engine::interp(program, entry, inputs).map_err(|e| mismatch("source", vec![e.to_string()]))?;
    if let Some(trap) = &want.trap {
        return Err(mismatch("source", vec![trap.trap.to_string()]));
    }
    let target = TargetOptions {
        isa: setting.isa,
        bind: setting.bind,
        select_order: TargetOrder::Source,
        ..TargetOptions::default()
    };
    let mut options = Options::checked(setting.level.unwrap_or(0), setting.shuffle);
    options.required_only = setting.level.is_none();
    let mut module = program.clone();
    let mut check = StageCheck { entry, inputs, want: &want, running: None, stages: 0, found: None };
    let pipeline = target::pipeline(&target);
    let output = target::compile(&mut module, &pipeline, &options, &target, None, &mut [&mut check]);
    if output.is_ok() {
        check.check(&module);
    }
    if let Some((pass, differences)) = check.found {
        return Err(mismatch(&format!("source and {pass}"), differences));
    }
    let stages = check.stages;
    let output = match output {
        Ok(output) => output,
        Err(errors) if errors.iter().all(|e| e.message.contains("bytes of stack")) => {
            return Ok(Compared { stages, kernel, refused: 1 });
        }
        Err(errors) => return Err(mismatch("the compiler", spell(&errors))),
    };
    if !kernel {
        return Ok(Compared { stages, kernel, refused: 0 });
    }
    match engine::kernel(&output.object, &module, entry, inputs) {
        Ok(seen) => {
            let differences = want.differences(&seen);
            if !differences.is_empty() {
                return Err(mismatch("source and kernel", differences));
            }
            // Site counts exist from the hook pass on: those of the final code are the kernel's.
            let last = engine::interp(&module, entry, inputs)
                .map_err(|e| mismatch("final code", vec![e.to_string()]))?;
            let differences = last.differences(&seen);
            if !differences.is_empty() {
                return Err(mismatch("final code and kernel", differences));
            }
        }
        Err(EngineError::Unavailable(_)) => return Ok(Compared { stages, kernel: false, refused: 0 }),
        Err(error) if error.to_string().contains(VERIFIER_GAVE_UP) => {
            return Ok(Compared { stages, kernel, refused: 1 });
        }
        Err(error) => return Err(mismatch("source and kernel", vec![error.to_string()])),
    }
    Ok(Compared { stages, kernel, refused: 0 })
}

/// What the verifier says of a program with more paths than it walks: no difference, but no run either.
const VERIFIER_GAVE_UP: &str = "BPF program is too large. Processed 1000001 insn";

fn spell(errors: &[Diagnostic]) -> Vec<String> {
    errors.iter().map(ToString::to_string).collect()
}

/// The BPF program of a seed with inputs for it: a packet, elements for some of its channels, and a closed one now
/// and then.
pub fn generated(seed: u64) -> (Module, &'static str, Inputs) {
    let profile = generate::Profile::bpf();
    let module = generate::generate(seed, &profile);
    let mut random = Random::new(seed ^ 0x5eed);
    let mut inputs = Inputs { select_order: SelectOrder::Source, ..Inputs::default() };
    inputs.packet = Some((0..14 + random.below(114)).map(|_| random.below(256) as u8).collect());
    inputs.repeat = 1 + random.below(3) as u32;
    for (id, chan) in module.decls.chans.iter() {
        let Some((elem, _)) = module.decls.types.chan_parts(chan.ty) else { continue };
        let size = module.decls.types.size(elem);
        let count = random.below(chan.cap.min(4) as usize + 1);
        let is_bool = module.decls.types.bits(elem) == Some(1);
        let elements = (0..count)
            .map(|_| (0..size).map(|_| random.below(if is_bool { 2 } else { 256 }) as u8).collect());
        let name = module.decls.chans.name(id).to_string();
        inputs.sends.push((name.clone(), elements.collect()));
        if random.one_in(8) {
            inputs.closes.push(name);
        }
    }
    (module, entry_name(&profile), inputs)
}

/// Compares the program of a seed at every level, at one instruction set each that the seed picks. A mismatch
/// comes back reduced.
///
/// # Errors
/// The first difference.
pub fn check_seed(seed: u64, kernel: bool) -> Result<Compared, Box<Mismatch>> {
    let (module, entry, inputs) = generated(seed);
    let mut total = Compared::default();
    for (i, level) in LEVELS.into_iter().enumerate() {
        let isa = Isa::ALL[(seed as usize + i) % Isa::ALL.len()].max(least_isa(&module));
        let bind = if (seed / 4 + i as u64).is_multiple_of(3) { BindMode::Direct } else { BindMode::Lookup };
        let setting = Setting { level, isa, bind, shuffle: seed };
        match compare(&module, entry, &inputs, setting, kernel) {
            Ok(compared) => {
                total.stages += compared.stages;
                total.refused += compared.refused;
                total.kernel = compared.kernel;
            }
            Err(found) => return Err(reduced(seed, entry, &inputs, kernel, *found)),
        }
    }
    Ok(total)
}

/// The least instruction set that has the atomics of a program: those of 32 bits that fetch come with v3.
fn least_isa(module: &Module) -> Isa {
    let narrow = |func: &Function, v: Value| {
        let inst = func.inst(v);
        let fetches = inst.op.rule() == Rule::AtomicRmw || inst.op.rule() == Rule::AtomicCas;
        fetches && inst.args.last().is_some_and(|&x| module.decls.types.bits(func.ty(x)) == Some(32))
    };
    let needs = module.funcs.iter().any(|(_, f)| f.iter_insts().any(|(_, v)| narrow(f, v)));
    if needs { Isa::V3 } else { Isa::V1 }
}

/// How long a reduction goes on before it settles for what it has. A program that the verifier takes long to walk
/// through would be made smaller for hours.
const REDUCE_FOR: Duration = Duration::from_secs(20);

/// Makes the program of a mismatch small while the mismatch stays between the same two.
fn reduced(seed: u64, entry: &str, inputs: &Inputs, kernel: bool, found: Mismatch) -> Box<Mismatch> {
    let gist = found.gist();
    let fails = |candidate: &Module| {
        compare(candidate, entry, inputs, found.setting, kernel).err().filter(|m| m.gist() == gist)
    };
    let end = Instant::now() + REDUCE_FOR;
    let program =
        generate::reduce(&found.program, |candidate| Instant::now() < end && fails(candidate).is_some());
    let mut smallest = fails(&program).unwrap_or_else(|| Box::new(found.clone()));
    smallest.seed = Some(seed);
    smallest
}
