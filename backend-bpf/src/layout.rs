//! From blocks to a list of instructions: fallthrough, jumps over the right distance, relocations, lines.
//!
//! Blocks stand in reverse postorder. A block that only jumps is threaded through, one that only leaves is copied
//! to its jumps. A jump reaches 32767 slots; farther ones become `gotol` where the target has it. Elsewhere they go
//! by *islands*, jumps placed within reach and shared by all jumps to one target.

use larrow_ir::Pos;
use larrow_ir::cranelift_entity::packed_option::PackedOption;
use larrow_ir::{FuncId, Value};

use crate::frame::Frame;
use crate::isa::{AluOp, AtomicOp, Cond, Inst, Isa, Reg, Size, Src, Width};
use crate::mach::{Base, Callee, Label, MachFunc, MachInst, MachOp, Mem, Rhs, Symbol};

/// An instruction that refers to something outside its function.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reloc {
    /// The instruction's slot.
    pub slot: u32,
    /// What it refers to.
    pub symbol: Symbol,
}

/// Where the instructions from a slot on come from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CodeLine {
    /// The first instruction's slot.
    pub slot: u32,
    /// Its position in the source, as the IR has it.
    pub pos: Pos,
    /// The IR instruction.
    pub value: PackedOption<Value>,
}

/// A function's final instructions.
#[derive(Clone, Debug, Default)]
pub struct Code {
    /// The instructions.
    pub insts: Vec<Inst>,
    /// By slot.
    pub relocs: Vec<Reloc>,
    /// By slot, where they change.
    pub lines: Vec<CodeLine>,
}

impl Code {
    /// How many 8-byte slots the instructions take.
    pub fn slots(&self) -> usize {
        self.insts.iter().map(|i| i.slots()).sum()
    }
}

/// How far a jump is trusted to reach while things still move.
const REACH: usize = 32_000;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Item {
    Inst(Inst),
    Reloc(Inst, Symbol),
    /// `long`: 32 bits of distance.
    Jump {
        to: u32,
        long: bool,
    },
    Branch {
        cond: Cond,
        width: Width,
        lhs: Reg,
        rhs: Src,
        to: u32,
        long: bool,
    },
    /// Takes no room.
    Label(u32),
}

#[derive(Clone, Copy)]
struct Placed {
    item: Item,
    pos: Pos,
    value: PackedOption<Value>,
}

impl Item {
    fn slots(&self) -> usize {
        match self {
            Item::Inst(inst) | Item::Reloc(inst, _) => inst.slots(),
            Item::Jump { .. } | Item::Branch { long: false, .. } => 1,
            Item::Branch { cond, long: true, .. } => 2 + usize::from(*cond == Cond::Set),
            Item::Label(_) => 0,
        }
    }
    fn target(&self) -> Option<u32> {
        match self {
            Item::Jump { to, .. } | Item::Branch { to, .. } => Some(*to),
            Item::Inst(_) | Item::Reloc(..) | Item::Label(_) => None,
        }
    }
    fn ends_flow(&self) -> bool {
        match self {
            Item::Jump { .. } => true,
            Item::Inst(inst) => inst.ends_flow(),
            Item::Reloc(..) | Item::Branch { .. } | Item::Label(_) => false,
        }
    }
}

/// Makes the final instructions of a function.
pub fn assemble(func: &MachFunc<Reg>, frame: &Frame, isa: Isa) -> Code {
    let mut asm = Assembler { func, frame, isa, items: Vec::new(), labels: 0, threads: thread(func) };
    asm.labels = u32::try_from(func.blocks.len()).expect("fewer than 2³² blocks");
    asm.touch_frame();
    asm.place_blocks();
    asm.drop_unreached();
    asm.relax();
    asm.finish()
}

/// Where a jump to each block really leads.
fn thread(func: &MachFunc<Reg>) -> Vec<Label> {
    let mut threads: Vec<Label> = (0..).take(func.blocks.len()).map(Label).collect();
    // Successors of forward jumps are final when blocks are visited from the last on; the rest is a loop's.
    for i in (0..func.blocks.len()).rev() {
        if let [MachInst { op: MachOp::Jump { to, .. }, .. }] = func.blocks[i].insts.as_slice() {
            let end = threads[to.index()];
            if end.index() != i {
                threads[i] = end;
            }
        }
    }
    threads
}

