//! The compact form that functions run in: registers numbered densely, operands and edges resolved.
//!
//! Every scalar has a register; a tuple has one per member, one after another; a channel runtime call has one
//! more, for its status word.

use larrow_ir::{FuncId, IntrinsicId, Pos, RecvForm, RuntimeFn, SelectShape, Value};
use std::sync::Arc;

use crate::channel::Elem;
use crate::value::{Repr, Val};

/// What an instruction of the compact form does. The comments tell what its fields mean.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// `dst = a`
    Move,
    /// `dst.. = a..`, `b` registers.
    MoveMany,
    /// `dst.. = args[a..a + b]`
    Gather,
    /// `dst = consts[imm]`
    Const,
    /// `dst = a op b` at `bits`.
    Int(IntOp),
    /// `dst = a op b` at `bits`.
    Cmp(CmpOp),
    /// `dst = a op b` at `bits`.
    Float(FloatOp),
    /// `dst = convert a` from `from` to `bits`.
    Conv(ConvOp),
    /// `dst.. = if a { b.. } else { c.. }`, `imm` registers.
    CondSelect,
    /// `dst = a`, within `bounds[imm]`.
    Bounded,
    /// `dst = slots[imm]`
    LocalAddr,
    /// `dst = a + b`
    PtrAdd,
    /// `dst = *a`
    Load(Repr),
    /// `*a = b`
    Store(Repr),
    /// Copies from `b` to `a`, zeroes `a`, makes `dst`: `imm` bytes.
    Bulk(BulkOp),
    /// `dst = *a; *a = a op b`, of `bits`; a swap is with `c` if `b` is there. No `dst` if `imm` is 0.
    Atomic(AtomicOp),
    /// Nothing.
    Sync,
    /// `dst.. = callee(args[a..a + b])`, the callee being function `imm`.
    Call,
    /// `dst.. = args[a](args[a + 1..a + b])`
    CallIndirect,
    /// `dst.. = function(args[a..a + b])`, status at `dst + c`, of a channel of `elems[imm]`.
    CallRuntime(RuntimeFn),
    /// `dst = intrinsics[imm](args[a..a + b])`
    Intrinsic,
    /// Counts the status in `a` at site `imm`.
    Outcome,
    /// `dst = make(chan elems[imm], a)`; the capacity is of `bits`, signed if `b` is 1.
    MakeChan,
    /// `a <- b`
    ChanSend,
    /// `dst.. = <-a` of `elems[imm]`; into memory at `b` if `from` is 1; `c` registers before the flag.
    ChanRecv,
    /// `close(a)`
    ChanClose,
    /// `dst = len(a)` or `cap(a)`
    ChanSize(SizeOp),
    /// `dst.. = selects[imm]`
    Select,
    /// Starts a goroutine.
    Go,
    /// `dst = helper names[imm](args[a..a + b])`
    CallHelper,
    /// `dst = a.fields[imm]`
    CtxLoad,
    /// `dst = op(map imm, key a, value b, flags c)`
    MapKeyed(KeyedOp),
    /// `dst = op(map imm, value a, flags c)`
    MapValueIo(QueueOp),
    /// Goes to `edges[imm]`.
    Jump,
    /// Goes to `edges[imm]` if `a`, else to the next one.
    Branch,
    /// Goes where `switches[imm]` says for `a`.
    Switch,
    /// Returns `a..`, `b` registers.
    Ret,
    /// Panics with `names[imm]`.
    PanicText,
    /// Panics with `a`, which `prints[imm]` says how to print.
    PanicValue,
    /// Ends the program.
    Exit,
    /// A fault of the translation: `names[imm]`.
    Malformed,
}

impl Kind {
    /// Whether this is a terminator.
    pub(crate) fn ends_block(self) -> bool {
        matches!(
            self,
            Kind::Jump
                | Kind::Branch
                | Kind::Switch
                | Kind::Ret
                | Kind::PanicText
                | Kind::PanicValue
                | Kind::Exit
        )
    }
}

macro_rules! op_groups {
    ($($(#[$doc:meta])* $name:ident { $($op:ident),* })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub(crate) enum $name { $($op),* }
    )*};
}

op_groups! {
    /// Integer and bool operations.
    IntOp { Add, Sub, Mul, Div, DivU, Mod, ModU, And, Or, Xor, Lsh, Rsh, RshU, Neg, Com, Bswap, Not }
    /// Comparisons.
    CmpOp { Eq, Neq, Less, Leq, LessU, LeqU, EqF, NeqF, LessF, LeqF }
    /// Float operations.
    FloatOp { Add, Sub, Mul, Div, Neg }
    /// Conversions.
    ConvOp { SignExt, ZeroExt, Trunc, IntToFloat, UintToFloat, FloatToInt, FloatToUint, FloatCast }
    /// Operations on stretches of memory.
    BulkOp { Copy, Zero, New }
    /// Atomic accesses.
    AtomicOp { Load, Store, Add, And, Or, Xor, Xchg, Cas }
    /// What is asked of a channel.
    SizeOp { Len, Cap }
    /// Operations on maps with keys.
    KeyedOp { Lookup, Update, Delete }
    /// Operations on maps without keys.
    QueueOp { Push, Pop, Peek }
}

/// An instruction of the compact form.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Inst {
    pub(crate) kind: Kind,
    pub(crate) bits: u8,
    pub(crate) from: u8,
    pub(crate) dst: u32,
    pub(crate) a: u32,
    pub(crate) b: u32,
    pub(crate) c: u32,
    pub(crate) imm: u64,
}

