//! `lower-select`: a select becomes what gc's walk makes of its shape.
//!
//! | cases | default | becomes |
//! |---|---|---|
//! | 0 | no | `block()`; what follows is unreachable |
//! | 0 | yes | nothing: the default is taken |
//! | 1 send | no | `chansend1(c, &tmp)` |
//! | 1 receive | no | `chanrecv1(c, nil)` if it keeps nothing, else `chanrecv2(c, &tmp)` |
//! | 1 send | yes | `selectnbsend(c, &tmp)` and a branch |
//! | 1 receive | yes | `selectnbrecv(&tmp or nil, c)` and a branch |
//! | more | either | `selectgo(&scases, &order, nil, nsends, nrecvs, block)` and a chain of branches |
//!
//! gc numbers the sends 0, 1, … in source order and the receives n−1, n−2, … in source order. The chain tests
//! for the default first, then the numbers upwards; the last is the tail that needs no test. Each arm counts its
//! site, loads what it received, and goes to the rest of the block, where phis give the select's results: the
//! source index, the flag, and a value per receive case, zero in the arms of others.

use larrow_ir::{
    Aux, Block, Decls, FuncBuilder, Function, Op, Pos, RecvForm, RuntimeFn, SelectCase, SelectShape, SiteId,
    SiteKind, Type, Value,
};
use smallvec::SmallVec;

use super::{Members, elem_type, has_pointers, new_site, nil_elem, recv_temp, send_operand, zero};
use crate::generic::deadcode::drop_unreachable;

/// A communication clause with its operands ready to be passed to the runtime.
struct Case {
    case: SelectCase,
    /// The index in source order.
    index: usize,
    chan: Value,
    /// What the runtime reads or writes: a pointer, nil for a discarded receive.
    elem: Value,
    /// The type of the value that the receive yields as a result, if it yields one.
    loads: Option<Type>,
    site: SiteId,
}

/// An arm of the dispatch: where it starts, and what it makes of the select's results.
struct Arm {
    /// The block that ends in the jump to the join.
    end: Block,
    index: Value,
    ok: Value,
    /// The case whose value it loads, as a place among the receives, and the value.
    loaded: Option<(usize, Value)>,
}

/// Lowers every `Select`.
pub(super) fn lower(func: &mut Function, decls: &mut Decls) -> bool {
    let mut members = Members::default();
    let mut changed = false;
    let mut cut = false;
    for b in func.layout().to_vec() {
        // From the last to the first, so that each cut moves only what stands behind it.
        let places: Vec<usize> = (0..func.block(b).insts.len())
            .rev()
            .filter(|&i| func.inst(func.block(b).insts[i]).op == Op::Select)
            .collect();
        for at in places {
            changed = true;
            cut |= lower_one(func, decls, &mut members, b, at);
        }
    }
    members.apply(func);
    if cut {
        drop_unreachable(func);
    }
    changed
}

/// Lowers the select at `b[at]`. Returns whether the rest of the block became unreachable.
fn lower_one(func: &mut Function, decls: &mut Decls, members: &mut Members, b: Block, at: usize) -> bool {
    let rest = func.split_block(b, at + 1);
    let select = func.block_mut(b).insts.pop().expect("the select stands last now");
    let inst = func.inst(select).clone();
    let Aux::Select(shape) = &inst.aux else { unreachable!("the verifier checks payloads") };
    let mut build = FuncBuilder::new(func, decls);
    build.at(inst.pos).switch_to(b);
    let cases = prepare(&mut build, shape, &inst.args, inst.pos);
    let receives = shape.cases.iter().filter(|c| c.is_recv()).count();
    let arms = match (cases.as_slice(), shape.has_default) {
        ([], false) => {
            build.call_runtime(RuntimeFn::Block, Type::UNIT, &[]);
            build.exit();
            return true;
        }
        ([], true) => vec![default_arm(&mut build)],
        ([case], false) => vec![single(&mut build, case)],
        ([case], true) => single_or_default(&mut build, case),
        (cases, has_default) => general(&mut build, cases, has_default),
    };
    let results = join(&mut build, &arms, rest, &loaded_types(&cases, receives));
    members.set(select, results);
    false
}

