//! The typing rules of calls: of functions, intrinsics, helpers, and the Go runtime.

use crate::entity::{FuncId, Type};
use crate::inst::Aux;
use crate::op::{Op, Rule};
use crate::runtime::{RuntimeFn, RuntimeSig};
use crate::types::{ChanDir, TypeKind};

use super::rules::{BOOL, CHAN, FUNC, INT32, INT64, MEMBER, PTR, Row, SCALAR, TUPLE, UNIT};
use super::shape::operands;

impl Row<'_, '_> {
    /// Checks a rule of this family; the others are none of its business.
    pub(super) fn calls(&mut self) {
        match self.inst.op.rule() {
            Rule::FuncAddr => self.func_addr(),
            Rule::Call => {
                if let Some((params, result)) = self.callee() {
                    self.passes(0, &params);
                    self.yields_like(result);
                }
            }
            Rule::Go => {
                if let Some((params, _)) = self.callee() {
                    self.passes(0, &params);
                }
                self.yields(UNIT);
            }
            Rule::CallIndirect => self.call_indirect(),
            Rule::CallRuntime => {
                if let Aux::Runtime(function) = self.inst.aux {
                    self.runtime(function);
                }
            }
            Rule::Intrinsic => self.intrinsic(),
            Rule::Status => {
                self.looks_at_runtime_call();
                self.yields(INT32);
            }
            Rule::Outcome => {
                self.looks_at_runtime_call();
                self.yields(UNIT);
            }
            Rule::CallHelper => {
                for i in 0..self.inst.args.len() {
                    self.takes(i, SCALAR);
                }
                self.yields(MEMBER);
            }
            rule => debug_assert!(false, "{rule:?} is no rule of calls"),
        }
    }

    /// The parameters and the result of the function that the payload names.
    fn callee(&self) -> Option<(Vec<Type>, Type)> {
        let Aux::Func(id) = self.inst.aux else { return None };
        self.signature(id)
    }

    /// `None` if its header is broken, which is reported where it stands.
    fn signature(&self, id: FuncId) -> Option<(Vec<Type>, Type)> {
        let func = self.checker.module.funcs.get(id)?;
        let known = |ty: Type| self.checker.known_type(ty).then_some(ty);
        let params = func.params.iter().map(|&p| {
            let exists = (p.as_u32() as usize) < func.num_values();
            exists.then(|| func.ty(p)).and_then(known)
        });
        Some((params.collect::<Option<_>>()?, known(func.result)?))
    }

    /// The operands from `first` on are what the parameters say.
    fn passes(&mut self, first: usize, params: &[Type]) {
        let have = self.inst.args.len().saturating_sub(first);
        if have != params.len() {
            let want = operands(params.len()).replace("operand", "argument");
            return self.error(format!("the callee takes {want}, not {have}"));
        }
        for (i, &ty) in params.iter().enumerate() {
            self.takes_like(first + i, ty);
        }
    }

    fn func_addr(&mut self) {
        let Some((want_params, want_result)) = self.callee() else { return };
        let types = self.types();
        if !self.yields(FUNC) {
            return;
        }
        let TypeKind::Func { params, result } = types.resolve(self.inst.ty) else { return };
        // Whoever starts a goroutine drops its result, so a type without one fits every function.
        let same = params.len() == want_params.len()
            && params.iter().zip(&want_params).all(|(&x, &y)| types.same_width(x, y))
            && (types.same_width(*result, want_result) || *result == Type::UNIT);
        if !same {
            let (params, have) = (
                want_params.iter().map(|&p| self.checker.spell(p)).collect::<Vec<_>>().join(", "),
                self.checker.spell(self.inst.ty),
            );
            let result = self.checker.spell(want_result);
            self.error(format!("FuncAddr yields func({params}) -> {result} here, not {have}"));
        }
    }

    fn call_indirect(&mut self) {
        if self.inst.args.is_empty() {
            return self.error("CallIndirect takes a function first");
        }
        if !self.takes(0, FUNC) {
            return;
        }
        if let TypeKind::Func { params, result } = self.types().resolve(self.arg_ty(0)) {
            self.passes(1, params);
            self.yields_like(*result);
        }
    }

