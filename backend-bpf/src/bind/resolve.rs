//! Which channel instance each channel value of a function is: forward data flow over the few channel values.

use indexmap::{IndexMap, IndexSet};
use larrow_ir::cranelift_entity::SecondaryMap;
use larrow_ir::{Aux, ChanId, Decls, Diagnostic, Entity, FuncId, Function, Op, RuntimeFn, Value};

use crate::runtime::Instance;

/// Index into [`Instances`].
pub(super) type InstanceId = usize;

/// The distinct instances of a module.
#[derive(Default)]
pub(super) struct Instances {
    all: IndexSet<Instance>,
}

impl Instances {
    pub(super) fn id(&mut self, instance: Instance) -> InstanceId {
        self.all.insert_full(instance).0
    }
    pub(super) fn get(&self, id: InstanceId) -> &Instance {
        &self.all[id]
    }
}

/// What is known of a channel value. The order is the lattice's.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Known {
    /// Nothing flowed here yet.
    #[default]
    Nothing,
    /// Always nil.
    Nil,
    /// An instance, or nil.
    Is(InstanceId),
}

/// The instance of every channel value.
pub(super) struct Resolved {
    of: SecondaryMap<Value, Known>,
}

impl Resolved {
    /// Whether the value is a channel, or was one before it was rewritten.
    pub(super) fn is_chan(&self, v: Value) -> bool {
        self.of[v] != Known::Nothing
    }
    /// The instance; `None` for a value that is always nil.
    pub(super) fn get(&self, v: Value) -> Option<InstanceId> {
        match self.of[v] {
            Known::Is(id) => Some(id),
            Known::Nil | Known::Nothing => None,
        }
    }
}

/// Resolves the channel values of `func`. `params` gives the instances of its parameters (`None` for those that
/// are no channels, or nil), `chan` the instance of a module-level channel, `None` for one that has an error.
/// What cannot be resolved is reported and taken for nil, so that one run finds every error.
pub(super) fn resolve(
    id: FuncId,
    func: &Function,
    decls: &Decls,
    params: &[Option<InstanceId>],
    instances: &Instances,
    mut chan: impl FnMut(ChanId) -> Option<InstanceId>,
) -> (Resolved, Vec<Diagnostic>) {
    let mut of: SecondaryMap<Value, Known> = SecondaryMap::with_capacity(func.num_values());
    let mut errors = Vec::new();
    let is_chan = |v: Value| decls.types.chan_parts(func.ty(v)).is_some();
    for (i, &v) in func.params.iter().enumerate().filter(|&(_, &v)| is_chan(v)) {
        of[v] = params.get(i).copied().flatten().map_or(Known::Nil, Known::Is);
    }
    let values: Vec<Value> = func.iter_insts().map(|(_, v)| v).filter(|&v| is_chan(v)).collect();
    for &v in &values {
        let inst = func.inst(v);
        match (inst.op, &inst.aux) {
            (Op::ChanAddr, Aux::Chan(c)) => of[v] = chan(*c).map_or(Known::Nil, Known::Is),
            (Op::Const, _) => of[v] = Known::Nil,
            (Op::Copy | Op::Phi | Op::CondSelect, _) => {}
            // The rewriting refuses it: there it says what to do instead.
            (Op::CallRuntime, Aux::Runtime(RuntimeFn::MakeChan)) => of[v] = Known::Nil,
            _ => {
                errors.push(unresolved(id, func, v));
                of[v] = Known::Nil;
            }
        }
    }
    let unlike = settle(func, &values, &mut of);
    errors.extend(unlike.into_iter().map(|(v, known)| unlike_error(id, func, v, known, instances)));
    (Resolved { of }, errors)
}

/// Lets what is known flow. A value keeps the first of unlike instances; it is returned with both.
fn settle(
    func: &Function,
    values: &[Value],
    of: &mut SecondaryMap<Value, Known>,
) -> IndexMap<Value, [Known; 2]> {
    let mut unlike = IndexMap::new();
    // Values flow through copies and phis only, so each round settles at least one more of them; in layout
    // order two or three rounds do.
    let mut changed = true;
    while changed {
        changed = false;
        for &v in values {
            let inst = func.inst(v);
            let sources = match inst.op {
                Op::Copy | Op::Phi => &inst.args[..],
                Op::CondSelect => &inst.args[1..],
                _ => continue,
            };
            for &source in sources {
                match join(of[v], of[source]) {
                    Some(known) if known == of[v] => {}
                    Some(known) => {
                        of[v] = known;
                        changed = true;
                    }
                    None => {
                        unlike.entry(v).or_insert([of[v], of[source]]);
                    }
                }
            }
        }
    }
    unlike
}

/// The least upper bound; `None` for two instances.
fn join(a: Known, b: Known) -> Option<Known> {
    match (a, b) {
        (x, Known::Nothing) | (Known::Nothing, x) => Some(x),
        (x, Known::Nil) | (Known::Nil, x) => Some(x),
        (Known::Is(x), Known::Is(y)) => (x == y).then_some(a),
    }
}

fn unresolved(id: FuncId, func: &Function, v: Value) -> Diagnostic {
    let inst = func.inst(v);
    Diagnostic::error(format!(
        "the channel {v} comes from `{}`: it cannot be resolved when the program is compiled",
        inst.op
    ))
    .on(Entity::Value(id, v))
    .at(inst.pos)
    .note("a BPF program's channels are maps, and each operation must know its map's layout")
    .help("use a module-level channel, a parameter or a phi of these")
}

fn unlike_error(
    id: FuncId,
    func: &Function,
    v: Value,
    known: [Known; 2],
    instances: &Instances,
) -> Diagnostic {
    let spell = |k: Known| match k {
        Known::Is(i) => instances.get(i).to_string(),
        Known::Nil | Known::Nothing => "nil".into(),
    };
    let inst = func.inst(v);
    Diagnostic::error(format!(
        "{v} may be one of two unlike channels, `{}` and `{}`",
        spell(known[0]),
        spell(known[1])
    ))
    .on(Entity::Value(id, v))
    .at(inst.pos)
    .note("element type and capacity are constants of the code that an operation becomes")
    .help("give both channels one element type and one capacity, or branch before the operation")
}
