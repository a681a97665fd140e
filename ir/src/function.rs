//! Functions: blocks of instructions, and the edits that keep their invariants.
//!
//! **Invariants.** Ids are never reused: a removed instruction, block or slot leaves a hole, and `next` in the
//! printed header tells where numbering goes on. A block's predecessor list has one entry per incoming edge; the
//! k-th entry of a predecessor is its k-th edge here, in the order of [`Terminator::successors`]. Phi operands
//! follow that list. [`Function::set_terminator`], [`Function::redirect`] and their kin keep lists and phis in
//! step; nobody else writes predecessors.

use std::sync::Arc;

use cranelift_entity::packed_option::PackedOption;
use cranelift_entity::{EntityRef, PrimaryMap, SecondaryMap};
use smallvec::SmallVec;

use crate::entity::{Block, Slot, Type, Value};
use crate::inst::{Args, Aux, Inst, Pos, Terminator};
use crate::op::Op;

/// Who wrote a function.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum FuncKind {
    /// The user.
    #[default]
    User,
    /// A target's runtime prelude: printed `runtime`, inlined always at the highest level.
    Runtime,
}

/// A block of instructions with one terminator.
#[derive(Clone, Debug)]
pub struct BlockData {
    /// The instructions in order; phis stand first.
    pub insts: Vec<Value>,
    /// How it ends.
    pub term: Terminator,
    /// Where its end comes from.
    pub term_pos: Pos,
    preds: SmallVec<[Block; 4]>,
}

impl BlockData {
    /// Its predecessors, one entry per edge.
    pub fn preds(&self) -> &[Block] {
        &self.preds
    }
}

/// A stack slot.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SlotData {
    /// What it holds; has a layout.
    pub ty: Type,
}

/// A function.
#[derive(Clone, Debug)]
pub struct Function {
    /// Without the `@`.
    pub name: Arc<str>,
    /// Its parameters: instructions with [`Op::Param`], in no block.
    pub params: Vec<Value>,
    /// What it returns; [`Type::UNIT`] for nothing.
    pub result: Type,
    /// The program section that it is the entry of: `section "xdp"`.
    pub section: Option<Arc<str>>,
    /// Who wrote it.
    pub kind: FuncKind,
    /// Never inlined: `noinline`.
    pub noinline: bool,
    /// Where its header stands.
    pub pos: Pos,
    insts: PrimaryMap<Value, Inst>,
    home: SecondaryMap<Value, PackedOption<Block>>,
    blocks: PrimaryMap<Block, Option<BlockData>>,
    layout: Vec<Block>,
    slots: PrimaryMap<Slot, Option<SlotData>>,
}

impl Function {
    /// A function without blocks. The first block made is the entry.
    pub fn new(name: &str, result: Type) -> Function {
        Function {
            name: name.into(),
            params: Vec::new(),
            result,
            section: None,
            kind: FuncKind::User,
            noinline: false,
            pos: Pos::None,
            insts: PrimaryMap::new(),
            home: SecondaryMap::new(),
            blocks: PrimaryMap::new(),
            layout: Vec::new(),
            slots: PrimaryMap::new(),
        }
    }

    // ---- reading ---------------------------------------------------------------------------------------------

