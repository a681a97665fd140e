//! Instructions, their payloads, and terminators.

use std::sync::Arc;

use smallvec::SmallVec;

use crate::entity::{Block, ChanId, FuncId, GlobalId, IntrinsicId, LocId, MapId, SiteId, Slot, Type, Value};
use crate::op::{Effects, Op};
use crate::runtime::RuntimeFn;

/// Operands of an instruction.
pub type Args = SmallVec<[Value; 4]>;

/// Where an instruction comes from.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Pos {
    /// Nowhere in the source.
    #[default]
    None,
    /// `@8:14` in the module's file: line and column, from 1.
    At {
        /// From 1.
        line: u32,
        /// From 1, in bytes.
        col: u32,
    },
    /// `@l3`: an entry of the module's location table, after inlining or from a prelude.
    Loc(LocId),
}

/// How much of a receive the program asked for. It decides which runtime function gc calls.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum RecvForm {
    /// `v, ok := <-c`, `_, ok := <-c`: `chanrecv2` with an element pointer. Printed without a payload.
    CommaOk,
    /// `v := <-c`, `_ = <-c`: `chanrecv1` with an element pointer; `[value]`. The flag is not extracted.
    Value,
    /// `<-c` as a statement: `chanrecv1` with a nil pointer; `[discard]`. Nothing is extracted, and an
    /// aggregate element needs no pointer operand.
    Discard,
}

/// One communication clause of a select.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum SelectCase {
    /// `case c <- v`: operands are the channel and the value (or a pointer to an aggregate).
    Send,
    /// `case v, ok = <-c` with scalar element: one operand, the channel. A discarded receive has no more
    /// operands whatever its element.
    Recv(RecvForm),
    /// A kept receive of an aggregate element: operands are the channel and a pointer to receive into.
    RecvInto(RecvForm),
}

impl SelectCase {
    /// How many operands of the select belong to this case.
    pub fn operands(self) -> usize {
        match self {
            SelectCase::Recv(_) => 1,
            SelectCase::Send | SelectCase::RecvInto(_) => 2,
        }
    }
    /// Whether this case receives.
    pub fn is_recv(self) -> bool {
        self != SelectCase::Send
    }
}

/// The shape of a select: its clauses in source order. Operands are those of the cases, in order.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct SelectShape {
    /// The communication clauses.
    pub cases: SmallVec<[SelectCase; 4]>,
    /// Whether there is a default clause; its index is −1.
    pub has_default: bool,
}

impl SelectShape {
    /// How many operands the select takes.
    pub fn operands(&self) -> usize {
        self.cases.iter().map(|c| c.operands()).sum()
    }
    /// Each case with the index of its first operand and, for a receive, its member of the result tuple.
    pub fn iter(&self) -> impl Iterator<Item = (SelectCase, usize, Option<u32>)> + '_ {
        let (mut operand, mut member) = (0, 2);
        self.cases.iter().map(move |&case| {
            let first = operand;
            operand += case.operands();
            let result = case.is_recv().then(|| {
                member += 1;
                member - 1
            });
            (case, first, result)
        })
    }
}

/// Why a map is looked up.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum LookupRole {
    /// The program asked.
    Plain,
    /// `[bind]`: the storage of a channel.
    Bind,
    /// `[site]`: the record of a counted site.
    Site,
}

/// What an instruction carries besides its operands. [`Op::aux_kind`] says which variant belongs to an op.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub enum Aux {
    /// Nothing.
    #[default]
    None,
    /// The bits of an integer constant, zero above the type's width; 0 or 1 for `bool`.
    Int(u64),
    /// The bits of a float constant in its type's own width.
    Float(u64),
    /// The nil pointer, channel or function.
    Nil,
    /// The member of [`Op::Extract`], the number of [`Op::Param`].
    Index(u32),
    /// The unsigned range that [`Op::Bounded`] proves, both ends included.
    Bounds {
        /// The least value.
        lo: u64,
        /// The greatest value.
        hi: u64,
    },
    /// Bytes to copy or to zero.
    Size(u64),
    /// The slot of [`Op::LocalAddr`].
    Slot(Slot),
    /// The variable of [`Op::GlobalAddr`].
    Global(GlobalId),
    /// The callee of [`Op::Call`] and [`Op::Go`], the function of [`Op::FuncAddr`].
    Func(FuncId),
    /// The channel of [`Op::ChanAddr`].
    Chan(ChanId),
    /// How much a receive keeps.
    Form(RecvForm),
    /// The cases of [`Op::Select`].
    Select(Box<SelectShape>),
    /// The callee of [`Op::CallRuntime`].
    Runtime(RuntimeFn),
    /// The declaration behind [`Op::Intrinsic`].
    Intrinsic(IntrinsicId),
    /// The site of [`Op::Outcome`].
    Site(SiteId),
    /// A helper's or a context field's name.
    Name(Arc<str>),
    /// The map and the reason of [`Op::MapLookup`].
    Lookup {
        /// The map.
        map: MapId,
        /// The reason.
        role: LookupRole,
    },
    /// The map and the flags (`BPF_ANY` …) of an update, a push; 0 for the others.
    MapFlags {
        /// The map.
        map: MapId,
        /// As the kernel numbers them.
        flags: u32,
    },
    /// The map of [`Op::MapValue`] and a byte offset into its value.
    MapOffset {
        /// The map, a one-element array.
        map: MapId,
        /// Bytes.
        offset: u32,
    },
}

