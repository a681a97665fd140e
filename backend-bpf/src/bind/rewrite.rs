//! The rewriting of one function: addresses, runtime calls, their results, and the branches on abort.

use larrow_ir::cranelift_entity::SecondaryMap;
use larrow_ir::cranelift_entity::packed_option::PackedOption;
use larrow_ir::{
    Args, Aux, Block, ChanId, Decls, Diagnostic, Entity, FuncBuilder, FuncId, Function, Inst, LookupRole,
    Module, Op, PanicWith, Pos, RuntimeFn, SiteId, Slot, Space, Terminator, Type, Value, cfg, status,
};
use larrow_passes::lower::SITES_MAP;

use super::resolve::{InstanceId, Resolved};
use super::select::Scases;
use super::sites::Sites;
use super::{BindMode, Binder, WouldBlock, count};
use crate::runtime::{self, CHOSEN_SHIFT, Instance, SelectArm};

/// What is being rewritten.
struct Cursor<'a> {
    id: FuncId,
    func: &'a mut Function,
    /// Where instructions are appended.
    block: Block,
    /// The `u32` slot that keys are passed in.
    key: Option<Slot>,
    /// The status word of each rewritten call.
    words: SecondaryMap<Value, PackedOption<Value>>,
    resolved: &'a Resolved,
    scases: Scases,
    sites: Sites,
}

impl Cursor<'_> {
    fn build<'b>(&'b mut self, decls: &'b mut Decls, pos: Pos) -> FuncBuilder<'b> {
        let mut build = FuncBuilder::new(self.func, decls);
        build.at(pos).switch_to(self.block);
        build
    }
    fn key(&mut self) -> Slot {
        *self.key.get_or_insert_with(|| self.func.add_slot(Type::U32))
    }
    /// Changes an instruction that was taken out and puts it at the end of the current block.
    fn put(&mut self, v: Value, inst: Inst) {
        *self.func.inst_mut(v) = inst;
        self.func.attach(self.block, v);
    }
    /// A bool that says whether a bit of a word is set, as the value `v`.
    fn put_flag(&mut self, decls: &mut Decls, v: Value, word: Value, bit: u32, pos: Pos) {
        let mut build = self.build(decls, pos);
        let mask = build.int(Type::U32, u64::from(bit));
        let masked = build.and(word, mask);
        let zero = build.int(Type::U32, 0);
        self.put(v, Inst::new(Op::Neq, Type::BOOL, &[masked, zero]).at(pos));
    }
    /// Ends the current block in a branch to a fresh one, which `panic` fills, and goes on in another.
    fn branch_to_panic(&mut self, cond: Value, pos: Pos, panic: impl FnOnce(&mut Self)) {
        let from = self.block;
        let on = self.func.split_block(from, self.func.block(from).insts.len());
        let panics = self.func.add_block();
        self.func.set_terminator(from, Terminator::If { cond, then: panics, other: on }, pos);
        self.block = panics;
        panic(self);
        self.block = on;
    }
}

/// The member of a send's record that counts closed channels.
const CLOSED_COUNTER: u64 = 1;

impl Binder {
    /// Rewrites `func`, which is taken out of the module under `id`.
    pub(super) fn rewrite(
        &mut self,
        module: &mut Module,
        id: FuncId,
        func: &mut Function,
        resolved: &Resolved,
    ) {
        let scases = Scases::collect(func, &module.decls);
        let sites = Sites::collect(func);
        let order = cfg::Rpo::compute(func).blocks().to_vec();
        let entry = func.entry();
        let mut cursor =
            Cursor { id, func, block: entry, key: None, words: SecondaryMap::new(), resolved, scases, sites };
        for b in order {
            cursor.block = b;
            for v in cursor.func.detach_insts(b) {
                self.rewrite_inst(module, &mut cursor, v);
            }
        }
        self.retype(&mut module.decls, func, resolved);
    }

