//! Calls of functions, helpers, intrinsics, goroutines.

use crate::entity::{Type, Value};

use super::func::FuncGen;
use super::world::{Callee, Param};

impl FuncGen<'_> {
    /// Arguments for a callee; `None` if the frame has nothing to point to.
    fn arguments(&mut self, callee: &Callee) -> Option<Vec<Value>> {
        let mut args = Vec::with_capacity(callee.params.len());
        for param in &callee.params {
            args.push(match *param {
                Param::Int(ty) => self.value(ty),
                Param::Pointer(to) => self.cell_or_param(to)?,
                Param::Chan(class) => self.chan_of(class),
                Param::Context => return None,
            });
        }
        Some(args)
    }

    fn any_callee(&mut self) -> Callee {
        let index = self.random.below(self.world.callees.len());
        self.world.callees[index].clone()
    }

    pub(super) fn call(&mut self) {
        let callee = self.any_callee();
        let Some(args) = self.arguments(&callee) else { return };
        let v = self.b.call(callee.result, callee.id, &args);
        if callee.result != Type::UNIT {
            self.offer(v);
        }
    }

    /// The address of a function, and a call through it.
    pub(super) fn call_indirect(&mut self) {
        let callee = self.any_callee();
        let Some(args) = self.arguments(&callee) else { return };
        let target = self.func_addr(&callee);
        let v = self.b.call_indirect(target, &args);
        if callee.result != Type::UNIT {
            self.offer(v);
        }
    }

    pub(super) fn func_addr(&mut self, callee: &Callee) -> Value {
        let params: Vec<Type> = callee
            .params
            .iter()
            .filter_map(|param| match *param {
                Param::Int(ty) => Some(ty),
                Param::Pointer(to) => Some(self.b.decls.types.ptr(crate::Space::Stack, to)),
                Param::Chan(class) => Some(self.world.classes[class].ty),
                Param::Context => None,
            })
            .collect();
        let ty = self.b.decls.types.func(&params, callee.result);
        self.b.func_addr(ty, callee.id)
    }

    /// A helper whose answer differs from run to run; nothing of it is left.
    pub(super) fn helper(&mut self) {
        let (name, ty) = self.random.pick(&[
            ("ktime_get_ns", Type::U64),
            ("get_smp_processor_id", Type::U32),
            ("get_prandom_u32", Type::U32),
        ]);
        if name == "get_prandom_u32" && self.world.profile.channels {
            // A select may draw from the same sequence.
            return;
        }
        let v = self.b.call_helper(ty, name, &[]);
        let zero = self.b.sub(v, v);
        self.offer(zero);
    }

    pub(super) fn intrinsic(&mut self) {
        if let Some(id) = self.world.intrinsic {
            let x = self.value(Type::U32);
            let v = self.b.intrinsic(id, &[x]);
            self.offer(v);
        }
    }

    /// A goroutine that only returns: when it runs makes no difference.
    pub(super) fn goroutine(&mut self) {
        if let Some(idle) = &self.world.idle {
            let x = self.value(Type::U64);
            self.b.go(idle.id, &[x]);
        }
    }
}
