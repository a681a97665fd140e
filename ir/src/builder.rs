//! Building a function instruction by instruction, with a typed method per op.
//!
//! ```
//! use larrow_ir::{FuncBuilder, Function, Module, Type};
//!
//! let mut module = Module::new("add.go");
//! let mut func = Function::new("add", Type::U32);
//! let (a, b) = (func.add_param(Type::U32), func.add_param(Type::U32));
//! let mut build = FuncBuilder::new(&mut func, &mut module.decls);
//! let entry = build.block();
//! build.switch_to(entry);
//! let sum = build.add(a, b);
//! build.ret(Some(sum));
//! module.add_func(func).unwrap();
//! ```

use std::sync::Arc;

use smallvec::SmallVec;

use crate::entity::{Block, ChanId, FuncId, GlobalId, IntrinsicId, MapId, SiteId, Slot, Type, Value};
use crate::function::Function;
use crate::inst::{Args, Aux, Inst, LookupRole, PanicWith, Pos, RecvForm, SelectShape, Terminator};
use crate::module::Decls;
use crate::op::Op;
use crate::runtime::{RuntimeFn, RuntimeSig};
use crate::types::{Space, TypeKind};

/// Appends instructions to the current block of a function.
#[derive(Debug)]
pub struct FuncBuilder<'a> {
    /// The function.
    pub func: &'a mut Function,
    /// The module's declarations.
    pub decls: &'a mut Decls,
    block: Option<Block>,
    pos: Pos,
}

macro_rules! binary {
    ($($method:ident $op:ident;)*) => {$(
        #[doc = concat!("Appends [`Op::", stringify!($op), "`]; its type is the first operand's.")]
        pub fn $method(&mut self, x: Value, y: Value) -> Value {
            let ty = self.func.ty(x);
            self.op(Op::$op, ty, &[x, y])
        }
    )*};
}
macro_rules! compare {
    ($($method:ident $op:ident;)*) => {$(
        #[doc = concat!("Appends [`Op::", stringify!($op), "`], a bool.")]
        pub fn $method(&mut self, x: Value, y: Value) -> Value {
            self.op(Op::$op, Type::BOOL, &[x, y])
        }
    )*};
}
macro_rules! unary {
    ($($method:ident $op:ident;)*) => {$(
        #[doc = concat!("Appends [`Op::", stringify!($op), "`]; its type is the operand's.")]
        pub fn $method(&mut self, x: Value) -> Value {
            let ty = self.func.ty(x);
            self.op(Op::$op, ty, &[x])
        }
    )*};
}
macro_rules! convert {
    ($($method:ident $op:ident;)*) => {$(
        #[doc = concat!("Appends [`Op::", stringify!($op), "`] to a type.")]
        pub fn $method(&mut self, ty: Type, x: Value) -> Value {
            self.op(Op::$op, ty, &[x])
        }
    )*};
}
macro_rules! read_modify_write {
    ($($method:ident $op:ident;)*) => {$(
        #[doc = concat!("Appends [`Op::", stringify!($op), "`] and yields the old value.")]
        pub fn $method(&mut self, ptr: Value, x: Value) -> Value {
            let ty = self.func.ty(x);
            self.op(Op::$op, ty, &[ptr, x])
        }
    )*};
}

impl<'a> FuncBuilder<'a> {
    /// A builder without a current block.
    pub fn new(func: &'a mut Function, decls: &'a mut Decls) -> Self {
        FuncBuilder { func, decls, block: None, pos: Pos::None }
    }

    /// Adds a block.
    pub fn block(&mut self) -> Block {
        self.func.add_block()
    }
    /// Makes a block the current one.
    pub fn switch_to(&mut self, b: Block) {
        self.block = Some(b);
    }
    /// The current block.
    pub fn current(&self) -> Block {
        self.block.expect("switch_to chose a block")
    }
    /// The position of what is appended from now on.
    pub fn at(&mut self, pos: Pos) -> &mut Self {
        self.pos = pos;
        self
    }
    /// The same, as a line and a column of the module's file.
    pub fn at_line(&mut self, line: u32, col: u32) -> &mut Self {
        self.at(Pos::At { line, col })
    }

