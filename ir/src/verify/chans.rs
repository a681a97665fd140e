//! The typing rules of the channel ops. Where Go has a message for the mistake, it is Go's.

use crate::entity::Type;
use crate::inst::{Aux, RecvForm, SelectCase};
use crate::op::Rule;
use crate::types::ChanDir;

use super::decls::element_error;
use super::rules::{CHAN, INT, INT64, PTR, Row, UNIT};

impl Row<'_, '_> {
    /// Checks a rule of this family; the others are none of its business.
    pub(super) fn channels(&mut self) {
        match self.inst.op.rule() {
            Rule::MakeChan => self.make_chan(),
            Rule::ChanAddr => self.chan_addr(),
            Rule::ChanSend => {
                self.yields(UNIT);
                if let Some(elem) = self.sendable(0) {
                    self.sends(1, elem);
                }
            }
            Rule::ChanRecv => self.chan_recv(),
            Rule::ChanClose => {
                self.yields(UNIT);
                self.closable(0);
            }
            Rule::ChanLength => {
                self.takes(0, CHAN);
                self.yields(INT64);
            }
            Rule::Select => self.select(),
            rule => debug_assert!(false, "{rule:?} is no rule of channels"),
        }
    }

    /// `v1 (value of type chan u32)`: how Go's messages name an operand.
    fn go_operand(&self, i: usize) -> String {
        format!("{} (value of type {})", self.arg(i), self.checker.spell_of(self.arg(i)))
    }

    /// The element type of operand `i`, if it is a channel that can be sent to.
    pub(super) fn sendable(&mut self, i: usize) -> Option<Type> {
        let what = match self.types().chan_parts(self.arg_ty(i)) {
            Some((elem, dir)) if dir.can_send() => return Some(elem),
            Some(_) => "receive-only channel",
            None => "non-channel",
        };
        let (ty, operand) = (self.checker.spell_of(self.arg(i)), self.go_operand(i));
        self.error(format!("invalid operation: cannot send to {what} {ty} {operand}"));
        None
    }

    /// The element type of operand `i`, if it is a channel that can be received from.
    pub(super) fn receivable(&mut self, i: usize) -> Option<Type> {
        let what = match self.types().chan_parts(self.arg_ty(i)) {
            Some((elem, dir)) if dir.can_recv() => return Some(elem),
            Some(_) => "send-only channel",
            None => "non-channel",
        };
        let (ty, operand) = (self.checker.spell_of(self.arg(i)), self.go_operand(i));
        self.error(format!("invalid operation: cannot receive from {what} {ty} {operand}"));
        None
    }

    /// Operand `i` is a channel that can be closed.
    pub(super) fn closable(&mut self, i: usize) {
        let what = match self.types().chan_parts(self.arg_ty(i)) {
            Some((_, dir)) if dir.can_send() => return,
            Some(_) => "receive-only channel",
            None => "non-channel",
        };
        let operand = self.go_operand(i);
        self.error(format!("invalid operation: cannot close {what} {operand}"));
    }

    /// Operand `i` is what is sent for an element type: a scalar itself, a pointer to anything else.
    fn sends(&mut self, i: usize, elem: Type) {
        if self.types().is_scalar(elem) {
            self.takes_like(i, elem);
        } else if self.takes(i, PTR) {
            self.points_to_element(i, elem);
        }
    }

    /// Operand `i`, a pointer, points to an element.
    pub(super) fn points_to_element(&mut self, i: usize, elem: Type) {
        let pointee = self.types().pointee(self.arg_ty(i)).unwrap_or(Type::UNIT);
        if !self.types().same_width(pointee, elem) {
            let (have, want) = (self.checker.spell_of(self.arg(i)), self.checker.spell(elem));
            self.error(format!("operand {} is {have}, but the channel's element is {want}", self.arg(i)));
        }
    }

    /// What a receive yields for an element: itself if a scalar, nothing if it goes to memory.
    fn member(&self, elem: Type) -> Type {
        if self.types().is_scalar(elem) { elem } else { Type::UNIT }
    }

    fn make_chan(&mut self) {
        self.takes(0, INT);
        if !self.yields(CHAN) {
            return;
        }
        let elem = self.types().chan_parts(self.inst.ty).map_or(Type::UNIT, |(elem, _)| elem);
        if let Some(message) = element_error(self.types(), elem) {
            self.error(message);
        }
    }

    fn chan_addr(&mut self) {
        let Aux::Chan(id) = self.inst.aux else { return };
        let Some(decl) = self.checker.decls.chans.get(id) else { return };
        let direction = |ty| self.types().chan_parts(ty).map(|(_, dir)| dir);
        let (declared, taken) = (direction(decl.ty), direction(self.inst.ty));
        let allowed = declared == taken || declared == Some(ChanDir::Both);
        if self.yields_like(decl.ty) && !allowed {
            let (decl, taken) = (self.checker.spell(decl.ty), self.checker.spell(self.inst.ty));
            self.error(format!("ChanAddr yields {decl} here, not {taken}"));
        }
    }

    fn chan_recv(&mut self) {
        let Aux::Form(form) = self.inst.aux else { return };
        if self.inst.args.is_empty() {
            return self.error("ChanRecv takes a channel first");
        }
        let Some(elem) = self.receivable(0) else { return };
        self.yields_tuple(&[self.member(elem), Type::BOOL]);
        if self.types().is_scalar(elem) || (form == RecvForm::Discard && self.inst.args.len() == 1) {
            self.count(1);
        } else if self.count(2) && self.takes(1, PTR) {
            self.points_to_element(1, elem);
        }
    }

    fn select(&mut self) {
        let Aux::Select(shape) = &self.inst.aux else { return };
        if !self.count(shape.operands()) {
            return;
        }
        let mut members = vec![Type::I64, Type::BOOL];
        let before = self.checker.errors.len();
        for (case, first, _) in shape.iter() {
            match case {
                SelectCase::Send => {
                    if let Some(elem) = self.sendable(first) {
                        self.sends(first + 1, elem);
                    }
                }
                SelectCase::Recv(form) => {
                    if let Some(elem) = self.receivable(first) {
                        members.push(self.member(elem));
                        self.needs_no_memory(first, elem, form);
                    }
                }
                SelectCase::RecvInto(_) => {
                    if let Some(elem) = self.receivable(first) {
                        members.push(self.member(elem));
                        self.receives_into(first, elem);
                    }
                }
            }
        }
        if self.checker.errors.len() == before {
            self.yields_tuple(&members);
        }
    }

    fn needs_no_memory(&mut self, chan: usize, elem: Type, form: RecvForm) {
        if !self.types().is_scalar(elem) && form != RecvForm::Discard {
            let elem = self.checker.spell(elem);
            let v = self.arg(chan);
            self.error(format!("a kept receive of {elem} from {v} takes a pointer to receive into"));
        }
    }

    fn receives_into(&mut self, chan: usize, elem: Type) {
        if self.types().is_scalar(elem) {
            let elem = self.checker.spell(elem);
            let v = self.arg(chan);
            self.error(format!("a receive of {elem} from {v} yields its value and takes no pointer"));
        } else if self.takes(chan + 1, PTR) {
            self.points_to_element(chan + 1, elem);
        }
    }
}
