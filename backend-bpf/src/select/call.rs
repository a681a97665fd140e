//! Calls: of the module's functions, of helpers by name, and those that map ops stand for; and the context.

use larrow_ir::{Aux, Type, Value};
use smallvec::smallvec;

use super::{Need, Selector};
use crate::helpers;
use crate::isa::Size;
use crate::mach::{Base, Callee, MachOp, Mem, Regs, Symbol, VReg};

impl Selector<'_> {
    fn arguments(&mut self, v: Value) -> Regs<VReg> {
        let args = self.func.args_of(v);
        args.iter().map(|&arg| self.reg(arg, Need::Full)).collect()
    }

    /// The result's register if something uses it.
    fn result(&mut self, v: Value) -> Option<VReg> {
        (self.func.ty(v) != Type::UNIT && self.wanted(v)).then(|| self.own_reg(v))
    }

    /// `Call`. What a function of the module returns is zero-extended.
    pub(super) fn call(&mut self, v: Value) {
        let Aux::Func(callee) = self.func.inst(v).aux else { return };
        let args = self.arguments(v);
        let result = self.result(v);
        self.push(MachOp::Call { callee: Callee::Func(callee), args, result });
    }

    /// `CallHelper`. The verifier knows nothing of the upper half of what a helper returns.
    pub(super) fn call_helper(&mut self, v: Value) {
        let Aux::Name(ref name) = self.func.inst(v).aux else { return };
        let Some(helper) = helpers::helper(name) else {
            return self.error(v, format!("no helper is called `{name}`"));
        };
        let args = self.arguments(v);
        let width = self.width(v);
        match self.result(v) {
            Some(dst) if width < 64 => {
                let raw = self.temp();
                self.push(MachOp::Call { callee: Callee::Helper(helper), args, result: Some(raw) });
                self.mask(dst, raw, width);
            }
            result => self.push(MachOp::Call { callee: Callee::Helper(helper), args, result }),
        }
    }

    /// Map ops: the map in R1, pointers behind it, flags last.
    pub(super) fn map_call(&mut self, v: Value) {
        let inst = self.func.inst(v);
        let (map, flags) = match inst.aux {
            Aux::Lookup { map, .. } => (map, 0),
            Aux::MapFlags { map, flags } => (map, flags),
            _ => return,
        };
        let Some((helper, takes_flags)) = helpers::of_map_op(inst.op) else { return };
        let dst = self.temp();
        self.push(MachOp::Address { dst, symbol: Symbol::Map(map) });
        let mut args: Regs<VReg> = smallvec![dst];
        args.extend(self.arguments(v));
        if takes_flags {
            args.push(self.imm_reg(i64::from(flags)));
        }
        let result = self.result(v);
        self.push(MachOp::Call { callee: Callee::Helper(helper), args, result });
    }

    /// `CtxLoad`: at the context's own register, of the field's exact size.
    pub(super) fn context_load(&mut self, v: Value) {
        let Aux::Name(ref name) = self.func.inst(v).aux else { return };
        let field = crate::legalize::context_field(self.context.decls, self.func, self.context.section, v);
        let Some(field) = field else {
            return self.error(v, format!("the context has no field `{name}`"));
        };
        let dst = self.own_reg(v);
        let base = Base::Reg(self.reg(self.func.args(v)[0], Need::Full));
        let size = Size::from_bytes(field.size).expect("fields are as large as loads");
        self.push(MachOp::Load { size, dst, mem: Mem { base, off: field.offset } });
    }
}
