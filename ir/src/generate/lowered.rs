//! What the channel lowerings leave behind: runtime calls in all their forms, their status, their outcomes.

use crate::entity::{Type, Value};
use crate::runtime::RuntimeFn;
use crate::types::Space;

use super::func::FuncGen;

impl FuncGen<'_> {
    /// A call of one of the runtime's functions.
    pub(super) fn runtime_call(&mut self) {
        let (chan, elem) = self.chan();
        let function = RuntimeFn::ALL[self.random.below(RuntimeFn::ALL.len())];
        match function {
            RuntimeFn::MakeChan => self.runtime_makechan(),
            RuntimeFn::ChanSend1 | RuntimeFn::SelectNbSend => {
                if let Some(at) = self.element_to_send(elem) {
                    self.channel_call(function, &[chan, at]);
                }
            }
            RuntimeFn::ChanRecv1 | RuntimeFn::ChanRecv2 => {
                if let Some(at) = self.element_to_receive(elem) {
                    self.channel_call(function, &[chan, at]);
                }
            }
            RuntimeFn::SelectNbRecv => {
                if let Some(at) = self.element_to_receive(elem) {
                    self.channel_call(function, &[at, chan]);
                }
            }
            RuntimeFn::CloseChan => {
                // The channel was chosen before the branch.
                self.rarely(true, |g| g.channel_call(function, &[chan]));
            }
            RuntimeFn::ChanLen | RuntimeFn::ChanCap => {
                let v = self.b.call_runtime(function, Type::UNIT, &[chan]);
                self.offer(v);
            }
            RuntimeFn::SelectGo => self.runtime_selectgo(),
            RuntimeFn::Block => self.rarely(false, |g| {
                let call = g.b.call_runtime(function, Type::UNIT, &[]);
                let site = g.random.pick(&g.world.sites);
                g.b.outcome(call, site);
                g.b.exit();
            }),
            RuntimeFn::NewProc => {
                if let Some(idle) = self.world.idle.clone() {
                    let (target, x) = (self.func_addr(&idle), self.value(Type::U64));
                    self.b.call_runtime(function, Type::UNIT, &[target, x]);
                }
            }
        }
    }

    fn runtime_makechan(&mut self) {
        let class = &self.world.classes[self.random.below(self.world.classes.len())];
        let size = self.b.int(Type::I64, class.cap);
        let chan = self.b.call_runtime(RuntimeFn::MakeChan, class.ty, &[size]);
        let cap = self.b.call_runtime(RuntimeFn::ChanCap, Type::UNIT, &[chan]);
        self.offer(cap);
    }

    fn element_to_send(&mut self, elem: Type) -> Option<Value> {
        let at = self.cell(elem)?;
        if self.b.decls.types.is_scalar(elem) {
            let x = self.value(elem);
            self.b.store(at, x);
        }
        Some(at)
    }

    /// A slot, or nil.
    fn element_to_receive(&mut self, elem: Type) -> Option<Value> {
        let at = self.cell(elem)?;
        if self.random.one_in(3) {
            let ty = self.b.func.ty(at);
            return Some(self.b.nil(ty));
        }
        Some(at)
    }

    /// A call with its results, its status and its outcome.
    fn channel_call(&mut self, function: RuntimeFn, args: &[Value]) {
        let call = self.b.call_runtime(function, Type::UNIT, args);
        let ty = self.b.func.ty(call);
        if ty == Type::BOOL {
            self.offer(call);
        }
        for member in 0..self.b.decls.types.tuple_items(ty).len() as u32 {
            let v = self.b.extract(call, member);
            self.offer(v);
        }
        self.outcome(call);
    }

    fn outcome(&mut self, call: Value) {
        if self.random.one_in(2) {
            let status = self.b.status(call);
            self.offer(status);
        }
        if self.random.one_in(2) {
            let site = self.random.pick(&self.world.sites);
            self.b.outcome(call, site);
        }
    }

    /// `selectgo(&scases, &order, nil, nsends, nrecvs, block)`: sends first, receives behind them, a pair of a
    /// channel and an element's address each.
    fn runtime_selectgo(&mut self) {
        let (sends, receives) = (self.random.below(3), self.random.range(1, 2));
        let mut pairs = Vec::new();
        for i in 0..sends + receives {
            let (chan, elem) = self.chan();
            let at = if i < sends { self.element_to_send(elem) } else { self.element_to_receive(elem) };
            let Some(at) = at else { return };
            pairs.push((chan, at));
        }
        let word = self.b.decls.types.ptr(Space::Any, Type::U8);
        let scase = self.b.decls.types.structure(&[("c", word), ("elem", word)], false);
        let base = self.fresh_slot(scase, pairs.len() as u64);
        for (i, (chan, at)) in pairs.iter().enumerate() {
            for (offset, v) in [(0, *chan), (8, *at)] {
                let ty = self.b.func.ty(v);
                let place = self.b.ptr_offset(ty, base, 16 * i as u64 + offset);
                self.b.store(place, v);
            }
        }
        let order = self.fresh_slot(Type::U16, 2 * pairs.len() as u64);
        let pcs_ty = self.b.decls.types.ptr(Space::Any, Type::U64);
        let pcs = self.b.nil(pcs_ty);
        let nsends = self.b.int(Type::I64, sends as u64);
        let nrecvs = self.b.int(Type::I64, receives as u64);
        let block = self.random.one_in(2);
        let block = self.b.bool(block);
        self.channel_call(RuntimeFn::SelectGo, &[base, order, pcs, nsends, nrecvs, block]);
    }

    /// The address of a new slot of an array.
    fn fresh_slot(&mut self, elem: Type, len: u64) -> Value {
        let ty = self.b.decls.types.array(elem, len);
        let slot = self.b.slot(ty);
        self.b.local_addr(slot)
    }
}
