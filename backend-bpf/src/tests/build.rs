//! Small modules to compile.

use larrow_ir::{FuncBuilder, FuncId, Function, Module, Space, Type, Value};

use crate::isa::Isa;
use crate::{CompiledModule, TargetOptions, compile_module};

/// A `syscall` program: `body` gets the builder and the context, and ends the function.
pub(super) fn syscall(module: &mut Module, body: impl FnOnce(&mut FuncBuilder<'_>, Value)) {
    program(module, "main", "syscall", "syscall", body);
}

/// A program in a section.
pub(super) fn program(
    module: &mut Module,
    name: &str,
    section: &str,
    ctx: &str,
    body: impl FnOnce(&mut FuncBuilder<'_>, Value),
) {
    let mut func = Function::new(name, Type::U32);
    func.section = Some(section.into());
    let opaque = module.decls.types.opaque(ctx);
    let ty = module.decls.types.ptr(Space::Ctx, opaque);
    let ctx = func.add_param(ty);
    let mut build = FuncBuilder::new(&mut func, &mut module.decls);
    let entry = build.block();
    build.switch_to(entry);
    body(&mut build, ctx);
    module.add_func(func).expect("a fresh name");
}

/// A subprogram.
pub(super) fn subprogram(
    module: &mut Module,
    name: &str,
    params: &[Type],
    result: Type,
    body: impl FnOnce(&mut FuncBuilder<'_>, &[Value]),
) -> FuncId {
    let mut func = Function::new(name, result);
    let params: Vec<Value> = params.iter().map(|&ty| func.add_param(ty)).collect();
    let mut build = FuncBuilder::new(&mut func, &mut module.decls);
    let entry = build.block();
    build.switch_to(entry);
    body(&mut build, &params);
    module.add_func(func).expect("a fresh name")
}

/// The unsigned type of a width.
pub(super) fn uint(bits: u32) -> Type {
    match bits {
        8 => Type::U8,
        16 => Type::U16,
        32 => Type::U32,
        _ => Type::U64,
    }
}

/// The `n`-th word of a `syscall` program's context, narrowed.
pub(super) fn arg(build: &mut FuncBuilder<'_>, ctx: Value, n: u32, bits: u32) -> Value {
    let wide = build.ctx_load(Type::U64, ctx, &format!("arg{n}"));
    if bits == 64 { wide } else { build.trunc(uint(bits), wide) }
}

/// Writes a value, zero-extended, to the `n`-th word of the context.
pub(super) fn put(build: &mut FuncBuilder<'_>, ctx: Value, n: u64, x: Value) {
    let width = build.decls.types.bits(build.func.ty(x));
    let wide = if width == Some(64) { x } else { build.zero_ext(Type::U64, x) };
    let at = build.ptr_offset(Type::U64, ctx, n * 8);
    build.store(at, wide);
}

/// Returns 0.
pub(super) fn done(build: &mut FuncBuilder<'_>) {
    let zero = build.int(Type::U32, 0);
    build.ret(Some(zero));
}

pub(super) fn options(isa: Isa) -> TargetOptions {
    TargetOptions { isa, stages: true, ..TargetOptions::default() }
}

/// Compiles, or fails the test with the diagnostics.
pub(super) fn compile(module: &Module, isa: Isa) -> CompiledModule {
    match compile_module(module, &options(isa)) {
        Ok(compiled) => compiled,
        Err(errors) => panic!("{isa}: {errors:#?}"),
    }
}

/// Everything that is known about a compiled module, for a test that fails.
pub(super) fn dump(compiled: &CompiledModule) -> String {
    let mut out = String::new();
    for func in &compiled.funcs {
        for stage in &func.stages {
            out += &format!("--- @{} after {}\n{}", func.name, stage.name, stage.text);
        }
        let listing = crate::isa::Listing::new(&func.code.insts, &crate::isa::NoNames);
        out += &format!("--- @{}\n{listing}", func.name);
    }
    out
}
