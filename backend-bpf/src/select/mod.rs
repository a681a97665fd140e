//! Instruction selection: legalized IR to machine instructions over virtual registers.
//!
//! Blocks are walked in postorder and each block from its end, so that every use is met before its definition. A
//! value that nobody asked for in a register is never computed: comparisons fused into branches, offsets folded
//! into addresses and constants folded into immediates vanish without a later clean-up.
//!
//! **Representation.** An integer narrower than 64 bits stands zero-extended in its register, a bool is 0 or 1.
//! A use says how much of that it needs ([`Need`]): where every use of a value looks at its low bits only, the
//! bits above are left as they fall.
//!
//! **Sunk to their uses**, because the allocator does not rematerialize: constants, addresses of stack slots, and
//! addresses of maps and variables with a single use.
//!
//! **Invariant:** the verifier can follow what comes out: pointers move by 64-bit additions only, a context is
//! read at its own register plus a constant, and memory operations keep their order.

mod address;
mod bits;
mod call;
mod compare;
mod int;

use larrow_ir::cranelift_entity::SecondaryMap;
use larrow_ir::cranelift_entity::packed_option::{PackedOption, ReservedValue};
use larrow_ir::{Aux, Block, Decls, Diagnostic, Entity, FuncId, Function, Op, Pos, Terminator, Value};
use smallvec::SmallVec;

use crate::TargetOptions;
use crate::ctx::Section;
use crate::isa::{Isa, Reg, Size, Width};
use crate::mach::{Label, MachBlock, MachFunc, MachInst, MachOp, Rhs, Symbol, VReg};

/// What a use needs of the register that holds an integer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Need {
    /// The value, zero-extended.
    Full,
    /// The bits of the value's own width; anything may stand above.
    Low,
}

/// What selection knows of its surroundings.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Context<'a> {
    pub(crate) decls: &'a Decls,
    pub(crate) options: &'a TargetOptions,
    /// The kind of program, for an entry function.
    pub(crate) section: Option<&'static Section>,
}

/// Selects instructions for a function.
///
/// # Errors
/// A located diagnostic for each instruction that legalization should have removed.
pub(crate) fn select(
    id: FuncId,
    func: &Function,
    context: Context<'_>,
) -> Result<MachFunc<VReg>, Vec<Diagnostic>> {
    let order = reverse_postorder(func);
    let mut selector = Selector::new(id, func, context, &order);
    let mut blocks = Vec::with_capacity(order.len());
    for &b in order.iter().rev() {
        blocks.push(selector.block(b));
    }
    blocks.reverse();
    if selector.errors.is_empty() {
        Ok(MachFunc { id, blocks, vregs: selector.vregs, spills: 0 })
    } else {
        Err(selector.errors)
    }
}

/// The reachable blocks, each before the blocks that it dominates.
pub(crate) fn reverse_postorder(func: &Function) -> Vec<Block> {
    let mut seen = vec![false; func.num_blocks()];
    let mut order = Vec::with_capacity(func.layout().len());
    let mut stack = vec![(func.entry(), func.term(func.entry()).successors())];
    seen[func.entry().as_u32() as usize] = true;
    while let Some((b, rest)) = stack.last_mut() {
        // Successors are taken from the last on, so that a branch's first target comes first in the result.
        match rest.pop() {
            Some(next) if !seen[next.as_u32() as usize] => {
                seen[next.as_u32() as usize] = true;
                stack.push((next, func.term(next).successors()));
            }
            Some(_) => {}
            None => {
                order.push(*b);
                stack.pop();
            }
        }
    }
    order.reverse();
    order
}

pub(crate) struct Selector<'a> {
    id: FuncId,
    func: &'a Function,
    context: Context<'a>,
    isa: Isa,
    labels: SecondaryMap<Block, PackedOption<LabelIndex>>,
    /// How many low bits of each value may be set.
    bits: SecondaryMap<Value, u8>,
    uses: SecondaryMap<Value, u32>,
    /// The register of each value that some use asked for.
    regs: SecondaryMap<Value, PackedOption<RegIndex>>,
    /// Whether some use needs it zero-extended.
    full: SecondaryMap<Value, bool>,
    /// For a load whose only use extends its sign: the extension.
    extended_by: SecondaryMap<Value, PackedOption<Value>>,
    vregs: u32,
    /// What the current instruction became so far, in order.
    seq: Vec<MachInst<VReg>>,
    current: PackedOption<Value>,
    pos: Pos,
    errors: Vec<Diagnostic>,
}

/// A label or a register number that may be absent, in four bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct LabelIndex(u32);
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct RegIndex(u32);

