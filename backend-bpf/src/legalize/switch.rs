//! `Switch` as a binary search over its constants, with a linear end.

use larrow_ir::{Aux, Block, Decls, Function, Inst, Op, Pos, Terminator, Type, Value};

/// How many constants are compared one after the other.
const LINEAR: usize = 3;

/// Lowers every `Switch`; and `Exit`, where control never gets, to a return.
pub fn lower_switch(func: &mut Function, decls: &mut Decls) -> bool {
    let mut changed = false;
    for b in func.layout().to_vec() {
        let pos = func.block(b).term_pos;
        match func.term(b).clone() {
            Terminator::Switch { on, cases, default } => {
                lower_one(func, (b, pos), on, cases, default);
                changed = true;
            }
            Terminator::Exit => {
                let abort = super::abort_code(func);
                super::bounded::give_up(func, decls, b, abort, pos);
                changed = true;
            }
            Terminator::Plain(_) | Terminator::If { .. } | Terminator::Ret(_) | Terminator::Panic(_) => {}
        }
    }
    changed
}

fn lower_one(
    func: &mut Function,
    (b, pos): (Block, Pos),
    on: Value,
    mut cases: Vec<(u64, Block)>,
    default: Block,
) {
    // What the phis of each target get from here, before the edges go.
    let targets = cases.iter().map(|c| c.1).chain([default]);
    let args: Vec<Vec<Value>> = targets
        .enumerate()
        .map(|(edge, to)| {
            let index = func.pred_index(b, edge);
            func.phis(to).map(|phi| func.args(phi)[index]).collect()
        })
        .collect();
    let mut arms: Vec<Arm> = cases.drain(..).enumerate().map(|(i, (n, to))| Arm { n, to, edge: i }).collect();
    arms.sort_unstable_by_key(|arm| arm.n);
    let mut tree = Tree { func, on, pos, args, default };
    tree.split(b, &arms);
}

#[derive(Clone, Copy)]
struct Arm {
    n: u64,
    to: Block,
    edge: usize,
}

struct Tree<'a> {
    func: &'a mut Function,
    on: Value,
    pos: Pos,
    args: Vec<Vec<Value>>,
    default: Block,
}

impl Tree<'_> {
    fn compare(&mut self, b: Block, op: Op, n: u64) -> Value {
        let ty = self.func.ty(self.on);
        let constant = self.func.append(b, Inst::new(Op::Const, ty, &[]).with(Aux::Int(n)).at(self.pos));
        self.func.append(b, Inst::new(op, Type::BOOL, &[self.on, constant]).at(self.pos))
    }

    /// Ends `b`, whose operand is one of the arms' constants or goes to the default.
    fn split(&mut self, b: Block, arms: &[Arm]) {
        if arms.len() <= LINEAR {
            return self.chain(b, arms);
        }
        let (low, high) = arms.split_at(arms.len() / 2);
        let cond = self.compare(b, Op::LessU, high[0].n);
        let (then, other) = (self.func.add_block(), self.func.add_block());
        self.func.set_terminator(b, Terminator::If { cond, then, other }, self.pos);
        self.split(then, low);
        self.split(other, high);
    }

    fn chain(&mut self, mut b: Block, arms: &[Arm]) {
        let last_edge = self.args.len() - 1;
        let Some((last, first)) = arms.split_last() else {
            self.func.set_terminator(b, Terminator::Plain(self.default), self.pos);
            return self.pass(self.default, last_edge);
        };
        for arm in first {
            let cond = self.compare(b, Op::Eq, arm.n);
            let next = self.func.add_block();
            self.func.set_terminator(b, Terminator::If { cond, then: arm.to, other: next }, self.pos);
            self.pass(arm.to, arm.edge);
            b = next;
        }
        let cond = self.compare(b, Op::Eq, last.n);
        let term = Terminator::If { cond, then: last.to, other: self.default };
        self.func.set_terminator(b, term, self.pos);
        if last.to == self.default {
            debug_assert_eq!(
                self.args[last.edge].len(),
                self.args[last_edge].len(),
                "operands of the same phis"
            );
        }
        self.pass(last.to, last.edge);
        self.pass(self.default, last_edge);
    }

    /// Gives the newest edge to `to` the phi operands of an old one.
    fn pass(&mut self, to: Block, edge: usize) {
        let args = std::mem::take(&mut self.args[edge]);
        self.func.push_phi_args(to, &args);
        self.args[edge] = args;
    }
}
