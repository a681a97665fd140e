//! How blocks end.

use std::collections::HashSet;

use crate::entity::{Block, FuncId, Type, Value};
use crate::function::FuncKind;
use crate::inst::{Aux, PanicWith, Terminator};
use crate::op::Op;
use crate::runtime::{RuntimeFn, RuntimeSig};
use crate::types::TypeKind;

use super::Checker;

impl Checker<'_> {
    pub(super) fn terminator(&mut self, b: Block) {
        let term = self.func.term(b);
        if let Some(v) = term.operand()
            && !self.is_usable(v)
        {
            return self.at_block(b, format!("{b} ends in a use of {v}, which does not exist"));
        }
        if let Some((v, op)) = term.operand().and_then(|v| Some((v, self.channel_tuple(v)?))) {
            return self.at_block(
                b,
                format!("{b} ends in a use of {v}, the tuple of a {op}, which only Extract takes"),
            );
        }
        match term {
            Terminator::Plain(_) | Terminator::Panic(PanicWith::Text(_)) => {}
            Terminator::If { cond, .. } => {
                if !matches!(self.types.resolve(self.ty(*cond)), TypeKind::Bool) {
                    let ty = self.spell_of(*cond);
                    self.at_block(b, format!("If takes a bool, but {cond} is {ty}"));
                }
            }
            Terminator::Switch { on, cases, .. } => self.switch(b, *on, cases),
            Terminator::Ret(value) => self.ret(b, *value),
            Terminator::Panic(PanicWith::Value(v)) => {
                if !self.types.is_scalar(self.ty(*v)) {
                    let ty = self.spell_of(*v);
                    self.at_block(b, format!("Panic takes a scalar, but {v} is {ty}"));
                }
            }
            Terminator::Exit => {
                if !self.ends_for_good(b) {
                    self.at_block(b, format!("{b} ends in Exit, but nothing before it never returns"));
                }
            }
        }
    }

    fn switch(&mut self, b: Block, on: Value, cases: &[(u64, Block)]) {
        let ty = self.ty(on);
        let width = self.types.bits(ty).filter(|_| self.types.is_int(ty));
        let Some(width) = width else {
            let ty = self.spell(ty);
            return self.at_block(b, format!("Switch takes an integer, but {on} is {ty}"));
        };
        let mut seen = HashSet::with_capacity(cases.len());
        for &(case, _) in cases {
            if case > u64::MAX >> (64 - width) {
                let ty = self.spell(ty);
                self.at_block(b, format!("case {case} does not fit {ty}"));
            } else if !seen.insert(case) {
                self.at_block(b, format!("case {case} stands in the Switch twice"));
            }
        }
    }

    fn ret(&mut self, b: Block, value: Option<Value>) {
        if !self.known_type(self.func.result) {
            return;
        }
        let have = value.map_or(Type::UNIT, |v| self.ty(v));
        if !self.types.same_width(have, self.func.result) || (value.is_some() && have == Type::UNIT) {
            let want = self.spell(self.func.result);
            let have = value.map_or("nothing".to_string(), |v| format!("{v} ({})", self.spell_of(v)));
            self.at_block(b, format!("the function returns {want}, but {b} returns {have}"));
        }
    }

    /// Whether the last call of a block does not come back. What counts its outcome may stand behind it.
    fn ends_for_good(&mut self, b: Block) -> bool {
        let mut insts = self.func.block(b).insts.iter().rev().filter(|&&v| self.exists(v));
        let last = insts.find(|&&v| !matches!(self.func.inst(v).op, Op::Status | Op::Outcome));
        let Some(inst) = last.map(|&v| self.func.inst(v)) else { return false };
        match (inst.op, &inst.aux) {
            (Op::CallRuntime, Aux::Runtime(function)) => is_endless(*function),
            (Op::Call, Aux::Func(callee)) => self.is_endless_func(*callee),
            (Op::Select, Aux::Select(shape)) => shape.cases.is_empty() && !shape.has_default,
            _ => false,
        }
    }

    /// Whether no block of a function returns; a target's runtime is believed.
    fn is_endless_func(&mut self, callee: FuncId) -> bool {
        let Some(func) = self.module.funcs.get(callee) else { return false };
        *self.never_returns.entry(callee).or_insert_with(|| {
            let mut blocks = func.layout().iter().filter(|&&b| func.is_live_block(b));
            func.kind == FuncKind::Runtime || !blocks.any(|&b| matches!(func.term(b), Terminator::Ret(_)))
        })
    }
}

fn is_endless(function: RuntimeFn) -> bool {
    match function.sig() {
        RuntimeSig::Block => true,
        RuntimeSig::MakeChan
        | RuntimeSig::Send
        | RuntimeSig::Recv1
        | RuntimeSig::Recv2
        | RuntimeSig::Close
        | RuntimeSig::Length
        | RuntimeSig::TrySend
        | RuntimeSig::TryRecv
        | RuntimeSig::SelectGo
        | RuntimeSig::NewProc => false,
    }
}
