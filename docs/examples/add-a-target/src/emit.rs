//! Code for the stack machine.

use std::fmt;

use larrow_ir::{Block, Decls, Function, Op, Terminator, Value};

use crate::check::code;

/// An instruction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Insn {
    /// `L2:` is a place to jump to.
    Label(u32),
    /// `push 7`
    Push(u64),
    /// `get v3` pushes a variable.
    Get(Value),
    /// `set v3` pops into a variable.
    Set(Value),
    /// `add.32` pops the operands, the last first, and pushes the result, cut to its bits.
    Op(Op, u32),
    /// `jump L2`
    Jump(u32),
    /// `jz L2` pops, and jumps if that was 0.
    JumpIfZero(u32),
    /// `ret` pops the result.
    Return,
}

impl fmt::Display for Insn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Insn::Label(n) => write!(f, "L{n}:"),
            Insn::Push(n) => write!(f, "push {n}"),
            Insn::Get(v) => write!(f, "get {v}"),
            Insn::Set(v) => write!(f, "set {v}"),
            Insn::Op(op, bits) => write!(f, "{}.{bits}", code(*op).expect("the check let it through")),
            Insn::Jump(n) => write!(f, "jump L{n}"),
            Insn::JumpIfZero(n) => write!(f, "jz L{n}"),
            Insn::Return => f.write_str("ret"),
        }
    }
}

/// The code of a function.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Code {
    /// The function's name.
    pub name: String,
    /// The variables that the arguments are in.
    pub params: Vec<Value>,
    /// The instructions.
    pub insns: Vec<Insn>,
}

/// The name, then an instruction a line.
impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let params: Vec<String> = self.params.iter().map(Value::to_string).collect();
        writeln!(f, "{}({}):", self.name, params.join(", "))?;
        for insn in &self.insns {
            let indent = if matches!(insn, Insn::Label(_)) { "" } else { "    " };
            writeln!(f, "{indent}{insn}")?;
        }
        Ok(())
    }
}

/// Makes the code of a function that the pipeline left legal.
pub fn function(func: &Function, decls: &Decls) -> Code {
    let mut insns = Vec::new();
    for &b in func.layout() {
        insns.push(Insn::Label(b.as_u32()));
        for &v in &func.block(b).insts {
            instruction(func, decls, v, &mut insns);
        }
        terminator(func, b, &mut insns);
    }
    Code { name: func.name.to_string(), params: func.params.to_vec(), insns }
}

fn instruction(func: &Function, decls: &Decls, v: Value, out: &mut Vec<Insn>) {
    let inst = func.inst(v);
    if inst.op == Op::Phi {
        return; // The edges set it.
    }
    out.extend(inst.int_const().map(Insn::Push));
    out.extend(inst.args.iter().map(|&arg| Insn::Get(arg)));
    if code(inst.op).is_some() {
        out.push(Insn::Op(inst.op, decls.types.bits(inst.ty).expect("a scalar")));
    }
    out.push(Insn::Set(v));
}

/// Labels of their own for the second way of branches, behind those of blocks.
fn other_way(func: &Function, b: Block) -> u32 {
    func.num_blocks() as u32 + b.as_u32()
}

fn terminator(func: &Function, b: Block, out: &mut Vec<Insn>) {
    match func.term(b) {
        &Terminator::Plain(to) => edge(func, b, 0, to, out),
        &Terminator::If { cond, then, other } => {
            let label = other_way(func, b);
            out.extend([Insn::Get(cond), Insn::JumpIfZero(label)]);
            edge(func, b, 0, then, out);
            out.push(Insn::Label(label));
            edge(func, b, 1, other, out);
        }
        Terminator::Ret(value) => {
            out.extend(value.map(Insn::Get));
            out.push(Insn::Return);
        }
        Terminator::Switch { .. } | Terminator::Panic(_) | Terminator::Exit => {
            unreachable!("the check refuses it")
        }
    }
}

/// Sets the phis of the block that an edge leads to, and jumps. All operands are read before any phi is set: phis
/// change at once, and may be each other's operands.
fn edge(func: &Function, from: Block, edge: usize, to: Block, out: &mut Vec<Insn>) {
    let at = func.pred_index(from, edge);
    out.extend(func.phis(to).map(|phi| Insn::Get(func.args(phi)[at])));
    let phis: Vec<Value> = func.phis(to).collect();
    out.extend(phis.into_iter().rev().map(Insn::Set));
    out.push(Insn::Jump(to.as_u32()));
}
