//! The channel programs on the kernel: the real verifier takes every one of them at every level, and what it
//! runs to is what the interpreter says of the source.

use larrow::engine::{Inputs, SelectOrder, interp, kernel};
use larrow_backend_bpf::TargetOptions;
use larrow_backend_bpf::runtime::SelectOrder as TargetOrder;
use larrow_backend_bpf::target::{self, Output};
use larrow_ir::{FuncBuilder, Function, Module, Space, Type, TypeKind, Value};
use larrow_passes::Options;

use crate::case::{Action, Arg, Case, Run, verified};
use crate::gate::kernel_or_skip;
use crate::passes::ends_early;

/// The name of the program that calls the case's function.
const ENTRY: &str = "main";

/// The case as a program that the kernel takes: its function is called with a run's arguments, and what it
/// returns is folded into the program's one number.
fn program(case: &Case, run: &Run) -> Module {
    let mut module = case.module.clone();
    let callee = module.funcs.id(&run.func).expect("the case has it");
    module.funcs[callee].section = None;
    let (params, result) = {
        let func = &module.funcs[callee];
        (func.params.iter().map(|&p| func.ty(p)).collect::<Vec<_>>(), func.result)
    };
    let context = module.decls.types.opaque("xdp");
    let context = module.decls.types.ptr(Space::Ctx, context);
    let mut entry = Function::new(ENTRY, Type::U32);
    entry.section = Some("xdp".into());
    entry.add_param(context);
    let mut build = FuncBuilder::new(&mut entry, &mut module.decls);
    let b = build.block();
    build.switch_to(b);
    let args: Vec<Value> =
        params.iter().zip(&run.args).map(|(&ty, arg)| constant(&mut build, ty, arg)).collect();
    let value = build.call(result, callee, &args);
    let folded = fold(&mut build, result, value);
    build.ret(Some(folded));
    module.add_func(entry).expect("no case has a function of this name");
    verified(&case.name, &module);
    module
}

fn constant(build: &mut FuncBuilder<'_>, ty: Type, arg: &Arg) -> Value {
    let Arg::Int(n) = arg else { panic!("the kernel's cases take numbers") };
    if ty == Type::BOOL {
        return build.bool(*n == 1);
    }
    let bits = build.decls.types.bits(ty).expect("a number");
    build.int(ty, *n as u64 & (u64::MAX >> (64 - bits)))
}

/// Every member of a result in one number: `h = 31 h + member`.
fn fold(build: &mut FuncBuilder<'_>, ty: Type, value: Value) -> Value {
    let members = match build.decls.types.kind(ty) {
        TypeKind::Tuple(items) => (0..items.len() as u32).map(|i| build.extract(value, i)).collect(),
        TypeKind::Unit => Vec::new(),
        _ => vec![value],
    };
    let mut folded = build.int(Type::U32, 1);
    let factor = build.int(Type::U32, 31);
    for member in members {
        let bits = build.decls.types.bits(build.func.ty(member));
        let member = match bits {
            Some(32) => member,
            Some(64) => build.trunc(Type::U32, member),
            _ => build.zero_ext(Type::U32, member),
        };
        folded = build.mul(folded, factor);
        folded = build.add(folded, member);
    }
    folded
}

fn inputs(case: &Case, run: &Run) -> Inputs {
    let mut inputs = Inputs { select_order: SelectOrder::Source, ..Inputs::default() };
    for action in &run.before {
        inputs = match action {
            Action::Close(chan) => inputs.close(chan),
            Action::Send(chan, elems) => {
                let decls = &case.module.decls;
                let ty = decls.chans[decls.chans.id(chan).expect("declared")].ty;
                let size = decls.types.size(decls.types.chan_parts(ty).expect("a channel").0) as usize;
                inputs.send(chan, elems.iter().map(|e| e.bytes(size)))
            }
        };
    }
    inputs
}

fn compiled(module: &Module, level: u8) -> (Module, Output) {
    let mut module = module.clone();
    let target = TargetOptions { select_order: TargetOrder::Source, ..TargetOptions::default() };
    let options = Options::checked(level, u64::from(level));
    let output = target::compile(&mut module, &target::pipeline(&target), &options, &target, None, &mut []);
    let output = output.unwrap_or_else(|errors| {
        let errors: Vec<_> = errors.iter().filter(|e| e.severity == larrow_ir::Severity::Error).collect();
        panic!("{errors:#?}\n{module}")
    });
    (module, output)
}

/// Source, legalized module and object: one observation.
fn check_run(case: &Case, run: &Run, level: u8) {
    let place = format!("{}:{} at -l={level}", case.name, run.line);
    let (source, inputs) = (program(case, run), inputs(case, run));
    let (module, output) = compiled(&source, level);
    let on_kernel = kernel(&output.object, &module, ENTRY, &inputs);
    let on_kernel = on_kernel.unwrap_or_else(|e| panic!("{place}: {e}"));
    let legalized = interp(&module, ENTRY, &inputs).unwrap_or_else(|e| panic!("{place}: {e}"));
    assert_eq!(legalized.differences(&on_kernel), [""; 0], "{place}: interpreter ≠ kernel");
    // A program that ends early returns its section's code for that; the source panics.
    if !ends_early(&run.result) {
        let as_written = interp(&source, ENTRY, &inputs).unwrap_or_else(|e| panic!("{place}: {e}"));
        assert_eq!(as_written.differences(&on_kernel), [""; 0], "{place}: source ≠ kernel");
    }
}

#[test]
fn the_kernel_runs_every_program_as_the_interpreter_does() {
    if !kernel_or_skip("the_kernel_runs_every_program_as_the_interpreter_does") {
        return;
    }
    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("cases/run");
    let mut paths: Vec<_> = std::fs::read_dir(dir).unwrap().map(|f| f.unwrap().path()).collect();
    paths.sort();
    let (mut failed, mut ran) = (Vec::new(), 0);
    for path in &paths {
        let case = Case::read(path);
        if case.options.iter().any(|(key, value)| key == "kernel" && value == "no") {
            continue;
        }
        ran += 1;
        for level in [0, 2, 4] {
            let went =
                std::panic::catch_unwind(|| case.runs.iter().for_each(|run| check_run(&case, run, level)));
            if went.is_err() {
                failed.push((case.name.clone(), level));
            }
        }
    }
    assert!(failed.is_empty(), "{failed:?}");
    assert!(ran >= 20, "{ran} programs");
}
