//! `runtime.selectgo.N`: generated per call, because gc's reads its cases by a random index, which no verifier
//! follows.
//!
//! At most n rounds; each round a switch over the case number with constant arms, each arm the non-blocking
//! function of its case's instance. Channels and elements are read from the caller's scase array at constant
//! offsets. The order is a rotation from a random start. **That is not Go's uniform choice**: after a ready case
//! its predecessors in the rotation are never preferred; the interpreter has the same order as an option.
//!
//! The status word is the chosen case's, with its number plus one in the upper half; none chosen is number 0.

use larrow_ir::{
    Block, FuncBuilder, FuncId, FuncKind, Function, Module, Op, RuntimeFn, Space, Type, Value, status,
};

use super::{Instance, fresh, function};

/// A case of a select, in gc's order.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct SelectArm {
    /// Whether it receives.
    pub recv: bool,
    /// The channel functions it takes.
    pub instance: Instance,
}

/// Where a select starts to look.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum SelectOrder {
    /// At a random case; onwards in gc's order, around the end.
    #[default]
    Random,
    /// At the first send; the sends and then the receives, each in source order.
    Source,
}

/// How far up the chosen case's number stands in the status word.
pub(crate) const CHOSEN_SHIFT: u64 = 16;

/// Generates the function for these cases. It takes the address of the scase array.
pub fn selectgo(module: &mut Module, arms: &[SelectArm], order: SelectOrder) -> FuncId {
    let callees: Vec<(FuncId, Type, Type)> = arms.iter().map(|arm| callee(module, arm)).collect();
    let name = fresh(&module.funcs, &format!("runtime.selectgo.{}", arms.len()));
    let mut func = Function::new(&name, Type::U32);
    func.kind = FuncKind::Runtime;
    let word = module.decls.types.ptr(Space::Any, Type::U8);
    let scase = module.decls.types.structure(&[("c", word), ("elem", word)], false);
    let scases = module.decls.types.array(scase, arms.len() as u64);
    let scases = module.decls.types.ptr(Space::Stack, scases);
    let scases = func.add_param(scases);
    let mut build = FuncBuilder::new(&mut func, &mut module.decls);
    match order {
        SelectOrder::Random => {
            Rounds::new(&mut build, arms.len() as u64).generate(&mut build, scases, &callees);
        }
        SelectOrder::Source => chain(&mut build, scases, arms, &callees),
    }
    module.add_func(func).unwrap_or_else(|f| unreachable!("`{}` is fresh", f.name))
}

/// The non-blocking function of a case, with the types of its two parameters.
fn callee(module: &mut Module, arm: &SelectArm) -> (FuncId, Type, Type) {
    let which = if arm.recv { RuntimeFn::SelectNbRecv } else { RuntimeFn::SelectNbSend };
    let id = function(module, which, &arm.instance).expect("the non-blocking forms are in the prelude");
    let callee = &module.funcs[id];
    (id, callee.ty(callee.params[0]), callee.ty(callee.params[1]))
}

/// The loop's parts.
struct Rounds {
    n: u64,
    start: Value,
    zero: Value,
    head: Block,
    next: Block,
    done: Block,
}

impl Rounds {
    fn new(build: &mut FuncBuilder<'_>, n: u64) -> Rounds {
        let entry = build.block();
        let (head, next, done) = (build.block(), build.block(), build.block());
        build.switch_to(entry);
        let count = build.int(Type::U32, n);
        let zero = build.int(Type::U32, 0);
        let random = build.call_helper(Type::U32, "get_prandom_u32", &[]);
        let start = build.rem_u(random, count);
        build.jump(head);
        Rounds { n, start, zero, head, next, done }
    }