/// Evaluates the operands in source order, each once: a send's value goes into a fresh temporary.
fn prepare(build: &mut FuncBuilder<'_>, shape: &SelectShape, args: &[Value], pos: Pos) -> Vec<Case> {
    let mut cases = Vec::with_capacity(shape.cases.len());
    for (index, (case, first, _)) in shape.iter().enumerate() {
        let chan = args[first];
        let ty = elem_type(build, chan);
        let mut loads = None;
        let (elem, kind) = match case {
            SelectCase::Send => (send_operand(build, chan, args[first + 1]), SiteKind::Send),
            SelectCase::Recv(RecvForm::Discard) | SelectCase::RecvInto(RecvForm::Discard) => {
                (nil_elem(build, chan), SiteKind::Recv)
            }
            SelectCase::RecvInto(RecvForm::Value | RecvForm::CommaOk) => (args[first + 1], SiteKind::Recv),
            SelectCase::Recv(RecvForm::Value | RecvForm::CommaOk) => {
                loads = Some(ty);
                let zeroed = has_pointers(build, ty);
                (recv_temp(build, ty, zeroed), SiteKind::Recv)
            }
        };
        let site = new_site(build, kind, chan, pos);
        cases.push(Case { case, index, chan, elem, loads, site });
    }
    cases
}

/// For each receive case in source order, the type of its result if it has one.
fn loaded_types(cases: &[Case], receives: usize) -> SmallVec<[Option<Type>; 4]> {
    let mut types = SmallVec::with_capacity(receives);
    types.extend(cases.iter().filter(|c| c.case.is_recv()).map(|c| c.loads));
    types
}

/// Finishes an arm whose communication has happened in the current block.
fn arm(build: &mut FuncBuilder<'_>, cases: &[Case], chosen: usize, ok: Option<Value>) -> Arm {
    let case = &cases[chosen];
    let index = build.int(Type::I64, case.index as u64);
    let ok = match ok {
        Some(ok) if case.case.is_recv() => ok,
        _ => build.bool(false),
    };
    let loaded = case.loads.map(|ty| {
        let place = cases.iter().filter(|c| c.case.is_recv() && c.index < case.index).count();
        (place, build.load(ty, case.elem))
    });
    Arm { end: build.current(), index, ok, loaded }
}

/// The arm of the default clause, in the current block.
fn default_arm(build: &mut FuncBuilder<'_>) -> Arm {
    let index = build.int(Type::I64, u64::MAX);
    let ok = build.bool(false);
    Arm { end: build.current(), index, ok, loaded: None }
}

/// One case and no default: the plain call.
fn single(build: &mut FuncBuilder<'_>, case: &Case) -> Arm {
    let (callee, ok) = match case.case {
        SelectCase::Send => (RuntimeFn::ChanSend1, false),
        SelectCase::Recv(RecvForm::Discard) | SelectCase::RecvInto(RecvForm::Discard) => {
            (RuntimeFn::ChanRecv1, false)
        }
        SelectCase::Recv(RecvForm::Value | RecvForm::CommaOk)
        | SelectCase::RecvInto(RecvForm::Value | RecvForm::CommaOk) => (RuntimeFn::ChanRecv2, true),
    };
    let call = build.call_runtime(callee, Type::UNIT, &[case.chan, case.elem]);
    build.outcome(call, case.site);
    arm(build, std::slice::from_ref(case), 0, ok.then_some(call))
}

/// One case and a default: the non-blocking call and a branch.
fn single_or_default(build: &mut FuncBuilder<'_>, case: &Case) -> Vec<Arm> {
    let (selected, ok) = if case.case.is_recv() {
        let call = build.call_runtime(RuntimeFn::SelectNbRecv, Type::UNIT, &[case.elem, case.chan]);
        build.outcome(call, case.site);
        (build.extract(call, 0), Some(build.extract(call, 1)))
    } else {
        let call = build.call_runtime(RuntimeFn::SelectNbSend, Type::UNIT, &[case.chan, case.elem]);
        build.outcome(call, case.site);
        (call, None)
    };
    let (taken, default) = (build.block(), build.block());
    build.branch(selected, taken, default);
    build.switch_to(taken);
    let taken = arm(build, std::slice::from_ref(case), 0, ok);
    build.switch_to(default);
    vec![taken, default_arm(build)]
}

