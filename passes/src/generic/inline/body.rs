//! One call replaced by a copy of the callee's body.

use std::collections::HashMap;

use cranelift_entity::SecondaryMap;
use cranelift_entity::packed_option::PackedOption;
use larrow_ir::{
    Args, Aux, Block, Decls, Function, Inst, LocData, LocId, Op, PanicWith, Pos, Slot, Terminator, Type,
    TypeTable, Value,
};

use crate::generic::replace::interchangeable;

/// Puts `callee`'s body in the place of the call `v`, which keeps its id and becomes the result. Returns each
/// new value with the callee's value that it copies.
pub(super) fn inline_call(
    func: &mut Function,
    callee: &Function,
    v: Value,
    decls: &mut Decls,
    locs: &mut HashMap<LocData, LocId>,
) -> Vec<(Value, Value)> {
    let home = func.home(v).expect("a call stands in a block");
    let at = func.block(home).insts.iter().rposition(|&x| x == v).expect("a block lists what stands in it");
    let tail = func.split_block(home, at);
    let call = func.inst(v).clone();
    let rest = func.block(tail).insts[1..].to_vec();
    func.set_insts(tail, rest);

    let mut copy = Copier {
        func,
        callee,
        decls,
        locs,
        call_pos: call.pos,
        values: SecondaryMap::new(),
        blocks: SecondaryMap::new(),
        slots: HashMap::new(),
        positions: HashMap::new(),
        made: Vec::new(),
    };
    copy.parameters(home, &call.args);
    copy.make_blocks();
    copy.make_values();
    let returns = copy.terminators(tail);
    let entry = copy.block(callee.entry());
    let made = copy.made;

    let pos = func.block(home).term_pos;
    func.set_terminator(home, Terminator::Plain(entry), pos);
    result(func, &decls.types, v, &call, tail, &returns);
    made
}

struct Copier<'a> {
    func: &'a mut Function,
    callee: &'a Function,
    decls: &'a mut Decls,
    locs: &'a mut HashMap<LocData, LocId>,
    call_pos: Pos,
    values: SecondaryMap<Value, PackedOption<Value>>,
    blocks: SecondaryMap<Block, PackedOption<Block>>,
    slots: HashMap<Slot, Slot>,
    positions: HashMap<Pos, Pos>,
    made: Vec<(Value, Value)>,
}

