//! `compile`.

use std::path::{Path, PathBuf};

use larrow_backend_bpf::isa;
use larrow_backend_bpf::object::Function;
use larrow_ir::{Module, TypeKind, text};
use larrow_passes::{Observer, Trace};
use serde_json::{Value, json};

use super::args::{CompileArgs, Emit};
use super::build::{Built, compile, llvm_text, show_report, target_options, validator};
use super::error::CliError;
use super::input::Input;
use super::{disasm, inspect, output, style, trace_json};

pub(super) fn run(args: &CompileArgs) -> Result<(), CliError> {
    let input = Input::module(&args.input)?;
    let mut target = target_options(&args.target);
    if args.emit == Emit::Trace {
        target.stages = true;
    }
    let mut trace = inspect::new_trace(&input, args.level);
    let mut validate = validator(&input, &args.target);
    let mut observers: Vec<&mut dyn Observer> = Vec::new();
    if args.emit == Emit::Trace {
        observers.push(&mut trace);
    }
    if args.validate {
        observers.push(&mut validate);
    }
    if args.emit == Emit::Llvm {
        return write(args, &llvm_text(&input, &args.target, args.level, &mut observers)?);
    }
    let built = compile(&input, &args.target, &target, args.level, &mut observers)?;
    show_report(&input, &built);
    match args.emit {
        Emit::Obj => {
            let path = object_path(args, &input)?;
            output::to(&path, &built.output.bytes)?;
            if path != Path::new("-") {
                output::diagnostic(&summary(&path, &built));
            }
            Ok(())
        }
        Emit::Asm => write(args, &disasm::listing(&built.output.object, None, false)?),
        Emit::Ir => write(args, &text::print(&built.module)),
        Emit::Llvm => unreachable!("it is written before the target's own rows run"),
        Emit::Trace => {
            inspect::push_stages(&mut trace, &built);
            write(args, &trace_text(&trace))
        }
        Emit::Json => write(args, &format!("{:#}\n", describe(&built))),
    }
}

fn trace_text(trace: &Trace) -> String {
    let steps: Vec<_> = trace.steps.iter().collect();
    trace_json::lines(trace, &steps, true)
}

/// Where the object goes: beside the input, with `.o`.
fn object_path(args: &CompileArgs, input: &Input) -> Result<PathBuf, CliError> {
    match (&args.output, &input.path) {
        (Some(path), _) => Ok(path.clone()),
        (None, Some(path)) => Ok(path.with_extension("o")),
        (None, None) => {
            let error = CliError::usage("a module from standard input gives its object no name");
            Err(error.help("say where it goes: -o OUT, or -o - for standard output"))
        }
    }
}

/// Text goes to standard output unless a file is named; colours are for terminals only.
fn write(args: &CompileArgs, contents: &str) -> Result<(), CliError> {
    match args.output.as_deref() {
        None => output::text(contents),
        Some(path) if path == Path::new("-") => output::text(contents),
        Some(path) => output::to(path, anstream::adapter::strip_str(contents).to_string().as_bytes()),
    }
}

fn instructions(function: &Function) -> usize {
    isa::decode(&function.code).map_or(0, |insts| insts.len())
}

/// `port_filter.o: @filter in "xdp", 61 instructions, 2 maps`
fn summary(path: &Path, built: &Built) -> String {
    let object = &built.output.object;
    let programs: Vec<String> =
        object.programs.iter().map(|p| format!("@{} in \"{}\"", p.function.name, p.section)).collect();
    let total = object.functions().map(instructions).sum();
    let mut parts = vec![programs.join(", "), style::count(total, "instruction")];
    if !object.subprograms.is_empty() {
        parts.push(style::count(object.subprograms.len(), "subprogram"));
    }
    if !object.maps.is_empty() {
        parts.push(style::count(object.maps.len(), "map"));
    }
    format!("{}: {}\n", path.display(), parts.join(", "))
}

/// What the object holds.
fn describe(built: &Built) -> Value {
    let object = &built.output.object;
    let module = &built.module;
    let functions = built.output.compiled.funcs.iter().map(|f| {
        json!({
            "name": f.name.as_ref(),
            "section": f.section.as_deref(),
            "instructions": f.code.insts.len(),
            "slots": f.code.slots(),
            "stack_bytes": f.frame,
            "spills": f.spills,
        })
    });
    let maps = object.maps.iter().map(|m| {
        json!({
            "name": m.name, "kind": m.kind.name(), "entries": m.max_entries, "flags": m.flags,
            "key_bytes": m.key.size(&object.btf).ok(), "value_bytes": m.value.size(&object.btf).ok(),
        })
    });
    let decls = &module.decls;
    let channels = decls.chans.iter().map(|(id, decl)| {
        let elem = decls.types.chan_parts(decl.ty).map(|(elem, _)| elem);
        json!({
            "name": decls.chans.name(id),
            "element": elem.map(|ty| text::TypeText::new(&decls.types, ty).to_string()),
            "element_bytes": elem.map(|ty| decls.types.size(ty)),
            "cap": decl.cap,
        })
    });
    let sites = decls.sites.values().map(|site| {
        let counters: Vec<&str> = site.kind.counters().into_iter().filter(|name| !name.is_empty()).collect();
        json!({
            "name": site.name.as_ref(), "kind": site.kind.name(),
            "channel": site.chan.map(|c| decls.chans.name(c)), "counters": counters,
        })
    });
    let globals = object.globals.iter().map(|g| json!({ "section": g.name, "bytes": g.contents.size() }));
    json!({
        "functions": functions.collect::<Vec<_>>(),
        "maps": maps.collect::<Vec<_>>(),
        "channels": channels.collect::<Vec<_>>(),
        "sites": sites.collect::<Vec<_>>(),
        "globals": globals.collect::<Vec<_>>(),
        "types": types(module),
    })
}

/// The named types with their sizes.
fn types(module: &Module) -> Vec<Value> {
    let table = &module.decls.types;
    let named = table.named().iter().filter(|(_, t)| t.body.is_some());
    let size = |id| table.find(&TypeKind::Named(id)).map(|ty| table.size(ty));
    named.map(|(id, t)| json!({ "name": t.name.as_ref(), "bytes": size(id) })).collect()
}
