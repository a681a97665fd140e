//! The hook points: an example rewriter for each, tested through to the object; and at which stages the lookups
//! of the map-lookup hook can be seen.

use larrow_backend_bpf::object::{self, Target};
use larrow_backend_bpf::{TargetOptions, target};
use larrow_ir::{
    Aux, Decls, FuncBuilder, Function, GlobalDecl, GlobalSection, Inst, LookupRole, Module, Op, Pos,
    Severity, Type, TypeKind, Value, text,
};
use larrow_passes::{Changed, HookPoint, Options, PassCx, PassResult, Pipeline, Rewriter};

use crate::case::{parse_module, verified};
use crate::run::Stages;
use crate::world::World;

/// The target's pipeline with a rewriter at a point.
fn pipeline_with(point: HookPoint, rewriter: impl Rewriter + 'static) -> Pipeline {
    let mut pipeline = target::pipeline(&TargetOptions::default());
    pipeline.add_rewriter(point, Box::new(rewriter)).expect("the standard pipeline has every point");
    pipeline.check().expect("a rewriter breaks no constraint");
    pipeline
}

/// Compiles, and keeps the module after each pass.
fn compile(module: &mut Module, pipeline: &Pipeline) -> (target::Output, Stages) {
    let mut stages = Stages::default();
    let options = Options::checked(2, 3);
    let done =
        target::compile(module, pipeline, &options, &TargetOptions::default(), None, &mut [&mut stages]);
    (done.unwrap_or_else(|e| panic!("{e:#?}\n{module}")), stages)
}

/// The last state of a stage.
fn after<'a>(stages: &'a Stages, name: &str) -> &'a Module {
    let stage = stages.states.iter().find(|(stage, _)| stage == name);
    &stage.unwrap_or_else(|| panic!("no stage {name}")).1
}

// ---- after-build: a function at a time ---------------------------------------------------------------------------

/// Counts entries into each of the user's functions in a variable `NAME.entered`.
struct CountEntries;

impl Rewriter for CountEntries {
    fn name(&self) -> &str {
        "count-entries"
    }
    fn function(&self, func: &mut Function, decls: &mut Decls, _: &mut PassCx<'_>) -> PassResult {
        let decl =
            GlobalDecl { ty: Type::U64, section: GlobalSection::Bss, init: Vec::new(), pos: Pos::None };
        let name = decls.globals.fresh_name(&format!("{}.entered", func.name));
        let Ok(counter) = decls.globals.insert(name, decl) else { unreachable!("the name is fresh") };
        let entry = func.entry();
        let old = func.detach_insts(entry);
        let mut build = FuncBuilder::new(func, decls);
        build.switch_to(entry);
        let place = build.global_addr(counter);
        let one = build.int(Type::U64, 1);
        build.op(Op::AtomicAdd, Type::UNIT, &[place, one]);
        old.into_iter().for_each(|v| func.attach(entry, v));
        Ok(Changed::Yes)
    }
}

const CALLS: &str = r#"
func @f(v0: ptr<ctx xdp>) -> u32 section "xdp" {
b0:
    v1 = Const <u32> [2]
    v2 = Call <u32> @double v1
    v3 = Call <u32> @double v2
    Ret v3
}

func @double(v0: u32) -> u32 {
b0:
    v1 = Add <u32> v0, v0
    Ret v1
}
"#;

#[test]
fn after_build_a_function_rewriter_counts_entries_that_inlining_keeps() {
    let mut module = parse_module("calls", CALLS);
    let (output, stages) = compile(&mut module, &pipeline_with(HookPoint::AfterBuild, CountEntries));
    assert!(after(&stages, "source").decls.globals.id("f.entered").is_none());
    for stage in ["after-build", "inline", "critical"] {
        let module = after(&stages, stage);
        let mut interp = larrow_interp::Interp::new(module, larrow_interp::Options::default()).unwrap();
        let args = interp.entry_args("f").unwrap();
        let result = interp.run("f", &args).unwrap();
        assert_eq!(result.value(), Some(larrow_interp::Val::Int(8)), "after {stage}");
        assert_eq!(interp.global("f.entered").unwrap(), 1u64.to_le_bytes(), "after {stage}");
        assert_eq!(interp.global("double.entered").unwrap(), 2u64.to_le_bytes(), "after {stage}");
    }
    let variables: Vec<&str> =
        output.object.globals.iter().flat_map(|s| &s.symbols).map(|s| s.name.as_str()).collect();
    assert!(variables.contains(&"double.entered"), "{variables:?}");
}

// ---- lower-entry: an instruction at a time -------------------------------------------------------------------------

/// Turns calls of the builtin `max` into a branch. The result of a call arrives in one register whoever computed
/// it: the arms meet in a phi, which is what register assignment sees as one value.
struct MaxToPhi;

