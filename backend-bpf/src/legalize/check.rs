//! What BPF cannot do, said before anything is changed.

use larrow_ir::cranelift_entity::SecondaryMap;
use larrow_ir::{
    Aux, Diagnostic, Entity, Family, FuncId, Function, Module, Op, Space, Terminator, Type, TypeKind, Value,
};

use super::stack::callees;
use crate::TargetOptions;
use crate::ctx::{self, FieldKind, Section};
use crate::helpers::{helper, nearest_helper};
use crate::isa::Width;
use crate::select::MAX_ARGS;

/// Checks a module whose channels are lowered and bound.
///
/// # Errors
/// Every op, signature and name that BPF has no code for.
pub fn check(module: &Module, options: &TargetOptions) -> Result<(), Vec<Diagnostic>> {
    let mut check = Check { module, options, errors: Vec::new(), sections: SecondaryMap::new() };
    check.sections();
    check.recursion();
    if check.errors.is_empty() {
        for (id, func) in module.funcs.iter() {
            check.function(id, func);
        }
    }
    if check.errors.is_empty() { Ok(()) } else { Err(check.errors) }
}

struct Check<'a> {
    module: &'a Module,
    options: &'a TargetOptions,
    errors: Vec<Diagnostic>,
    /// The kinds of program that reach each function.
    sections: SecondaryMap<FuncId, Vec<&'static Section>>,
}