    /// The entry block: the first in layout order.
    pub fn entry(&self) -> Block {
        self.layout[0]
    }
    /// The live blocks in layout order, entry first.
    pub fn layout(&self) -> &[Block] {
        &self.layout
    }
    /// A live block.
    pub fn block(&self, b: Block) -> &BlockData {
        self.blocks[b].as_ref().expect("a live block")
    }
    /// A live block, to change its instruction list or its terminator's operand. Edges change through
    /// [`Function::set_terminator`].
    pub fn block_mut(&mut self, b: Block) -> &mut BlockData {
        self.blocks[b].as_mut().expect("a live block")
    }
    /// Whether the block exists and was not removed.
    pub fn is_live_block(&self, b: Block) -> bool {
        self.blocks.get(b).is_some_and(Option::is_some)
    }
    /// An instruction, live or not.
    pub fn inst(&self, v: Value) -> &Inst {
        &self.insts[v]
    }
    /// An instruction, to be changed in place. Its place in the block stays.
    pub fn inst_mut(&mut self, v: Value) -> &mut Inst {
        &mut self.insts[v]
    }
    /// The type of a value.
    pub fn ty(&self, v: Value) -> Type {
        self.insts[v].ty
    }
    /// The operands of an instruction.
    pub fn args(&self, v: Value) -> &[Value] {
        &self.insts[v].args
    }
    /// The block that an instruction stands in; `None` for parameters and removed ones.
    pub fn home(&self, v: Value) -> Option<Block> {
        self.home[v].expand()
    }
    /// Whether the value is a parameter or stands in a block.
    pub fn is_live(&self, v: Value) -> bool {
        v.index() < self.insts.len() && (self.home[v].is_some() || self.insts[v].op == Op::Param)
    }
    /// The predecessors of a block, one entry per edge.
    pub fn preds(&self, b: Block) -> &[Block] {
        &self.block(b).preds
    }
    /// How a block ends.
    pub fn term(&self, b: Block) -> &Terminator {
        &self.block(b).term
    }
    /// The phis of a block: they stand first.
    pub fn phis(&self, b: Block) -> impl Iterator<Item = Value> + '_ {
        self.block(b).insts.iter().copied().take_while(|&v| self.insts[v].op == Op::Phi)
    }
    /// Every live instruction in layout order, with its block. Parameters are not among them.
    pub fn iter_insts(&self) -> impl Iterator<Item = (Block, Value)> + '_ {
        self.layout.iter().flat_map(move |&b| self.block(b).insts.iter().map(move |&v| (b, v)))
    }
    /// How many value ids were ever given out: the next id, and the size for side tables.
    pub fn num_values(&self) -> usize {
        self.insts.len()
    }
    /// How many block ids were ever given out.
    pub fn num_blocks(&self) -> usize {
        self.blocks.len()
    }
    /// How many slot ids were ever given out.
    pub fn num_slots(&self) -> usize {
        self.slots.len()
    }
    /// The live slots.
    pub fn slots(&self) -> impl Iterator<Item = (Slot, &SlotData)> + '_ {
        self.slots.iter().filter_map(|(s, d)| d.as_ref().map(|d| (s, d)))
    }
    /// A live slot.
    pub fn slot(&self, s: Slot) -> Option<&SlotData> {
        self.slots.get(s).and_then(Option::as_ref)
    }

    // ---- making ----------------------------------------------------------------------------------------------

    /// Adds a parameter.
    pub fn add_param(&mut self, ty: Type) -> Value {
        let index = u32::try_from(self.params.len()).expect("fewer than 2³² parameters");
        let v = self.insts.push(Inst::new(Op::Param, ty, &[]).with(Aux::Index(index)));
        self.params.push(v);
        v
    }
    /// Adds a slot.
    pub fn add_slot(&mut self, ty: Type) -> Slot {
        self.slots.push(Some(SlotData { ty }))
    }
    /// Removes a slot that nothing refers to.
    pub fn remove_slot(&mut self, s: Slot) {
        self.slots[s] = None;
    }
    /// Adds a block at the end of the layout. It ends in `Exit` until it is given a terminator.
    pub fn add_block(&mut self) -> Block {
        let b = self.blocks.push(Some(BlockData {
            insts: Vec::new(),
            term: Terminator::Exit,
            term_pos: Pos::None,
            preds: SmallVec::new(),
        }));
        self.layout.push(b);
        b
    }
    /// Makes an instruction that stands in no block yet: put it into some block's `insts` with
    /// [`Function::place`].
    pub fn make(&mut self, inst: Inst) -> Value {
        self.insts.push(inst)
    }
    /// Appends an instruction to a block.
    pub fn append(&mut self, b: Block, inst: Inst) -> Value {
        let v = self.insts.push(inst);
        self.home[v] = b.into();
        self.block_mut(b).insts.push(v);
        v
    }
    /// Inserts an instruction into a block at an index of its list. Linear in the block: passes that insert
    /// much rebuild the list and use [`Function::set_insts`].
    pub fn insert(&mut self, b: Block, at: usize, inst: Inst) -> Value {
        let v = self.insts.push(inst);
        self.home[v] = b.into();
        self.block_mut(b).insts.insert(at, v);
        v
    }
    /// Inserts a phi at the head of a block, an operand per predecessor.
    pub fn insert_phi(&mut self, b: Block, ty: Type, args: &[Value]) -> Value {
        self.insert(b, 0, Inst::new(Op::Phi, ty, args))
    }
    /// Records that an instruction stands in a block; the caller puts it into that block's list.
    pub fn place(&mut self, v: Value, b: Block) {
        self.home[v] = b.into();
    }
    /// Replaces a block's whole list. Instructions that are not in it any more and were not placed elsewhere
    /// count as removed.
    pub fn set_insts(&mut self, b: Block, insts: Vec<Value>) {
        let old = std::mem::take(&mut self.block_mut(b).insts);
        for v in old {
            if self.home[v] == b.into() {
                self.home[v] = PackedOption::default();
            }
        }
        for &v in &insts {
            self.home[v] = b.into();
        }
        self.block_mut(b).insts = insts;
    }
    /// Takes all instructions out of a block, to be put back one by one with [`Function::attach`] among new ones.
    pub fn detach_insts(&mut self, b: Block) -> Vec<Value> {
        let insts = std::mem::take(&mut self.block_mut(b).insts);
        for &v in &insts {
            self.home[v] = PackedOption::default();
        }
        insts
    }
    /// Puts an instruction that stands in no block at the end of one.
    pub fn attach(&mut self, b: Block, v: Value) {
        self.home[v] = b.into();
        self.block_mut(b).insts.push(v);
    }
    /// Reserves value ids up to `next` (excluded), as holes. The parser's way to keep ids.
    pub fn reserve_values(&mut self, next: usize) {
        while self.insts.len() < next {
            self.insts.push(Inst::new(Op::Const, Type::UNIT, &[]));
        }
    }
    /// Fills the hole `v` with an instruction at the end of a block.
    pub fn append_as(&mut self, v: Value, b: Block, inst: Inst) {
        self.reserve_values(v.index() + 1);
        self.insts[v] = inst;
        self.home[v] = b.into();
        self.block_mut(b).insts.push(v);
    }
    /// Fills the hole `v` with the next parameter.
    pub fn add_param_as(&mut self, v: Value, ty: Type) {
        self.reserve_values(v.index() + 1);
        let index = u32::try_from(self.params.len()).expect("fewer than 2³² parameters");
        self.insts[v] = Inst::new(Op::Param, ty, &[]).with(Aux::Index(index));
        self.params.push(v);
    }
    /// Reserves block ids up to `next` (excluded), as holes.
    pub fn reserve_blocks(&mut self, next: usize) {
        while self.blocks.len() < next {
            self.blocks.push(None);
        }
    }
    /// Adds the block `b` at the end of the layout, in the hole of that id.
    pub fn add_block_as(&mut self, b: Block) {
        self.reserve_blocks(b.index() + 1);
        self.blocks[b] = Some(BlockData {
            insts: Vec::new(),
            term: Terminator::Exit,
            term_pos: Pos::None,
            preds: SmallVec::new(),
        });
        self.layout.push(b);
    }
    /// Sets a block's predecessor order: a permutation of its incoming edges. The parser's way to keep what was
    /// printed; phi operands are the caller's business. Returns `false`, changing nothing, if it is none.
    pub fn set_pred_order(&mut self, b: Block, preds: &[Block]) -> bool {
        let (mut have, mut want) = (self.block(b).preds.to_vec(), preds.to_vec());
        have.sort_unstable();
        want.sort_unstable();
        if have != want {
            return false;
        }
        self.block_mut(b).preds = SmallVec::from_slice(preds);
        true
    }
    /// Adds the slot `s` in the hole of that id.
    pub fn add_slot_as(&mut self, s: Slot, ty: Type) {
        self.reserve_slots(s.index() + 1);
        self.slots[s] = Some(SlotData { ty });
    }
    /// Reserves slot ids up to `next` (excluded), as holes.
    pub fn reserve_slots(&mut self, next: usize) {
        while self.slots.len() < next {
            self.slots.push(None);
        }
    }

    // ---- changing --------------------------------------------------------------------------------------------

    /// Gives a block its terminator. Removes its old outgoing edges, with their phi operands, and adds the new
    /// ones; phis of new successors get no operand here: see [`Function::push_phi_args`].
    pub fn set_terminator(&mut self, b: Block, term: Terminator, pos: Pos) {
        for to in self.block(b).term.successors() {
            self.remove_pred_edge(to, b);
        }
        term.for_each_successor(|to| self.block_mut(to).preds.push(b));
        let data = self.block_mut(b);
        data.term = term;
        data.term_pos = pos;
    }

    /// Appends an operand to each phi of `b`, in order: for the edge added last.
    pub fn push_phi_args(&mut self, b: Block, args: &[Value]) {
        let phis: SmallVec<[Value; 8]> = self.phis(b).collect();
        for (phi, &arg) in phis.iter().zip(args) {
            self.insts[*phi].args.push(arg);
        }
    }

    /// Removes the first edge from `from` into `to` from `to`'s list and phis; `from`'s terminator is the
    /// caller's business.
    fn remove_pred_edge(&mut self, to: Block, from: Block) {
        let Some(index) = self.block(to).preds.iter().position(|&p| p == from) else { return };
        self.block_mut(to).preds.remove(index);
        let phis: SmallVec<[Value; 8]> = self.phis(to).collect();
        for phi in phis {
            let args = &mut self.insts[phi].args;
            if index < args.len() {
                args.remove(index);
            }
        }
    }

    /// The index in `to`'s predecessor list of the edge that is `edge` among `from`'s successors.
    pub fn pred_index(&self, from: Block, edge: usize) -> usize {
        let succs = self.term(from).successors();
        let to = succs[edge];
        let nth = succs[..edge].iter().filter(|&&b| b == to).count();
        let mut entries = self.preds(to).iter().enumerate().filter(|(_, p)| **p == from);
        entries.nth(nth).map(|(i, _)| i).expect("an edge stands in its target's list")
    }

    /// Puts a fresh block on an edge: `from → mid → to`. Phis of `to` keep their operands. Returns `mid`.
    pub fn split_edge(&mut self, from: Block, edge: usize) -> Block {
        let index = self.pred_index(from, edge);
        let to = self.term(from).successors()[edge];
        let pos = self.block(from).term_pos;
        let mid = self.add_block();
        *self.block_mut(from).term.successors_mut()[edge] = mid;
        self.block_mut(to).preds[index] = mid;
        let data = self.block_mut(mid);
        data.preds.push(from);
        data.term = Terminator::Plain(to);
        data.term_pos = pos;
        mid
    }

    /// Cuts a block in two before the instruction at `at`: the tail, with the terminator, moves to a fresh
    /// block that is laid out right behind and returned; `b` ends in `Plain` to it. Successors' lists are
    /// renamed in place, so their phis stay right.
    pub fn split_block(&mut self, b: Block, at: usize) -> Block {
        let tail = self.add_block();
        self.layout.pop();
        let place = self.layout.iter().position(|&x| x == b).expect("a live block is laid out");
        self.layout.insert(place + 1, tail);
        let moved = self.block_mut(b).insts.split_off(at);
        for &v in &moved {
            self.home[v] = tail.into();
        }
        let pos = self.block(b).term_pos;
        let term = std::mem::replace(&mut self.block_mut(b).term, Terminator::Plain(tail));
        term.for_each_successor(|to| {
            for p in &mut self.block_mut(to).preds {
                if *p == b {
                    *p = tail;
                }
            }
        });
        let data = self.block_mut(tail);
        data.insts = moved;
        data.term = term;
        data.term_pos = pos;
        data.preds.push(b);
        tail
    }

    /// Sends the `edge`-th edge of `from` to another block, whose phis get `args` for it.
    pub fn redirect(&mut self, from: Block, edge: usize, to: Block, args: &[Value]) {
        let index = self.pred_index(from, edge);
        let old = self.term(from).successors()[edge];
        self.block_mut(old).preds.remove(index);
        let phis: SmallVec<[Value; 8]> = self.phis(old).collect();
        for phi in phis {
            self.insts[phi].args.remove(index);
        }
        *self.block_mut(from).term.successors_mut()[edge] = to;
        // Keep the k-th entry of `from` the k-th edge: insert behind the entries of earlier edges to `to`.
        let succs = self.term(from).successors();
        let nth = succs[..edge].iter().filter(|&&b| b == to).count();
        let later = self.preds(to).iter().enumerate().filter(|(_, p)| **p == from).nth(nth).map(|(i, _)| i);
        let at = later.unwrap_or(self.preds(to).len());
        self.block_mut(to).preds.insert(at, from);
        let phis: SmallVec<[Value; 8]> = self.phis(to).collect();
        for (phi, &arg) in phis.iter().zip(args) {
            self.insts[*phi].args.insert(at, arg);
        }
    }

    /// Removes an instruction from its block. Nothing may use it any more. Linear in the block: passes that
    /// remove much use [`Function::set_insts`] or [`Function::retain`].
    pub fn remove(&mut self, v: Value) {
        if let Some(b) = self.home(v) {
            self.block_mut(b).insts.retain(|&x| x != v);
            self.home[v] = PackedOption::default();
        }
    }

    /// Keeps the instructions of a block for which `keep` says so.
    pub fn retain(&mut self, b: Block, mut keep: impl FnMut(&Function, Value) -> bool) {
        let mut insts = std::mem::take(&mut self.block_mut(b).insts);
        insts.retain(|&v| {
            let kept = keep(self, v);
            if !kept {
                self.home[v] = PackedOption::default();
            }
            kept
        });
        self.block_mut(b).insts = insts;
    }

    /// Removes blocks: their outgoing edges, instructions and place in the layout. Their own incoming edges
    /// must come from one another only.
    pub fn remove_blocks(&mut self, dead: &[Block]) {
        for &b in dead {
            for to in self.block(b).term.successors() {
                self.remove_pred_edge(to, b);
            }
            self.block_mut(b).term = Terminator::Exit;
        }
        for &b in dead {
            let data = self.blocks[b].take().expect("a live block");
            for v in data.insts {
                self.home[v] = PackedOption::default();
            }
        }
        let blocks = &self.blocks;
        self.layout.retain(|&b| blocks[b].is_some());
    }

    /// Appends `next`, whose only edge comes from `b`'s `Plain`, to `b`. Phis of `next` must be gone.
    pub fn merge_into(&mut self, b: Block, next: Block) {
        let data = self.blocks[next].take().expect("a live block");
        self.layout.retain(|&x| x != next);
        for &v in &data.insts {
            self.home[v] = b.into();
        }
        data.term.for_each_successor(|to| {
            let target = if to == next { b } else { to };
            for p in &mut self.block_mut(target).preds {
                if *p == next {
                    *p = b;
                }
            }
        });
        let into = self.block_mut(b);
        into.insts.extend(data.insts);
        into.term = data.term;
        into.term_pos = data.term_pos;
    }

    /// Orders the blocks. `order` is a permutation of the layout that starts with the entry.
    pub fn set_layout(&mut self, order: Vec<Block>) {
        debug_assert_eq!(order.len(), self.layout.len());
        debug_assert_eq!(order.first(), self.layout.first());
        self.layout = order;
    }

    /// Replaces uses: every operand of every instruction and terminator becomes what `map` says. Linear in the
    /// function; collect replacements first and call it once.
    pub fn replace_uses(&mut self, mut map: impl FnMut(Value) -> Value) {
        for i in 0..self.layout.len() {
            let b = self.layout[i];
            let data = self.blocks[b].as_mut().expect("laid out blocks are live");
            for &v in &data.insts {
                for arg in &mut self.insts[v].args {
                    *arg = map(*arg);
                }
            }
            if let Some(v) = data.term.operand_mut() {
                *v = map(*v);
            }
        }
    }

    /// How often each value is used by instructions and terminators.
    pub fn use_counts(&self) -> SecondaryMap<Value, u32> {
        let mut counts = SecondaryMap::with_capacity(self.insts.len());
        for &b in &self.layout {
            let data = self.block(b);
            for &v in &data.insts {
                for &arg in &self.insts[v].args {
                    counts[arg] += 1;
                }
            }
            if let Some(v) = data.term.operand() {
                counts[v] += 1;
            }
        }
        counts
    }

    /// The operands of an instruction as an owned list, to change the function while looking at them.
    pub fn args_of(&self, v: Value) -> Args {
        self.insts[v].args.clone()
    }
}