impl Rewriter for MaxToPhi {
    fn name(&self) -> &str {
        "max-to-phi"
    }
    fn instruction(
        &self,
        func: &mut Function,
        at: Value,
        decls: &mut Decls,
        cx: &mut PassCx<'_>,
    ) -> PassResult {
        let inst = func.inst(at).clone();
        let is_max = matches!(inst.aux, Aux::Intrinsic(id) if decls.intrinsics.name(id) == "builtin.max");
        let Some(b) = func.home(at).filter(|_| is_max) else { return Ok(Changed::No) };
        let place = func.block(b).insts.iter().position(|&v| v == at).expect("it stands in its home");
        let join = func.split_block(b, place + 1);
        let head = func.block(b).insts[..place].to_vec();
        func.set_insts(b, head);

        let mut build = FuncBuilder::new(func, decls);
        build.at(inst.pos).switch_to(b);
        let (x, y) = (inst.args[0], inst.args[1]);
        let less = build.less_u(x, y);
        let (second, first) = (build.block(), build.block());
        build.branch(less, second, first);
        for arm in [second, first] {
            build.switch_to(arm);
            build.jump(join);
        }
        // The phi takes the call's own id, so that its users need not learn of it.
        *func.inst_mut(at) = Inst::new(Op::Phi, inst.ty, &[y, x]).at(inst.pos);
        let mut insts = vec![at];
        insts.extend(&func.block(join).insts);
        func.set_insts(join, insts);
        cx.origin(at, "max-to-phi", &[x, y]);
        Ok(Changed::Yes)
    }
}

const MAX: &str = r#"
intrinsic @builtin.max: func(u32, u32) -> u32 pure

chan @ports: chan u32 cap 4

func @f(v0: ptr<ctx xdp>) -> u32 section "xdp" {
b0:
    v1 = ChanAddr <chan u32> @ports
    v2 = ChanRecv <(u32, bool)> [value] v1
    v3 = Extract <u32> [0] v2
    v4 = ChanRecv <(u32, bool)> [value] v1
    v5 = Extract <u32> [0] v4
    v6 = Const <u32> [10]
    v7 = Intrinsic <u32> @builtin.max v3, v5
    v8 = Intrinsic <u32> @builtin.max v7, v6
    Ret v8
}
"#;

#[test]
fn at_lower_entry_an_instruction_rewriter_makes_a_phi_of_a_builtin_call() {
    let mut module = parse_module("max", MAX);
    let without = target::compile(
        &mut module.clone(),
        &target::pipeline(&TargetOptions::default()),
        &Options::default(),
        &TargetOptions::default(),
        None,
        &mut [],
    );
    let errors = without.expect_err("nobody lowers the builtin");
    let intrinsics =
        errors.iter().filter(|e| e.severity == Severity::Error && e.message.contains("Intrinsic"));
    assert_eq!(intrinsics.count(), 2, "{errors:#?}");

    let (output, stages) = compile(&mut module, &pipeline_with(HookPoint::LowerEntry, MaxToPhi));
    let count = |module: &Module, op: Op| -> usize {
        module.funcs.iter().map(|(_, f)| f.iter_insts().filter(|&(_, v)| f.inst(v).op == op).count()).sum()
    };
    let before = after(&stages, "early-opt");
    assert_eq!((count(before, Op::Intrinsic), count(before, Op::Phi)), (2, 0));
    let rewritten = after(&stages, "lower-entry");
    assert_eq!((count(rewritten, Op::Intrinsic), count(rewritten, Op::Phi)), (0, 2));
    assert_eq!(count(rewritten, Op::ChanRecv), 2, "channel ops are still there");
    for stage in ["lower-entry", "bind-channels", "critical"] {
        for (sent, want) in [([3, 4], 10), ([30, 4], 30), ([3, 40], 40), ([u32::MAX, 0], u32::MAX)] {
            let mut world = World::new(after(&stages, stage), 0);
            for n in sent {
                assert!(world.send("ports", &n.to_le_bytes()));
            }
            assert_eq!(world.call("f", &[crate::case::Arg::Ctx]), want.to_string(), "after {stage}");
            assert_eq!(world.recv("ports"), None);
        }
    }
    assert_eq!(output.object.programs.len(), 1);
}

// ---- before-write: a package at a time ----------------------------------------------------------------------------

/// Records what calls what with what: for each program its context and where that is bound, for each function
/// the registers of its parameters and its result. The text goes into the object as a constant.
struct RecordRegisters;

/// The registers that arguments are passed in.
const ARGUMENTS: [&str; 5] = ["r1", "r2", "r3", "r4", "r5"];

