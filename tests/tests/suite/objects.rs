//! The examples as objects: what they run to on the kernel, what stands in them at which level, and what other
//! tools read in them.

use std::path::{Path, PathBuf};
use std::process::{Command, Output as ToolOutput};

use larrow::engine::{Inputs, Loaded, SelectOrder};
use larrow_backend_bpf::isa::{Callee, Inst, Kind, Listing, NoNames, Reg, decode};
use larrow_backend_bpf::object::{Function, Object, Target, read};
use larrow_backend_bpf::target::{self, Output};
use larrow_backend_bpf::{TargetOptions, isa::Isa};
use larrow_ir::{ChanDir, Module, SiteKind, text};
use larrow_passes::Options;
use larrow_tests::differential::Compared;

use crate::differential::everywhere;
use crate::gate::{kernel_or_skip, skip};

/// An example: its module and inputs for it.
struct Example {
    name: String,
    source: String,
    module: Module,
    inputs: Inputs,
}

/// The examples, each with its packet, and with elements for the channels that user space may send to.
fn examples() -> Vec<Example> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|f| f.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|e| e == "ssa"));
    paths.sort();
    assert!(paths.len() >= 4);
    paths.iter().map(|path| example(path)).collect()
}

fn example(path: &Path) -> Example {
    let name = path.file_stem().unwrap().to_string_lossy().into_owned();
    let source = std::fs::read_to_string(path).unwrap();
    let module = text::parse(&name, &source).unwrap_or_else(|e| panic!("{name}: {e:#?}")).module;
    let mut inputs = Inputs { select_order: SelectOrder::Source, repeat: 4, ..Inputs::default() };
    inputs.packet = std::fs::read(path.with_extension("packet")).ok();
    for (id, chan) in module.decls.chans.iter() {
        let (elem, dir) = module.decls.types.chan_parts(chan.ty).expect("a channel's type");
        if dir != ChanDir::Send {
            let size = module.decls.types.size(elem) as usize;
            let elements = (1u8..4).map(|n| (0..size).map(|i| if i == 0 { n * 25 } else { 0 }).collect());
            inputs = inputs.send(module.decls.chans.name(id), elements);
        }
    }
    Example { name, source, module, inputs }
}

impl Example {
    fn compile(&self, level: u8, isa: Isa) -> (Module, Output) {
        let mut module = self.module.clone();
        let target = TargetOptions { isa, ..TargetOptions::default() };
        let options = Options { level, ..Options::default() };
        let pipeline = target::pipeline(&target);
        let output = target::compile(&mut module, &pipeline, &options, &target, Some(&self.source), &mut [])
            .unwrap_or_else(|e| panic!("{} at -l={level}: {e:#?}", self.name));
        (module, output)
    }
}

/// The runtime's functions in an object.
fn runtime(object: &Object) -> Vec<&str> {
    let names = object.subprograms.iter().map(|f| f.name.as_str());
    names.filter(|name| name.starts_with("runtime.")).collect()
}

fn instructions(function: &Function) -> Vec<(usize, Inst)> {
    decode(&function.code).unwrap_or_else(|e| panic!("{}: {e}", function.name))
}

/// How many calls of `bpf_map_lookup_elem` have the map of sites in R1, by its relocation.
fn site_lookups(object: &Object) -> usize {
    let sites = object.maps.iter().position(|m| m.name == "__sites").expect("hooks are in");
    object.functions().map(|f| lookups_of(f, sites)).sum()
}

fn lookups_of(function: &Function, map: usize) -> usize {
    let insts = instructions(function);
    let loads = function.relocations.iter().filter(|r| r.target == Target::Map(map));
    let looks_up = |offset: u32| {
        let at = insts.iter().position(|(slot, _)| slot * 8 == offset as usize).expect("an instruction");
        assert_eq!(insts[at].1.dst(), Reg::R1, "a map goes to a helper in R1");
        let call = insts[at..].iter().find(|(_, i)| matches!(i.kind(), Kind::Call { .. }));
        let (_, call) = call.expect("a map is loaded for a call");
        call.kind() == (Kind::Call { callee: Callee::Helper }) && call.imm() == 1
    };
    loads.filter(|r| looks_up(r.offset)).count()
}

#[test]
fn examples_run_alike_at_every_level_and_instruction_set() {
    let kernel = kernel_or_skip("examples_run_alike_at_every_level_and_instruction_set");
    let mut failed = Vec::new();
    for example in examples() {
        let mut total = Compared::default();
        everywhere(&example.module, &example.inputs, kernel, &mut total, &mut failed);
        assert!(total.stages > 0 && total.kernel == kernel && total.refused == 0, "{}", example.name);
    }
    assert!(failed.is_empty(), "{} differences\n{}", failed.len(), failed.join("\n\n"));
}

#[test]
fn the_kernel_takes_the_types_of_every_example() {
    if !kernel_or_skip("the_kernel_takes_the_types_of_every_example") {
        return;
    }
    for example in examples() {
        for level in [0, 4] {
            let (module, output) = example.compile(level, Isa::V3);
            let loaded = Loaded::new(&output.object, &module);
            let loaded = loaded.unwrap_or_else(|e| panic!("{} at -l={level}: {e}", example.name));
            for program in loaded.inner().programs.values() {
                let info = program.info().unwrap();
                assert_ne!(info.btf_id, 0, "{} at -l={level}: @{}", example.name, program.name());
            }
        }
    }
}

