//! Rebuilding of SSA form for values that got further definitions.

use std::collections::{BTreeMap, HashMap};

use cranelift_entity::SecondaryMap;
use larrow_ir::{Args, Block, Function, Inst, Op, Value};

/// Values with several definitions, each at the end of its block.
#[derive(Default)]
pub(super) struct Repair {
    /// For each value to be repaired, its definition in each block. Ordered, so that runs repeat.
    variables: BTreeMap<Value, HashMap<Block, Value>>,
}

/// A use that is to be pointed at the definition that reaches it.
enum Use {
    /// An operand of a phi, by its place, which is its predecessor's.
    Phi(Value, usize),
    /// Every matching operand of any other instruction.
    Inst(Value),
    /// A block's terminator.
    Term(Block),
}

impl Repair {
    /// At the end of `b`, `variable` is `value`.
    pub(super) fn define(&mut self, variable: Value, b: Block, value: Value) {
        self.variables.entry(variable).or_default().insert(b, value);
    }

    /// Points every use of the variables at the definition that reaches it, through phis where several do.
    pub(super) fn run(self, func: &mut Function) {
        let mut uses = self.uses(func);
        let mut phis: SecondaryMap<Block, Vec<Value>> = SecondaryMap::new();
        for (variable, defs) in self.variables {
            let mut reader = Reader { variable, defs, starts: HashMap::new(), open: Vec::new() };
            for used in uses.remove(&variable).unwrap_or_default() {
                reader.point(func, used);
            }
            while let Some((phi, b)) = reader.open.pop() {
                let preds = func.preds(b).to_vec();
                let args: Args = preds.iter().map(|&p| reader.end(func, p)).collect();
                func.inst_mut(phi).args = args;
                phis[b].push(phi);
            }
        }
        for b in func.layout().to_vec() {
            if !phis[b].is_empty() {
                let mut insts = std::mem::take(&mut phis[b]);
                insts.extend(func.block(b).insts.iter().copied());
                func.set_insts(b, insts);
            }
        }
    }

    fn uses(&self, func: &Function) -> HashMap<Value, Vec<Use>> {
        let mut uses: HashMap<Value, Vec<Use>> = HashMap::new();
        for (_, v) in func.iter_insts() {
            let is_phi = func.inst(v).op == Op::Phi;
            for (i, arg) in
                func.args(v).iter().enumerate().filter(|(_, arg)| self.variables.contains_key(arg))
            {
                uses.entry(*arg).or_default().push(if is_phi { Use::Phi(v, i) } else { Use::Inst(v) });
            }
        }
        for &b in func.layout() {
            if let Some(v) = func.term(b).operand().filter(|v| self.variables.contains_key(v)) {
                uses.entry(v).or_default().push(Use::Term(b));
            }
        }
        uses
    }
}

/// Finds what reaches a place, for one variable.
struct Reader {
    variable: Value,
    defs: HashMap<Block, Value>,
    /// What is known to reach the start of a block.
    starts: HashMap<Block, Value>,
    /// Phis whose operands are still to be found.
    open: Vec<(Value, Block)>,
}

impl Reader {
    fn point(&mut self, func: &mut Function, used: Use) {
        match used {
            Use::Phi(phi, i) => {
                let home = func.home(phi).expect("uses stand in blocks");
                let value = self.end(func, func.preds(home)[i]);
                func.inst_mut(phi).args[i] = value;
            }
            Use::Inst(v) => {
                let home = func.home(v).expect("uses stand in blocks");
                // The defining block's own instructions stand behind the definition.
                let value = if func.home(self.variable) == Some(home) {
                    self.variable
                } else {
                    self.start(func, home)
                };
                for arg in &mut func.inst_mut(v).args {
                    if *arg == self.variable {
                        *arg = value;
                    }
                }
            }
            Use::Term(b) => {
                let value = self.end(func, b);
                if let Some(operand) = func.block_mut(b).term.operand_mut() {
                    *operand = value;
                }
            }
        }
    }

    fn end(&mut self, func: &mut Function, b: Block) -> Value {
        match self.defs.get(&b) {
            Some(&value) => value,
            None => self.start(func, b),
        }
    }

    /// Walks up to a definition or a join, and remembers the answer all the way.
    fn start(&mut self, func: &mut Function, b: Block) -> Value {
        let mut path = vec![b];
        let value = loop {
            let at = path[path.len() - 1];
            if let Some(&known) = self.starts.get(&at) {
                break known;
            }
            match func.preds(at) {
                // The entry: nothing reaches here that was defined, so nobody looks.
                [] => break self.variable,
                &[p] => match self.defs.get(&p) {
                    Some(&value) => break value,
                    None => path.push(p),
                },
                [_, _, ..] => {
                    let phi = func.make(Inst::new(Op::Phi, func.ty(self.variable), &[]));
                    self.open.push((phi, at));
                    break phi;
                }
            }
        };
        self.starts.extend(path.into_iter().map(|b| (b, value)));
        value
    }
}