    fn rewrite_inst(&mut self, module: &mut Module, at: &mut Cursor<'_>, v: Value) {
        let inst = at.func.inst(v).clone();
        match (inst.op, &inst.aux) {
            (Op::ChanAddr, Aux::Chan(chan)) => self.rewrite_addr(&mut module.decls, at, v, *chan, inst.pos),
            (Op::CallRuntime, Aux::Runtime(callee)) => self.rewrite_call(module, at, v, *callee, &inst),
            // A call that was refused has no word.
            (Op::Status, _) if at.words[inst.args[0]].is_some() => {
                let word = at.words[inst.args[0]].expect("just looked at");
                at.put(v, Inst::new(Op::Copy, Type::U32, &[word]).at(inst.pos));
            }
            (Op::Extract, Aux::Index(index)) if at.words[inst.args[0]].is_some() => {
                rewrite_field(&mut module.decls, at, v, *index, &inst);
            }
            (Op::Call, Aux::Func(callee)) => {
                let callee = self.callee(module, at, *callee, &inst.args);
                at.put(v, inst.with(Aux::Func(callee)));
            }
            (Op::FuncAddr, Aux::Func(callee)) if takes_channels(module, *callee) => {
                let help = "call the function by its name: it is cloned for the channels that it is given";
                let message = "the address of a function with channel parameters cannot be taken";
                self.refuse(at, v, inst.pos, message, help);
            }
            (Op::FuncAddr, Aux::Func(callee)) => {
                let callee = self.callee(module, at, *callee, &[]);
                at.put(v, inst.with(Aux::Func(callee)));
            }
            (Op::CallIndirect, _) if inst.args.iter().any(|&a| at.resolved.is_chan(a)) => {
                let help = "call the function by its name: it is cloned for the channels that it is given";
                let message = "a channel cannot be passed through a function pointer";
                self.refuse(at, v, inst.pos, message, help);
            }
            (Op::Store, _) if at.resolved.is_chan(inst.args[1]) && !on_stack(at.func, inst.args[0]) => {
                let help = "use the module-level channel where it is needed, or pass it as an argument";
                self.refuse(at, v, inst.pos, "a channel cannot be stored in memory", help);
            }
            _ => at.func.attach(at.block, v),
        }
    }

    /// The clone of a function for the channels among its arguments.
    fn callee(&mut self, module: &mut Module, at: &Cursor<'_>, callee: FuncId, args: &[Value]) -> FuncId {
        let params: Vec<Option<InstanceId>> = args.iter().map(|&a| at.resolved.get(a)).collect();
        self.variant(module, callee, &params)
    }

    fn rewrite_addr(&mut self, decls: &mut Decls, at: &mut Cursor<'_>, v: Value, chan: ChanId, pos: Pos) {
        let Some((map, instance)) = self.chan(decls, chan) else {
            return at.func.attach(at.block, v);
        };
        let hchan = self.instances.get(instance).hchan(decls);
        let ty = decls.types.ptr(Space::Map, hchan);
        let inst = match self.options.mode {
            BindMode::Direct => Inst::new(Op::MapValue, ty, &[]).with(Aux::MapOffset { map, offset: 0 }),
            BindMode::Lookup => {
                let key = at.key();
                let mut build = at.build(decls, pos);
                let key = build.local_addr(key);
                let zero = build.int(Type::U32, 0);
                build.store(key, zero);
                Inst::new(Op::MapLookup, ty, &[key]).with(Aux::Lookup { map, role: LookupRole::Bind })
            }
        };
        at.put(v, inst.at(pos));
    }