    /// Appends any instruction, at the current position unless it has one.
    pub fn inst(&mut self, mut inst: Inst) -> Value {
        if inst.pos == Pos::None {
            inst.pos = self.pos;
        }
        let b = self.current();
        self.func.append(b, inst)
    }
    /// Appends an op without a payload.
    pub fn op(&mut self, op: Op, ty: Type, args: &[Value]) -> Value {
        self.inst(Inst::new(op, ty, args))
    }
    /// Appends an op with a payload.
    pub fn op_with(&mut self, op: Op, ty: Type, args: &[Value], aux: Aux) -> Value {
        self.inst(Inst::new(op, ty, args).with(aux))
    }

    /// An integer constant; bits above the type's width are dropped.
    pub fn int(&mut self, ty: Type, bits: u64) -> Value {
        let width = self.decls.types.bits(ty).unwrap_or(64);
        self.op_with(Op::Const, ty, &[], Aux::Int(bits & (u64::MAX >> (64 - width))))
    }
    /// A truth value.
    pub fn bool(&mut self, value: bool) -> Value {
        self.op_with(Op::Const, Type::BOOL, &[], Aux::Int(u64::from(value)))
    }
    /// A float constant from the bits of its own width.
    pub fn float_bits(&mut self, ty: Type, bits: u64) -> Value {
        self.op_with(Op::Const, ty, &[], Aux::Float(bits))
    }
    /// The nil pointer, channel or function.
    pub fn nil(&mut self, ty: Type) -> Value {
        self.op_with(Op::Const, ty, &[], Aux::Nil)
    }

    binary! {
        add Add; sub Sub; mul Mul; div Div; div_u DivU; rem Mod; rem_u ModU; and And; or Or; xor Xor;
        lsh Lsh; rsh Rsh; rsh_u RshU; add_f AddF; sub_f SubF; mul_f MulF; div_f DivF;
    }
    compare! {
        eq Eq; neq Neq; less Less; leq Leq; less_u LessU; leq_u LeqU; eq_f EqF; neq_f NeqF; less_f LessF; leq_f LeqF;
    }
    unary! { neg Neg; com Com; bswap Bswap; not Not; neg_f NegF; copy Copy; }
    convert! {
        sign_ext SignExt; zero_ext ZeroExt; trunc Trunc; int_to_float IntToFloat; uint_to_float UintToFloat;
        float_to_int FloatToInt; float_to_uint FloatToUint; float_cast FloatCast; load Load; atomic_load AtomicLoad;
        make_chan MakeChan;
    }
    read_modify_write! {
        atomic_add AtomicAdd; atomic_and AtomicAnd; atomic_or AtomicOr; atomic_xor AtomicXor; atomic_xchg AtomicXchg;
    }

    /// A phi with an operand per predecessor of the current block, in its order.
    pub fn phi(&mut self, ty: Type, args: &[Value]) -> Value {
        self.op(Op::Phi, ty, args)
    }
    /// Member `index` of a tuple.
    pub fn extract(&mut self, tuple: Value, index: u32) -> Value {
        let ty = self.func.ty(tuple);
        let item = self.decls.types.tuple_items(ty).get(index as usize).copied().unwrap_or(Type::UNIT);
        self.op_with(Op::Extract, item, &[tuple], Aux::Index(index))
    }
    /// A tuple of values.
    pub fn tuple(&mut self, items: &[Value]) -> Value {
        let types: SmallVec<[Type; 4]> = items.iter().map(|&v| self.func.ty(v)).collect();
        let ty = self.decls.types.tuple(&types);
        self.op(Op::Tuple, ty, items)
    }
    /// `x` if `cond`, else `y`.
    pub fn cond_select(&mut self, cond: Value, x: Value, y: Value) -> Value {
        let ty = self.func.ty(x);
        self.op(Op::CondSelect, ty, &[cond, x, y])
    }
    /// `x`, proved to lie in `lo..=hi` unsigned.
    pub fn bounded(&mut self, x: Value, lo: u64, hi: u64) -> Value {
        let ty = self.func.ty(x);
        self.op_with(Op::Bounded, ty, &[x], Aux::Bounds { lo, hi })
    }

