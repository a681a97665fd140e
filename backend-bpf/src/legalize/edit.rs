//! Rewriting a function's instructions in one walk.

use larrow_ir::{Aux, Block, Decls, Function, Inst, Op, Pos, Type, Value};

/// A block under reconstruction.
pub(super) struct Editor<'a> {
    pub(super) func: &'a mut Function,
    pub(super) decls: &'a mut Decls,
    out: Vec<Value>,
    block: Block,
    pos: Pos,
}

/// Rebuilds the list of every block: `rewrite` is called with each instruction and pushes what stands there
/// instead; it returns whether it changed anything. The instruction itself is pushed if it did not.
pub(super) fn rewrite(
    func: &mut Function,
    decls: &mut Decls,
    mut rewrite: impl FnMut(&mut Editor<'_>, Value) -> bool,
) -> bool {
    let mut changed = false;
    for b in func.layout().to_vec() {
        let old = func.block(b).insts.clone();
        let mut editor = Editor { func, decls, out: Vec::with_capacity(old.len()), block: b, pos: Pos::None };
        let mut here = false;
        for v in old {
            editor.pos = editor.func.inst(v).pos;
            if rewrite(&mut editor, v) {
                here = true;
            } else {
                editor.out.push(v);
            }
        }
        let out = editor.out;
        if here {
            func.set_insts(b, out);
            changed = true;
        }
    }
    changed
}

impl Editor<'_> {
    /// Appends an instruction at the position of the one that is rewritten.
    pub(super) fn op(&mut self, op: Op, ty: Type, args: &[Value]) -> Value {
        self.inst(Inst::new(op, ty, args))
    }
    /// The same with a payload.
    pub(super) fn inst(&mut self, inst: Inst) -> Value {
        let v = self.func.make(inst.at(self.pos));
        self.func.place(v, self.block);
        self.out.push(v);
        v
    }
    /// An integer constant.
    pub(super) fn int(&mut self, ty: Type, bits: u64) -> Value {
        self.inst(Inst::new(Op::Const, ty, &[]).with(Aux::Int(bits)))
    }
    /// `ptr + bytes` as a pointer to `to`.
    pub(super) fn at_offset(&mut self, ptr: Value, bytes: u64, to: Type) -> Value {
        let space = self.decls.types.space(self.func.ty(ptr)).unwrap_or(larrow_ir::Space::Any);
        let ty = self.decls.types.ptr(space, to);
        let by = self.int(Type::U64, bytes);
        self.op(Op::PtrAdd, ty, &[ptr, by])
    }
    /// Makes the instruction that is rewritten something else, so that its uses see that, and appends it.
    pub(super) fn become_op(&mut self, v: Value, op: Op, args: &[Value], aux: Aux) {
        let inst = self.func.inst_mut(v);
        inst.op = op;
        inst.args = larrow_ir::Args::from_slice(args);
        inst.aux = aux;
        self.out.push(v);
    }
}