    fn rewrite_call(
        &mut self,
        module: &mut Module,
        at: &mut Cursor<'_>,
        v: Value,
        callee: RuntimeFn,
        inst: &Inst,
    ) {
        let pos = inst.pos;
        let chan = chan_operand(callee).map(|i| inst.args[i]);
        if chan.is_some_and(|c| self.instance_of(&module.decls, at.func, at.resolved, c).is_none()) {
            let help = "use a smaller element";
            return self.refuse(at, v, pos, "the elements of this channel do not fit into a map value", help);
        }
        match callee {
            RuntimeFn::ChanSend1 => {
                self.would_block(at, v, pos, "this send is dropped when the channel is full");
                let word = self.call(module, at, v, callee, inst.args[0], Some(inst.args[1]), pos);
                self.abort_on_closed(module, at, v, word, pos, "send on closed channel");
            }
            RuntimeFn::ChanRecv1 => {
                self.would_block(at, v, pos, "this receive gives the zero value when the channel is empty");
                self.call(module, at, v, callee, inst.args[0], Some(inst.args[1]), pos);
            }
            RuntimeFn::ChanRecv2 => {
                self.would_block(at, v, pos, "this receive gives (zero, false) when the channel is empty");
                let word = self.call_beside(module, at, v, callee, inst.args[0], Some(inst.args[1]), pos);
                at.put_flag(&mut module.decls, v, word, status::COMMUNICATED, pos);
            }
            RuntimeFn::SelectNbSend => {
                let word = self.call_beside(module, at, v, callee, inst.args[0], Some(inst.args[1]), pos);
                at.put_flag(&mut module.decls, v, word, status::SELECTED, pos);
                self.abort_on_closed(module, at, v, word, pos, "send on closed channel");
            }
            RuntimeFn::SelectNbRecv => {
                self.call(module, at, v, callee, inst.args[1], Some(inst.args[0]), pos);
            }
            RuntimeFn::CloseChan => {
                let word = self.call(module, at, v, callee, inst.args[0], None, pos);
                self.abort_on_closed(module, at, v, word, pos, "close of nil or closed channel");
            }
            RuntimeFn::ChanLen | RuntimeFn::ChanCap => {
                let id = self.function(module, at, callee, inst.args[0]);
                at.put(v, Inst::new(Op::Call, inst.ty, &inst.args).with(Aux::Func(id)).at(pos));
            }
            RuntimeFn::SelectGo => self.rewrite_selectgo(module, at, v, inst),
            RuntimeFn::Block => {
                self.would_block(at, v, pos, "this select has no cases and aborts the program");
                at.func.set_terminator(
                    at.block,
                    Terminator::Panic(PanicWith::Text("select with no cases".into())),
                    pos,
                );
            }
            RuntimeFn::MakeChan => {
                let help = "declare it at module level, as in `chan @events: chan u32 cap 16`";
                self.refuse(at, v, pos, "a BPF program cannot make a channel: it cannot allocate", help);
            }
            RuntimeFn::NewProc => {
                let help = "call the function, or send to a channel that another program receives from";
                self.refuse(at, v, pos, "a BPF program cannot start a goroutine", help);
            }
        }
    }

    fn refuse(&mut self, at: &mut Cursor<'_>, v: Value, pos: Pos, message: &str, help: &str) {
        self.errors.push(Diagnostic::error(message).on(Entity::Value(at.id, v)).at(pos).help(help));
        at.func.attach(at.block, v);
    }

    /// Says what becomes of an operation that would block.
    fn would_block(&mut self, at: &Cursor<'_>, v: Value, pos: Pos, what: &str) {
        let place = Entity::Value(at.id, v);
        match self.options.would_block {
            WouldBlock::Poll => {
                self.notes
                    .push(Diagnostic::remark(format!("a BPF program cannot wait: {what}")).on(place).at(pos));
            }
            WouldBlock::Reject => {
                let error = Diagnostic::error("this operation may block, and a BPF program cannot wait");
                let help = "give it a default case, or compile with `--would-block=poll`";
                self.errors.push(error.on(place).at(pos).note(format!("in poll mode {what}")).help(help));
            }
        }
    }

    /// The prelude's function for a channel operand.
    fn function(&self, module: &mut Module, at: &Cursor<'_>, callee: RuntimeFn, chan: Value) -> FuncId {
        let instance = self.operand_instance(module, at, chan);
        runtime::function(module, callee, &instance).expect("called for functions of the prelude only")
    }

    fn operand_instance(&self, module: &Module, at: &Cursor<'_>, chan: Value) -> Instance {
        let instance = self.instance_of(&module.decls, at.func, at.resolved, chan);
        instance.expect("checked where the call is looked at")
    }

