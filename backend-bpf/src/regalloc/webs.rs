//! Webs of registers that the allocator would join, cut to a length.
//!
//! regalloc2 first joins what wants one register: a result with the operand whose register it takes, a block
//! parameter with what is passed to it. It keeps the live ranges of what it joined in a sorted list and sorts that
//! again for every join, from the last block to the first; along a chain of thousands of phis that is quadratic. So a
//! web that grew to [`MOST`] registers takes no more: what would join it is copied first, and the copy's result begins
//! another web. That costs an instruction every [`MOST`] registers at worst, and only in functions that have such webs.

use std::borrow::Cow;

use crate::isa::Width;
use crate::mach::{MachFunc, MachInst, MachOp, Role, VReg};

/// The most registers of a web. Sorting some hundred ranges is not felt.
const MOST: u32 = 128;

/// The function with its long webs cut. Registers from `func.vregs` on are results of copies that must not be joined
/// with their operands.
pub(super) fn cut(func: &MachFunc<VReg>) -> Cow<'_, MachFunc<VReg>> {
    let mut webs = Webs::new(func.vregs);
    webs.join_results(func);
    let mut cuts = Vec::new();
    for (b, block) in func.blocks.iter().enumerate().rev() {
        let Some(MachOp::Jump { to, args }) = block.insts.last().map(|i| &i.op) else { continue };
        for (n, (arg, param)) in args.iter().zip(&func.blocks[to.index()].params).enumerate() {
            if !webs.join(arg.index, param.index) {
                cuts.push((b, n));
            }
        }
    }
    if cuts.is_empty() {
        return Cow::Borrowed(func);
    }
    let mut func = func.clone();
    for (b, n) in cuts {
        copy_argument(&mut func, b, n);
    }
    Cow::Owned(func)
}

/// Passes a copy of the `n`-th argument of a block's jump.
fn copy_argument(func: &mut MachFunc<VReg>, b: usize, n: usize) {
    let dst_index = func.vregs;
    let insts = &mut func.blocks[b].insts;
    let Some(last) = insts.last_mut() else { return };
    let pos = last.pos;
    let MachOp::Jump { args, .. } = &mut last.op else { return };
    let src = args[n];
    let dst = VReg { index: dst_index, value: src.value };
    args[n] = dst;
    let at = insts.len() - 1;
    insts.insert(at, MachInst { op: MachOp::Mov { width: Width::W64, dst, src }, value: src.value, pos });
    func.vregs += 1;
}

/// Disjoint sets with their sizes.
struct Webs {
    parent: Vec<u32>,
    size: Vec<u32>,
}

impl Webs {
    fn new(registers: u32) -> Webs {
        Webs { parent: (0..registers).collect(), size: vec![1; registers as usize] }
    }

    fn find(&mut self, mut x: u32) -> u32 {
        while self.parent[x as usize] != x {
            // Every other step is shortened on the way.
            self.parent[x as usize] = self.parent[self.parent[x as usize] as usize];
            x = self.parent[x as usize];
        }
        x
    }

    /// Joins two webs unless that makes too long a one. Whether they are one now.
    fn join(&mut self, x: u32, y: u32) -> bool {
        let (x, y) = (self.find(x), self.find(y));
        if x == y {
            return true;
        }
        let sum = self.size[x as usize] + self.size[y as usize];
        if sum > MOST {
            return false;
        }
        let (small, large) = if self.size[x as usize] < self.size[y as usize] { (x, y) } else { (y, x) };
        self.parent[small as usize] = large;
        self.size[large as usize] = sum;
        true
    }

    /// Joins results with the operands whose registers they take. The allocator bounds these chains itself, because
    /// it goes forward along them.
    fn join_results(&mut self, func: &MachFunc<VReg>) {
        for inst in func.blocks.iter().flat_map(|b| &b.insts) {
            let mut first = None;
            inst.op.map(|role, reg: VReg| {
                if role == Role::DefReuse {
                    self.join(first.unwrap_or(reg.index), reg.index);
                }
                first.get_or_insert(reg.index);
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use larrow_ir::{FuncBuilder, Function, Module, Type};

    use super::*;
    use crate::{TargetOptions, compile_module};

    #[test]
    fn a_web_takes_no_more_than_the_most() {
        let mut webs = Webs::new(300);
        let refused: Vec<u32> = (1..300).filter(|&n| !webs.join(n - 1, n)).collect();
        assert_eq!(refused, [MOST, 2 * MOST]);
        assert!(webs.join(0, MOST - 1), "they are one already");
    }

    /// A chain of diamonds, each of whose phis may take the register of the last. In tests the allocator's checker
    /// looks at the result.
    #[test]
    fn a_long_chain_of_phis_costs_few_copies() {
        const DIAMONDS: u64 = 300;
        let mut module = Module::new("chain.go");
        let mut func = Function::new("f", Type::U64);
        let mut x = func.add_param(Type::U64);
        let mut build = FuncBuilder::new(&mut func, &mut module.decls);
        let entry = build.block();
        build.switch_to(entry);
        for n in 0..DIAMONDS {
            let bound = build.int(Type::U64, n * 3);
            let less = build.less_u(x, bound);
            let (then, other, join) = (build.block(), build.block(), build.block());
            build.branch(less, then, other);
            build.switch_to(then);
            let sum = build.add(x, bound);
            build.jump(join);
            build.switch_to(other);
            let mixed = build.xor(x, bound);
            build.jump(join);
            build.switch_to(join);
            x = build.phi(Type::U64, &[sum, mixed]);
        }
        build.ret(Some(x));
        assert!(module.add_func(func).is_ok(), "the module was empty");
        let compiled = compile_module(&module, &TargetOptions::default()).expect("it compiles");
        let count = compiled.funcs[0].code.insts.len() as u64;
        // A branch, two operations and a jump each.
        assert!(count < DIAMONDS * 4 + DIAMONDS / 10, "{count}");
    }
}