impl Rewriter for RecordRegisters {
    fn name(&self) -> &str {
        "record-registers"
    }
    fn package(&self, module: &mut Module, _: &mut PassCx<'_>) -> PassResult {
        let mut record = String::new();
        for (_, func) in module.funcs.iter() {
            let types = &module.decls.types;
            let params = func.params.iter().zip(ARGUMENTS).map(|(&param, register)| {
                let ty = func.ty(param);
                match types.pointee(ty).map(|to| types.resolve(to)) {
                    Some(TypeKind::Opaque(context)) => format!("{register}=context:{context}"),
                    _ => format!("{register}={}", text::TypeText::new(types, ty)),
                }
            });
            let params: Vec<String> = params.collect();
            let section = func.section.as_deref().map_or(String::new(), |s| format!(" [{s}]"));
            let result = text::TypeText::new(types, func.result);
            record.push_str(&format!("{}{section}: {} → r0={result}\n", func.name, params.join(" ")));
        }
        let init = record.into_bytes();
        let ty = module.decls.types.array(Type::U8, init.len() as u64);
        let decl = GlobalDecl { ty, section: GlobalSection::Rodata, init, pos: Pos::None };
        let name = module.decls.globals.fresh_name("__registers");
        Ok(Changed::from(module.decls.globals.insert(name, decl).is_ok()))
    }
}

#[test]
fn before_write_a_package_rewriter_records_context_and_registers() {
    let mut module = parse_module("port_filter", include_str!("../../../examples/port_filter.ssa"));
    let mut pipeline = pipeline_with(HookPoint::BeforeWrite, RecordRegisters);
    pipeline.disable("inline").unwrap();
    let (output, stages) = compile(&mut module, &pipeline);
    assert!(after(&stages, "critical").decls.globals.id("__registers").is_none());
    let read = object::read(&output.bytes).unwrap();
    let symbols = read.globals.iter().flat_map(|s| s.symbols.iter().map(move |symbol| (s, symbol)));
    let mut found = symbols.filter(|(_, symbol)| symbol.name == "__registers");
    let (section, symbol) = found.next().expect("the constant is in the object");
    let object::Contents::ReadOnly(bytes) = &section.contents else { panic!("it is no constant") };
    let start = symbol.offset as usize;
    let record = std::str::from_utf8(&bytes[start..start + symbol.size as usize]).unwrap();
    assert_eq!(
        record,
        "filter [xdp]: r1=context:xdp → r0=u32\n\
         runtime.chanrecv2.u16.8: r1=ptr<map %hchan.u16.8> r2=ptr<u16> → r0=u32\n"
    );
}

// ---- the map-lookup hook ---------------------------------------------------------------------------------------

/// How many lookups of sites and of bindings there are.
fn lookups(module: &Module) -> (usize, usize) {
    let mut found = (0, 0);
    for (_, func) in module.funcs.iter() {
        for (_, v) in func.iter_insts() {
            match func.inst(v).aux {
                Aux::Lookup { role: LookupRole::Site, .. } => found.0 += 1,
                Aux::Lookup { role: LookupRole::Bind, .. } => found.1 += 1,
                _ => {}
            }
        }
    }
    found
}

#[test]
fn the_lookup_is_there_from_its_insertion_to_the_object() {
    let mut module = parse_module("port_filter", include_str!("../../../examples/port_filter.ssa"));
    let (output, stages) = compile(&mut module, &target::pipeline(&TargetOptions::default()));
    let position = |name: &str| stages.states.iter().position(|(stage, _)| stage == name).expect("a row");
    let (inserted, bound) = (position("insert-map-lookup"), position("bind-channels"));
    for (number, (stage, module)) in stages.states.iter().enumerate() {
        let want = (usize::from(number >= inserted), usize::from(number >= bound));
        assert_eq!(lookups(module), want, "after {stage}");
        verified(stage, module);
    }
    assert_eq!((lookups_of(&output.bytes, "__sites"), lookups_of(&output.bytes, "ports")), (1, 1));
}

/// How many instruction pairs of an object load a map's address for a call of helper 1, `bpf_map_lookup_elem`.
fn lookups_of(bytes: &[u8], map: &str) -> usize {
    const CALL: u8 = 0x85;
    const LOOKUP: [u8; 4] = [1, 0, 0, 0];
    let object = object::read(bytes).expect("our own object");
    let functions = object.programs.iter().map(|p| &p.function).chain(&object.subprograms);
    let mut found = 0;
    for function in functions {
        for relocation in &function.relocations {
            let of_map = matches!(relocation.target, Target::Map(m) if object.maps[m].name == map);
            // What follows the load of the map, up to the next call.
            let behind = &function.code[relocation.offset as usize..];
            let call = behind.chunks(8).find(|slot| slot[0] == CALL);
            found += usize::from(of_map && call.is_some_and(|c| c[1] == 0 && c[4..] == LOOKUP));
        }
    }
    found
}

#[test]
fn without_hooks_there_is_no_lookup_and_no_map() {
    let mut module = parse_module("port_filter", include_str!("../../../examples/port_filter.ssa"));
    let options = Options { hooks: false, ..Options::checked(2, 3) };
    let target = TargetOptions::default();
    let output = target::compile(&mut module, &target::pipeline(&target), &options, &target, None, &mut []);
    let output = output.unwrap();
    assert_eq!(lookups(&module), (0, 1));
    assert!(output.object.maps.iter().all(|m| m.name != "__sites"));
    assert_eq!(lookups_of(&output.bytes, "ports"), 1);
}