#[test]
fn level_0_calls_the_runtime_and_level_4_does_not() {
    for example in examples() {
        let (_, apart) = example.compile(0, Isa::V3);
        let names = runtime(&apart.object);
        assert!(!names.is_empty(), "{}: nothing of the runtime at -l=0", example.name);
        for name in &names {
            let called = |f: &Function| {
                f.relocations.iter().any(|r| match r.target {
                    Target::Subprogram(callee) => apart.object.subprograms[callee].name == *name,
                    _ => false,
                })
            };
            assert!(apart.object.functions().any(called), "{}: nobody calls {name}", example.name);
        }
        let receives = ["pipeline", "port_filter"].contains(&example.name.as_str());
        let receiver = names.iter().any(|name| name.starts_with("runtime.chanrecv2."));
        assert!(receiver || !receives, "{}: {names:?}", example.name);
        let (_, inlined) = example.compile(4, Isa::V3);
        assert_eq!(runtime(&inlined.object), [""; 0], "{} at -l=4", example.name);
    }
}

#[test]
fn each_site_looks_up_its_record_in_the_final_object() {
    for example in examples() {
        for level in [0, 4] {
            let (module, output) = example.compile(level, Isa::V3);
            let sites = module.decls.sites.values().filter(|s| s.kind != SiteKind::Abort).count();
            let lookups = site_lookups(&output.object);
            assert!(
                sites > 0 && lookups >= sites,
                "{} at -l={level}: {sites} sites, {lookups} lookups",
                example.name
            );
        }
    }
}

/// A file of our own that goes when this does.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str, bytes: &[u8]) -> Scratch {
        let path = std::env::temp_dir().join(format!("larrow-{}-{name}.o", std::process::id()));
        std::fs::write(&path, bytes).unwrap();
        Scratch(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// What a tool says, if it is installed.
fn tool(test: &str, name: &str, args: &[&str]) -> Option<ToolOutput> {
    match Command::new(name).args(args).output() {
        Ok(output) => Some(output),
        Err(error) => {
            skip(test, &format!("{name}: {error}"));
            None
        }
    }
}

#[test]
fn bpftool_takes_every_object() {
    let test = "bpftool_takes_every_object";
    if !kernel_or_skip(test) {
        return;
    }
    for example in examples() {
        for level in [0, 4] {
            let (_, output) = example.compile(level, Isa::V3);
            let name = format!("{}-{level}", example.name);
            let file = Scratch::new(&format!("bpftool-{name}"), &output.bytes);
            let pins = PathBuf::from(format!("/sys/fs/bpf/larrow-{}-{name}", std::process::id()));
            let args = ["prog", "loadall", file.0.to_str().unwrap(), pins.to_str().unwrap()];
            let Some(said) = tool(test, "bpftool", &args) else { return };
            let _ = std::fs::remove_dir_all(&pins);
            let text = String::from_utf8_lossy(&said.stderr);
            if text.contains("BPF file system") {
                return skip(test, &text);
            }
            assert!(said.status.success(), "{name}: {text}");
        }
    }
}

/// The code lines of a listing: the bytes and the text, without names of places.
fn code_lines(listing: &str) -> Vec<(String, String)> {
    let line = |line: &str| {
        let mut columns = line.split('\t');
        let slot = columns.next()?.trim().strip_suffix(':')?;
        slot.parse::<u32>().ok()?;
        let (bytes, code) = (columns.next()?.trim(), columns.next()?);
        let code = code.split_once(" <").map_or(code, |(code, _)| code).trim();
        Some((bytes.to_string(), code.to_string()))
    };
    listing.lines().filter_map(line).collect()
}

#[test]
fn llvm_disassembles_our_objects_as_we_do() {
    let test = "llvm_disassembles_our_objects_as_we_do";
    for example in examples() {
        for (level, isa) in [(0, Isa::V3), (4, Isa::V4)] {
            let (_, output) = example.compile(level, isa);
            let file = Scratch::new(&format!("llvm-{}-{level}", example.name), &output.bytes);
            let args = ["-d", "--mcpu=v4", file.0.to_str().unwrap()];
            let Some(said) = tool(test, "llvm-objdump-19", &args) else { return };
            assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
            let theirs = code_lines(&String::from_utf8_lossy(&said.stdout));
            let object = read(&output.bytes).unwrap();
            let functions =
                object.subprograms.iter().chain(object.programs.iter().map(|program| &program.function));
            let ours: Vec<_> = functions
                .flat_map(|f| {
                    let insts: Vec<Inst> = instructions(f).into_iter().map(|(_, inst)| inst).collect();
                    code_lines(&Listing::new(&insts, &NoNames).with_bytes().to_string())
                })
                .collect();
            assert_eq!(ours.len(), theirs.len(), "{} at -l={level}", example.name);
            for (ours, theirs) in ours.iter().zip(&theirs) {
                // The distance to a function of the same section is the linker's: the reader gives a relocation for
                // it.
                if ours.0.starts_with("85 10") && theirs.0.starts_with("85 10") {
                    continue;
                }
                assert_eq!(ours, theirs, "{} at -l={level}", example.name);
            }
        }
    }
}
