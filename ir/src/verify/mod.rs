//! The verifier: everything that a well-formed module promises, checked, with every breach reported and located.
//!
//! A function is checked in layers, because each relies on the one before: its *shape* (ids exist, edges and
//! predecessor lists agree, phis stand first), the *payloads* and *typing rules* of its instructions, the types
//! of its *terminators*, and *dominance* (a definition stands before each use). An instruction that fails one
//! layer is left out of the next, so that one mistake makes one report.
//!
//! **Invariant:** no module that can be built makes this panic, and the cost is near linear in its size.

mod calls;
mod chans;
mod decls;
mod dominance;
mod memory;
mod payload;
mod render;
mod rules;
mod shape;
mod spell;
mod terminators;

use std::collections::HashMap;

use cranelift_entity::EntityRef;

use crate::diag::{Diagnostic, Entity};
use crate::entity::{Block, FuncId, Slot, Type, Value};
use crate::function::Function;
use crate::inst::{Inst, Pos};
use crate::module::{Decls, Module};
use crate::types::TypeTable;

pub use render::render;
use spell::spell_type;

/// Checks a module: its declarations, then each of its functions.
///
/// # Errors
/// Every breach found, declarations first, then by function in order of blocks and instructions.
pub fn verify(module: &Module) -> Result<(), Vec<Diagnostic>> {
    let mut errors = decls::check(module);
    for id in module.funcs.ids() {
        errors.extend(check_func(module, id));
    }
    into_result(errors)
}

/// Checks one function against the module around it.
///
/// # Errors
/// Every breach found in it; a function that the module does not hold is one.
pub fn verify_func(module: &Module, func: FuncId) -> Result<(), Vec<Diagnostic>> {
    into_result(check_func(module, func))
}

fn into_result(errors: Vec<Diagnostic>) -> Result<(), Vec<Diagnostic>> {
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

fn check_func(module: &Module, id: FuncId) -> Vec<Diagnostic> {
    let Some(func) = module.funcs.get(id) else {
        return vec![Diagnostic::error(format!("the module has no function {id}")).on(Entity::Module)];
    };
    let mut checker = Checker {
        module,
        decls: &module.decls,
        types: &module.decls.types,
        func,
        id,
        never_returns: HashMap::new(),
        errors: Vec::new(),
    };
    checker.run();
    checker.errors
}

/// The state of checking one function.
struct Checker<'a> {
    module: &'a Module,
    decls: &'a Decls,
    types: &'a TypeTable,
    func: &'a Function,
    id: FuncId,
    /// Whether a callee never returns, where it was asked.
    never_returns: HashMap<FuncId, bool>,
    errors: Vec<Diagnostic>,
}

impl<'a> Checker<'a> {
    fn run(&mut self) {
        self.header();
        self.slots();
        let edges_agree = self.edges();
        for &b in self.func.layout() {
            if !self.func.is_live_block(b) {
                continue;
            }
            self.instructions(b);
            self.terminator(b);
        }
        if edges_agree {
            self.dominance();
        }
    }

    fn instructions(&mut self, b: Block) {
        let mut past_phis = false;
        for &v in &self.func.block(b).insts {
            if !self.placed(b, v, &mut past_phis) || !self.operands_exist(v) {
                continue;
            }
            let inst = self.func.inst(v);
            if self.arity(v, inst) && self.payload(v, inst) {
                self.rule(b, v, inst);
            }
        }
    }

    // ---- reporting -------------------------------------------------------------------------------------------

    fn at_func(&mut self, message: impl Into<String>) {
        self.errors.push(Diagnostic::error(message).on(Entity::Func(self.id)).at(self.func.pos));
    }
    fn at_block(&mut self, b: Block, message: impl Into<String>) {
        let pos = if self.func.is_live_block(b) { self.func.block(b).term_pos } else { Pos::None };
        self.errors.push(Diagnostic::error(message).on(Entity::Block(self.id, b)).at(pos));
    }
    fn at_value(&mut self, v: Value, message: impl Into<String>) {
        let pos = if self.exists(v) { self.func.inst(v).pos } else { Pos::None };
        self.errors.push(Diagnostic::error(message).on(Entity::Value(self.id, v)).at(pos));
    }
    fn at_slot(&mut self, s: Slot, message: impl Into<String>) {
        self.errors.push(Diagnostic::error(message).on(Entity::Slot(self.id, s)).at(self.func.pos));
    }

    // ---- looking ---------------------------------------------------------------------------------------------

    /// Whether the id was ever given out.
    fn exists(&self, v: Value) -> bool {
        v.index() < self.func.num_values()
    }
    fn known_type(&self, ty: Type) -> bool {
        ty.index() < self.types.len()
    }
    /// The type of an operand; unit where it has a type of another module.
    fn ty(&self, v: Value) -> Type {
        let ty = self.func.ty(v);
        if self.known_type(ty) { ty } else { Type::UNIT }
    }
    fn spell(&self, ty: Type) -> String {
        spell_type(self.types, ty)
    }
    /// `u32` for an operand: its type as the text format spells it.
    fn spell_of(&self, v: Value) -> String {
        self.spell(self.ty(v))
    }
    fn row(&mut self, v: Value, inst: &'a Inst) -> rules::Row<'_, 'a> {
        rules::Row { checker: self, v, inst }
    }
}

#[cfg(test)]
mod tests;
