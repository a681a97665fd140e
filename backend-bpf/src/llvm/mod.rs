//! A module as LLVM IR text, so that another compiler can be given the same work.
//!
//! `llc-19 -O2 -march=bpf -mcpu=v3 -filetype=obj` takes what [`print()`] writes of a module between `lower-panic` and
//! instruction selection, legalized or not. It is the yardstick for speed and size of our own code generation. The
//! object that comes out calls the same helpers and reads the same fields, but its maps carry no type information, so
//! a loader does not take it as it is.
//!
//! What has no like in LLVM is first made plain by our own legalization: tuples that calls return, `Bounded`, and
//! signed division below v4. The rest is written one to one:
//!
//! * Division by zero is undefined there and total here and in the machine, so a divisor that is no constant goes to
//!   the machine's own instruction as inline assembly: one instruction, as from our selection.
//! * Shift counts are masked, as the op says.
//! * A `Sync` is the fetching atomic on a slot that `lower-sync` makes. An empty piece of assembly uses an old value
//!   that nobody else does, because llc would take the form that fetches nothing and orders nothing.
//! * Plain accesses are not volatile: llc is free to merge them where no atomic stands between.
//! * A map that code addresses inside its value ([`Op::MapValue`](larrow_ir::Op::MapValue)) is a variable in a section
//!   `.bss.MAP`, as in our objects.

mod body;
mod inst;
mod name;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;

use larrow_ir::cranelift_entity::EntitySet;
use larrow_ir::{Aux, Diagnostic, Entity, FuncId, Function, GlobalSection, MapId, MapKind, Module, Value};
use larrow_passes::{Options, Pipeline};

use crate::isa::Isa;
use crate::object::MapKind as KernelMapKind;
use crate::{TargetOptions, legalize};
use name::Names;

/// The layout and the machine, as LLVM 19 has them for `bpf`.
const HEADER: &str = "\
target datalayout = \"e-m:e-p:64:64-i64:64-i128:128-n32:64-S128\"
target triple = \"bpf\"
";

/// What every text may refer to.
const FOOTER: &str = "
declare i16 @llvm.bswap.i16(i16)
declare i32 @llvm.bswap.i32(i32)
declare i64 @llvm.bswap.i64(i64)
declare void @llvm.memcpy.inline.p0.p0.i64(ptr, ptr, i64, i1)
declare void @llvm.memset.inline.p0.i64(ptr, i8, i64, i1)

attributes #0 = { noinline nounwind }
!0 = !{i8 0, i8 2}
!1 = !{}
";

/// Writes a module as LLVM IR for `-march=bpf` and a level of the instruction set.
///
/// # Errors
/// Located diagnostics for what has no code there: channel ops and panics that are not lowered, floats, the heap,
/// unknown helpers and context fields, tuples that are not taken apart where they are made.
pub fn print(module: &Module, isa: Isa) -> Result<String, Vec<Diagnostic>> {
    let mut module = module.clone();
    legalize::legalize_calls(&mut module)?;
    for id in module.funcs.ids().collect::<Vec<_>>() {
        module.with_func(id, |func, decls| {
            let abort = legalize::abort_code(func);
            legalize::lower_bounded(func, decls, abort);
            if !isa.has_sdiv() {
                legalize::expand_signed_division(func, decls);
            }
            split_double_edges(func);
        });
    }
    let names = Names::new(&module);
    let mut out = HEADER.to_string();
    let (direct, mut errors) = addressed_maps(&module);
    declare(&module, &names, &direct, &mut out);
    for (id, func) in module.funcs.iter() {
        if let Err(found) = body::function(&module, &names, isa, (id, func), &mut out) {
            errors.extend(found);
        }
    }
    out.push_str(FOOTER);
    if errors.is_empty() { Ok(out) } else { Err(errors) }
}

/// The target's pipeline as far as [`print()`] wants it.
pub fn pipeline(target: &TargetOptions) -> Pipeline {
    without_legalization(crate::target::pipeline(target))
}

/// A pipeline with what lowers, binds and refuses, and without what legalizes.
pub fn without_legalization(mut pipeline: Pipeline) -> Pipeline {
    let rows: Vec<String> = pipeline.names().map(str::to_string).collect();
    let after_check = rows.iter().skip_while(|row| *row != "check-bpf").skip(1);
    for row in after_check.take_while(|row| *row != "before-write") {
        pipeline.remove(row).expect("the row was just there");
    }
    pipeline
}

/// Compiles a module as far as LLVM takes over, and writes it. `pipeline` is one of
/// [`without_legalization()`]'s.
///
/// # Errors
/// The diagnostics of the pass that found errors, or of [`print()`].
pub fn compile(
    module: &mut Module,
    pipeline: &Pipeline,
    options: &Options,
    target: &TargetOptions,
) -> Result<String, Vec<Diagnostic>> {
    crate::target::run(module, pipeline, options, &mut [])?;
    print(module, target.isa)
}