impl Copier<'_> {
    fn value(&self, v: Value) -> Value {
        self.values[v].expect("operands are parameters or live instructions")
    }
    fn block(&self, b: Block) -> Block {
        self.blocks[b].expect("edges lead to live blocks")
    }

    /// Parameters are the call's operands. One whose type says less than the parameter's needs a cast.
    fn parameters(&mut self, home: Block, args: &[Value]) {
        for (&param, &arg) in self.callee.params.iter().zip(args) {
            let (to, from) = (self.callee.ty(param), self.func.ty(arg));
            let by = if fits(&self.decls.types, from, to) {
                arg
            } else {
                self.func.append(home, Inst::new(Op::Copy, to, &[arg]).at(self.call_pos))
            };
            self.values[param] = by.into();
        }
    }

    fn make_blocks(&mut self) {
        for &b in self.callee.layout() {
            self.blocks[b] = self.func.add_block().into();
        }
        for (slot, data) in self.callee.slots() {
            self.slots.insert(slot, self.func.add_slot(data.ty));
        }
    }

    /// Copies every instruction, then points the operands of the copies at copies.
    fn make_values(&mut self) {
        for &b in self.callee.layout() {
            let mut list = Vec::with_capacity(self.callee.block(b).insts.len());
            for &old in &self.callee.block(b).insts {
                let mut inst = self.callee.inst(old).clone();
                inst.pos = self.position(inst.pos);
                if let Aux::Slot(slot) = &mut inst.aux {
                    *slot = self.slots[slot];
                }
                let new = self.func.make(inst);
                self.values[old] = new.into();
                self.made.push((new, old));
                list.push(new);
            }
            let to = self.block(b);
            self.func.set_insts(to, list);
        }
        for i in 0..self.made.len() {
            let (new, old) = self.made[i];
            let args: Args = self.callee.args(old).iter().map(|&a| self.value(a)).collect();
            self.func.inst_mut(new).args = args;
        }
    }

    /// Copies the terminators; a return jumps to `tail`. Where the returns come from and what they return, in
    /// the order of `tail`'s predecessors.
    fn terminators(&mut self, tail: Block) -> Vec<(Block, Option<Value>)> {
        let mut returns = Vec::new();
        // Edges are added bare: the phis of the copies have their operands already. The order that those follow
        // is set once all edges are there.
        for &b in self.callee.layout() {
            let (from, pos) = (self.block(b), self.position(self.callee.block(b).term_pos));
            let term = match self.callee.term(b) {
                Terminator::Ret(v) => {
                    returns.push((from, v.map(|v| self.value(v))));
                    Terminator::Plain(tail)
                }
                Terminator::Plain(to) => Terminator::Plain(self.block(*to)),
                Terminator::If { cond, then, other } => Terminator::If {
                    cond: self.value(*cond),
                    then: self.block(*then),
                    other: self.block(*other),
                },
                Terminator::Switch { on, cases, default } => Terminator::Switch {
                    on: self.value(*on),
                    cases: cases.iter().map(|&(n, to)| (n, self.block(to))).collect(),
                    default: self.block(*default),
                },
                Terminator::Panic(PanicWith::Value(v)) => Terminator::Panic(PanicWith::Value(self.value(*v))),
                Terminator::Panic(PanicWith::Text(text)) => Terminator::Panic(PanicWith::Text(text.clone())),
                Terminator::Exit => Terminator::Exit,
            };
            self.func.set_terminator(from, term, pos);
        }
        for &b in self.callee.layout() {
            let preds: Vec<Block> = self.callee.preds(b).iter().map(|&p| self.block(p)).collect();
            let known = self.func.set_pred_order(self.block(b), &preds);
            debug_assert!(known, "the copies have the same edges");
        }
        returns
    }

    /// A position in the callee, as seen through the call.
    fn position(&mut self, pos: Pos) -> Pos {
        if let Some(&known) = self.positions.get(&pos) {
            return known;
        }
        let data = match pos {
            Pos::None => return self.call_pos,
            Pos::At { line, col } => {
                LocData { file: self.decls.file.clone(), line, col, inlined_at: self.call_pos }
            }
            Pos::Loc(loc) => {
                let mut data = self.decls.locs[loc].clone();
                data.inlined_at = self.position(data.inlined_at);
                data
            }
        };
        let locs = &mut self.decls.locs;
        let loc = *self.locs.entry(data).or_insert_with_key(|data| locs.push(data.clone()));
        self.positions.insert(pos, Pos::Loc(loc));
        Pos::Loc(loc)
    }
}

/// Whether a value of one type may stand for a parameter of the other: as for any use, and also where the
/// argument merely says more, its space or both directions.
fn fits(types: &TypeTable, from: Type, to: Type) -> bool {
    if interchangeable(types, from, to) {
        return true;
    }
    let pointers = types.pointee(from).zip(types.pointee(to)).is_some_and(|(a, b)| a == b);
    let chans = types.chan_parts(from).zip(types.chan_parts(to)).is_some_and(|(a, b)| a.0 == b.0);
    pointers || chans
}

/// Makes the call's value the result, at the head of `tail`.
fn result(
    func: &mut Function,
    types: &TypeTable,
    v: Value,
    call: &Inst,
    tail: Block,
    returns: &[(Block, Option<Value>)],
) {
    if call.ty == Type::UNIT {
        return;
    }
    let members = types.tuple_items(call.ty);
    let (op, args, before) = if members.is_empty() {
        let args: Args = returns.iter().filter_map(|(_, v)| *v).collect();
        (if args.len() == 1 { Op::Copy } else { Op::Phi }, args, Vec::new())
    } else {
        // A tuple is joined member by member.
        let phis: Vec<Value> =
            (0..).zip(members).map(|(i, &ty)| join_member(func, returns, i, ty, call.pos)).collect();
        (Op::Tuple, Args::from_slice(&phis), phis)
    };
    let inst = func.inst_mut(v);
    (inst.op, inst.args, inst.aux) = (op, args, Aux::None);
    let mut insts = before;
    insts.push(v);
    insts.extend(func.block(tail).insts.iter().copied());
    func.set_insts(tail, insts);
}

fn join_member(
    func: &mut Function,
    returns: &[(Block, Option<Value>)],
    index: u32,
    ty: Type,
    pos: Pos,
) -> Value {
    let mut args = Args::new();
    for &(b, tuple) in returns {
        if let Some(tuple) = tuple {
            args.push(func.append(b, Inst::new(Op::Extract, ty, &[tuple]).with(Aux::Index(index)).at(pos)));
        }
    }
    func.make(Inst::new(Op::Phi, ty, &args).at(pos))
}