    /// Makes `v` itself the call, whose result is the status word.
    fn call(
        &mut self,
        module: &mut Module,
        at: &mut Cursor<'_>,
        v: Value,
        callee: RuntimeFn,
        chan: Value,
        elem: Option<Value>,
        pos: Pos,
    ) -> Value {
        let id = self.function(module, at, callee, chan);
        let args: Args = std::iter::once(chan).chain(elem).collect();
        at.put(v, Inst::new(Op::Call, Type::U32, &args).with(Aux::Func(id)).at(pos));
        at.words[v] = v.into();
        v
    }

    /// Puts the call before `v`, which is taken out and will be a field of the status word.
    fn call_beside(
        &mut self,
        module: &mut Module,
        at: &mut Cursor<'_>,
        v: Value,
        callee: RuntimeFn,
        chan: Value,
        elem: Option<Value>,
        pos: Pos,
    ) -> Value {
        let id = self.function(module, at, callee, chan);
        let args: Args = std::iter::once(chan).chain(elem).collect();
        let word = at.build(&mut module.decls, pos).call(Type::U32, id, &args);
        at.words[v] = word.into();
        word
    }

    fn rewrite_selectgo(&mut self, module: &mut Module, at: &mut Cursor<'_>, v: Value, inst: &Inst) {
        let count = |i: usize| at.func.inst(inst.args[i]).int_const();
        let (Some(sends), Some(receives), Some(block)) = (count(3), count(4), count(5)) else {
            let help = "call selectgo as `lower-select` does";
            return self.refuse(at, v, inst.pos, "the shape of this select is not a constant", help);
        };
        let Some(chans) = at.scases.of(at.func, inst.args[0], sends + receives) else {
            let help = "store the channels into the case array as `lower-select` does";
            return self.refuse(at, v, inst.pos, "the channels of this select cannot be resolved", help);
        };
        if block != 0 {
            self.would_block(at, v, inst.pos, "this select aborts the program when no case is ready");
        }
        let known = |&c: &Value| self.instance_of(&module.decls, at.func, at.resolved, c).is_some();
        if !chans.iter().all(known) {
            let message = "the elements of a channel of this select do not fit into a map value";
            return self.refuse(at, v, inst.pos, message, "use a smaller element");
        }
        let arms: Vec<SelectArm> = chans
            .iter()
            .enumerate()
            .map(|(i, &c)| SelectArm {
                recv: i as u64 >= sends,
                instance: self.operand_instance(module, at, c),
            })
            .collect();
        let order = self.options.select_order;
        let id = *self.selects.entry(arms).or_insert_with_key(|arms| runtime::selectgo(module, arms, order));
        at.put(v, Inst::new(Op::Call, Type::U32, &inst.args[..1]).with(Aux::Func(id)).at(inst.pos));
        at.words[v] = v.into();
        self.abort_on_closed(module, at, v, v, inst.pos, "send on closed channel");
        if block != 0 {
            let mut build = at.build(&mut module.decls, inst.pos);
            let bit = build.int(Type::U32, u64::from(status::SELECTED));
            let selected = build.and(v, bit);
            let zero = build.int(Type::U32, 0);
            let none = build.eq(selected, zero);
            at.branch_to_panic(none, inst.pos, |at| {
                at.build(&mut module.decls, inst.pos).panic("select with no case ready");
            });
        }
    }

    /// Branches on the abort bit of `word`, the status of the runtime call that `call` was. The block that panics
    /// counts the send that found its channel closed.
    fn abort_on_closed(
        &mut self,
        module: &mut Module,
        at: &mut Cursor<'_>,
        call: Value,
        word: Value,
        pos: Pos,
        text: &str,
    ) {
        let mut build = at.build(&mut module.decls, pos);
        let bit = build.int(Type::U32, u64::from(status::ABORT));
        let abort = build.and(word, bit);
        let zero = build.int(Type::U32, 0);
        let aborts = build.neq(abort, zero);
        at.branch_to_panic(aborts, pos, |at| {
            let sites = at.sites.sends(&module.decls, call);
            if let (Some(map), false) = (module.decls.maps.id(SITES_MAP), sites.is_empty()) {
                let key = at.key();
                let mut build = at.build(&mut module.decls, pos);
                let site = chosen_site(&mut build, word, &sites);
                count::count(&mut build, map, site, CLOSED_COUNTER, key);
                at.block = build.current();
            }
            at.build(&mut module.decls, pos).panic(text);
        });
    }