/// The general form: scases in memory, `selectgo`, the chain.
fn general(build: &mut FuncBuilder<'_>, cases: &[Case], has_default: bool) -> Vec<Arm> {
    let numbered = gc_order(cases);
    let sends = cases.iter().filter(|c| !c.case.is_recv()).count();
    let scases = store_scases(build, cases, &numbered);
    let order = {
        let ty = build.decls.types.array(Type::U16, 2 * cases.len() as u64);
        let slot = build.slot(ty);
        build.local_addr(slot)
    };
    let pcs = {
        let ty = build.decls.types.ptr(larrow_ir::Space::Any, Type::U64);
        build.nil(ty)
    };
    let nsends = build.int(Type::I64, sends as u64);
    let nrecvs = build.int(Type::I64, (cases.len() - sends) as u64);
    let block = build.bool(!has_default);
    let args = [scases, order, pcs, nsends, nrecvs, block];
    let call = build.call_runtime(RuntimeFn::SelectGo, Type::UNIT, &args);
    let (chosen, ok) = (build.extract(call, 0), build.extract(call, 1));

    let mut arms = Vec::with_capacity(cases.len() + 1);
    if has_default {
        let zero = build.int(Type::I64, 0);
        let none = build.less(chosen, zero);
        let (default, next) = (build.block(), build.block());
        build.branch(none, default, next);
        build.switch_to(default);
        cases.iter().for_each(|c| {
            build.outcome(call, c.site);
        });
        arms.push(default_arm(build));
        build.switch_to(next);
    }
    for (number, &source) in numbered.iter().enumerate() {
        let next = (number + 1 < numbered.len()).then(|| {
            let number = build.int(Type::I64, number as u64);
            let is_this = build.eq(chosen, number);
            let (this, next) = (build.block(), build.block());
            build.branch(is_this, this, next);
            build.switch_to(this);
            next
        });
        build.outcome(call, cases[source].site);
        arms.push(arm(build, cases, source, Some(ok)));
        if let Some(next) = next {
            build.switch_to(next);
        }
    }
    arms
}

/// The source index of each of gc's numbers: sends upwards in source order, receives downwards.
fn gc_order(cases: &[Case]) -> SmallVec<[usize; 8]> {
    let sends = cases.iter().filter(|c| !c.case.is_recv()).map(|c| c.index);
    let receives = cases.iter().rev().filter(|c| c.case.is_recv()).map(|c| c.index);
    sends.chain(receives).collect()
}

/// Fills the array of `scase {c, elem}` in gc's order; returns its address.
fn store_scases(build: &mut FuncBuilder<'_>, cases: &[Case], numbered: &[usize]) -> Value {
    let word = build.decls.types.ptr(larrow_ir::Space::Any, Type::U8);
    let scase = build.decls.types.structure(&[("c", word), ("elem", word)], false);
    let array = build.decls.types.array(scase, cases.len() as u64);
    let slot = build.slot(array);
    let base = build.local_addr(slot);
    for (number, &source) in numbered.iter().enumerate() {
        let case = &cases[source];
        for (word, value) in [(0, case.chan), (8, case.elem)] {
            let ty = build.func.ty(value);
            let place = build.ptr_offset(ty, base, 16 * number as u64 + word);
            build.store(place, value);
        }
    }
    base
}

/// Sends every arm to the rest of the block and merges the results there: index, flag, and a value for each
/// receive case that has one.
fn join(
    build: &mut FuncBuilder<'_>,
    arms: &[Arm],
    rest: Block,
    loads: &[Option<Type>],
) -> Vec<Option<Value>> {
    if let [only] = arms {
        build.switch_to(only.end);
        let values = loads.iter().enumerate().map(|(place, ty)| match (ty, only.loaded) {
            (Some(_), Some((loaded, value))) if loaded == place => Some(value),
            _ => None,
        });
        let mut results = vec![Some(only.index), Some(only.ok)];
        results.extend(values);
        build.jump(rest);
        return results;
    }
    let loaded: SmallVec<[Option<SmallVec<[Value; 8]>>; 4]> = loads
        .iter()
        .enumerate()
        .map(|(place, ty)| {
            ty.map(|ty| {
                arms.iter()
                    .map(|arm| match arm.loaded {
                        Some((loaded, value)) if loaded == place => value,
                        _ => {
                            build.switch_to(arm.end);
                            zero(build, ty)
                        }
                    })
                    .collect()
            })
        })
        .collect();
    for arm in arms {
        build.switch_to(arm.end);
        build.jump(rest);
    }
    build.switch_to(rest);
    let indices: SmallVec<[Value; 8]> = arms.iter().map(|a| a.index).collect();
    let flags: SmallVec<[Value; 8]> = arms.iter().map(|a| a.ok).collect();
    // A phi is inserted before those that are there: the last result first.
    let mut results = Vec::with_capacity(loads.len() + 2);
    for (values, ty) in loaded.iter().zip(loads).rev() {
        let phi = values.as_ref().zip(*ty);
        results.push(phi.map(|(values, ty)| build.func.insert_phi(rest, ty, values)));
    }
    results.push(Some(build.func.insert_phi(rest, Type::BOOL, &flags)));
    results.push(Some(build.func.insert_phi(rest, Type::I64, &indices)));
    results.reverse();
    results
}