/// An instruction.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Inst {
    /// What it does.
    pub op: Op,
    /// What it yields; [`Type::UNIT`] for nothing.
    pub ty: Type,
    /// Its operands.
    pub args: Args,
    /// Its payload.
    pub aux: Aux,
    /// Where it comes from.
    pub pos: Pos,
}

impl Inst {
    /// An instruction without a payload or a position.
    pub fn new(op: Op, ty: Type, args: &[Value]) -> Inst {
        Inst { op, ty, args: Args::from_slice(args), aux: Aux::None, pos: Pos::None }
    }
    /// The same with a payload.
    #[must_use]
    pub fn with(mut self, aux: Aux) -> Inst {
        self.aux = aux;
        self
    }
    /// The same at a position.
    #[must_use]
    pub fn at(mut self, pos: Pos) -> Inst {
        self.pos = pos;
        self
    }
    /// The effects, refined by the runtime function where there is one. An intrinsic's own effects are in its
    /// declaration: see [`crate::Decls::effects`].
    pub fn effects(&self) -> Effects {
        match &self.aux {
            Aux::Runtime(function) => function.effects(),
            _ => self.op.effects(),
        }
    }
    /// The bits of an integer or bool constant.
    pub fn int_const(&self) -> Option<u64> {
        match (self.op, &self.aux) {
            (Op::Const, Aux::Int(bits)) => Some(*bits),
            _ => None,
        }
    }
}

/// What a `Panic` terminator panics with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PanicWith {
    /// A fixed text.
    Text(Arc<str>),
    /// A value.
    Value(Value),
}

/// How a block ends.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Terminator {
    /// `Plain → b4`
    Plain(Block),
    /// `If v5 → b2, b3`: the first if true.
    If {
        /// A bool.
        cond: Value,
        /// If true.
        then: Block,
        /// If false.
        other: Block,
    },
    /// `Switch v5 [0: b1, 7: b2] default b3`
    Switch {
        /// An integer.
        on: Value,
        /// Distinct constants, each as the bits of the operand's width, and where they lead.
        cases: Vec<(u64, Block)>,
        /// Where everything else leads.
        default: Block,
    },
    /// `Ret` or `Ret v9`
    Ret(Option<Value>),
    /// `Panic v4` or `Panic "text"`: a Go panic.
    Panic(PanicWith),
    /// `Exit`: control never gets here, because the instruction before does not return.
    Exit,
}

impl Terminator {
    /// The successors in order, an edge each: a block may stand there twice.
    pub fn successors(&self) -> SmallVec<[Block; 4]> {
        let mut out = SmallVec::new();
        self.for_each_successor(|b| out.push(b));
        out
    }

    /// Calls `f` with the target of each edge in order.
    pub fn for_each_successor(&self, mut f: impl FnMut(Block)) {
        match self {
            Terminator::Plain(to) => f(*to),
            Terminator::If { then, other, .. } => {
                f(*then);
                f(*other);
            }
            Terminator::Switch { cases, default, .. } => {
                cases.iter().for_each(|(_, b)| f(*b));
                f(*default);
            }
            Terminator::Ret(_) | Terminator::Panic(_) | Terminator::Exit => {}
        }
    }

    /// The target of each edge in order, to be changed in place. Predecessor lists are the caller's business.
    pub fn successors_mut(&mut self) -> SmallVec<[&mut Block; 4]> {
        match self {
            Terminator::Plain(to) => SmallVec::from_iter([to]),
            Terminator::If { then, other, .. } => SmallVec::from_iter([then, other]),
            Terminator::Switch { cases, default, .. } => {
                cases.iter_mut().map(|(_, b)| b).chain(std::iter::once(default)).collect()
            }
            Terminator::Ret(_) | Terminator::Panic(_) | Terminator::Exit => SmallVec::new(),
        }
    }

    /// The value that it looks at, if any.
    pub fn operand(&self) -> Option<Value> {
        match self {
            Terminator::If { cond: v, .. }
            | Terminator::Switch { on: v, .. }
            | Terminator::Ret(Some(v))
            | Terminator::Panic(PanicWith::Value(v)) => Some(*v),
            Terminator::Plain(_)
            | Terminator::Ret(None)
            | Terminator::Panic(PanicWith::Text(_))
            | Terminator::Exit => None,
        }
    }

    /// The value that it looks at, to be changed in place.
    pub fn operand_mut(&mut self) -> Option<&mut Value> {
        match self {
            Terminator::If { cond: v, .. }
            | Terminator::Switch { on: v, .. }
            | Terminator::Ret(Some(v))
            | Terminator::Panic(PanicWith::Value(v)) => Some(v),
            Terminator::Plain(_)
            | Terminator::Ret(None)
            | Terminator::Panic(PanicWith::Text(_))
            | Terminator::Exit => None,
        }
    }
}
