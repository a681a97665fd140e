//! The typing rules of the op table, row by row.

use crate::entity::{Block, Type, Value};
use crate::inst::{Aux, Inst, RecvForm};
use crate::op::{Op, Rule};
use crate::types::{TypeKind, TypeTable};

use super::Checker;
use super::shape::operands;

/// A set of types with a name for messages.
#[derive(Clone, Copy)]
pub(super) struct Class {
    pub(super) name: &'static str,
    pub(super) holds: fn(&TypeTable, Type) -> bool,
}

macro_rules! classes {
    ($($id:ident $name:literal $holds:expr;)*) => {
        $(pub(super) const $id: Class = Class { name: $name, holds: $holds };)*
    };
}

fn is_bool(types: &TypeTable, ty: Type) -> bool {
    matches!(types.resolve(ty), TypeKind::Bool)
}
fn is_unit(types: &TypeTable, ty: Type) -> bool {
    matches!(types.resolve(ty), TypeKind::Unit)
}
fn is_int_of(types: &TypeTable, ty: Type, ok: fn(u32) -> bool) -> bool {
    types.is_int(ty) && types.bits(ty).is_some_and(ok)
}

classes! {
    INT "an integer" TypeTable::is_int;
    BOOL "a bool" is_bool;
    UNIT "unit" is_unit;
    FLOAT "a float" TypeTable::is_float;
    PTR "a pointer" TypeTable::is_ptr;
    CHAN "a channel" |t, ty| matches!(t.resolve(ty), TypeKind::Chan { .. });
    FUNC "a function" |t, ty| matches!(t.resolve(ty), TypeKind::Func { .. });
    TUPLE "a tuple" |t, ty| matches!(t.resolve(ty), TypeKind::Tuple(_));
    SCALAR "a scalar" TypeTable::is_scalar;
    MEMBER "a scalar or unit" |t, ty| t.is_scalar(ty) || is_unit(t, ty);
    VALUE "a scalar or a tuple" |t, ty| t.is_scalar(ty) || matches!(t.resolve(ty), TypeKind::Tuple(_));
    INT_OR_BOOL "an integer or a bool" |t, ty| t.is_int(ty) || is_bool(t, ty);
    INT_OR_PTR "an integer or a pointer" |t, ty| t.is_int(ty) || t.is_ptr(ty);
    COMPARABLE "an integer, bool, pointer, channel or function" |t, ty| t.is_scalar(ty) && !t.is_float(ty);
    SWAPPABLE "an integer of 16 bits or more" |t, ty| is_int_of(t, ty, |bits| bits >= 16);
    ATOMIC "an integer of 32 or 64 bits" |t, ty| is_int_of(t, ty, |bits| bits >= 32);
    INT32 "a 32-bit integer" |t, ty| is_int_of(t, ty, |bits| bits == 32);
    INT64 "a 64-bit integer" |t, ty| is_int_of(t, ty, |bits| bits == 64);
}

/// One instruction under check. Its operands exist, its payload is of the right kind.
pub(super) struct Row<'c, 'a> {
    pub(super) checker: &'c mut Checker<'a>,
    pub(super) v: Value,
    pub(super) inst: &'a Inst,
}

