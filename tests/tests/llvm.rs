//! The LLVM IR text of whole modules: llc takes it, and what llc makes of it does on the kernel what our code does.

use larrow_backend_bpf::isa::Isa;
use larrow_backend_bpf::kernel::{Entry, Kernel, LoadedObject, RunInput};
use larrow_backend_bpf::object::{MapKind, Object};
use larrow_backend_bpf::runtime::SelectOrder;
use larrow_backend_bpf::{TargetOptions, llvm, target};
use larrow_ir::generate::{Profile, generate};
use larrow_ir::{Diagnostic, Module, text};
use larrow_passes::Options;
use larrow_tests::llc;

/// Says that a test did not run.
#[expect(clippy::print_stderr, reason = "a skipped test must be seen")]
fn skipped(test: &str, why: &str) {
    eprintln!("SKIPPED {test}: {why}");
}

fn has_llc(test: &str) -> bool {
    let found = llc::available();
    if !found {
        skipped(test, "llc-19 is not installed");
    }
    found
}

fn level(level: u8) -> Options {
    Options { level, ..Options::default() }
}

/// A select looks in a fixed order, so that runs compare.
fn target(isa: Isa) -> TargetOptions {
    TargetOptions { isa, select_order: SelectOrder::Source, ..TargetOptions::default() }
}

fn emit(module: &Module, options: &Options, target: &TargetOptions) -> Result<String, Vec<Diagnostic>> {
    llvm::emit(&mut module.clone(), options, target)
}

fn object(module: &Module, options: &Options, target: &TargetOptions) -> Result<Object, Vec<Diagnostic>> {
    let pipeline = target::pipeline(target);
    target::compile(&mut module.clone(), &pipeline, options, target, None, &mut []).map(|out| out.object)
}

fn examples() -> Vec<(String, Module)> {
    let sources = llc::examples().expect("the examples are there");
    let parse = |source: &str| text::parse("example", source).expect("an example is valid").module;
    sources.into_iter().map(|(name, source)| (name, parse(&source))).collect()
}

#[test]
fn llc_takes_every_example_at_every_level() {
    if !has_llc("llc_takes_every_example_at_every_level") {
        return;
    }
    for (name, module) in examples() {
        for l in 0..=4 {
            for (isa, cpu) in [(Isa::V3, "-mcpu=v3"), (Isa::V4, "-mcpu=v4")] {
                let text = emit(&module, &level(l), &target(isa)).expect("an example compiles");
                let args = ["-O2", "-march=bpf", cpu, "-filetype=obj"];
                llc::compile(&text, &args).unwrap_or_else(|e| panic!("{name} -l {l} {isa}: {e}\n{text}"));
            }
        }
    }
}

#[test]
fn llc_takes_legalized_modules() {
    if !has_llc("llc_takes_legalized_modules") {
        return;
    }
    for (name, module) in examples() {
        let (options, target) = (level(4), target(Isa::V3));
        let mut module = module;
        let pipeline = target::pipeline(&target);
        pipeline.run(&mut module, &options, &mut []).expect("an example compiles");
        let text = llvm::print(&module, Isa::V3).expect("a legalized module has a text");
        llc::compile(&text, &llc::ARGS).unwrap_or_else(|e| panic!("{name}: {e}\n{text}"));
    }
}

#[test]
fn llc_takes_generated_modules() {
    if !has_llc("llc_takes_generated_modules") {
        return;
    }
    let mut taken = 0;
    for seed in 0..200 {
        let module = generate(seed, &Profile::bpf());
        let l = (seed % 5) as u8;
        let Ok(text) = emit(&module, &level(l), &target(Isa::V3)) else { continue };
        llc::compile(&text, &llc::ARGS).unwrap_or_else(|e| panic!("seed {seed} -l {l}: {e}\n{text}"));
        taken += 1;
    }
    assert!(taken >= 190, "only {taken} of 200 compiled");
}

/// What a run leaves behind: the result, the packet, and every map that holds the same on all CPUs.
type Left = (u32, Vec<u8>, Vec<(String, Vec<Entry>)>);

fn run(object: &Object, data: &[u8]) -> Result<Left, String> {
    let loaded = LoadedObject::load(object).map_err(|e| e.to_string())?;
    let program = loaded.programs.values().next().ok_or("there is a program")?;
    let input = RunInput { data: data.to_vec(), ..RunInput::default() };
    let out = program.test_run(&input).map_err(|e| e.to_string())?;
    let mut maps = Vec::new();
    for (name, map) in &loaded.maps {
        let keyed = matches!(map.kind(), MapKind::Array | MapKind::Hash | MapKind::LruHash);
        if !keyed {
            continue;
        }
        let mut entries = map.entries().map_err(|e| e.to_string())?;
        entries.sort();
        maps.push((name.clone(), entries));
    }
    maps.sort();
    Ok((out.retval, out.data_out, maps))
}

/// Runs both codes of a module; whether the kernel took both.
fn same(name: &str, module: &Module, options: &Options) -> bool {
    let target = target(Isa::V3);
    let (Ok(ours), Ok(text)) = (object(module, options, &target), emit(module, options, &target)) else {
        return false;
    };
    let theirs =
        llc::graft(&ours, &text, &llc::ARGS).unwrap_or_else(|e| panic!("{name} on llc: {e}\n{text}"));
    let packet: Vec<u8> = (0..96u8).map(|n| n.wrapping_mul(37) ^ 0x5a).collect();
    match (run(&ours, &packet), run(&theirs, &packet)) {
        (Ok(ours), Ok(theirs)) => {
            assert_eq!(ours, theirs, "{name} at -l {}\n{text}", options.level);
            true
        }
        // llc does not keep to the verifier's ways, nor is it asked to.
        (_, Err(_)) | (Err(_), _) => false,
    }
}

#[test]
fn both_codes_do_the_same_on_the_kernel() {
    let test = "both_codes_do_the_same_on_the_kernel";
    if !has_llc(test) {
        return;
    }
    if let Err(reason) = Kernel::probe() {
        return skipped(test, &reason.to_string());
    }
    for (name, module) in examples() {
        for l in [0, 4] {
            assert!(same(&name, &module, &level(l)), "{name} at -l {l} does not load");
        }
    }
    let mut compared = 0;
    for seed in 0..100 {
        let module = generate(seed, &Profile::bpf());
        compared += u32::from(same(&format!("seed {seed}"), &module, &level((seed % 5) as u8)));
    }
    assert!(compared >= 50, "only {compared} of 100 modules loaded from both");
}