/// As [`compile()`], with the pipeline that there is.
///
/// # Errors
/// As for [`compile()`].
pub fn emit(
    module: &mut Module,
    options: &Options,
    target: &TargetOptions,
) -> Result<String, Vec<Diagnostic>> {
    compile(module, &pipeline(target), options, target)
}

/// Gives every edge that is not its block's first into the same target a block of its own: a phi there may tell
/// them apart, which LLVM's cannot.
fn split_double_edges(func: &mut Function) {
    for b in func.layout().to_vec() {
        let succs = func.term(b).successors();
        if succs.len() < 2 {
            continue;
        }
        let mut seen = EntitySet::new();
        for (edge, &to) in succs.iter().enumerate() {
            if !seen.insert(to) && func.phis(to).next().is_some() {
                func.split_edge(b, edge);
            }
        }
    }
}

/// Maps, in the layout of a map's definition before there was type information, and variables.
fn declare(module: &Module, names: &Names, direct: &EntitySet<MapId>, out: &mut String) {
    let types = &module.decls.types;
    for (id, map) in module.decls.maps.iter() {
        if direct.contains(id) {
            let (size, section) = (
                types.size(map.value),
                name::quoted_always(&format!(".data.{}", module.decls.maps.name(id))),
            );
            let _ = writeln!(
                out,
                "@{} = dso_local global [{size} x i8] zeroinitializer, section {section}, align 8",
                names.map(id)
            );
            continue;
        }
        let fields = [
            map_kind(map.kind).number(),
            u32::try_from(types.size(map.key)).unwrap_or(u32::MAX),
            u32::try_from(types.size(map.value)).unwrap_or(u32::MAX),
            map.max_entries,
            map.flags,
        ];
        let values = fields.map(|f| format!("i32 {f}")).join(", ");
        let _ = writeln!(
            out,
            "@{} = dso_local global {{ i32, i32, i32, i32, i32 }} {{ {values} }}, section \".maps\", align 4",
            names.map(id)
        );
    }
    for (id, global) in module.decls.globals.iter() {
        let layout = types.layout(global.ty);
        let (size, align) = layout.map_or((0, 1), |l| (l.size, l.align));
        let (kind, init) = match global.section {
            GlobalSection::Rodata => ("constant", bytes(&global.init, size)),
            GlobalSection::Data => ("global", bytes(&global.init, size)),
            GlobalSection::Bss => ("global", "zeroinitializer".to_string()),
        };
        let _ = writeln!(
            out,
            "@{} = dso_local {kind} [{size} x i8] {init}, section \".{}\", align {align}",
            names.global(id),
            global.section.name()
        );
    }
    out.push_str("@_license = dso_local global [4 x i8] c\"GPL\\00\", section \"license\", align 1\n");
}

/// The maps that functions address inside their value; an error for each that they use as a map too, of which an
/// object has no notion.
fn addressed_maps(module: &Module) -> (EntitySet<MapId>, Vec<Diagnostic>) {
    let mut direct = EntitySet::new();
    let mut errors = Vec::new();
    for (_, _, aux) in payloads(module) {
        if let Aux::MapOffset { map, .. } = aux {
            direct.insert(*map);
        }
    }
    for (id, v, aux) in payloads(module) {
        match aux {
            Aux::Lookup { map, .. } | Aux::MapFlags { map, .. } if direct.contains(*map) => {
                let name = module.decls.maps.name(*map);
                let why = format!("map `{name}` is both called by a helper and addressed inside its value");
                errors.push(refuse(id, &module.funcs[id], v, why));
            }
            _ => {}
        }
    }
    (direct, errors)
}

/// What every instruction carries.
fn payloads(module: &Module) -> impl Iterator<Item = (FuncId, Value, &Aux)> {
    let funcs = module.funcs.iter();
    funcs.flat_map(|(id, f)| f.iter_insts().map(move |(_, v)| (id, v, &f.inst(v).aux)))
}

/// A string constant of so many bytes.
fn bytes(init: &[u8], size: u64) -> String {
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    let padded = init.iter().copied().chain(std::iter::repeat(0)).take(size);
    let escaped: String = padded.map(|b| format!("\\{b:02X}")).collect();
    format!("c\"{escaped}\"")
}

fn map_kind(kind: MapKind) -> KernelMapKind {
    match kind {
        MapKind::Array => KernelMapKind::Array,
        MapKind::PercpuArray => KernelMapKind::PercpuArray,
        MapKind::Hash => KernelMapKind::Hash,
        MapKind::PercpuHash => KernelMapKind::PercpuHash,
        MapKind::LruHash => KernelMapKind::LruHash,
        MapKind::LruPercpuHash => KernelMapKind::LruPercpuHash,
        MapKind::Queue => KernelMapKind::Queue,
        MapKind::Stack => KernelMapKind::Stack,
    }
}

/// A diagnostic about an instruction.
fn refuse(id: FuncId, func: &Function, v: Value, why: impl Into<String>) -> Diagnostic {
    Diagnostic::error(why).on(Entity::Value(id, v)).at(func.inst(v).pos)
}
