//! Branches, switches, loops, early ends.

use crate::entity::{Block, Type, Value};
use crate::inst::{PanicWith, SelectShape, Terminator};

use super::func::FuncGen;

impl FuncGen<'_> {
    /// Fills blocks that control parts into, and joins them. What each yields meets in a phi; so do the
    /// accumulators. The blocks have their edges already.
    pub(super) fn join(&mut self, arms: &[Block], mut fill: impl FnMut(&mut Self, usize) -> Value) -> Value {
        let (before, mark) = (self.acc, self.pool.len());
        let mut ends = Vec::with_capacity(arms.len());
        for (i, &arm) in arms.iter().enumerate() {
            self.b.switch_to(arm);
            self.acc = before;
            let value = fill(self, i);
            self.pool.truncate(mark);
            ends.push((self.b.current(), self.acc, value));
        }
        let join = self.b.block();
        for &(end, ..) in &ends {
            self.b.switch_to(end);
            self.b.jump(join);
        }
        self.b.switch_to(join);
        let (accs, values): (Vec<_>, Vec<_>) = ends.iter().map(|&(_, acc, value)| (acc, value)).unzip();
        self.acc = self.b.phi(Type::U64, &accs);
        let ty = self.b.func.ty(values[0]);
        self.b.phi(ty, &values)
    }

    /// Statements, then a value of a type.
    fn arm(&mut self, ty: Type) -> Value {
        self.depth += 1;
        for _ in 0..self.random.range(1, 3) {
            self.nested();
        }
        let v = self.value(ty);
        self.depth -= 1;
        v
    }

    pub(super) fn branch(&mut self) {
        let (cond, ty) = (self.value(Type::BOOL), self.int_type());
        let (then, other) = (self.b.block(), self.b.block());
        self.b.branch(cond, then, other);
        let v = self.join(&[then, other], |g, _| g.arm(ty));
        self.offer(v);
    }

    /// `if` without `else`: one edge skips the arm.
    pub(super) fn one_armed(&mut self) {
        let (cond, before) = (self.value(Type::BOOL), self.acc);
        let (then, join) = (self.b.block(), self.b.block());
        if self.random.one_in(2) {
            self.b.branch(cond, then, join);
        } else {
            self.b.branch(cond, join, then);
        }
        self.b.switch_to(then);
        self.nested();
        let after = self.acc;
        self.b.jump(join);
        self.b.switch_to(join);
        self.acc = self.b.phi(Type::U64, &[before, after]);
    }

    pub(super) fn switch(&mut self) {
        let (on_ty, ty) = (self.int_type(), self.int_type());
        let on = self.value(on_ty);
        let mask = self.b.int(on_ty, 7);
        let on = self.b.and(on, mask);
        let arms: Vec<Block> = (0..self.random.range(2, 4)).map(|_| self.b.block()).collect();
        let (cases, default) = arms.split_at(arms.len() - 1);
        let mut numbers: Vec<(u64, Block)> =
            cases.iter().enumerate().map(|(i, &arm)| (2 * i as u64 + 1, arm)).collect();
        if self.random.one_in(2) {
            // Two edges between the same blocks.
            numbers.push((0, cases[0]));
        }
        if self.random.one_in(4) {
            let all_ones = u64::MAX >> (64 - self.bits(on_ty));
            numbers.push((all_ones, default[0]));
        }
        self.b.switch(on, &numbers, default[0]);
        let v = self.join(&arms, |g, _| g.arm(ty));
        self.offer(v);
    }

    /// `for i := 0; i < n; i++ {…}`, tested at the top.
    pub(super) fn count_up(&mut self) {
        let (n, start) = (self.trips(), self.acc);
        let (zero, limit) = (self.b.int(Type::U32, 0), self.b.int(Type::U32, n));
        let (header, body, exit) = (self.b.block(), self.b.block(), self.b.block());
        self.b.jump(header);
        self.b.switch_to(header);
        let i = self.b.phi(Type::U32, &[zero]);
        let acc = self.b.phi(Type::U64, &[start]);
        let more = self.b.less_u(i, limit);
        self.b.branch(more, body, exit);
        self.b.switch_to(body);
        self.acc = acc;
        self.round(i);
        let one = self.b.int(Type::U32, 1);
        let next = self.b.add(i, one);
        let end = self.acc;
        self.b.jump(header);
        self.b.func.push_phi_args(header, &[next, end]);
        self.b.switch_to(exit);
        self.acc = acc;
    }

    /// `i := n; for { …; i--; if i == 0 { break } }`, tested at the bottom.
    pub(super) fn count_down(&mut self) {
        let (n, start) = (self.trips(), self.acc);
        let limit = self.b.int(Type::U32, n);
        let (body, exit) = (self.b.block(), self.b.block());
        self.b.jump(body);
        self.b.switch_to(body);
        let i = self.b.phi(Type::U32, &[limit]);
        self.acc = self.b.phi(Type::U64, &[start]);
        self.round(i);
        let (one, zero) = (self.b.int(Type::U32, 1), self.b.int(Type::U32, 0));
        let next = self.b.sub(i, one);
        let more = self.b.neq(next, zero);
        let end = self.acc;
        self.b.branch(more, body, exit);
        self.b.func.push_phi_args(body, &[next, end]);
        self.b.switch_to(exit);
    }

    fn trips(&mut self) -> u64 {
        self.random.range(1, if self.loops == 0 { 8 } else { 3 }) as u64
    }

    /// One round of a loop.
    fn round(&mut self, i: Value) {
        let mark = self.pool.len();
        self.loops += 1;
        self.offer(i);
        self.nested();
        self.loops -= 1;
        self.pool.truncate(mark);
    }

    /// An early return.
    pub(super) fn guard(&mut self) {
        self.rarely(false, |g| {
            g.nested();
            g.ret();
        });
    }

    /// An early end that is no return.
    pub(super) fn panic(&mut self) {
        self.rarely(false, |g| {
            if g.random.one_in(2) && !g.world.profile.bpf {
                let v = g.acc;
                g.b.terminate(Terminator::Panic(PanicWith::Value(v)));
            } else {
                g.b.panic("generated \"panic\"");
            }
        });
    }

    /// `select {}`: nothing comes after it.
    pub(super) fn block_forever(&mut self) {
        self.rarely(false, |g| {
            g.b.select(SelectShape::default(), &[]);
            g.b.exit();
        });
    }

    /// Does something in a branch that is seldom taken. What it computes stays there; control goes on behind it if
    /// `rejoins`, else `aside` ends its block.
    pub(super) fn rarely(&mut self, rejoins: bool, aside: impl FnOnce(&mut Self)) {
        let (acc, mark) = (self.acc, self.pool.len());
        let (mask, wanted) = (self.b.int(Type::U64, 31), self.random.below(32) as u64);
        let wanted = self.b.int(Type::U64, wanted);
        let low = self.b.and(acc, mask);
        let hit = self.b.eq(low, wanted);
        let (rare, rest) = (self.b.block(), self.b.block());
        self.b.branch(hit, rare, rest);
        self.b.switch_to(rare);
        aside(self);
        if rejoins {
            self.b.jump(rest);
        }
        self.acc = acc;
        self.pool.truncate(mark);
        self.b.switch_to(rest);
    }
}
