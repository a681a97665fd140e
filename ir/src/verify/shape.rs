//! The shape of a function: what must hold before types mean anything.

use std::collections::HashMap;

use crate::entity::{Block, Value};
use crate::inst::{Aux, Inst};
use crate::op::Op;

use super::Checker;

impl Checker<'_> {
    /// The parameters and the result.
    pub(super) fn header(&mut self) {
        let known = self.known_type(self.func.result);
        if !known {
            self.at_func("the result's type is not of this module");
        }
        for (i, &v) in self.func.params.iter().enumerate() {
            if !self.exists(v) {
                self.at_func(format!("parameter {v} does not exist"));
                continue;
            }
            let inst = self.func.inst(v);
            let index = u32::try_from(i).unwrap_or(u32::MAX);
            if inst.op != Op::Param || inst.aux != Aux::Index(index) {
                self.at_value(v, format!("the header lists {v} as parameter {i}, but it is none"));
            } else if !self.known_type(inst.ty) {
                self.at_value(v, "the type is not of this module");
            } else if !self.types.is_scalar(inst.ty) {
                let ty = self.spell(inst.ty);
                self.at_value(v, format!("a parameter must be a scalar, not {ty}"));
            }
        }
        if self.func.section.is_some() && !is_linkable(&self.func.name) {
            let name = self.func.name.clone();
            self.at_func(format!(
                "the name of program \"{name}\" may hold letters, digits, '_' and '.' only"
            ));
        }
    }

    pub(super) fn slots(&mut self) {
        for (s, data) in self.func.slots() {
            if !self.known_type(data.ty) || self.types.layout(data.ty).is_none() {
                let ty = self.spell(data.ty);
                self.at_slot(s, format!("slot {s} holds {ty}, which has no layout"));
            }
        }
    }

    /// Whether every edge leads to a live block and stands in its target's predecessor list, and no list has
    /// an entry too many. Without that there is no graph to speak of.
    pub(super) fn edges(&mut self) -> bool {
        let before = self.errors.len();
        let Some(&entry) = self.func.layout().first() else {
            self.at_func("the function has no block");
            return false;
        };
        // Edges as terminators have them, less those that predecessor lists have.
        let mut balance: HashMap<(Block, Block), i64> = HashMap::new();
        for &b in self.func.layout() {
            if !self.func.is_live_block(b) {
                self.at_func(format!("block {b} is laid out but does not exist"));
                continue;
            }
            for to in self.func.term(b).successors() {
                if self.func.is_live_block(to) {
                    *balance.entry((b, to)).or_default() += 1;
                } else {
                    self.at_block(b, format!("{b} leads to {to}, which does not exist"));
                }
            }
            for &from in self.func.preds(b) {
                *balance.entry((from, b)).or_default() -= 1;
            }
        }
        let mut wrong: Vec<_> = balance.into_iter().filter(|(_, n)| *n != 0).collect();
        wrong.sort_unstable();
        for ((from, to), n) in wrong {
            if n > 0 {
                self.at_block(to, format!("{from} leads to {to}, which does not list it as a predecessor"));
            } else {
                self.at_block(to, format!("{to} lists {from} as a predecessor, which does not lead to it"));
            }
        }
        let sound = self.errors.len() == before;
        if self.func.is_live_block(entry) && !self.func.preds(entry).is_empty() {
            self.at_block(entry, format!("entry block {entry} has predecessors"));
        }
        sound
    }

    /// Whether an instruction of a block's list may stand there.
    pub(super) fn placed(&mut self, b: Block, v: Value, past_phis: &mut bool) -> bool {
        if !self.exists(v) {
            self.at_block(b, format!("{b} lists {v}, which does not exist"));
            return false;
        }
        if self.func.home(v) != Some(b) {
            self.at_block(b, format!("{b} lists {v}, which does not stand there"));
            return false;
        }
        let inst = self.func.inst(v);
        if inst.op == Op::Param {
            self.at_value(v, "a parameter stands in the header only");
            return false;
        }
        if inst.op == Op::Phi {
            if *past_phis {
                self.at_value(v, format!("phi {v} stands behind other instructions of {b}"));
            }
        } else {
            *past_phis = true;
        }
        if !self.known_type(inst.ty) {
            self.at_value(v, "the type is not of this module");
            return false;
        }
        true
    }

    /// Whether every operand is a live value.
    pub(super) fn operands_exist(&mut self, v: Value) -> bool {
        let before = self.errors.len();
        for &arg in &self.func.inst(v).args {
            if !self.is_usable(arg) {
                self.at_value(v, format!("operand {arg} does not exist"));
            }
        }
        self.errors.len() == before
    }

    /// Whether a value is a parameter of the header or stands in a block.
    pub(super) fn is_usable(&self, v: Value) -> bool {
        if !self.exists(v) {
            return false;
        }
        if let Some(home) = self.func.home(v) {
            return self.func.is_live_block(home);
        }
        match (self.func.inst(v).op, &self.func.inst(v).aux) {
            (Op::Param, Aux::Index(i)) => self.func.params.get(*i as usize) == Some(&v),
            _ => false,
        }
    }

    /// Whether the number of operands is the op's.
    pub(super) fn arity(&mut self, v: Value, inst: &Inst) -> bool {
        let Some(want) = inst.op.arity() else { return true };
        let have = inst.args.len();
        if have != usize::from(want) {
            self.at_value(v, format!("{} takes {}, not {have}", inst.op, operands(usize::from(want))));
        }
        have == usize::from(want)
    }
}

/// `1 operand`, `2 operands`
pub(super) fn operands(n: usize) -> String {
    format!("{n} operand{}", if n == 1 { "" } else { "s" })
}

/// Whether an object file's symbol and its type information can carry a name.
fn is_linkable(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_' || c == b'.')
}