    /// Adds a slot.
    pub fn slot(&mut self, ty: Type) -> Slot {
        self.func.add_slot(ty)
    }
    /// The address of a slot.
    pub fn local_addr(&mut self, slot: Slot) -> Value {
        let to = self.func.slot(slot).map_or(Type::UNIT, |s| s.ty);
        let ty = self.decls.types.ptr(Space::Stack, to);
        self.op_with(Op::LocalAddr, ty, &[], Aux::Slot(slot))
    }
    /// The address of a variable.
    pub fn global_addr(&mut self, global: GlobalId) -> Value {
        let to = self.decls.globals[global].ty;
        let ty = self.decls.types.ptr(Space::Global, to);
        self.op_with(Op::GlobalAddr, ty, &[], Aux::Global(global))
    }
    /// The address of a function of type `ty`.
    pub fn func_addr(&mut self, ty: Type, func: FuncId) -> Value {
        self.op_with(Op::FuncAddr, ty, &[], Aux::Func(func))
    }
    /// `ptr` moved by `bytes`, as a pointer to `to` in the same space.
    pub fn ptr_add(&mut self, to: Type, ptr: Value, bytes: Value) -> Value {
        let space = self.decls.types.space(self.func.ty(ptr)).unwrap_or(Space::Any);
        let ty = self.decls.types.ptr(space, to);
        self.op(Op::PtrAdd, ty, &[ptr, bytes])
    }
    /// `ptr` moved by a constant number of bytes, as a pointer to `to`.
    pub fn ptr_offset(&mut self, to: Type, ptr: Value, bytes: u64) -> Value {
        let bytes = self.int(Type::U64, bytes);
        self.ptr_add(to, ptr, bytes)
    }
    /// Writes `x` through `ptr`.
    pub fn store(&mut self, ptr: Value, x: Value) -> Value {
        self.op(Op::Store, Type::UNIT, &[ptr, x])
    }
    /// Copies `size` bytes from `from` to `to`.
    pub fn mem_copy(&mut self, to: Value, from: Value, size: u64) -> Value {
        self.op_with(Op::MemCopy, Type::UNIT, &[to, from], Aux::Size(size))
    }
    /// Zeroes `size` bytes.
    pub fn mem_zero(&mut self, to: Value, size: u64) -> Value {
        self.op_with(Op::MemZero, Type::UNIT, &[to], Aux::Size(size))
    }
    /// A fresh zeroed heap object.
    pub fn new_object(&mut self, to: Type) -> Value {
        let ty = self.decls.types.ptr(Space::Heap, to);
        self.op(Op::New, ty, &[])
    }
    /// Atomic store.
    pub fn atomic_store(&mut self, ptr: Value, x: Value) -> Value {
        self.op(Op::AtomicStore, Type::UNIT, &[ptr, x])
    }
    /// Compare and swap; yields the old value.
    pub fn atomic_cas(&mut self, ptr: Value, expected: Value, new: Value) -> Value {
        let ty = self.func.ty(new);
        self.op(Op::AtomicCas, ty, &[ptr, expected, new])
    }
    /// Later accesses stay behind earlier ones.
    pub fn sync(&mut self) -> Value {
        self.op(Op::Sync, Type::UNIT, &[])
    }