    fn intrinsic(&mut self) {
        let Aux::Intrinsic(id) = self.inst.aux else { return };
        let Some(decl) = self.checker.decls.intrinsics.get(id) else { return };
        // A declaration of another type is reported where it stands.
        if let TypeKind::Func { params, result } = self.types().resolve(decl.ty) {
            self.passes(0, params);
            self.yields_like(*result);
        }
    }

    /// The operand is a runtime call that has an outcome.
    fn looks_at_runtime_call(&mut self) {
        let call = self.checker.func.inst(self.arg(0));
        let has_status = match (call.op, &call.aux) {
            (Op::CallRuntime, Aux::Runtime(function)) => function.has_status(),
            _ => false,
        };
        if !has_status {
            let v = self.arg(0);
            self.error(format!("operand {v} of {} is no channel runtime call with a status", self.inst.op));
        }
    }

    fn runtime(&mut self, function: RuntimeFn) {
        match function.sig() {
            RuntimeSig::MakeChan => {
                if self.count(1) {
                    self.takes(0, INT64);
                }
                self.yields(CHAN);
            }
            RuntimeSig::Send => {
                if self.count(2) {
                    self.element(0, ChanDir::Send, 1, false);
                }
                self.yields(UNIT);
            }
            RuntimeSig::Recv1 => {
                if self.count(2) {
                    self.element(0, ChanDir::Recv, 1, true);
                }
                self.yields(UNIT);
            }
            RuntimeSig::Recv2 => {
                if self.count(2) {
                    self.element(0, ChanDir::Recv, 1, true);
                }
                self.yields(BOOL);
            }
            RuntimeSig::Close => {
                if self.count(1) {
                    self.closable(0);
                }
                self.yields(UNIT);
            }
            RuntimeSig::Length => {
                if self.count(1) {
                    self.takes(0, CHAN);
                }
                self.yields(INT64);
            }
            RuntimeSig::TrySend => {
                if self.count(2) {
                    self.element(0, ChanDir::Send, 1, false);
                }
                self.yields(BOOL);
            }
            RuntimeSig::TryRecv => {
                if self.count(2) {
                    self.element(1, ChanDir::Recv, 0, true);
                }
                self.yields_tuple(&[Type::BOOL, Type::BOOL]);
            }
            RuntimeSig::SelectGo => self.selectgo(),
            RuntimeSig::Block => {
                self.count(0);
                self.yields(UNIT);
            }
            RuntimeSig::NewProc => self.newproc(),
        }
    }

    /// Operand `at` points to an element of the channel that operand `chan` is; or it is nil where that is
    /// allowed.
    fn element(&mut self, chan: usize, dir: ChanDir, at: usize, or_nil: bool) {
        let elem = match dir {
            ChanDir::Send => self.sendable(chan),
            ChanDir::Recv | ChanDir::Both => self.receivable(chan),
        };
        let is_nil = self.checker.func.inst(self.arg(at)).aux == Aux::Nil;
        if let Some(elem) = elem
            && self.takes(at, PTR)
            && !(is_nil && or_nil)
        {
            self.points_to_element(at, elem);
        }
    }

    fn selectgo(&mut self) {
        if self.count(6) {
            for i in 0..3 {
                self.takes(i, PTR);
            }
            self.takes(3, INT64);
            self.takes(4, INT64);
            self.takes(5, BOOL);
        }
        self.yields_tuple(&[Type::I64, Type::BOOL]);
    }

    fn newproc(&mut self) {
        self.yields(UNIT);
        if self.inst.args.is_empty() {
            return self.error("newproc takes a function first");
        }
        if self.takes(0, FUNC)
            && let TypeKind::Func { params, .. } = self.types().resolve(self.arg_ty(0))
        {
            self.passes(1, params);
        }
    }

    /// The result is a tuple with members of the bits of these types.
    pub(super) fn yields_tuple(&mut self, want: &[Type]) {
        if !self.yields(TUPLE) {
            return;
        }
        let (types, have) = (self.types(), self.types().tuple_items(self.inst.ty));
        let same = have.len() == want.len() && have.iter().zip(want).all(|(&x, &y)| types.same_width(x, y));
        if !same {
            let want: Vec<_> = want.iter().map(|&ty| self.checker.spell(ty)).collect();
            let (want, have) = (want.join(", "), self.checker.spell(self.inst.ty));
            self.error(format!("{} yields ({want}) here, not {have}", self.inst.op));
        }
    }
}
