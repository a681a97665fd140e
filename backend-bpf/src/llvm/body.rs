//! Functions: headers, slots, blocks and their ends.

use std::fmt::Write as _;

use larrow_ir::cranelift_entity::SecondaryMap;
use larrow_ir::{Aux, Block, Diagnostic, Entity, FuncId, Function, Module, Op, Terminator, Type, Value};

use super::name::{Names, quoted_always};
use crate::ctx::{self, Section};
use crate::frame;
use crate::isa::Isa;
use crate::select::type_width;

/// A function being written.
pub(super) struct Body<'a> {
    pub(super) module: &'a Module,
    pub(super) names: &'a Names,
    pub(super) isa: Isa,
    pub(super) id: FuncId,
    pub(super) func: &'a Function,
    /// The kind of program, for an entry.
    pub(super) section: Option<&'static Section>,
    /// How often each value is used.
    pub(super) uses: SecondaryMap<Value, u32>,
    pub(super) out: &'a mut String,
    /// How many steps have a name.
    temps: u32,
    pub(super) errors: Vec<Diagnostic>,
}

/// Writes a function.
pub(super) fn function(
    module: &Module,
    names: &Names,
    isa: Isa,
    (id, func): (FuncId, &Function),
    out: &mut String,
) -> Result<(), Vec<Diagnostic>> {
    let section = func.section.as_deref().and_then(ctx::section);
    let uses = func.use_counts();
    let mut body = Body { module, names, isa, id, func, section, uses, out, temps: 0, errors: Vec::new() };
    body.header();
    body.slots();
    for &b in func.layout() {
        body.block(b);
    }
    body.out.push_str("}\n");
    if body.errors.is_empty() { Ok(()) } else { Err(body.errors) }
}

impl Body<'_> {
    fn header(&mut self) {
        let result = self.result_type();
        let params: Vec<String> =
            self.func.params.iter().map(|&p| format!("{} %{p}", self.ty(self.func.ty(p)))).collect();
        let (linkage, place) = match &self.func.section {
            Some(section) => ("dso_local", format!(" section {}", quoted_always(section))),
            None => ("internal", String::new()),
        };
        let name = self.names.func(self.id);
        let _ = writeln!(
            self.out,
            "\ndefine {linkage} {result} @{name}({}) #0{place} {{\nentry:",
            params.join(", ")
        );
    }

    /// A program must leave something in R0.
    fn result_type(&self) -> &'static str {
        if self.func.result == Type::UNIT && self.func.section.is_some() {
            return "i32";
        }
        self.ty(self.func.result)
    }

    fn slots(&mut self) {
        for (slot, data) in self.func.slots() {
            let size = self.module.decls.types.size(data.ty);
            let align = frame::slot_align(&self.module.decls, data);
            let _ = writeln!(self.out, "  %{slot} = alloca [{size} x i8], align {align}");
        }
        if self.func.iter_insts().any(|(_, v)| matches!(self.func.inst(v).op, Op::Sync | Op::AtomicLoad)) {
            self.out.push_str("  %sync = alloca i64, align 8\n");
        }
        let _ = writeln!(self.out, "  br label %{}", self.func.entry());
    }

    fn block(&mut self, b: Block) {
        let _ = writeln!(self.out, "{b}:");
        for &v in &self.func.block(b).insts {
            if self.func.inst(v).op == Op::Phi {
                self.phi(b, v);
            } else {
                self.inst(v);
            }
        }
        self.terminator(b);
    }

    fn phi(&mut self, b: Block, v: Value) {
        let args: Vec<String> = self
            .func
            .preds(b)
            .iter()
            .zip(self.func.args(v))
            .map(|(p, &a)| format!("[ {}, %{p} ]", self.operand(a)))
            .collect();
        let ty = self.ty(self.func.ty(v));
        let _ = writeln!(self.out, "  %{v} = phi {ty} {}", args.join(", "));
    }

    fn terminator(&mut self, b: Block) {
        match self.func.term(b) {
            Terminator::Plain(to) => {
                let _ = writeln!(self.out, "  br label %{to}");
            }
            Terminator::If { cond, then, other } => {
                let cond = self.operand(*cond);
                let _ = writeln!(self.out, "  br i1 {cond}, label %{then}, label %{other}");
            }
            Terminator::Switch { on, cases, default } => {
                let ty = self.ty(self.func.ty(*on));
                let arms: Vec<String> =
                    cases.iter().map(|(c, to)| format!("{ty} {}, label %{to}", c.cast_signed())).collect();
                let on = self.operand(*on);
                let _ = writeln!(self.out, "  switch {ty} {on}, label %{default} [ {} ]", arms.join(" "));
            }
            Terminator::Ret(value) => self.ret(*value),
            Terminator::Panic(_) | Terminator::Exit => {
                let message = format!("the end of {b} is a panic that was not lowered");
                let pos = self.func.block(b).term_pos;
                self.errors.push(Diagnostic::error(message).on(Entity::Block(self.id, b)).at(pos));
            }
        }
    }

    fn ret(&mut self, value: Option<Value>) {
        let text = match value.filter(|&v| self.func.ty(v) != Type::UNIT) {
            Some(v) => format!("{} {}", self.result_type(), self.operand(v)),
            None if self.func.section.is_some() => format!("{} 0", self.result_type()),
            None => "void".to_string(),
        };
        let _ = writeln!(self.out, "  ret {text}");
    }

    // ---- spelling --------------------------------------------------------------------------------------------

    /// The LLVM type of a scalar.
    pub(super) fn ty(&self, ty: Type) -> &'static str {
        if self.module.decls.types.is_int(ty) || ty == Type::BOOL {
            return int_type(type_width(&self.module.decls, ty));
        }
        match type_width(&self.module.decls, ty) {
            0 => "void",
            1 => "i1",
            _ => "ptr",
        }
    }

    /// A value where it is used: constants and addresses stand there themselves.
    pub(super) fn operand(&self, mut v: Value) -> String {
        while self.func.inst(v).op == Op::Copy {
            v = self.func.args(v)[0];
        }
        let inst = self.func.inst(v);
        match (inst.op, &inst.aux) {
            (Op::Const, Aux::Int(bits)) if inst.ty == Type::BOOL => (*bits != 0).to_string(),
            (Op::Const, Aux::Int(bits)) => bits.cast_signed().to_string(),
            (Op::Const, _) => "null".to_string(),
            (Op::LocalAddr, Aux::Slot(slot)) => format!("%{slot}"),
            (Op::GlobalAddr, Aux::Global(id)) => format!("@{}", self.names.global(*id)),
            (Op::FuncAddr, Aux::Func(id)) => format!("@{}", self.names.func(*id)),
            _ => format!("%{v}"),
        }
    }

    /// A value with its type in front.
    pub(super) fn typed(&self, v: Value) -> String {
        format!("{} {}", self.ty(self.func.ty(v)), self.operand(v))
    }

    /// A fresh name for a step on the way to `v`.
    pub(super) fn temp(&mut self, v: Value) -> String {
        self.temps += 1;
        format!("%{v}.{}", self.temps)
    }

    /// Writes a line.
    pub(super) fn line(&mut self, text: &str) {
        self.out.push_str("  ");
        self.out.push_str(text);
        self.out.push('\n');
    }
}

/// The integer type of a width.
pub(super) fn int_type(width: u8) -> &'static str {
    match width {
        0 => "void",
        1 => "i1",
        2..=8 => "i8",
        9..=16 => "i16",
        17..=32 => "i32",
        33..=u8::MAX => "i64",
    }
}