    /// Calls a function that returns `ty`.
    pub fn call(&mut self, ty: Type, func: FuncId, args: &[Value]) -> Value {
        self.op_with(Op::Call, ty, args, Aux::Func(func))
    }
    /// Calls through a function pointer.
    pub fn call_indirect(&mut self, callee: Value, args: &[Value]) -> Value {
        let result = match self.decls.types.resolve(self.func.ty(callee)) {
            TypeKind::Func { result, .. } => *result,
            _ => Type::UNIT,
        };
        let mut all = Args::from_slice(&[callee]);
        all.extend_from_slice(args);
        self.op(Op::CallIndirect, result, &all)
    }
    /// Calls a runtime function. `chan_ty` is the result of `makechan` and unused by the others.
    pub fn call_runtime(&mut self, function: RuntimeFn, chan_ty: Type, args: &[Value]) -> Value {
        let ty = match function.sig() {
            RuntimeSig::MakeChan => chan_ty,
            RuntimeSig::Send
            | RuntimeSig::Recv1
            | RuntimeSig::Close
            | RuntimeSig::Block
            | RuntimeSig::NewProc => Type::UNIT,
            RuntimeSig::Recv2 | RuntimeSig::TrySend => Type::BOOL,
            RuntimeSig::Length => Type::I64,
            RuntimeSig::TryRecv => self.decls.types.tuple(&[Type::BOOL, Type::BOOL]),
            RuntimeSig::SelectGo => self.decls.types.tuple(&[Type::I64, Type::BOOL]),
        };
        self.op_with(Op::CallRuntime, ty, args, Aux::Runtime(function))
    }
    /// Calls an intrinsic.
    pub fn intrinsic(&mut self, id: IntrinsicId, args: &[Value]) -> Value {
        let result = match self.decls.types.resolve(self.decls.intrinsics[id].ty) {
            TypeKind::Func { result, .. } => *result,
            _ => Type::UNIT,
        };
        self.op_with(Op::Intrinsic, result, args, Aux::Intrinsic(id))
    }
    /// The status word of a channel runtime call.
    pub fn status(&mut self, call: Value) -> Value {
        self.op(Op::Status, Type::U32, &[call])
    }
    /// Counts the outcome of a channel runtime call at a site.
    pub fn outcome(&mut self, call: Value, site: SiteId) -> Value {
        self.op_with(Op::Outcome, Type::UNIT, &[call], Aux::Site(site))
    }

    /// A module-level channel.
    pub fn chan_addr(&mut self, chan: ChanId) -> Value {
        let ty = self.decls.chans[chan].ty;
        self.op_with(Op::ChanAddr, ty, &[], Aux::Chan(chan))
    }
    /// Sends a scalar, or an aggregate behind a pointer.
    pub fn chan_send(&mut self, chan: Value, x: Value) -> Value {
        self.op(Op::ChanSend, Type::UNIT, &[chan, x])
    }
    /// Receives. An aggregate element goes to `into`; a discarded one may leave it out.
    pub fn chan_recv(&mut self, chan: Value, into: Option<Value>, form: RecvForm) -> Value {
        let member = self.recv_member(chan);
        let ty = self.decls.types.tuple(&[member, Type::BOOL]);
        let args: Args = std::iter::once(chan).chain(into).collect();
        self.op_with(Op::ChanRecv, ty, &args, Aux::Form(form))
    }
    /// What a receive yields for a channel's element: itself if scalar, `unit` if an aggregate.
    fn recv_member(&self, chan: Value) -> Type {
        let types = &self.decls.types;
        let elem = types.chan_parts(self.func.ty(chan)).map_or(Type::UNIT, |(elem, _)| elem);
        if types.is_scalar(elem) { elem } else { Type::UNIT }
    }
    /// Closes.
    pub fn chan_close(&mut self, chan: Value) -> Value {
        self.op(Op::ChanClose, Type::UNIT, &[chan])
    }
    /// Buffered values.
    pub fn chan_len(&mut self, chan: Value) -> Value {
        self.op(Op::ChanLen, Type::I64, &[chan])
    }
    /// Capacity.
    pub fn chan_cap(&mut self, chan: Value) -> Value {
        self.op(Op::ChanCap, Type::I64, &[chan])
    }
    /// Selects. `args` are the operands of the cases in order.
    pub fn select(&mut self, shape: SelectShape, args: &[Value]) -> Value {
        let mut members: SmallVec<[Type; 8]> = SmallVec::from_slice(&[Type::I64, Type::BOOL]);
        for (_, first, result) in shape.iter() {
            if result.is_some() {
                members.push(self.recv_member(args[first]));
            }
        }
        let ty = self.decls.types.tuple(&members);
        self.op_with(Op::Select, ty, args, Aux::Select(Box::new(shape)))
    }
    /// Starts a goroutine.
    pub fn go(&mut self, func: FuncId, args: &[Value]) -> Value {
        self.op_with(Op::Go, Type::UNIT, args, Aux::Func(func))
    }

