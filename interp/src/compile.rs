//! Translation of a function to its compact form, on its first call.

use std::collections::HashMap;
use std::collections::VecDeque;
use std::sync::Arc;

use cranelift_entity::{EntityRef, SecondaryMap};
use larrow_ir::{
    Aux, Block, FuncId, Function, MapId, Module, Op, PanicWith, Pos, RecvForm, RuntimeFn, RuntimeSig,
    SelectCase, SelectShape, Slot, Terminator, Type, TypeKind, Value,
};

use crate::channel::Elem;
use crate::code::{
    AtomicOp, BulkOp, Case, CmpOp, Code, ConvOp, Edge, FieldRef, FloatOp, HelperRef, Inst, IntOp,
    IntrinsicRef, KeyedOp, Kind, Print, QueueOp, SelectPlan, SizeOp, SlotSize, SwitchTable,
};
use crate::value::{Ptr, Region, RegionKind, Repr, Val, scalars};

/// Where a module's declarations live in this interpreter.
pub(crate) struct Places {
    /// Of each global, by its id.
    pub(crate) globals: Vec<Region>,
    /// The number of each map in its set, by its id.
    pub(crate) maps: Vec<u16>,
    /// The first value of each map that can be addressed without a lookup.
    pub(crate) direct: Vec<Option<u32>>,
}

/// The element that a channel type carries.
pub(crate) fn elem_of(module: &Module, chan: Type) -> Elem {
    let types = &module.decls.types;
    let elem = types.chan_parts(chan).map_or(Type::UNIT, |(elem, _)| elem);
    Elem { repr: Repr::of(types, elem), size: types.size(elem) }
}

/// Translates a function.
pub(crate) fn compile(module: &Module, places: &Places, id: FuncId) -> Code {
    let func = &module.funcs[id];
    let mut c = Compiler {
        module,
        places,
        func,
        code: empty(id, func),
        regs: SecondaryMap::new(),
        slots: SecondaryMap::new(),
        edge_targets: Vec::new(),
        scratch: 0,
    };
    c.assign_registers();
    c.assign_slots();
    let starts = c.emit_blocks();
    c.resolve_edges(&starts);
    c.code.registers += c.scratch;
    c.code
}

fn empty(id: FuncId, func: &Function) -> Code {
    Code {
        func: id,
        name: func.name.clone(),
        pos: func.pos,
        insts: Vec::new(),
        origins: Vec::new(),
        registers: 0,
        params: Vec::new(),
        slots: Vec::new(),
        args: Vec::new(),
        consts: Vec::new(),
        bounds: Vec::new(),
        edges: Vec::new(),
        moves: Vec::new(),
        switches: Vec::new(),
        selects: Vec::new(),
        elems: Vec::new(),
        names: Vec::new(),
        prints: Vec::new(),
        fields: Vec::new(),
        helpers: Vec::new(),
        intrinsics: Vec::new(),
    }
}

/// A value's registers.
#[derive(Clone, Copy, Default)]
struct Regs {
    first: u32,
    count: u32,
}

struct Compiler<'a> {
    module: &'a Module,
    places: &'a Places,
    func: &'a Function,
    code: Code,
    regs: SecondaryMap<Value, Regs>,
    slots: SecondaryMap<Slot, u32>,
    /// Of each edge: from which block, to which.
    edge_targets: Vec<(Block, Block)>,
    /// Registers behind the others for phis that exchange values.
    scratch: u32,
}

fn add<T>(list: &mut Vec<T>, item: T) -> u64 {
    list.push(item);
    list.len() as u64 - 1
}