impl<'a> Row<'_, 'a> {
    pub(super) fn error(&mut self, message: impl Into<String>) {
        self.checker.at_value(self.v, message);
    }
    pub(super) fn types(&self) -> &'a TypeTable {
        self.checker.types
    }
    pub(super) fn arg(&self, i: usize) -> Value {
        self.inst.args[i]
    }
    pub(super) fn arg_ty(&self, i: usize) -> Type {
        self.checker.ty(self.inst.args[i])
    }
    /// The operand is of a class.
    pub(super) fn takes(&mut self, i: usize, class: Class) -> bool {
        let ok = (class.holds)(self.types(), self.arg_ty(i));
        if !ok {
            let (v, ty) = (self.arg(i), self.checker.spell_of(self.arg(i)));
            self.error(format!("operand {v} of {} is {ty}, not {}", self.inst.op, class.name));
        }
        ok
    }
    /// The result is of a class.
    pub(super) fn yields(&mut self, class: Class) -> bool {
        let ok = (class.holds)(self.types(), self.inst.ty);
        if !ok {
            let ty = self.checker.spell(self.inst.ty);
            self.error(format!("{} yields {}, not {ty}", self.inst.op, class.name));
        }
        ok
    }
    /// The result has the bits of a type.
    pub(super) fn yields_like(&mut self, ty: Type) -> bool {
        let ok = self.types().same_width(self.inst.ty, ty);
        if !ok {
            let (want, have) = (self.checker.spell(ty), self.checker.spell(self.inst.ty));
            self.error(format!("{} yields {want} here, not {have}", self.inst.op));
        }
        ok
    }
    /// The operand has the bits of a type.
    pub(super) fn takes_like(&mut self, i: usize, ty: Type) -> bool {
        let ok = self.types().same_width(self.arg_ty(i), ty);
        if !ok {
            let (v, have, want) = (self.arg(i), self.checker.spell_of(self.arg(i)), self.checker.spell(ty));
            self.error(format!("operand {v} of {} is {have}, not {want}", self.inst.op));
        }
        ok
    }
    /// The number of operands.
    pub(super) fn count(&mut self, want: usize) -> bool {
        let have = self.inst.args.len();
        if have != want {
            self.error(format!("{} takes {} here, not {have}", self.inst.op, operands(want)));
        }
        have == want
    }

    /// `T, …, T → T` for a class of `T`.
    fn uniform(&mut self, class: Class) {
        if !self.yields(class) {
            return;
        }
        for i in 0..self.inst.args.len() {
            self.takes_like(i, self.inst.ty);
        }
    }
    /// `T, T → bool` for a class of `T`.
    fn compares(&mut self, class: Class) {
        self.yields(BOOL);
        if self.takes(0, class) {
            self.takes_like(1, self.arg_ty(0));
        }
    }
    /// `A → B`, whose widths are in an order.
    fn converts(&mut self, from: Class, to: Class, order: Option<fn(u32, u32) -> bool>, what: &str) {
        if !self.takes(0, from) || !self.yields(to) {
            return;
        }
        let bits = |ty| self.types().bits(ty).unwrap_or(0);
        if order.is_some_and(|order| !order(bits(self.arg_ty(0)), bits(self.inst.ty))) {
            let (have, to) = (self.checker.spell_of(self.arg(0)), self.checker.spell(self.inst.ty));
            self.error(format!("{} to {to} takes {what} operand, not {have}", self.inst.op));
        }
    }

    fn constant(&mut self) {
        let (types, ty) = (self.types(), self.inst.ty);
        let width = types.bits(ty).unwrap_or(0);
        let fits = |bits: u64| width > 0 && bits <= u64::MAX >> (64 - width);
        let (class, bits) = match self.inst.aux {
            Aux::Int(bits) => (INT_OR_BOOL, bits),
            Aux::Float(bits) => (FLOAT, bits),
            _ => (Class { name: "a pointer, channel or function", ..NILABLE }, 0),
        };
        if self.yields(class) && !fits(bits) {
            let ty = self.checker.spell(ty);
            self.error(format!("constant {bits:#x} does not fit {ty}"));
        }
    }

    fn phi(&mut self, b: Block) {
        let preds = self.checker.func.preds(b).len();
        if self.inst.args.len() != preds {
            let have = operands(self.inst.args.len());
            let plural = if preds == 1 { "" } else { "s" };
            return self.error(format!("phi has {have}, but {b} has {preds} predecessor{plural}"));
        }
        self.uniform(VALUE);
    }

    fn extract(&mut self) {
        let Aux::Index(index) = self.inst.aux else { return };
        if !self.takes(0, TUPLE) {
            return;
        }
        let items = self.types().tuple_items(self.arg_ty(0));
        let Some(&item) = items.get(index as usize) else {
            let ty = self.checker.spell_of(self.arg(0));
            return self.error(format!("{} has no member [{index}]: it is {ty}", self.arg(0)));
        };
        self.yields_like(item);
        let source = self.checker.func.inst(self.arg(0));
        let kept = match &source.aux {
            Aux::Form(RecvForm::CommaOk) => 2,
            Aux::Form(RecvForm::Value) => 1,
            Aux::Form(RecvForm::Discard) => 0,
            _ => u32::MAX,
        };
        if source.op == Op::ChanRecv && index >= kept {
            let form = if kept == 0 { "[discard]" } else { "[value]" };
            self.error(format!("{} is a receive of form {form}: it keeps no member [{index}]", self.arg(0)));
        }
    }

    fn tuple(&mut self) {
        let items = self.types().tuple_items(self.inst.ty);
        if !self.yields(TUPLE) || !self.count(items.len()) {
            return;
        }
        for (i, &item) in items.iter().enumerate() {
            if self.takes(i, MEMBER) {
                self.takes_like(i, item);
            }
        }
    }

    fn bounded(&mut self) {
        self.uniform(INT);
        let (Aux::Bounds { lo, hi }, Some(width)) = (&self.inst.aux, self.types().bits(self.inst.ty)) else {
            return;
        };
        if lo > hi {
            self.error(format!("bounds [{lo}..{hi}] hold nothing"));
        } else if *hi > u64::MAX >> (64 - width) {
            let ty = self.checker.spell(self.inst.ty);
            self.error(format!("bound {hi} does not fit {ty}"));
        }
    }
}