struct Assembler<'a> {
    func: &'a MachFunc<Reg>,
    frame: &'a Frame,
    isa: Isa,
    items: Vec<Placed>,
    labels: u32,
    threads: Vec<Label>,
}

impl Assembler<'_> {
    fn push(&mut self, item: Item, inst: &MachInst<Reg>) {
        self.items.push(Placed { item, pos: inst.pos, value: inst.value });
    }

    /// Writes the far end of a frame from which addresses are passed to subprograms. The verifier allots a frame by
    /// what was written of it, and stops with an error of its own ("verifier bug: stack slot 0, total slots 0", seen
    /// on Linux 6.18) where a subprogram holds an address beyond that.
    fn touch_frame(&mut self) {
        let insts = || self.func.blocks.iter().flat_map(|b| &b.insts);
        let takes = insts().any(|i| matches!(i.op, MachOp::FrameAddress { .. }));
        let calls = insts().any(|i| matches!(i.op, MachOp::Call { callee: Callee::Func(_), .. }));
        if takes && calls {
            let end = i16::try_from(self.frame.size.next_multiple_of(8)).unwrap_or(i16::MAX);
            let item = Item::Inst(Inst::store(Size::DW, Reg::FP, -end, 0));
            let pos = insts().map(|i| i.pos).find(|&p| p != Pos::None).unwrap_or_default();
            self.items.push(Placed { item, pos, value: PackedOption::default() });
        }
    }

    /// The blocks that control reaches after threading, in order.
    fn reached(&self) -> Vec<usize> {
        let mut reached = vec![false; self.func.blocks.len()];
        let mut work = vec![self.threads[0].index()];
        while let Some(b) = work.pop() {
            if !std::mem::replace(&mut reached[b], true) {
                let succs = self.func.blocks[b].successors();
                work.extend(succs.iter().map(|l| self.threads[l.index()].index()));
            }
        }
        (0..reached.len()).filter(|&b| reached[b]).collect()
    }

    /// Moves each block that leaves the function behind the last block that jumps to it, so that one falls through.
    fn exits_behind_jumps(&self, order: Vec<usize>) -> Vec<usize> {
        let blocks = &self.func.blocks;
        let leaves = |b: usize| matches!(blocks[b].insts.last().map(|i| &i.op), Some(MachOp::Ret(_)));
        let mut behind: Vec<Option<usize>> = vec![None; blocks.len()];
        let mut jumper: Vec<Option<usize>> = vec![None; blocks.len()];
        for &b in &order {
            if let Some(MachOp::Jump { to, .. }) = blocks[b].insts.last().map(|i| &i.op) {
                let to = self.thread(*to);
                if leaves(to) && to != self.threads[0].index() {
                    if let Some(old) = jumper[to].replace(b) {
                        behind[old] = None;
                    }
                    behind[b] = Some(to);
                }
            }
        }
        let mut out = Vec::with_capacity(order.len());
        for b in order {
            if jumper[b].is_none() {
                out.push(b);
                out.extend(behind[b]);
            }
        }
        out
    }

    fn place_blocks(&mut self) {
        let mut order = self.exits_behind_jumps(self.reached());
        // An entry that only jumps is threaded too: its target then comes first.
        if let Some(at) = order.iter().position(|&b| b == self.threads[0].index()) {
            order[..=at].rotate_right(1);
        }
        for (i, &b) in order.iter().enumerate() {
            let next = order.get(i + 1).copied();
            self.items.push(Placed {
                item: Item::Label(u32::try_from(b).expect("fewer than 2³² blocks")),
                pos: Pos::None,
                value: PackedOption::default(),
            });
            let func = self.func;
            for inst in &func.blocks[b].insts {
                self.place(inst, next);
            }
        }
    }

    /// Drops a block that only leaves the function once every jump to it has become the exit itself: the kernel
    /// refuses code that nothing reaches.
    fn drop_unreached(&mut self) {
        let mut targets = vec![false; self.labels as usize];
        for placed in &self.items {
            if let Some(to) = placed.item.target() {
                targets[to as usize] = true;
            }
        }
        let mut reached = true;
        self.items.retain(|placed| {
            if let Item::Label(label) = placed.item {
                reached |= targets[label as usize];
            }
            let keep = reached;
            reached &= !placed.item.ends_flow();
            keep
        });
    }

    fn thread(&self, label: Label) -> usize {
        self.threads[label.index()].index()
    }

    /// A jump, or what stands there if that only leaves the function.
    fn place_jump(&mut self, to: usize, inst: &MachInst<Reg>) {
        let func = self.func;
        if let [only @ MachInst { op: MachOp::Ret(_), .. }] = func.blocks[to].insts.as_slice() {
            return self.push(Item::Inst(Inst::exit()), only);
        }
        self.push(Item::Jump { to: u32::try_from(to).expect("fewer than 2³² blocks"), long: false }, inst);
    }

    fn place_branch(
        &mut self,
        inst: &MachInst<Reg>,
        (mut cond, width): (Cond, Width),
        (lhs, rhs): (Reg, Rhs<Reg>),
        (mut then, mut other): (usize, usize),
        next: Option<usize>,
    ) {
        if then == other {
            if next != Some(then) {
                self.place_jump(then, inst);
            }
            return;
        }
        let available = |c: &Cond| match c {
            Cond::Lt | Cond::Le | Cond::Slt | Cond::Sle => self.isa.has_jmp_lt(),
            _ => true,
        };
        if next == Some(then)
            && let Some(inverse) = cond.inverse().filter(available)
        {
            cond = inverse;
            std::mem::swap(&mut then, &mut other);
        }
        let rhs = match rhs {
            Rhs::Reg(reg) => Src::Reg(reg),
            Rhs::Imm(imm) => Src::Imm(imm),
        };
        let to = u32::try_from(then).expect("fewer than 2³² blocks");
        self.push(Item::Branch { cond, width, lhs, rhs, to, long: false }, inst);
        if next != Some(other) {
            self.place_jump(other, inst);
        }
    }

    fn memory(&self, mem: Mem<Reg>) -> (Reg, i16) {
        let (base, off) = match mem.base {
            Base::Reg(reg) => (reg, mem.off),
            Base::Slot(slot) => (Reg::FP, self.frame.slot(slot).saturating_add(mem.off)),
            Base::Spill(n) => (Reg::FP, self.frame.spill(n).saturating_add(mem.off)),
        };
        // A frame too large for this has been refused before.
        (base, i16::try_from(off).unwrap_or(i16::MIN))
    }

    fn place(&mut self, inst: &MachInst<Reg>, next: Option<usize>) {
        let one = |i: Inst| Item::Inst(i);
        let item = match inst.op {
            MachOp::Params(_) => return,
            MachOp::MovImm { dst, imm } => one(self.constant(dst, imm)),
            MachOp::Mov { width: Width::W64, dst, src } if dst == src => return,
            MachOp::Mov { width, dst, src } => one(Inst::alu(AluOp::Mov, width, dst, src)),
            MachOp::MovSx { how, dst, src } => one(Inst::movsx(how, dst, src)),
            MachOp::Address { dst, symbol } => Item::Reloc(Inst::load_imm64(dst, 0), symbol),
            MachOp::FrameAddress { dst, slot, off } => {
                self.push(one(Inst::mov64(dst, Reg::FP)), inst);
                one(Inst::alu64(AluOp::Add, dst, self.frame.slot(slot).saturating_add(off)))
            }
            MachOp::Alu { op, width, dst, rhs, .. } => one(match rhs {
                Rhs::Reg(reg) => Inst::alu(op, width, dst, reg),
                Rhs::Imm(imm) => Inst::alu(op, width, dst, imm),
            }),
            MachOp::Neg { width, dst, .. } => one(Inst::neg(width, dst)),
            MachOp::Endian { order, bits, dst, .. } => one(Inst::endian(order, bits, dst)),
            MachOp::Load { size, dst, mem } => {
                let (base, off) = self.memory(mem);
                one(Inst::load(size, dst, base, off))
            }
            MachOp::LoadSx { size, dst, mem } => {
                let (base, off) = self.memory(mem);
                one(Inst::load_sx(size, dst, base, off))
            }
            MachOp::LoadAcquire { size, dst, mem } => {
                let (base, off) = self.memory(mem);
                one(Inst::load_acquire(size, dst, base, off))
            }
            MachOp::Store { size, mem, src } => {
                let (base, off) = self.memory(mem);
                one(match src {
                    Rhs::Reg(reg) => Inst::store(size, base, off, reg),
                    Rhs::Imm(imm) => Inst::store(size, base, off, imm),
                })
            }
            MachOp::Atomic { op, width, mem, src } | MachOp::AtomicFetch { op, width, mem, src, .. } => {
                let (base, off) = self.memory(mem);
                one(Inst::atomic(op, width, base, off, src))
            }
            MachOp::CmpXchg { width, mem, new, .. } => {
                let (base, off) = self.memory(mem);
                one(Inst::atomic(AtomicOp::CmpXchg, width, base, off, new))
            }
            MachOp::Call { callee: Callee::Helper(helper), .. } => one(Inst::call_helper(helper.id)),
            MachOp::Call { callee: Callee::Func(id), .. } => call(id),
            MachOp::Jump { to, .. } => {
                let to = self.thread(to);
                if next != Some(to) {
                    self.place_jump(to, inst);
                }
                return;
            }
            MachOp::Branch { cond, width, lhs, rhs, then, other } => {
                let targets = (self.thread(then), self.thread(other));
                return self.place_branch(inst, (cond, width), (lhs, rhs), targets, next);
            }
            MachOp::Ret(_) => one(Inst::exit()),
        };
        self.push(item, inst);
    }

    /// A constant, in one slot if it can.
    fn constant(&self, dst: Reg, imm: i64) -> Inst {
        match (i32::try_from(imm), u32::try_from(imm)) {
            (Ok(imm), Ok(_)) if self.isa.has_alu32() => Inst::mov32(dst, imm),
            (Ok(imm), _) => Inst::mov64(dst, imm),
            (Err(_), Ok(imm)) if self.isa.has_alu32() => Inst::mov32(dst, imm.cast_signed()),
            (Err(_), _) => Inst::load_imm64(dst, imm),
        }
    }

    // ---- distances -------------------------------------------------------------------------------------------

    /// The slot of each item, and of each label.
    fn positions(&self) -> (Vec<usize>, Vec<usize>) {
        let mut labels = vec![0; self.labels as usize];
        let mut at = 0;
        let items = self.items.iter().map(|placed| {
            if let Item::Label(label) = placed.item {
                labels[label as usize] = at;
            }
            let here = at;
            at += placed.item.slots();
            here
        });
        let items = items.collect();
        (items, labels)
    }

    /// Lengthens jumps until each reaches its target. Lengthening moves others, so this repeats; every round
    /// lengthens a jump for good or brings one nearer to its target.
    fn relax(&mut self) {
        loop {
            let (at, labels) = self.positions();
            if at.last().is_none_or(|&last| last < REACH) {
                return;
            }
            let far: Vec<usize> = (0..self.items.len())
                .filter(|&i| {
                    let item = &self.items[i].item;
                    let long =
                        matches!(item, Item::Jump { long: true, .. } | Item::Branch { long: true, .. });
                    !long && item.target().is_some_and(|to| labels[to as usize].abs_diff(at[i]) >= REACH)
                })
                .collect();
            if far.is_empty() {
                return;
            }
            if self.isa.has_gotol() {
                for i in far {
                    if let Item::Jump { long, .. } | Item::Branch { long, .. } = &mut self.items[i].item {
                        *long = true;
                    }
                }
            } else {
                self.add_islands(&far, &at, &labels);
            }
        }
    }

    /// Gives each of the far jumps a jump to its target within reach.
    fn add_islands(&mut self, far: &[usize], at: &[usize], labels: &[usize]) {
        struct Island {
            slot: usize,
            before: usize,
            to: u32,
            label: u32,
        }
        let mut islands: Vec<Island> = Vec::new();
        for &i in far {
            let to = self.items[i].item.target().expect("a jump");
            let forward = labels[to as usize] > at[i];
            let known = islands.iter().rev().find(|island| {
                island.to == to && island.slot.abs_diff(at[i]) < REACH && (island.slot > at[i]) == forward
            });
            let label = match known {
                Some(island) => island.label,
                None => {
                    let wish = if forward { at[i] + REACH - 1000 } else { at[i] + 1000 - REACH };
                    let before = self.boundary(at.partition_point(|&slot| slot < wish));
                    let label = self.labels;
                    self.labels += 2;
                    islands.push(Island { slot: at[before], before, to, label });
                    label
                }
            };
            if let Item::Jump { to, .. } | Item::Branch { to, .. } = &mut self.items[i].item {
                *to = label;
            }
        }
        islands.sort_by_key(|island| island.before);
        let old = std::mem::take(&mut self.items);
        let mut rest = islands.iter().peekable();
        for (i, placed) in old.into_iter().enumerate() {
            while let Some(island) = rest.next_if(|island| island.before == i) {
                let plain = |item| Placed { item, pos: Pos::None, value: PackedOption::default() };
                let falls = self.items.last().is_some_and(|p| !p.item.ends_flow());
                if falls {
                    self.items.push(plain(Item::Jump { to: island.label + 1, long: false }));
                }
                self.items.push(plain(Item::Label(island.label)));
                self.items.push(plain(Item::Jump { to: island.to, long: false }));
                self.items.push(plain(Item::Label(island.label + 1)));
            }
            self.items.push(placed);
        }
    }

    /// The index near `i` of an item that nothing falls through to, else `i`.
    fn boundary(&self, i: usize) -> usize {
        let near = (i.saturating_sub(500)..i).rev();
        near.into_iter().find(|&j| j > 0 && self.items[j - 1].item.ends_flow()).unwrap_or(i)
    }

    // ---- the end ---------------------------------------------------------------------------------------------

    fn finish(self) -> Code {
        let (at, labels) = self.positions();
        let mut code = Code { insts: Vec::with_capacity(self.items.len()), ..Code::default() };
        let mut last = (Pos::None, PackedOption::default());
        for (placed, &slot) in self.items.iter().zip(&at) {
            if matches!(placed.item, Item::Label(_)) {
                continue;
            }
            let here = (placed.pos, placed.value);
            let slot32 = u32::try_from(slot).expect("fewer than 2³² slots");
            if here != last && placed.pos != Pos::None || code.insts.is_empty() {
                code.lines.push(CodeLine { slot: slot32, pos: placed.pos, value: placed.value });
                last = here;
            }
            if let Item::Reloc(_, symbol) = placed.item {
                code.relocs.push(Reloc { slot: slot32, symbol });
            }
            emit(&placed.item, slot, &labels, &mut code.insts);
        }
        code
    }
}