    /// Gives every channel value the type of a ring's address.
    fn retype(&self, decls: &mut Decls, func: &mut Function, resolved: &Resolved) {
        let values: Vec<Value> =
            func.params.iter().copied().chain(func.iter_insts().map(|(_, v)| v)).collect();
        for v in values {
            if decls.types.chan_parts(func.ty(v)).is_none() {
                continue;
            }
            if let Some(instance) = self.instance_of(decls, func, resolved, v) {
                let hchan = instance.hchan(decls);
                func.inst_mut(v).ty = decls.types.ptr(Space::Map, hchan);
            }
        }
    }
}

/// Which operand of a runtime call is its channel. `selectgo` finds its channels in memory.
fn chan_operand(callee: RuntimeFn) -> Option<usize> {
    match callee {
        RuntimeFn::ChanSend1
        | RuntimeFn::ChanRecv1
        | RuntimeFn::ChanRecv2
        | RuntimeFn::SelectNbSend
        | RuntimeFn::CloseChan
        | RuntimeFn::ChanLen
        | RuntimeFn::ChanCap => Some(0),
        RuntimeFn::SelectNbRecv => Some(1),
        RuntimeFn::MakeChan | RuntimeFn::SelectGo | RuntimeFn::Block | RuntimeFn::NewProc => None,
    }
}

/// Whether a function has channel parameters.
fn takes_channels(module: &Module, func: FuncId) -> bool {
    let func = &module.funcs[func];
    func.params.iter().any(|&p| module.decls.types.chan_parts(func.ty(p)).is_some())
}

/// Whether an address is into a slot.
fn on_stack(func: &Function, mut v: Value) -> bool {
    loop {
        let inst = func.inst(v);
        match inst.op {
            Op::Copy | Op::PtrAdd => v = inst.args[0],
            op => return op == Op::LocalAddr,
        }
    }
}

/// The number of the site that a status word is about: the only one, or that of the chosen case, which
/// `selectgo` puts in the word's upper half, plus one.
fn chosen_site(build: &mut FuncBuilder<'_>, word: Value, sites: &[SiteId]) -> Value {
    let number = |build: &mut FuncBuilder<'_>, site: SiteId| build.int(Type::U32, u64::from(site.as_u32()));
    let (&last, others) = sites.split_last().expect("asked for calls with sites");
    let mut site = number(build, last);
    if others.is_empty() {
        return site;
    }
    let shift = build.int(Type::U32, CHOSEN_SHIFT);
    let chosen = build.rsh_u(word, shift);
    for (case, &other) in others.iter().enumerate() {
        let case = build.int(Type::U32, case as u64 + 1);
        let is_this = build.eq(chosen, case);
        let this = number(build, other);
        site = build.cond_select(is_this, this, site);
    }
    site
}

/// A Go result that is a field of a status word: `selectnbrecv`'s and `selectgo`'s members.
fn rewrite_field(decls: &mut Decls, at: &mut Cursor<'_>, v: Value, index: u32, inst: &Inst) {
    let word = at.words[inst.args[0]].expect("checked by the caller");
    match (index, decls.types.bits(inst.ty)) {
        (0, Some(64)) => {
            let mut build = at.build(decls, inst.pos);
            let shift = build.int(Type::U32, CHOSEN_SHIFT);
            let number = build.rsh_u(word, shift);
            let number = build.zero_ext(Type::I64, number);
            let one = build.int(Type::I64, 1);
            at.put(v, Inst::new(Op::Sub, inst.ty, &[number, one]).at(inst.pos));
        }
        (0, _) => at.put_flag(decls, v, word, status::SELECTED, inst.pos),
        _ => at.put_flag(decls, v, word, status::COMMUNICATED, inst.pos),
    }
}
