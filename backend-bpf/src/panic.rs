//! `lower-panic`: nothing unwinds in BPF, so a panic becomes a return that carries a flag up the call chain.
//!
//! A function that may panic returns `(…, aborted bool)` in place of its result; each call of it branches on the
//! flag to the caller's abort block. A program entry's abort block returns the section's abort code; any other's
//! returns zeros and the flag. After inlining most of this is gone: a `Panic` that stands in the entry is a
//! plain return.

use larrow_ir::cfg::CallGraph;
use larrow_ir::cranelift_entity::EntitySet;
use larrow_ir::{
    Args, Aux, Block, Decls, FuncBuilder, FuncId, Function, Inst, Module, Op, Pos, Terminator, Type,
    TypeKind, Value,
};
use larrow_passes::{Changed, PassCx, PassResult};

use crate::legalize::abort_code;

/// The pass. Runs over the module, because signatures change.
pub(crate) fn lower_panic(module: &mut Module, _: &mut PassCx<'_>) -> PassResult {
    let aborting = may_abort(module);
    let mut changed = false;
    for id in module.funcs.ids().collect::<Vec<_>>() {
        if aborting.contains(id) {
            let is_entry = module.funcs[id].section.is_some();
            module.with_func(id, |func, decls| Lowering::new(func, decls, is_entry).run(&aborting));
            changed = true;
        }
    }
    Ok(Changed::from(changed))
}

/// The functions in which a panic may happen, or below which one may.
fn may_abort(module: &Module) -> EntitySet<FuncId> {
    let graph = CallGraph::compute(module);
    let mut set = EntitySet::new();
    let panics = |f: &Function| {
        f.layout().iter().any(|&b| matches!(f.term(b), Terminator::Panic(_) | Terminator::Exit))
    };
    let mut work: Vec<FuncId> = module.funcs.iter().filter(|(_, f)| panics(f)).map(|(id, _)| id).collect();
    while let Some(id) = work.pop() {
        if set.insert(id) {
            work.extend(graph.callers(id).iter().map(|&(id, _)| id));
        }
    }
    set
}

/// What a function that may abort returns in place of `result`.
fn with_flag(decls: &mut Decls, result: Type) -> Type {
    match decls.types.resolve(result).clone() {
        TypeKind::Unit => Type::BOOL,
        TypeKind::Tuple(items) => {
            let items: Vec<Type> = items.iter().copied().chain([Type::BOOL]).collect();
            decls.types.tuple(&items)
        }
        _ => decls.types.tuple(&[result, Type::BOOL]),
    }
}

/// The lowering of one function.
struct Lowering<'a> {
    func: &'a mut Function,
    decls: &'a mut Decls,
    is_entry: bool,
    /// The result before.
    result: Type,
    abort: Option<Block>,
}

impl<'a> Lowering<'a> {
    fn new(func: &'a mut Function, decls: &'a mut Decls, is_entry: bool) -> Self {
        let result = func.result;
        Lowering { func, decls, is_entry, result, abort: None }
    }

    fn run(mut self, aborting: &EntitySet<FuncId>) {
        let blocks = self.func.layout().to_vec();
        for &b in &blocks {
            match self.func.term(b).clone() {
                Terminator::Panic(_) | Terminator::Exit => self.end_in_abort(b),
                Terminator::Ret(value) if !self.is_entry => self.flag_return(b, value),
                Terminator::Ret(_)
                | Terminator::Plain(_)
                | Terminator::If { .. }
                | Terminator::Switch { .. } => {}
            }
        }
        for b in blocks {
            self.check_calls(b, aborting);
        }
        if !self.is_entry {
            self.func.result = with_flag(self.decls, self.result);
        }
    }

    /// The block that returns from the function with the abort code, or with the flag.
    fn abort_block(&mut self) -> Block {
        if let Some(b) = self.abort {
            return b;
        }
        let b = self.func.add_block();
        self.abort = Some(b);
        let code = abort_code(self.func);
        let mut build = FuncBuilder::new(self.func, self.decls);
        build.switch_to(b);
        if self.is_entry {
            let value = build.int(self.result, u64::from(code));
            build.ret(Some(value));
        } else {
            let value = zero_result(&mut build, self.result);
            let value = flagged(&mut build, value, true);
            build.ret(Some(value));
        }
        b
    }

