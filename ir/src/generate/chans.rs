//! The channel family.

use smallvec::SmallVec;

use crate::entity::{Type, Value};
use crate::inst::{Args, RecvForm, SelectCase, SelectShape};
use crate::op::Op;

use super::func::FuncGen;

const FORMS: [RecvForm; 3] = [RecvForm::CommaOk, RecvForm::Value, RecvForm::Discard];

/// Whether a case asks whether its value was sent.
fn keeps_ok(case: SelectCase) -> bool {
    matches!(case, SelectCase::Recv(RecvForm::CommaOk) | SelectCase::RecvInto(RecvForm::CommaOk))
}

impl FuncGen<'_> {
    /// A channel and its element: a parameter, one of the module's, one of two by a phi, seldom nil.
    pub(super) fn chan(&mut self) -> (Value, Type) {
        if let Some((class, chan)) = self.random.pick_from(&self.chans)
            && self.random.one_in(2)
        {
            return (chan, self.world.classes[class].elem);
        }
        let class = self.random.below(self.world.classes.len());
        (self.chan_of(class), self.world.classes[class].elem)
    }

    /// A channel of a class.
    pub(super) fn chan_of(&mut self, class: usize) -> Value {
        let params: Vec<Value> = self.chans.iter().filter(|(c, _)| *c == class).map(|(_, v)| *v).collect();
        if let Some(param) = self.random.pick_from(&params)
            && self.random.one_in(2)
        {
            return param;
        }
        let class = &self.world.classes[class];
        if self.random.one_in(24) {
            return self.b.nil(class.ty);
        }
        if class.chans.len() > 1 && self.depth < 3 && self.random.one_in(6) {
            let cond = self.value(Type::BOOL);
            let (x, y) = (self.b.block(), self.b.block());
            self.b.branch(cond, x, y);
            return self.join(&[x, y], |g, i| g.b.chan_addr(class.chans[i]));
        }
        let chan = self.random.pick(&class.chans);
        self.b.chan_addr(chan)
    }

    /// What is sent for an element: a scalar, or the address of a slot.
    fn sent(&mut self, elem: Type) -> Option<Value> {
        if self.b.decls.types.is_scalar(elem) {
            return Some(self.value(elem));
        }
        let at = self.cell(elem)?;
        self.access(at, elem, true);
        Some(at)
    }

    pub(super) fn send(&mut self) {
        let (chan, elem) = self.chan();
        self.send_to(chan, elem);
    }

    fn send_to(&mut self, chan: Value, elem: Type) {
        if let Some(x) = self.sent(elem) {
            self.b.chan_send(chan, x);
        }
    }

    pub(super) fn receive(&mut self) {
        let (chan, elem) = self.chan();
        self.receive_from(chan, elem);
    }

    fn receive_from(&mut self, chan: Value, elem: Type) {
        let form = self.random.pick(&FORMS);
        let scalar = self.b.decls.types.is_scalar(elem);
        let into = if scalar || form == RecvForm::Discard { None } else { self.cell(elem) };
        if !scalar && form != RecvForm::Discard && into.is_none() {
            return;
        }
        let got = self.b.chan_recv(chan, into, form);
        if form == RecvForm::CommaOk {
            let ok = self.b.extract(got, 1);
            self.offer(ok);
        }
        match into {
            Some(at) => self.access(at, elem, false),
            None if form != RecvForm::Discard => {
                let v = self.b.extract(got, 0);
                self.offer(v);
            }
            None => {}
        }
    }

    pub(super) fn chan_sizes(&mut self) {
        let (chan, _) = self.chan();
        let v = if self.random.one_in(2) { self.b.chan_len(chan) } else { self.b.chan_cap(chan) };
        self.offer(v);
    }

    /// Closes, seldom: where a send may follow, it aborts the program.
    pub(super) fn close(&mut self) {
        self.rarely(true, |g| {
            let (chan, _) = g.chan();
            g.b.chan_close(chan);
        });
    }

    pub(super) fn select(&mut self) {
        let n = self.random.below(5);
        let mut shape = SelectShape { cases: SmallVec::new(), has_default: n == 0 || self.random.one_in(2) };
        let (mut args, mut into) = (Args::new(), Vec::new());
        for _ in 0..n {
            let (chan, elem) = self.chan();
            self.case(chan, elem, &mut shape, &mut args, &mut into);
        }
        let (cases, has_ok) = (shape.clone(), shape.cases.iter().any(|c| keeps_ok(*c)));
        let got = self.b.select(shape, &args);
        let index = self.b.extract(got, 0);
        self.offer(index);
        if has_ok {
            let ok = self.b.extract(got, 1);
            self.offer(ok);
        }
        for (case, _, member) in cases.iter() {
            if let (SelectCase::Recv(RecvForm::CommaOk | RecvForm::Value), Some(member)) = (case, member) {
                let v = self.b.extract(got, member);
                self.offer(v);
            }
        }
        for (at, elem) in into {
            self.access(at, elem, false);
        }
        if cases.cases.len() > 1 && self.depth < 3 && self.random.one_in(2) {
            self.by_index(index, cases.cases.len());
        }
    }

    /// Adds a case to a select that is being made.
    fn case(
        &mut self,
        chan: Value,
        elem: Type,
        shape: &mut SelectShape,
        args: &mut Args,
        into: &mut Vec<(Value, Type)>,
    ) {
        let form = self.random.pick(&FORMS);
        let scalar = self.b.decls.types.is_scalar(elem);
        if self.random.one_in(2) {
            // A slot that a receive of the same select writes may be sent: one of them happens.
            if let Some(x) = self.sent(elem) {
                args.extend([chan, x]);
                shape.cases.push(SelectCase::Send);
                return;
            }
        }
        args.push(chan);
        match self.cell(elem) {
            Some(at) if !scalar && form != RecvForm::Discard => {
                args.push(at);
                into.push((at, elem));
                shape.cases.push(SelectCase::RecvInto(form));
            }
            _ if scalar => shape.cases.push(SelectCase::Recv(form)),
            _ => shape.cases.push(SelectCase::Recv(RecvForm::Discard)),
        }
    }

    /// Goes where the select's choice leads.
    fn by_index(&mut self, index: Value, n: usize) {
        let arms: Vec<_> = (0..=n).map(|_| self.b.block()).collect();
        let cases: Vec<_> = arms[..n].iter().enumerate().map(|(i, &arm)| (i as u64, arm)).collect();
        self.b.switch(index, &cases, arms[n]);
        let v = self.join(&arms, |g, _| {
            g.binary();
            g.value(Type::U32)
        });
        self.offer(v);
    }

    /// A channel of the function's own.
    pub(super) fn make_chan(&mut self) {
        let class = &self.world.classes[self.random.below(self.world.classes.len())];
        let cap_ty = self.int_type();
        let cap = self.b.int(cap_ty, class.cap);
        let chan = self.op(Op::MakeChan, class.ty, &[cap]);
        for _ in 0..self.random.range(1, 4) {
            match self.random.below(3) {
                0 => self.receive_from(chan, class.elem),
                1 => self.send_to(chan, class.elem),
                _ => {
                    let len = self.b.chan_len(chan);
                    self.offer(len);
                }
            }
        }
    }
}