impl Check<'_> {
    fn sections(&mut self) {
        for (id, func) in self.module.funcs.iter() {
            let Some(name) = &func.section else { continue };
            let Some(section) = ctx::section(name) else {
                let mut diagnostic = Diagnostic::error(format!("`{name}` is no program section"));
                diagnostic = match ctx::nearest_section(name) {
                    Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
                    None => {
                        let known: Vec<&str> = ctx::SECTIONS.iter().map(|s| s.name).collect();
                        diagnostic.help(format!("sections are {}", known.join(", ")))
                    }
                };
                self.errors.push(diagnostic.on(Entity::Func(id)).at(func.pos));
                continue;
            };
            self.reach(id, section);
        }
    }

    /// Records that programs of a section call `root` and everything below it.
    fn reach(&mut self, root: FuncId, section: &'static Section) {
        let mut work = vec![root];
        while let Some(id) = work.pop() {
            if self.sections[id].iter().all(|s| !std::ptr::eq(*s, section)) {
                self.sections[id].push(section);
                work.extend(callees(self.module, id));
            }
        }
    }

    /// Reports each cycle of calls once.
    fn recursion(&mut self) {
        #[derive(Clone, Copy, PartialEq, Default)]
        enum State {
            #[default]
            New,
            Open,
            Done,
        }
        let mut states: SecondaryMap<FuncId, State> = SecondaryMap::new();
        for root in self.module.funcs.ids() {
            if states[root] != State::New {
                continue;
            }
            states[root] = State::Open;
            let mut stack = vec![(root, callees(self.module, root))];
            while let Some((id, rest)) = stack.last_mut() {
                let Some(callee) = rest.pop() else {
                    states[*id] = State::Done;
                    stack.pop();
                    continue;
                };
                match states[callee] {
                    State::New => {
                        states[callee] = State::Open;
                        stack.push((callee, callees(self.module, callee)));
                    }
                    State::Open => {
                        let chain: Vec<FuncId> = stack.iter().map(|(f, _)| *f).collect();
                        self.report_cycle(&chain, callee);
                    }
                    State::Done => {}
                }
            }
        }
    }

    fn report_cycle(&mut self, chain: &[FuncId], to: FuncId) {
        let from = chain.iter().position(|&f| f == to).unwrap_or(0);
        let names: Vec<String> =
            chain[from..].iter().chain([&to]).map(|&f| format!("@{}", self.module.funcs.name(f))).collect();
        self.errors.push(
            Diagnostic::error(format!(
                "@{} calls itself, which BPF does not allow",
                self.module.funcs.name(to)
            ))
            .on(Entity::Func(to))
            .at(self.module.funcs[to].pos)
            .note(format!("the calls are {}", names.join(" → ")))
            .help("make it a loop"),
        );
    }

    fn function(&mut self, id: FuncId, func: &Function) {
        let types = &self.module.decls.types;
        let error = |message: String| Diagnostic::error(message).on(Entity::Func(id)).at(func.pos);
        if func.params.len() > MAX_ARGS {
            let n = func.params.len();
            let message = format!("@{} has {n} parameters, but BPF passes {MAX_ARGS}", func.name);
            self.errors.push(error(message).help("pass a pointer to a struct"));
        }
        for &p in &func.params {
            if !types.is_scalar(func.ty(p)) {
                let message = format!("a parameter of @{} is no number or pointer", func.name);
                self.errors.push(error(message).help("pass a pointer to it"));
            }
        }
        if let (Some(_), Some(&section)) = (&func.section, self.sections[id].first()) {
            self.entry(id, func, section);
        }
        for &b in func.layout() {
            for &v in &func.block(b).insts {
                self.inst(id, func, v);
            }
            if let Terminator::Panic(_) = func.term(b) {
                self.errors.push(
                    Diagnostic::error("BPF has no panics")
                        .on(Entity::Block(id, b))
                        .at(func.block(b).term_pos)
                        .help("run the pass that lowers panics to the section's abort code"),
                );
            }
        }
        for (slot, data) in func.slots() {
            if types.layout(data.ty).is_none() {
                let message = format!("{slot} has no size");
                self.errors.push(Diagnostic::error(message).on(Entity::Slot(id, slot)).at(func.pos));
            }
        }
    }

    /// An entry takes its context and returns a number.
    fn entry(&mut self, id: FuncId, func: &Function, section: &'static Section) {
        let types = &self.module.decls.types;
        let context = |&p: &Value| {
            let named = super::context_name(&self.module.decls, func, p);
            types.space(func.ty(p)) == Some(Space::Ctx) && named.is_none_or(|name| name == section.ctx)
        };
        if func.params.len() > 1 || !func.params.iter().all(context) {
            let message = format!("a program in section `{}` takes one parameter", section.name);
            let help = format!("declare it as `func @{}(v0: ptr<ctx {}>)`", func.name, section.ctx);
            self.errors.push(Diagnostic::error(message).on(Entity::Func(id)).at(func.pos).help(help));
        }
        if !(types.is_int(func.result) || func.result == Type::UNIT) {
            let message = format!("a program in section `{}` returns a number", section.name);
            self.errors.push(Diagnostic::error(message).on(Entity::Func(id)).at(func.pos));
        }
    }

    fn inst(&mut self, id: FuncId, func: &Function, v: Value) {
        let inst = func.inst(v);
        let report = |message: String| Diagnostic::error(message).on(Entity::Value(id, v)).at(inst.pos);
        if let Some((why, help)) = refusal(inst.op) {
            self.errors.push(report(format!("`{}` {why}", inst.op)).help(help));
            return;
        }
        if self.module.decls.types.is_float(inst.ty) {
            self.errors.push(report("BPF has no floats".into()).help("use an integer with a fixed point"));
            return;
        }
        match (inst.op, &inst.aux) {
            (Op::CallHelper, Aux::Name(name)) => self.helper(id, func, v, name),
            (Op::CtxLoad, Aux::Name(name)) => self.context_load(id, func, v, name),
            (Op::MemCopy | Op::MemZero, Aux::Size(size)) if *size > MAX_UNROLLED => {
                let message = format!("`{}` of {size} bytes is too long to be unrolled", inst.op);
                self.errors.push(report(message).help(format!("move at most {MAX_UNROLLED} bytes at once")));
            }
            (Op::Call, _) if inst.args.len() > MAX_ARGS => {
                let n = inst.args.len();
                let message = format!("this call passes {n} arguments, but BPF passes {MAX_ARGS}");
                self.errors.push(report(message).help("pass a pointer to a struct"));
            }
            _ => {}
        }
        self.atomic(id, func, v);
    }

    fn atomic(&mut self, id: FuncId, func: &Function, v: Value) {
        let inst = func.inst(v);
        let value = match inst.op {
            Op::AtomicAdd
            | Op::AtomicAnd
            | Op::AtomicOr
            | Op::AtomicXor
            | Op::AtomicXchg
            | Op::AtomicStore => inst.args[1],
            Op::AtomicCas => inst.args[2],
            Op::Sync | Op::AtomicLoad if self.options.isa.has_atomics(Width::W64) => return,
            Op::Sync | Op::AtomicLoad => v,
            _ => return,
        };
        let report = |message: String| Diagnostic::error(message).on(Entity::Value(id, v)).at(inst.pos);
        let bits = self.module.decls.types.bits(func.ty(value));
        if inst.op != Op::Sync && inst.op != Op::AtomicLoad && !matches!(bits, Some(32 | 64)) {
            let message = format!("`{}` of {} bits: BPF's atomics have 32 or 64", inst.op, bits.unwrap_or(0));
            self.errors.push(report(message).help("widen the variable to u32"));
            return;
        }
        let width = if bits == Some(32) { Width::W32 } else { Width::W64 };
        let plain_add = inst.op == Op::AtomicAdd && inst.ty == Type::UNIT;
        if !plain_add && !self.options.isa.has_atomics(width) {
            let message = format!("`{}` needs an atomic that {} does not have", inst.op, self.options.isa);
            self.errors.push(report(message).help("compile for v3 or later"));
        }
    }

    fn helper(&mut self, id: FuncId, func: &Function, v: Value, name: &str) {
        let inst = func.inst(v);
        let report = |message: String| Diagnostic::error(message).on(Entity::Value(id, v)).at(inst.pos);
        let Some(helper) = helper(name) else {
            let mut diagnostic = report(format!("no helper is called `{name}`"));
            if let Some(near) = nearest_helper(name) {
                diagnostic = diagnostic.help(format!("did you mean `{near}`?"));
            }
            return self.errors.push(diagnostic);
        };
        let (least, most) = helper.args;
        if !(least..=most).contains(&inst.args.len()) {
            let n = inst.args.len();
            return self.errors.push(report(format!("`{name}` takes {least} arguments, not {n}")));
        }
        for section in &self.sections[id] {
            if !helper.groups.has(section.group) {
                let message = format!("programs in section `{}` may not call `{name}`", section.name);
                return self.errors.push(report(message).help("use another helper or another section"));
            }
        }
        if let Some(kernel) = self.options.kernel.filter(|&kernel| kernel < helper.kernel) {
            let (major, minor) = helper.kernel;
            let message = format!("`{name}` needs kernel {major}.{minor}, not {}.{}", kernel.0, kernel.1);
            self.errors.push(report(message));
        }
    }

    fn context_load(&mut self, id: FuncId, func: &Function, v: Value, name: &str) {
        let inst = func.inst(v);
        let decls = &self.module.decls;
        let report = |message: String| Diagnostic::error(message).on(Entity::Value(id, v)).at(inst.pos);
        let sections = self.sections[id].clone();
        let at = func.section.as_ref().and_then(|_| sections.first().copied());
        let Some(field) = super::context_field(decls, func, at, v) else {
            let context = at.map(|s| s.ctx).or_else(|| super::context_name(decls, func, inst.args[0]));
            let fields = at.or_else(|| sections.first().copied()).map_or(&[][..], |s| s.fields);
            let context = context.unwrap_or("context");
            let mut diagnostic = report(format!("the context of `{context}` has no field `{name}`"));
            if let Some(near) = larrow_ir::nearest(name, fields.iter().map(|f| f.name)) {
                diagnostic = diagnostic.help(format!("did you mean `{near}`?"));
            }
            return self.errors.push(diagnostic);
        };
        if let Some(section) = sections.iter().find(|s| s.field(name).is_none()) {
            return self
                .errors
                .push(report(format!("programs in section `{}` have no `{name}`", section.name)));
        }
        let bits = decls.types.bits(inst.ty);
        let right = match field.kind {
            FieldKind::Scalar => decls.types.is_int(inst.ty) && bits == Some(field.size * 8),
            FieldKind::Packet | FieldKind::PacketEnd => {
                matches!(decls.types.resolve(inst.ty), TypeKind::Ptr { .. })
            }
        };
        if !right {
            let want = match field.kind {
                FieldKind::Scalar => format!("u{}", field.size * 8),
                FieldKind::Packet | FieldKind::PacketEnd => "ptr<packet u8>".to_string(),
            };
            self.errors.push(report(format!("the context field `{name}` loads as `{want}`")));
        }
    }
}