fn call(id: FuncId) -> Item {
    Item::Reloc(Inst::call_subprogram(-1), Symbol::Call(id))
}

/// Writes an item's instructions; `slot` is its own.
fn emit(item: &Item, slot: usize, labels: &[usize], out: &mut Vec<Inst>) {
    let distance = |to: u32, from: usize| {
        let target = i64::try_from(labels[to as usize]).expect("few slots");
        i32::try_from(target - i64::try_from(from + 1).expect("few slots")).expect("fewer than 2³¹ slots")
    };
    let short = |to: u32| i16::try_from(distance(to, slot)).expect("relaxation ended with jumps in reach");
    match *item {
        Item::Inst(inst) | Item::Reloc(inst, _) => out.push(inst),
        Item::Jump { to, long: false } => out.push(Inst::jump(short(to))),
        Item::Jump { to, long: true } => out.push(Inst::jump_long(distance(to, slot))),
        Item::Branch { cond, width, lhs, rhs, to, long: false } => {
            out.push(Inst::branch(cond, width, lhs, rhs, short(to)));
        }
        Item::Branch { cond, width, lhs, rhs, to, long: true } => match cond.inverse() {
            Some(inverse) => {
                out.push(Inst::branch(inverse, width, lhs, rhs, 1));
                out.push(Inst::jump_long(distance(to, slot + 1)));
            }
            None => {
                out.push(Inst::branch(cond, width, lhs, rhs, 1));
                out.push(Inst::jump(1));
                out.push(Inst::jump_long(distance(to, slot + 2)));
            }
        },
        Item::Label(_) => {}
    }
}