impl ReservedValue for LabelIndex {
    fn reserved_value() -> Self {
        LabelIndex(u32::MAX)
    }
    fn is_reserved_value(&self) -> bool {
        self.0 == u32::MAX
    }
}
impl ReservedValue for RegIndex {
    fn reserved_value() -> Self {
        RegIndex(u32::MAX)
    }
    fn is_reserved_value(&self) -> bool {
        self.0 == u32::MAX
    }
}

impl<'a> Selector<'a> {
    fn new(id: FuncId, func: &'a Function, context: Context<'a>, order: &[Block]) -> Selector<'a> {
        let mut labels = SecondaryMap::with_capacity(func.num_blocks());
        for (i, &b) in (0..).zip(order) {
            labels[b] = LabelIndex(i).into();
        }
        let n = func.num_values();
        let mut uses = func.use_counts();
        count_folded(func, order, &mut uses);
        Selector {
            id,
            func,
            context,
            isa: context.options.isa,
            labels,
            bits: bits::known_bits(func, context.decls, order),
            uses,
            regs: SecondaryMap::with_capacity(n),
            full: SecondaryMap::with_capacity(n),
            extended_by: SecondaryMap::with_capacity(n),
            vregs: 0,
            seq: Vec::new(),
            current: PackedOption::default(),
            pos: Pos::None,
            errors: Vec::new(),
        }
    }

    // ---- registers -------------------------------------------------------------------------------------------

    fn temp(&mut self) -> VReg {
        self.vregs += 1;
        VReg { index: self.vregs - 1, value: PackedOption::default() }
    }

    /// The register that holds `v` itself, not what it stands for.
    fn own_reg(&mut self, v: Value) -> VReg {
        let index = match self.regs[v].expand() {
            Some(RegIndex(index)) => index,
            None => {
                self.vregs += 1;
                self.regs[v] = RegIndex(self.vregs - 1).into();
                self.vregs - 1
            }
        };
        VReg { index, value: v.into() }
    }

    /// Whether a use asked for `v` in a register.
    fn wanted(&self, v: Value) -> bool {
        self.regs[v].is_some()
    }

    /// A register that holds `v`: its own, that of the value it stands for, or one made here and now.
    pub(crate) fn reg(&mut self, v: Value, need: Need) -> VReg {
        let (v, need) = self.root(v, need);
        if let Some(imm) = self.constant(v) {
            return self.imm_reg(imm.cast_signed());
        }
        if let Some(dst) = self.sunk(v) {
            return dst;
        }
        if need == Need::Full {
            self.full[v] = true;
        }
        self.own_reg(v)
    }

    /// A register with a constant.
    fn imm_reg(&mut self, imm: i64) -> VReg {
        let dst = self.temp();
        self.push(MachOp::MovImm { dst, imm });
        dst
    }

    /// The value whose register can serve for `v`, and what is then needed of it: what is widened without a
    /// change, or narrowed for a use that does not look at the bits above.
    fn root(&self, mut v: Value, mut need: Need) -> (Value, Need) {
        loop {
            let inst = self.func.inst(v);
            let next = match inst.op {
                Op::ZeroExt => Some(Need::Full),
                Op::Trunc if need == Need::Low => Some(Need::Low),
                Op::Trunc if self.bits[inst.args[0]] <= self.width(v) => Some(Need::Full),
                Op::SignExt if self.bits[inst.args[0]] < self.width(inst.args[0]) => Some(Need::Full),
                // A truth value compared to false is itself.
                Op::Neq if self.constant(inst.args[1]) == Some(0) && self.bits[inst.args[0]] <= 1 => {
                    Some(Need::Full)
                }
                Op::PtrAdd if self.constant(inst.args[1]) == Some(0) => Some(Need::Full),
                _ => None,
            };
            let Some(next) = next else { return (v, need) };
            (v, need) = (inst.args[0], next);
        }
    }

    /// The bits of a constant, seen through widening.
    fn constant(&self, v: Value) -> Option<u64> {
        let inst = self.func.inst(v);
        match (inst.op, &inst.aux) {
            (Op::Const, Aux::Int(bits)) => Some(*bits),
            (Op::Const, Aux::Nil) => Some(0),
            (Op::ZeroExt, _) => self.constant(inst.args[0]),
            _ => None,
        }
    }

    /// Computes here what is sunk to its uses.
    fn sunk(&mut self, v: Value) -> Option<VReg> {
        if let Some((slot, off)) = self.stack_address(v) {
            let dst = self.temp();
            self.push(MachOp::FrameAddress { dst, slot, off });
            return Some(dst);
        }
        let symbol = self.symbol(v).filter(|_| self.uses[v] == 1)?;
        let dst = self.temp();
        self.push(MachOp::Address { dst, symbol });
        Some(dst)
    }

    fn symbol(&self, v: Value) -> Option<Symbol> {
        let inst = self.func.inst(v);
        match (inst.op, &inst.aux) {
            (Op::MapValue, Aux::MapOffset { map, offset }) => Some(Symbol::MapValue(*map, *offset)),
            (Op::GlobalAddr, Aux::Global(g)) => Some(Symbol::Global(*g)),
            (Op::FuncAddr, Aux::Func(id)) => Some(Symbol::Func(*id)),
            _ => None,
        }
    }

    // ---- types -----------------------------------------------------------------------------------------------

    /// The width of a value in bits: a bool has 1, a pointer 64.
    fn width(&self, v: Value) -> u8 {
        type_width(self.context.decls, self.func.ty(v))
    }

    /// How much memory a value of this width takes.
    fn size_of(width: u8) -> Size {
        match width {
            0..=8 => Size::B,
            9..=16 => Size::H,
            17..=32 => Size::W,
            33..=u8::MAX => Size::DW,
        }
    }

    /// The operation width for values of so many bits.
    fn exec(&self, width: u8) -> Width {
        if width <= 32 && self.isa.has_alu32() { Width::W32 } else { Width::W64 }
    }

    // ---- blocks ----------------------------------------------------------------------------------------------

    fn push(&mut self, op: MachOp<VReg>) {
        self.seq.push(MachInst { op, value: self.current, pos: self.pos });
    }

    fn label(&self, b: Block) -> Label {
        Label(self.labels[b].expand().expect("a successor is reachable").0)
    }

    fn error(&mut self, v: Value, message: impl Into<String>) {
        let entity = Entity::Value(self.id, v);
        self.errors.push(Diagnostic::error(message).on(entity).at(self.func.inst(v).pos));
    }

    fn block(&mut self, b: Block) -> MachBlock<VReg> {
        let data = self.func.block(b);
        let mut insts = Vec::with_capacity(data.insts.len() + 2);
        self.current = PackedOption::default();
        self.pos = data.term_pos;
        self.terminator(b, &data.term);
        self.flush(&mut insts);
        for &v in data.insts.iter().rev() {
            let inst = self.func.inst(v);
            if inst.op == Op::Phi {
                break;
            }
            self.current = v.into();
            self.pos = inst.pos;
            if self.wanted(v) || !self.context.decls.effects(inst).droppable() {
                self.lower(v);
                self.flush(&mut insts);
            }
        }
        if b == self.func.entry() {
            self.pos = self.func.pos;
            self.current = PackedOption::default();
            let params = self.func.params.iter().map(|&p| self.own_reg(p)).collect();
            self.push(MachOp::Params(params));
            self.flush(&mut insts);
        }
        insts.reverse();
        let phis: SmallVec<[Value; 8]> = self.func.phis(b).collect();
        let params = phis.iter().map(|&phi| self.own_reg(phi)).collect();
        MachBlock { block: b, params, insts }
    }

    /// Moves the current instruction's sequence to the block, which grows backwards.
    fn flush(&mut self, insts: &mut Vec<MachInst<VReg>>) {
        insts.extend(self.seq.drain(..).rev());
    }

    fn terminator(&mut self, b: Block, term: &Terminator) {
        match term {
            Terminator::Plain(to) => self.jump(b, *to),
            Terminator::If { cond, then, other } => self.branch(*cond, *then, *other),
            Terminator::Ret(value) => {
                let value = value.filter(|&v| self.context.decls.types.is_scalar(self.func.ty(v)));
                let result = match value {
                    Some(v) => Some(self.reg(v, Need::Full)),
                    // The kernel wants a number in R0 at every exit: whatever is left there may be an address.
                    None => Some(self.imm_reg(0)),
                };
                self.push(MachOp::Ret(result));
            }
            Terminator::Switch { .. } | Terminator::Panic(_) | Terminator::Exit => {
                let message = "this block's end was not legalized".to_string();
                self.errors.push(Diagnostic::error(message).on(Entity::Block(self.id, b)).at(self.pos));
                self.push(MachOp::Ret(None));
            }
        }
    }

    fn jump(&mut self, b: Block, to: Block) {
        let index = self.func.pred_index(b, 0);
        let phis: SmallVec<[Value; 8]> = self.func.phis(to).collect();
        let args = phis.iter().map(|&phi| self.reg(self.func.args(phi)[index], Need::Full)).collect();
        let to = self.label(to);
        self.push(MachOp::Jump { to, args });
    }

    // ---- instructions ----------------------------------------------------------------------------------------

    fn lower(&mut self, v: Value) {
        let op = self.func.inst(v).op;
        match op {
            // Asked for by a use, these are made there.
            Op::Const | Op::Param | Op::Phi | Op::LocalAddr => {}
            Op::Add | Op::Sub | Op::Mul => self.wrapping(v),
            Op::And | Op::Or | Op::Xor => self.bitwise(v),
            Op::DivU | Op::ModU => self.divide(v),
            Op::Div | Op::Mod => self.divide_signed(v),
            Op::Lsh => self.shift_left(v),
            Op::RshU => self.shift_right(v),
            Op::Rsh => self.shift_right_signed(v),
            Op::Neg => self.negate(v),
            Op::Com => self.complement(v),
            Op::Bswap => self.swap_bytes(v),
            Op::Not => {
                let (dst, lhs) = (self.own_reg(v), self.reg(self.func.args(v)[0], Need::Full));
                self.alu_imm(crate::isa::AluOp::Xor, self.exec(1), dst, lhs, 1);
            }
            Op::Eq | Op::Neq | Op::Less | Op::Leq | Op::LessU | Op::LeqU => self.compare_value(v),
            Op::SignExt => self.sign_extend(v),
            Op::ZeroExt => {
                let (dst, src) = (self.own_reg(v), self.reg(self.func.args(v)[0], Need::Full));
                self.push(MachOp::Mov { width: Width::W64, dst, src });
            }
            Op::Trunc => self.truncate(v),
            Op::Copy => {
                let (dst, src) = (self.own_reg(v), self.reg(self.func.args(v)[0], Need::Full));
                self.push(MachOp::Mov { width: Width::W64, dst, src });
            }
            Op::GlobalAddr | Op::FuncAddr | Op::MapValue => {
                if let Some(symbol) = self.symbol(v) {
                    let dst = self.own_reg(v);
                    self.push(MachOp::Address { dst, symbol });
                }
            }
            Op::PtrAdd => self.pointer_add(v),
            Op::Load => self.load(v),
            Op::Store => self.store(v),
            Op::AtomicAdd | Op::AtomicAnd | Op::AtomicOr | Op::AtomicXor | Op::AtomicXchg => self.atomic(v),
            Op::AtomicCas => self.compare_and_swap(v),
            Op::AtomicLoad => self.load_acquire(v),
            Op::Call => self.call(v),
            Op::CallHelper => self.call_helper(v),
            Op::CtxLoad => self.context_load(v),
            Op::MapLookup | Op::MapUpdate | Op::MapDelete | Op::MapPush | Op::MapPop | Op::MapPeek => {
                self.map_call(v);
            }
            Op::AddF
            | Op::SubF
            | Op::MulF
            | Op::DivF
            | Op::NegF
            | Op::EqF
            | Op::NeqF
            | Op::LessF
            | Op::LeqF
            | Op::IntToFloat
            | Op::UintToFloat
            | Op::FloatToInt
            | Op::FloatToUint
            | Op::FloatCast
            | Op::Extract
            | Op::Tuple
            | Op::CondSelect
            | Op::Bounded
            | Op::MemCopy
            | Op::MemZero
            | Op::New
            | Op::AtomicStore
            | Op::Sync
            | Op::CallIndirect
            | Op::CallRuntime
            | Op::Intrinsic
            | Op::Status
            | Op::Outcome
            | Op::MakeChan
            | Op::ChanAddr
            | Op::ChanSend
            | Op::ChanRecv
            | Op::ChanClose
            | Op::ChanLen
            | Op::ChanCap
            | Op::Select
            | Op::Go => self.error(v, format!("`{op}` was not legalized before instruction selection")),
        }
    }

    fn alu(&mut self, op: crate::isa::AluOp, width: Width, dst: VReg, lhs: VReg, rhs: Rhs<VReg>) {
        self.push(MachOp::Alu { op, width, dst, lhs, rhs });
    }

    fn alu_imm(&mut self, op: crate::isa::AluOp, width: Width, dst: VReg, lhs: VReg, imm: i32) {
        self.alu(op, width, dst, lhs, Rhs::Imm(imm));
    }
}

/// A pointer moved by a constant is folded into each of its uses, which makes them uses of the pointer.
fn count_folded(func: &Function, order: &[Block], uses: &mut SecondaryMap<Value, u32>) {
    for &b in order.iter().rev() {
        for &v in func.block(b).insts.iter().rev() {
            let inst = func.inst(v);
            if inst.op == Op::PtrAdd && func.inst(inst.args[1]).op == Op::Const {
                uses[inst.args[0]] += uses[v].saturating_sub(1);
            }
        }
    }
}

/// The width in bits of a scalar type: 1 for a bool, 64 for a pointer; 0 for anything else.
pub(crate) fn type_width(decls: &Decls, ty: larrow_ir::Type) -> u8 {
    decls.types.bits(ty).and_then(|bits| u8::try_from(bits).ok()).unwrap_or(0)
}

/// The argument registers, for those who count them.
pub(crate) const MAX_ARGS: usize = Reg::ARGS.len();