const NILABLE: Class = Class {
    name: "",
    holds: |t, ty| {
        matches!(t.resolve(ty), TypeKind::Ptr { .. } | TypeKind::Chan { .. } | TypeKind::Func { .. })
    },
};

impl<'a> Checker<'a> {
    /// Reports operands that only `Extract` may take: the lowerings of channel ops replace members, so the tuple
    /// itself must go nowhere.
    fn takes_apart(&mut self, v: Value, inst: &Inst) {
        for &arg in &inst.args {
            if let Some(op) = self.channel_tuple(arg) {
                self.at_value(v, format!("operand {arg} is the tuple of a {op}, which only Extract takes"));
            }
        }
    }

    /// The channel op that a value is the tuple of.
    pub(super) fn channel_tuple(&self, v: Value) -> Option<Op> {
        Some(self.func.inst(v).op).filter(|op| matches!(op, Op::ChanRecv | Op::Select))
    }

    /// Checks an instruction against its op's rule.
    pub(super) fn rule(&mut self, b: Block, v: Value, inst: &'a Inst) {
        if inst.op != Op::Extract {
            self.takes_apart(v, inst);
        }
        let mut row = self.row(v, inst);
        match inst.op.rule() {
            // In a block it is reported by the shape check.
            Rule::Param => {}
            Rule::Const => row.constant(),
            Rule::IntBinary | Rule::IntUnary => row.uniform(INT),
            Rule::BitBinary => row.uniform(INT_OR_BOOL),
            Rule::Shift => {
                if row.yields(INT) {
                    row.takes_like(0, inst.ty);
                    row.takes(1, INT);
                }
            }
            Rule::ByteSwap => row.uniform(SWAPPABLE),
            Rule::BoolUnary => row.uniform(BOOL),
            Rule::FloatBinary | Rule::FloatUnary => row.uniform(FLOAT),
            Rule::Equality => row.compares(COMPARABLE),
            Rule::IntOrder => row.compares(INT),
            Rule::UnsignedOrder => row.compares(INT_OR_PTR),
            Rule::FloatOrder => row.compares(FLOAT),
            Rule::SignExtend => row.converts(INT, INT, Some(|from, to| from < to), "a narrower"),
            Rule::ZeroExtend => row.converts(INT_OR_BOOL, INT, Some(|from, to| from < to), "a narrower"),
            Rule::Truncate => row.converts(INT, INT, Some(|from, to| from > to), "a wider"),
            Rule::IntToFloat => row.converts(INT, FLOAT, None, ""),
            Rule::FloatToInt => row.converts(FLOAT, INT, None, ""),
            Rule::FloatToFloat => row.converts(FLOAT, FLOAT, Some(|from, to| from != to), "another"),
            Rule::Phi => row.phi(b),
            Rule::Copy => row.uniform(VALUE),
            Rule::Extract => row.extract(),
            Rule::Tuple => row.tuple(),
            Rule::CondSelect => {
                row.takes(0, BOOL);
                if row.yields(VALUE) {
                    row.takes_like(1, inst.ty);
                    row.takes_like(2, inst.ty);
                }
            }
            Rule::Bounded => row.bounded(),
            Rule::LocalAddr
            | Rule::GlobalAddr
            | Rule::PtrAdd
            | Rule::Load
            | Rule::Store
            | Rule::MemCopy
            | Rule::MemZero
            | Rule::New
            | Rule::AtomicLoad
            | Rule::AtomicStore
            | Rule::AtomicRmw
            | Rule::AtomicCas
            | Rule::Sync
            | Rule::CtxLoad
            | Rule::MapLookup
            | Rule::MapUpdate
            | Rule::MapDelete
            | Rule::MapValueIo
            | Rule::MapValue => row.memory(),
            Rule::FuncAddr
            | Rule::Call
            | Rule::CallIndirect
            | Rule::CallRuntime
            | Rule::Intrinsic
            | Rule::Go
            | Rule::Status
            | Rule::Outcome
            | Rule::CallHelper => row.calls(),
            Rule::MakeChan
            | Rule::ChanAddr
            | Rule::ChanSend
            | Rule::ChanRecv
            | Rule::ChanClose
            | Rule::ChanLength
            | Rule::Select => row.channels(),
        }
    }
}
