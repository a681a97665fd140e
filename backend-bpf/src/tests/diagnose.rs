//! What is refused, and in which words.

use larrow_ir::{Diagnostic, FuncBuilder, Function, Module, Op, Type, Value};

use super::build::{done, options, program, put, subprogram, syscall};
use crate::compile_module;
use crate::isa::Isa;

fn refused(module: &Module) -> Vec<Diagnostic> {
    compile_module(module, &options(Isa::V3)).err().unwrap_or_default()
}

/// The only diagnostic, as its message with notes and helps.
fn only(module: &Module) -> String {
    let errors = refused(module);
    let [error] = errors.as_slice() else { panic!("{errors:#?}") };
    assert!(error.entity.is_some(), "{error:?} is not located");
    let parts = std::iter::once(&error.message).chain(&error.notes).chain(&error.help);
    parts.cloned().collect::<Vec<_>>().join("; ")
}

fn xdp(body: impl FnOnce(&mut FuncBuilder<'_>, Value)) -> Module {
    let mut module = Module::new("refused.go");
    program(&mut module, "main", "xdp", "xdp", body);
    module
}

#[test]
fn unknown_sections_suggest_the_nearest() {
    let mut module = Module::new("refused.go");
    program(&mut module, "main", "xpd", "xdp", |build, _| done(build));
    assert_eq!(only(&module), "`xpd` is no program section; did you mean `xdp`?");
}

#[test]
fn unknown_fields_and_helpers_suggest_the_nearest() {
    let module = xdp(|build, ctx| {
        build.ctx_load(Type::U32, ctx, "ingress_ifidx");
        done(build);
    });
    let text = only(&module);
    assert_eq!(text, "the context of `xdp` has no field `ingress_ifidx`; did you mean `ingress_ifindex`?");
    let module = xdp(|build, _| {
        build.call_helper(Type::U64, "ktime_getns", &[]);
        done(build);
    });
    assert_eq!(only(&module), "no helper is called `ktime_getns`; did you mean `ktime_get_ns`?");
    let module = xdp(|build, _| {
        build.call_helper(Type::U64, "get_current_pid_tgid", &[]);
        done(build);
    });
    assert!(only(&module).starts_with("programs in section `xdp` may not call `get_current_pid_tgid`"));
    let module = xdp(|build, ctx| {
        build.ctx_load(Type::U64, ctx, "ingress_ifindex");
        done(build);
    });
    assert_eq!(only(&module), "the context field `ingress_ifindex` loads as `u32`");
}

#[test]
fn recursion_names_its_cycle() {
    let mut module = Module::new("refused.go");
    let a = module.add_func(Function::new("a", Type::UNIT)).expect("fresh");
    let b = subprogram(&mut module, "b", &[], Type::UNIT, |build, _| {
        build.call(Type::UNIT, a, &[]);
        build.ret(None);
    });
    module.with_func(a, |func, decls| {
        let mut build = FuncBuilder::new(func, decls);
        let entry = build.block();
        build.switch_to(entry);
        build.call(Type::UNIT, b, &[]);
        build.ret(None);
    });
    let text = only(&module);
    assert!(text.contains("calls itself") && text.contains("@a → @b → @a"), "{text}");
}

#[test]
fn frames_past_the_stack_name_the_chain_and_the_slots() {
    let mut module = Module::new("refused.go");
    let big = |build: &mut FuncBuilder<'_>, words| {
        let ty = build.decls.types.array(Type::U64, words);
        let slot = build.slot(ty);
        let at = build.local_addr(slot);
        build.mem_zero(at, words * 8);
    };
    let leaf = subprogram(&mut module, "leaf", &[], Type::UNIT, |build, _| {
        big(build, 40);
        build.ret(None);
    });
    syscall(&mut module, |build, _| {
        big(build, 30);
        build.call(Type::UNIT, leaf, &[]);
        done(build);
    });
    let text = only(&module);
    assert!(text.starts_with("@main and what it calls need 560 bytes of stack, but BPF has 512"), "{text}");
    assert!(text.contains("@main (240 bytes) → @leaf (320 bytes)"), "{text}");
    assert!(text.contains("s0 of @leaf takes 320 bytes"), "{text}");
}

#[test]
fn arguments_past_five_are_refused() {
    let mut module = Module::new("refused.go");
    subprogram(&mut module, "many", &[Type::U64; 6], Type::UNIT, |build, _| build.ret(None));
    assert_eq!(only(&module), "@many has 6 parameters, but BPF passes 5; pass a pointer to a struct");
}

#[test]
fn what_was_not_lowered_is_named() {
    let module = xdp(|build, _| {
        let capacity = build.int(Type::I64, 1);
        let chan = build.decls.types.chan(larrow_ir::ChanDir::Both, Type::U32);
        build.make_chan(chan, capacity);
        done(build);
    });
    assert_eq!(
        only(&module),
        "`MakeChan` makes a channel, but BPF has no heap; declare the channel in the module"
    );
    let module = xdp(|build, _| build.panic("no"));
    assert!(only(&module).starts_with("BPF has no panics"));
    let module = xdp(|build, _| {
        build.new_object(Type::U64);
        done(build);
    });
    assert_eq!(only(&module), "`New` allocates, but BPF has no heap; use a stack slot, a map or a global");
}

#[test]
fn atomics_need_a_width_and_a_level() {
    let mut module = Module::new("refused.go");
    syscall(&mut module, |build, ctx| {
        let slot = build.slot(Type::U32);
        let at = build.local_addr(slot);
        let x = build.int(Type::U32, 1);
        build.store(at, x);
        let old = build.op(Op::AtomicAdd, Type::U32, &[at, x]);
        put(build, ctx, 1, old);
        done(build);
    });
    assert!(refused(&module).is_empty());
    let errors = compile_module(&module, &options(Isa::V2)).expect_err("v2 has no fetching atomics");
    assert_eq!(errors[0].message, "`AtomicAdd` needs an atomic that v2 does not have");
    let mut module = Module::new("refused.go");
    syscall(&mut module, |build, _| {
        let slot = build.slot(Type::U16);
        let at = build.local_addr(slot);
        let x = build.int(Type::U16, 1);
        build.atomic_store(at, x);
        done(build);
    });
    assert!(only(&module).starts_with("`AtomicStore` of 16 bits"));
}