impl Inst {
    pub(crate) fn new(kind: Kind) -> Inst {
        Inst { kind, bits: 0, from: 0, dst: 0, a: 0, b: 0, c: 0, imm: 0 }
    }
}

/// A control-flow edge: where it leads, and the moves that its phis ask for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Edge {
    pub(crate) target: u32,
    pub(crate) first: u32,
    pub(crate) count: u32,
}

/// A switch: constants in rising order with the numbers of their edges.
#[derive(Debug)]
pub(crate) struct SwitchTable {
    pub(crate) cases: Vec<(u64, u32)>,
    pub(crate) default: u32,
}

/// One case of a select.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case {
    /// The register of the channel.
    pub(crate) chan: u32,
    /// The register of the value sent, or of the memory to receive into.
    pub(crate) operand: Option<u32>,
    /// How much a receive keeps; `None` for a send.
    pub(crate) recv: Option<RecvForm>,
    /// The channel's element.
    pub(crate) elem: Elem,
    /// The register of the received scalar.
    pub(crate) result: Option<u32>,
}

/// A select.
#[derive(Debug)]
pub(crate) struct SelectPlan {
    pub(crate) cases: Vec<Case>,
    /// The source position of each of gc's case numbers: sends first, then receives from the last to the first.
    pub(crate) by_gc_index: Vec<u32>,
    pub(crate) sends: usize,
    pub(crate) has_default: bool,
}

impl SelectPlan {
    /// gc's numbering of a shape's cases.
    pub(crate) fn gc_order(shape: &SelectShape) -> Vec<u32> {
        let of = |recv: bool| {
            let cases = shape.cases.iter().enumerate().filter(move |(_, c)| c.is_recv() == recv);
            cases.map(|(i, _)| i as u32)
        };
        of(false).chain(of(true).rev()).collect()
    }
}

/// A field of a context.
#[derive(Debug)]
pub(crate) struct FieldRef {
    pub(crate) ctx: Arc<str>,
    pub(crate) field: Arc<str>,
    pub(crate) repr: Repr,
}

/// How a panic's value prints.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Print {
    Bool,
    Signed(u8),
    Unsigned,
    Float(u8),
    Pointer,
}

/// A function of an embedder.
#[derive(Debug)]
pub(crate) struct IntrinsicRef {
    pub(crate) id: IntrinsicId,
    pub(crate) result: Vec<Repr>,
}

/// A helper.
#[derive(Debug)]
pub(crate) struct HelperRef {
    pub(crate) name: Arc<str>,
    pub(crate) result: Repr,
}

/// A slot.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SlotSize(pub(crate) u64);

/// A function in compact form.
#[derive(Debug)]
pub(crate) struct Code {
    pub(crate) func: FuncId,
    pub(crate) name: Arc<str>,
    pub(crate) pos: Pos,
    pub(crate) insts: Vec<Inst>,
    /// Where each instruction comes from; `None` for terminators.
    pub(crate) origins: Vec<(Option<Value>, Pos)>,
    pub(crate) registers: u32,
    pub(crate) params: Vec<Repr>,
    pub(crate) slots: Vec<SlotSize>,
    pub(crate) args: Vec<u32>,
    pub(crate) consts: Vec<Val>,
    pub(crate) bounds: Vec<(u64, u64)>,
    pub(crate) edges: Vec<Edge>,
    pub(crate) moves: Vec<(u32, u32)>,
    pub(crate) switches: Vec<SwitchTable>,
    pub(crate) selects: Vec<SelectPlan>,
    pub(crate) elems: Vec<Elem>,
    pub(crate) names: Vec<Arc<str>>,
    pub(crate) prints: Vec<Print>,
    pub(crate) fields: Vec<FieldRef>,
    pub(crate) helpers: Vec<HelperRef>,
    pub(crate) intrinsics: Vec<IntrinsicRef>,
}

impl Code {
    /// The operand list of an instruction with one.
    #[inline]
    pub(crate) fn operands(&self, inst: &Inst) -> &[u32] {
        &self.args[inst.a as usize..(inst.a + inst.b) as usize]
    }
}