impl Compiler<'_> {
    fn width(&self, ty: Type) -> u32 {
        let mut out = Vec::new();
        scalars(&self.module.decls.types, ty, &mut out);
        out.len() as u32
    }

    fn assign_registers(&mut self) {
        let func = self.func;
        let in_blocks = func.iter_insts().map(|(_, v)| v);
        for v in func.params.iter().copied().chain(in_blocks) {
            let inst = func.inst(v);
            let count = self.width(inst.ty);
            self.regs[v] = Regs { first: self.code.registers, count };
            let status = u32::from(matches!(inst.aux, Aux::Runtime(_)));
            self.code.registers += count + status;
        }
        let types = &self.module.decls.types;
        self.code.params = func.params.iter().map(|&p| Repr::of(types, func.ty(p))).collect();
    }

    fn assign_slots(&mut self) {
        for (slot, data) in self.func.slots() {
            self.slots[slot] = self.code.slots.len() as u32;
            self.code.slots.push(SlotSize(self.module.decls.types.size(data.ty)));
        }
    }

    fn emit_blocks(&mut self) -> SecondaryMap<Block, u32> {
        let mut starts = SecondaryMap::new();
        for &b in self.func.layout() {
            starts[b] = self.code.insts.len() as u32;
            for &v in &self.func.block(b).insts {
                if self.func.inst(v).op != Op::Phi {
                    let inst = self.inst(v);
                    self.push(inst, Some(v), self.func.inst(v).pos);
                }
            }
            let term = self.terminator(b);
            self.push(term, None, self.func.block(b).term_pos);
        }
        starts
    }

    fn push(&mut self, inst: Inst, v: Option<Value>, pos: Pos) {
        self.code.insts.push(inst);
        self.code.origins.push((v, pos));
    }

    // ---- edges -----------------------------------------------------------------------------------------------

    fn edge(&mut self, from: Block, to: Block) -> u64 {
        self.edge_targets.push((from, to));
        add(&mut self.code.edges, Edge { target: 0, first: 0, count: 0 })
    }

    /// Gives each edge its target and the moves of its phis. The k-th edge from a block to another is the k-th
    /// entry of the one in the other's list; edges were made in the order of the terminator's successors.
    fn resolve_edges(&mut self, starts: &SecondaryMap<Block, u32>) {
        let mut entries: HashMap<(Block, Block), VecDeque<usize>> = HashMap::new();
        for &to in self.func.layout() {
            for (index, &from) in self.func.preds(to).iter().enumerate() {
                entries.entry((from, to)).or_default().push_back(index);
            }
        }
        for n in 0..self.edge_targets.len() {
            let (from, to) = self.edge_targets[n];
            let index = entries.get_mut(&(from, to)).and_then(VecDeque::pop_front);
            let first = self.code.moves.len() as u32;
            if let Some(index) = index {
                self.phi_moves(to, index);
            }
            let count = self.code.moves.len() as u32 - first;
            self.code.edges[n] = Edge { target: starts[to], first, count };
        }
    }

    /// Phis read their operands all at once. Where a phi's register is another's operand, all go through
    /// scratch registers.
    fn phi_moves(&mut self, to: Block, index: usize) {
        let mut moves = Vec::new();
        for phi in self.func.phis(to) {
            let Some(&arg) = self.func.args(phi).get(index) else { continue };
            let (dst, src) = (self.regs[phi], self.regs[arg]);
            moves.extend((0..dst.count.min(src.count)).map(|i| (dst.first + i, src.first + i)));
        }
        moves.retain(|(dst, src)| dst != src);
        let written: std::collections::HashSet<u32> = moves.iter().map(|(dst, _)| *dst).collect();
        if moves.iter().any(|(_, src)| written.contains(src)) {
            let scratch = self.code.registers;
            self.scratch = self.scratch.max(moves.len() as u32);
            self.code.moves.extend(moves.iter().zip(scratch..).map(|(&(_, src), tmp)| (tmp, src)));
            self.code.moves.extend(moves.iter().zip(scratch..).map(|(&(dst, _), tmp)| (dst, tmp)));
        } else {
            self.code.moves.extend(moves);
        }
    }

    fn terminator(&mut self, b: Block) -> Inst {
        let func = self.func;
        match func.term(b) {
            Terminator::Plain(to) => Inst { imm: self.edge(b, *to), ..Inst::new(Kind::Jump) },
            Terminator::If { cond, then, other } => {
                let imm = self.edge(b, *then);
                self.edge(b, *other);
                Inst { a: self.regs[*cond].first, imm, ..Inst::new(Kind::Branch) }
            }
            Terminator::Switch { on, cases, default } => {
                let mut table: Vec<_> =
                    cases.iter().map(|&(value, to)| (value, self.edge(b, to) as u32)).collect();
                table.sort_unstable();
                let default = self.edge(b, *default) as u32;
                let imm = add(&mut self.code.switches, SwitchTable { cases: table, default });
                Inst { a: self.regs[*on].first, imm, ..Inst::new(Kind::Switch) }
            }
            Terminator::Ret(value) => {
                let regs = value.map_or(Regs::default(), |v| self.regs[v]);
                Inst { a: regs.first, b: regs.count, ..Inst::new(Kind::Ret) }
            }
            Terminator::Panic(PanicWith::Text(text)) => {
                Inst { imm: add(&mut self.code.names, text.clone()), ..Inst::new(Kind::PanicText) }
            }
            Terminator::Panic(PanicWith::Value(v)) => {
                let print = self.print(func.ty(*v));
                let imm = add(&mut self.code.prints, print);
                Inst { a: self.regs[*v].first, imm, ..Inst::new(Kind::PanicValue) }
            }
            Terminator::Exit => Inst::new(Kind::Exit),
        }
    }

    fn print(&self, ty: Type) -> Print {
        match self.module.decls.types.resolve(ty) {
            TypeKind::Bool => Print::Bool,
            TypeKind::Int { bits, signed: true } => Print::Signed(*bits),
            TypeKind::Int { signed: false, .. } => Print::Unsigned,
            TypeKind::Float { bits } => Print::Float(*bits),
            TypeKind::Unit
            | TypeKind::Ptr { .. }
            | TypeKind::Chan { .. }
            | TypeKind::Array { .. }
            | TypeKind::Struct { .. }
            | TypeKind::Tuple(_)
            | TypeKind::Func { .. }
            | TypeKind::Named(_)
            | TypeKind::Opaque(_) => Print::Pointer,
        }
    }

    // ---- instructions ----------------------------------------------------------------------------------------

    fn bits(&self, v: Value) -> u8 {
        self.module.decls.types.bits(self.func.ty(v)).unwrap_or(64) as u8
    }

    fn reg(&self, v: Value, arg: usize) -> u32 {
        self.func.args(v).get(arg).map_or(0, |&a| self.regs[a].first)
    }

    /// An instruction whose fields `a`, `b`, `c` are its operands' registers and `bits` the first operand's.
    fn plain(&self, kind: Kind, v: Value) -> Inst {
        let bits = self.func.args(v).first().map_or(64, |&a| self.bits(a));
        Inst {
            dst: self.regs[v].first,
            a: self.reg(v, 0),
            b: self.reg(v, 1),
            c: self.reg(v, 2),
            bits,
            ..Inst::new(kind)
        }
    }

    fn with_imm(&self, kind: Kind, v: Value, imm: u64) -> Inst {
        Inst { imm, ..self.plain(kind, v) }
    }

    /// An instruction with an operand list: every scalar of every operand.
    fn listed(&mut self, kind: Kind, v: Value, imm: u64) -> Inst {
        let first = self.code.args.len() as u32;
        for &arg in self.func.args(v) {
            let regs = self.regs[arg];
            self.code.args.extend(regs.first..regs.first + regs.count);
        }
        let count = self.code.args.len() as u32 - first;
        Inst { a: first, b: count, imm, dst: self.regs[v].first, ..Inst::new(kind) }
    }

    fn constant(&mut self, v: Value, val: Val) -> Inst {
        let imm = add(&mut self.code.consts, val);
        Inst { dst: self.regs[v].first, imm, ..Inst::new(Kind::Const) }
    }

    fn malformed(&mut self, v: Value, why: &str) -> Inst {
        let text = format!("{} {why}", self.func.inst(v).op);
        Inst { imm: add(&mut self.code.names, text.into()), ..Inst::new(Kind::Malformed) }
    }

    fn move_from(&self, v: Value, first: u32, count: u32) -> Inst {
        let kind = if count == 1 { Kind::Move } else { Kind::MoveMany };
        Inst { dst: self.regs[v].first, a: first, b: count, ..Inst::new(kind) }
    }

    fn repr(&self, v: Value) -> Repr {
        Repr::of(&self.module.decls.types, self.func.ty(v))
    }

    /// One arm per op: whoever adds an op is led here.
    fn inst(&mut self, v: Value) -> Inst {
        let func = self.func;
        let inst = func.inst(v);
        match inst.op {
            Op::Param | Op::Phi => self.malformed(v, "stands where it must not"),
            Op::Const => match inst.aux {
                Aux::Int(bits) | Aux::Float(bits) => self.constant(v, Val::Int(bits)),
                _ => self.constant(v, Val::Nil),
            },

            Op::Add => self.plain(Kind::Int(IntOp::Add), v),
            Op::Sub => self.plain(Kind::Int(IntOp::Sub), v),
            Op::Mul => self.plain(Kind::Int(IntOp::Mul), v),
            Op::Div => self.plain(Kind::Int(IntOp::Div), v),
            Op::DivU => self.plain(Kind::Int(IntOp::DivU), v),
            Op::Mod => self.plain(Kind::Int(IntOp::Mod), v),
            Op::ModU => self.plain(Kind::Int(IntOp::ModU), v),
            Op::And => self.plain(Kind::Int(IntOp::And), v),
            Op::Or => self.plain(Kind::Int(IntOp::Or), v),
            Op::Xor => self.plain(Kind::Int(IntOp::Xor), v),
            Op::Lsh => self.plain(Kind::Int(IntOp::Lsh), v),
            Op::Rsh => self.plain(Kind::Int(IntOp::Rsh), v),
            Op::RshU => self.plain(Kind::Int(IntOp::RshU), v),
            Op::Neg => self.plain(Kind::Int(IntOp::Neg), v),
            Op::Com => self.plain(Kind::Int(IntOp::Com), v),
            Op::Bswap => self.plain(Kind::Int(IntOp::Bswap), v),
            Op::Not => self.plain(Kind::Int(IntOp::Not), v),
            Op::AddF => self.plain(Kind::Float(FloatOp::Add), v),
            Op::SubF => self.plain(Kind::Float(FloatOp::Sub), v),
            Op::MulF => self.plain(Kind::Float(FloatOp::Mul), v),
            Op::DivF => self.plain(Kind::Float(FloatOp::Div), v),
            Op::NegF => self.plain(Kind::Float(FloatOp::Neg), v),

            Op::Eq => self.plain(Kind::Cmp(CmpOp::Eq), v),
            Op::Neq => self.plain(Kind::Cmp(CmpOp::Neq), v),
            Op::Less => self.plain(Kind::Cmp(CmpOp::Less), v),
            Op::Leq => self.plain(Kind::Cmp(CmpOp::Leq), v),
            Op::LessU => self.plain(Kind::Cmp(CmpOp::LessU), v),
            Op::LeqU => self.plain(Kind::Cmp(CmpOp::LeqU), v),
            Op::EqF => self.plain(Kind::Cmp(CmpOp::EqF), v),
            Op::NeqF => self.plain(Kind::Cmp(CmpOp::NeqF), v),
            Op::LessF => self.plain(Kind::Cmp(CmpOp::LessF), v),
            Op::LeqF => self.plain(Kind::Cmp(CmpOp::LeqF), v),

            Op::SignExt => self.convert(ConvOp::SignExt, v),
            Op::ZeroExt => self.convert(ConvOp::ZeroExt, v),
            Op::Trunc => self.convert(ConvOp::Trunc, v),
            Op::IntToFloat => self.convert(ConvOp::IntToFloat, v),
            Op::UintToFloat => self.convert(ConvOp::UintToFloat, v),
            Op::FloatToInt => self.convert(ConvOp::FloatToInt, v),
            Op::FloatToUint => self.convert(ConvOp::FloatToUint, v),
            Op::FloatCast => self.convert(ConvOp::FloatCast, v),

            Op::Copy => self.move_from(v, self.reg(v, 0), self.regs[v].count),
            Op::Extract => self.extract(v),
            Op::Tuple => self.listed(Kind::Gather, v, 0),
            Op::CondSelect => self.with_imm(Kind::CondSelect, v, u64::from(self.regs[v].count)),
            Op::Bounded => match inst.aux {
                Aux::Bounds { lo, hi } => {
                    let imm = add(&mut self.code.bounds, (lo, hi));
                    self.with_imm(Kind::Bounded, v, imm)
                }
                _ => self.malformed(v, "has no bounds"),
            },

            Op::LocalAddr => match inst.aux {
                Aux::Slot(slot) if func.slot(slot).is_some() => {
                    self.with_imm(Kind::LocalAddr, v, u64::from(self.slots[slot]))
                }
                _ => self.malformed(v, "has no slot"),
            },
            Op::GlobalAddr => match inst.aux {
                Aux::Global(id) => {
                    let region = self.places.globals.get(id.index()).copied().unwrap_or(Region::NULL);
                    self.constant(v, Val::Ptr(Ptr { region, offset: 0 }))
                }
                _ => self.malformed(v, "has no variable"),
            },
            Op::FuncAddr => match inst.aux {
                Aux::Func(id) => self.constant(v, Val::Func(id)),
                _ => self.malformed(v, "has no function"),
            },
            Op::PtrAdd => self.plain(Kind::PtrAdd, v),
            Op::Load => self.plain(Kind::Load(self.repr(v)), v),
            Op::Store => {
                let repr = func.args(v).get(1).map_or(Repr::None, |&x| self.repr(x));
                self.plain(Kind::Store(repr), v)
            }
            Op::MemCopy => self.sized(Kind::Bulk(BulkOp::Copy), v),
            Op::MemZero => self.sized(Kind::Bulk(BulkOp::Zero), v),
            Op::New => {
                let types = &self.module.decls.types;
                let size = types.pointee(inst.ty).map_or(0, |to| types.size(to));
                self.with_imm(Kind::Bulk(BulkOp::New), v, size)
            }

            Op::AtomicLoad => {
                Inst { bits: self.bits(v), ..self.with_imm(Kind::Atomic(AtomicOp::Load), v, 1) }
            }
            Op::AtomicStore => self.atomic(Kind::Atomic(AtomicOp::Store), v),
            Op::AtomicAdd => self.atomic(Kind::Atomic(AtomicOp::Add), v),
            Op::AtomicAnd => self.atomic(Kind::Atomic(AtomicOp::And), v),
            Op::AtomicOr => self.atomic(Kind::Atomic(AtomicOp::Or), v),
            Op::AtomicXor => self.atomic(Kind::Atomic(AtomicOp::Xor), v),
            Op::AtomicXchg => self.atomic(Kind::Atomic(AtomicOp::Xchg), v),
            Op::AtomicCas => self.atomic(Kind::Atomic(AtomicOp::Cas), v),
            Op::Sync => Inst::new(Kind::Sync),

            Op::Call => match inst.aux {
                Aux::Func(id) => self.listed(Kind::Call, v, id.index() as u64),
                _ => self.malformed(v, "has no callee"),
            },
            Op::CallIndirect => self.listed(Kind::CallIndirect, v, 0),
            Op::CallRuntime => match inst.aux {
                Aux::Runtime(function) => self.call_runtime(v, function),
                _ => self.malformed(v, "has no callee"),
            },
            Op::Intrinsic => match inst.aux {
                Aux::Intrinsic(id) => {
                    let mut result = Vec::new();
                    scalars(&self.module.decls.types, inst.ty, &mut result);
                    let imm = add(&mut self.code.intrinsics, IntrinsicRef { id, result });
                    self.listed(Kind::Intrinsic, v, imm)
                }
                _ => self.malformed(v, "has no declaration"),
            },
            Op::Status => match self.status_register(v) {
                Some(status) => self.move_from(v, status, 1),
                None => self.malformed(v, "is not asked of a call"),
            },
            Op::Outcome => match (&inst.aux, self.status_register(v)) {
                (Aux::Site(site), Some(status)) => {
                    Inst { a: status, imm: site.index() as u64, ..Inst::new(Kind::Outcome) }
                }
                _ => self.malformed(v, "is not asked of a call"),
            },

            Op::MakeChan => self.make_chan(v),
            Op::ChanAddr => match inst.aux {
                Aux::Chan(id) => self.constant(v, Val::Chan(id.index() as u32)),
                _ => self.malformed(v, "has no channel"),
            },
            Op::ChanSend => self.plain(Kind::ChanSend, v),
            Op::ChanRecv => {
                let into = u8::from(func.args(v).len() > 1 && inst.aux != Aux::Form(RecvForm::Discard));
                let elem = self.arg_elem(v, 0);
                let c = self.regs[v].count.saturating_sub(1);
                Inst { c, from: into, ..self.with_imm(Kind::ChanRecv, v, elem) }
            }
            Op::ChanClose => self.plain(Kind::ChanClose, v),
            Op::ChanLen => self.plain(Kind::ChanSize(SizeOp::Len), v),
            Op::ChanCap => self.plain(Kind::ChanSize(SizeOp::Cap), v),
            Op::Select => match &inst.aux {
                Aux::Select(shape) => self.select(v, shape),
                _ => self.malformed(v, "has no cases"),
            },
            Op::Go => self.plain(Kind::Go, v),

            Op::CallHelper => match &inst.aux {
                Aux::Name(name) => {
                    let helper = HelperRef { name: name.clone(), result: self.repr(v) };
                    let imm = add(&mut self.code.helpers, helper);
                    self.listed(Kind::CallHelper, v, imm)
                }
                _ => self.malformed(v, "has no name"),
            },
            Op::CtxLoad => match &inst.aux {
                Aux::Name(name) => self.ctx_load(v, name),
                _ => self.malformed(v, "has no field"),
            },
            Op::MapLookup => match inst.aux {
                Aux::Lookup { map, .. } => self.on_map(Kind::MapKeyed(KeyedOp::Lookup), v, map, 0),
                _ => self.malformed(v, "has no map"),
            },
            Op::MapUpdate => self.flagged(Kind::MapKeyed(KeyedOp::Update), v),
            Op::MapDelete => self.flagged(Kind::MapKeyed(KeyedOp::Delete), v),
            Op::MapPush => self.flagged(Kind::MapValueIo(QueueOp::Push), v),
            Op::MapPop => self.flagged(Kind::MapValueIo(QueueOp::Pop), v),
            Op::MapPeek => self.flagged(Kind::MapValueIo(QueueOp::Peek), v),
            Op::MapValue => match inst.aux {
                Aux::MapOffset { map, offset } => self.map_value(v, map, offset),
                _ => self.malformed(v, "has no map"),
            },
        }
    }

    fn convert(&self, op: ConvOp, v: Value) -> Inst {
        let inst = self.plain(Kind::Conv(op), v);
        Inst { from: inst.bits, bits: self.bits(v), ..inst }
    }

    fn extract(&mut self, v: Value) -> Inst {
        let (Aux::Index(index), Some(&tuple)) = (&self.func.inst(v).aux, self.func.args(v).first()) else {
            return self.malformed(v, "has no member");
        };
        let items = self.module.decls.types.tuple_items(self.func.ty(tuple));
        let before: u32 = items.iter().take(*index as usize).map(|&ty| self.width(ty)).sum();
        self.move_from(v, self.regs[tuple].first + before, self.regs[v].count)
    }

    fn sized(&mut self, kind: Kind, v: Value) -> Inst {
        match self.func.inst(v).aux {
            Aux::Size(size) => self.with_imm(kind, v, size),
            _ => self.malformed(v, "has no size"),
        }
    }

    fn atomic(&self, kind: Kind, v: Value) -> Inst {
        let bits = self.func.args(v).get(1).map_or(64, |&x| self.bits(x));
        Inst { bits, ..self.with_imm(kind, v, u64::from(self.regs[v].count)) }
    }

    fn call_runtime(&mut self, v: Value, function: RuntimeFn) -> Inst {
        let imm = match function.sig() {
            RuntimeSig::MakeChan => add(&mut self.code.elems, elem_of(self.module, self.func.ty(v))),
            RuntimeSig::Recv1 | RuntimeSig::Recv2 => self.arg_elem(v, 0),
            RuntimeSig::TryRecv => self.arg_elem(v, 1),
            RuntimeSig::Send
            | RuntimeSig::Close
            | RuntimeSig::Length
            | RuntimeSig::TrySend
            | RuntimeSig::SelectGo
            | RuntimeSig::Block
            | RuntimeSig::NewProc => 0,
        };
        Inst { c: self.regs[v].count, ..self.listed(Kind::CallRuntime(function), v, imm) }
    }

    /// The register of the status word that the operand of a `Status` or an `Outcome` yields. A runtime
    /// function that has become one of the module returns its status as its number.
    fn status_register(&self, v: Value) -> Option<u32> {
        let mut call = *self.func.args(v).first()?;
        while self.func.inst(call).op == Op::Copy {
            call = *self.func.args(call).first()?;
        }
        let regs = self.regs[call];
        match self.func.inst(call).aux {
            Aux::Runtime(_) => Some(regs.first + regs.count),
            _ => (regs.count > 0).then_some(regs.first),
        }
    }

    /// The element of the channel that an operand is.
    fn arg_elem(&mut self, v: Value, arg: usize) -> u64 {
        let ty = self.func.args(v).get(arg).map_or(Type::UNIT, |&chan| self.func.ty(chan));
        add(&mut self.code.elems, elem_of(self.module, ty))
    }

    fn make_chan(&mut self, v: Value) -> Inst {
        let imm = add(&mut self.code.elems, elem_of(self.module, self.func.ty(v)));
        let cap = self.func.args(v).first().map_or(Type::I64, |&cap| self.func.ty(cap));
        let signed = matches!(self.module.decls.types.resolve(cap), TypeKind::Int { signed: true, .. });
        Inst { b: u32::from(signed), ..self.with_imm(Kind::MakeChan, v, imm) }
    }

    fn select(&mut self, v: Value, shape: &SelectShape) -> Inst {
        let args = self.func.args(v);
        let first = self.regs[v].first;
        let items = self.module.decls.types.tuple_items(self.func.ty(v));
        let mut cases = Vec::with_capacity(shape.cases.len());
        let (mut next, mut member) = (first + 2, 2);
        for (case, operand, result) in shape.iter() {
            let wide = result.is_some() && items.get(member).is_some_and(|&ty| self.width(ty) > 0);
            member += usize::from(result.is_some());
            let recv = match case {
                SelectCase::Send => None,
                SelectCase::Recv(form) | SelectCase::RecvInto(form) => Some(form),
            };
            let operand_reg = (case.operands() == 2).then(|| args.get(operand + 1)).flatten();
            cases.push(Case {
                chan: args.get(operand).map_or(0, |&c| self.regs[c].first),
                operand: operand_reg.map(|&x| self.regs[x].first),
                recv,
                elem: elem_of(self.module, args.get(operand).map_or(Type::UNIT, |&c| self.func.ty(c))),
                result: wide.then_some(next),
            });
            next += u32::from(wide);
        }
        let sends = cases.iter().filter(|c| c.recv.is_none()).count();
        let by_gc_index = SelectPlan::gc_order(shape);
        let plan = SelectPlan { cases, by_gc_index, sends, has_default: shape.has_default };
        let imm = add(&mut self.code.selects, plan);
        Inst { dst: first, imm, ..Inst::new(Kind::Select) }
    }

    fn ctx_load(&mut self, v: Value, field: &Arc<str>) -> Inst {
        let types = &self.module.decls.types;
        let ty = self.func.args(v).first().map_or(Type::UNIT, |&ctx| self.func.ty(ctx));
        let ctx = match types.resolve(types.pointee(ty).unwrap_or(Type::UNIT)) {
            TypeKind::Opaque(name) => name.clone(),
            _ => Arc::from(""),
        };
        let repr = self.repr(v);
        let imm = add(&mut self.code.fields, FieldRef { ctx, field: field.clone(), repr });
        self.with_imm(Kind::CtxLoad, v, imm)
    }

    fn on_map(&self, kind: Kind, v: Value, map: MapId, flags: u32) -> Inst {
        let number = self.places.maps.get(map.index()).copied().unwrap_or(u16::MAX);
        Inst { c: flags, ..self.with_imm(kind, v, u64::from(number)) }
    }

    fn flagged(&mut self, kind: Kind, v: Value) -> Inst {
        match self.func.inst(v).aux {
            Aux::MapFlags { map, flags } => self.on_map(kind, v, map, flags),
            _ => self.malformed(v, "has no map"),
        }
    }

    fn map_value(&mut self, v: Value, map: MapId, offset: u32) -> Inst {
        match self.places.direct.get(map.index()).copied().flatten() {
            Some(index) => {
                let tag = self.places.maps[map.index()];
                let region = Region { kind: RegionKind::Map, tag, index };
                self.constant(v, Val::Ptr(Ptr { region, offset: i64::from(offset) }))
            }
            None => self.malformed(v, "needs an array of one element"),
        }
    }
}