    fn end_in_abort(&mut self, b: Block) {
        let (to, pos) = (self.abort_block(), self.func.block(b).term_pos);
        self.func.set_terminator(b, Terminator::Plain(to), pos);
    }

    fn flag_return(&mut self, b: Block, value: Option<Value>) {
        let pos = self.func.block(b).term_pos;
        let mut build = FuncBuilder::new(self.func, self.decls);
        build.at(pos).switch_to(b);
        let items = value.map_or_else(Args::new, |v| members(&mut build, v));
        let value = flagged(&mut build, items, false);
        build.ret(Some(value));
    }

    /// Branches behind each call that may abort. From the last to the first, so that each cut moves only what
    /// stands behind it.
    fn check_calls(&mut self, b: Block, aborting: &EntitySet<FuncId>) {
        for at in (0..self.func.block(b).insts.len()).rev() {
            let v = self.func.block(b).insts[at];
            let inst = self.func.inst(v);
            match inst.aux {
                Aux::Func(callee) if inst.op == Op::Call && aborting.contains(callee) => {
                    self.check_call(b, at, v);
                }
                _ => {}
            }
        }
    }

    fn check_call(&mut self, b: Block, at: usize, v: Value) {
        let inst = self.func.inst(v).clone();
        let on = self.func.split_block(b, at + 1);
        let abort = self.abort_block();
        let result = with_flag(self.decls, inst.ty);
        let is_tuple = matches!(self.decls.types.resolve(inst.ty), TypeKind::Tuple(_));
        let flag = if inst.ty == Type::UNIT {
            self.func.inst_mut(v).ty = result;
            v
        } else if is_tuple {
            // The members keep their places; the flag stands behind them.
            self.func.inst_mut(v).ty = result;
            let last = self.decls.types.tuple_items(result).len() - 1;
            self.extract(b, v, last as u32, inst.pos)
        } else {
            // The call moves to a new value, and the old one becomes its first member.
            self.func.block_mut(b).insts.pop();
            let call = self.func.append(b, Inst { ty: result, ..inst.clone() });
            let flag = self.extract(b, call, 1, inst.pos);
            *self.func.inst_mut(v) =
                Inst::new(Op::Extract, inst.ty, &[call]).with(Aux::Index(0)).at(inst.pos);
            self.func.attach(b, v);
            flag
        };
        self.func.set_terminator(b, Terminator::If { cond: flag, then: abort, other: on }, inst.pos);
    }

    fn extract(&mut self, b: Block, tuple: Value, index: u32, pos: Pos) -> Value {
        self.func.append(b, Inst::new(Op::Extract, Type::BOOL, &[tuple]).with(Aux::Index(index)).at(pos))
    }
}

/// The members of a result: itself, or those of a tuple.
fn members(build: &mut FuncBuilder<'_>, value: Value) -> Args {
    let items = build.decls.types.tuple_items(build.func.ty(value)).len();
    if items == 0 {
        return Args::from_slice(&[value]);
    }
    (0..items as u32).map(|i| build.extract(value, i)).collect()
}

/// Zeros for a result.
fn zero_result(build: &mut FuncBuilder<'_>, result: Type) -> Args {
    let types: Vec<Type> = match build.decls.types.resolve(result) {
        TypeKind::Unit => Vec::new(),
        TypeKind::Tuple(items) => items.to_vec(),
        _ => vec![result],
    };
    types
        .into_iter()
        .map(|ty| if build.decls.types.is_ptr(ty) { build.nil(ty) } else { build.int(ty, 0) })
        .collect()
}

/// A result with its flag: `(…, flag)`, or the flag alone.
fn flagged(build: &mut FuncBuilder<'_>, mut items: Args, flag: bool) -> Value {
    let flag = build.bool(flag);
    if items.is_empty() {
        return flag;
    }
    items.push(flag);
    build.tuple(&items)
}