/// The longest copy that is unrolled, in bytes.
const MAX_UNROLLED: u64 = 4096;

/// Why an op has no BPF code, and the way out; none for ops that have.
fn refusal(op: Op) -> Option<(&'static str, &'static str)> {
    match op {
        Op::AddF
        | Op::SubF
        | Op::MulF
        | Op::DivF
        | Op::NegF
        | Op::EqF
        | Op::NeqF
        | Op::LessF
        | Op::LeqF
        | Op::IntToFloat
        | Op::UintToFloat
        | Op::FloatToInt
        | Op::FloatToUint
        | Op::FloatCast => {
            Some(("computes with floats, which BPF does not have", "use an integer with a fixed point"))
        }
        Op::New => Some(("allocates, but BPF has no heap", "use a stack slot, a map or a global")),
        Op::CallIndirect => {
            Some(("calls through a pointer, which BPF does not allow", "call a function by name"))
        }
        Op::CallRuntime => Some(("was not bound to a runtime", "run the passes that bind channels first")),
        Op::Intrinsic => Some(("has no lowering for this target", "register a lowering for the intrinsic")),
        Op::Status | Op::Outcome => {
            Some(("belongs to a runtime call", "run the passes that bind channels first"))
        }
        Op::MakeChan => Some(("makes a channel, but BPF has no heap", "declare the channel in the module")),
        Op::Go => Some(("starts a goroutine, but BPF runs one function", "run it as a program of its own")),
        Op::ChanAddr
        | Op::ChanSend
        | Op::ChanRecv
        | Op::ChanClose
        | Op::ChanLen
        | Op::ChanCap
        | Op::Select => {
            debug_assert_eq!(op.family(), Family::Channel);
            Some(("is a channel op", "run the passes that lower channels first"))
        }
        Op::Param
        | Op::Const
        | Op::Add
        | Op::Sub
        | Op::Mul
        | Op::Div
        | Op::DivU
        | Op::Mod
        | Op::ModU
        | Op::And
        | Op::Or
        | Op::Xor
        | Op::Lsh
        | Op::Rsh
        | Op::RshU
        | Op::Neg
        | Op::Com
        | Op::Bswap
        | Op::Not
        | Op::Eq
        | Op::Neq
        | Op::Less
        | Op::Leq
        | Op::LessU
        | Op::LeqU
        | Op::SignExt
        | Op::ZeroExt
        | Op::Trunc
        | Op::Phi
        | Op::Copy
        | Op::Extract
        | Op::Tuple
        | Op::CondSelect
        | Op::Bounded
        | Op::LocalAddr
        | Op::GlobalAddr
        | Op::FuncAddr
        | Op::PtrAdd
        | Op::Load
        | Op::Store
        | Op::MemCopy
        | Op::MemZero
        | Op::AtomicLoad
        | Op::AtomicStore
        | Op::AtomicAdd
        | Op::AtomicAnd
        | Op::AtomicOr
        | Op::AtomicXor
        | Op::AtomicXchg
        | Op::AtomicCas
        | Op::Sync
        | Op::Call
        | Op::CallHelper
        | Op::CtxLoad
        | Op::MapLookup
        | Op::MapUpdate
        | Op::MapDelete
        | Op::MapPush
        | Op::MapPop
        | Op::MapPeek
        | Op::MapValue => None,
    }
}