    /// Calls a helper of the target.
    pub fn call_helper(&mut self, ty: Type, name: &str, args: &[Value]) -> Value {
        self.op_with(Op::CallHelper, ty, args, Aux::Name(Arc::from(name)))
    }
    /// Reads a field of the context.
    pub fn ctx_load(&mut self, ty: Type, ctx: Value, field: &str) -> Value {
        self.op_with(Op::CtxLoad, ty, &[ctx], Aux::Name(Arc::from(field)))
    }
    /// Looks up a map's value by a pointer to its key.
    pub fn map_lookup(&mut self, map: MapId, role: LookupRole, key: Value) -> Value {
        let value = self.decls.maps[map].value;
        let ty = self.decls.types.ptr(Space::Map, value);
        self.op_with(Op::MapLookup, ty, &[key], Aux::Lookup { map, role })
    }
    /// Updates a map.
    pub fn map_update(&mut self, map: MapId, key: Value, value: Value, flags: u32) -> Value {
        self.op_with(Op::MapUpdate, Type::I64, &[key, value], Aux::MapFlags { map, flags })
    }
    /// Deletes from a map.
    pub fn map_delete(&mut self, map: MapId, key: Value) -> Value {
        self.op_with(Op::MapDelete, Type::I64, &[key], Aux::MapFlags { map, flags: 0 })
    }
    /// Pushes, pops or peeks: `op` is [`Op::MapPush`], [`Op::MapPop`] or [`Op::MapPeek`].
    pub fn map_value_io(&mut self, op: Op, map: MapId, value: Value, flags: u32) -> Value {
        self.op_with(op, Type::I64, &[value], Aux::MapFlags { map, flags })
    }
    /// An address inside a one-element array's value.
    pub fn map_value(&mut self, to: Type, map: MapId, offset: u32) -> Value {
        let ty = self.decls.types.ptr(Space::Map, to);
        self.op_with(Op::MapValue, ty, &[], Aux::MapOffset { map, offset })
    }

    /// Ends the current block.
    pub fn terminate(&mut self, term: Terminator) {
        let (b, pos) = (self.current(), self.pos);
        self.func.set_terminator(b, term, pos);
    }
    /// Ends in a jump.
    pub fn jump(&mut self, to: Block) {
        self.terminate(Terminator::Plain(to));
    }
    /// Ends in a branch: `then` if true.
    pub fn branch(&mut self, cond: Value, then: Block, other: Block) {
        self.terminate(Terminator::If { cond, then, other });
    }
    /// Ends in a switch over distinct constants.
    pub fn switch(&mut self, on: Value, cases: &[(u64, Block)], default: Block) {
        self.terminate(Terminator::Switch { on, cases: cases.to_vec(), default });
    }
    /// Ends in a return.
    pub fn ret(&mut self, value: Option<Value>) {
        self.terminate(Terminator::Ret(value));
    }
    /// Ends in a panic with a text.
    pub fn panic(&mut self, text: &str) {
        self.terminate(Terminator::Panic(PanicWith::Text(text.into())));
    }
    /// Ends where control never gets.
    pub fn exit(&mut self) {
        self.terminate(Terminator::Exit);
    }
}