    fn generate(&self, build: &mut FuncBuilder<'_>, scases: Value, callees: &[(FuncId, Type, Type)]) {
        // Head: round, case number, and whether any case so far ran out of tries.
        build.switch_to(self.head);
        let round = build.op(Op::Phi, Type::U32, &[self.zero]);
        let number = build.op(Op::Phi, Type::U32, &[self.start]);
        let contended = build.op(Op::Phi, Type::U32, &[self.zero]);
        let arms: Vec<Block> = callees.iter().map(|_| build.block()).collect();
        let (last, others) = arms.split_last().expect("selectgo has cases");
        let cases: Vec<(u64, Block)> = others.iter().enumerate().map(|(i, &b)| (i as u64, b)).collect();
        build.switch_to(self.head);
        build.switch(number, &cases, *last);

        let mut misses = Vec::new();
        let mut hits = Vec::new();
        for (index, (&arm, callee)) in arms.iter().zip(callees).enumerate() {
            build.switch_to(arm);
            let word = try_case(build, scases, index as u64, callee);
            let hit = build.block();
            let done = is_done(build, word);
            build.branch(done, hit, self.next);
            misses.push(word);
            build.switch_to(hit);
            hits.push((hit, mark_chosen(build, word, index as u64)));
        }
        self.finish(build, [round, number, contended], &misses, &hits);
    }

    /// The way to the next round, and the ways out.
    fn finish(
        &self,
        build: &mut FuncBuilder<'_>,
        [round, number, contended]: [Value; 3],
        misses: &[Value],
        hits: &[(Block, Value)],
    ) {
        build.switch_to(self.next);
        let missed = build.phi(Type::U32, misses);
        let contended_now = build.or(contended, missed);
        let (one, n) = (build.int(Type::U32, 1), build.int(Type::U32, self.n));
        let round_now = build.add(round, one);
        let following = build.add(number, one);
        let wraps = build.eq(following, n);
        let zero = build.int(Type::U32, 0);
        let number_now = build.cond_select(wraps, zero, following);
        let more = build.less_u(round_now, n);
        build.branch(more, self.head, self.done);
        for (phi, value) in [(round, round_now), (number, number_now), (contended, contended_now)] {
            build.func.inst_mut(phi).args.push(value);
        }
        for &(hit, _) in hits {
            build.switch_to(hit);
            build.jump(self.done);
        }
        build.switch_to(self.done);
        let words: Vec<Value> = std::iter::once(contended_now).chain(hits.iter().map(|h| h.1)).collect();
        let word = build.phi(Type::U32, &words);
        build.ret(Some(word));
    }
}

/// The cases one after the other, in the order that is left of the source's: sends, then receives, which gc
/// numbers from the last to the first.
fn chain(build: &mut FuncBuilder<'_>, scases: Value, arms: &[SelectArm], callees: &[(FuncId, Type, Type)]) {
    let entry = build.block();
    build.switch_to(entry);
    let mut contended = build.int(Type::U32, 0);
    let sends = (0..arms.len()).filter(|&i| !arms[i].recv);
    let receives = (0..arms.len()).rev().filter(|&i| arms[i].recv);
    for index in sends.chain(receives) {
        let word = try_case(build, scases, index as u64, &callees[index]);
        let done = is_done(build, word);
        let (hit, next) = (build.block(), build.block());
        build.branch(done, hit, next);
        build.switch_to(hit);
        let word_chosen = mark_chosen(build, word, index as u64);
        build.ret(Some(word_chosen));
        build.switch_to(next);
        contended = build.or(contended, word);
    }
    build.ret(Some(contended));
}

/// Calls the case's function with the channel and the element from its scase.
fn try_case(
    build: &mut FuncBuilder<'_>,
    scases: Value,
    index: u64,
    &(callee, hchan, elem): &(FuncId, Type, Type),
) -> Value {
    let chan_at = build.ptr_offset(hchan, scases, 16 * index);
    let chan = build.load(hchan, chan_at);
    let elem_at = build.ptr_offset(elem, scases, 16 * index + 8);
    let elem = build.load(elem, elem_at);
    build.call(Type::U32, callee, &[chan, elem])
}

/// Whether a case's status word ends the search: it was selected, or it panics.
fn is_done(build: &mut FuncBuilder<'_>, word: Value) -> Value {
    let bits = build.int(Type::U32, u64::from(status::SELECTED | status::ABORT));
    let bits = build.and(word, bits);
    let none = build.int(Type::U32, 0);
    build.neq(bits, none)
}

/// The status word with the case's number in it.
fn mark_chosen(build: &mut FuncBuilder<'_>, word: Value, index: u64) -> Value {
    let mark = build.int(Type::U32, (index + 1) << CHOSEN_SHIFT);
    build.or(word, mark)
}
