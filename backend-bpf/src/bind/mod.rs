//! `bind-channels`: each channel gets its map, and each channel runtime call becomes a call of the prelude.
//!
//! 1. Every channel that a program reaches is declared as an array map of one element, a ring.
//! 2. Functions with channel parameters are cloned per instance (element type and capacity, or nil), from the
//!    program entries down; the originals stay as they were, and go at the end.
//! 3. In each function `ChanAddr` becomes the address of the ring — a lookup with a constant key, or a direct
//!    address — and `CallRuntime` a call of `runtime.NAME.INSTANCE`; Go's results are fields of its status word.
//! 4. An operation that panics is followed by a branch on the abort bit. The way to the panic counts at the
//!    operation's site, for the count behind the operation is never reached.
//!
//! **Invariant:** afterwards no value has a channel type and no `CallRuntime`, `Status` or `ChanAddr` is left.

mod count;
mod resolve;
mod rewrite;
mod select;
mod sites;

use std::collections::{HashMap, HashSet};

use indexmap::IndexMap;
use larrow_ir::{
    Aux, ChanId, Decls, Diagnostic, Entity, FuncId, Function, MapDecl, MapId, MapKind, Module, Op, Type,
    Value,
};
use larrow_passes::{Changed, ModulePass, PassCx, PassResult};

use crate::runtime::{Instance, SelectArm, SelectOrder};
use resolve::{InstanceId, Instances, Resolved};

pub use count::CountAborts;

#[cfg(test)]
mod tests;

/// `BPF_F_MMAPABLE`: user space runs the same ring algorithm over shared memory.
const MMAPABLE: u32 = 1 << 10;

/// What becomes of an operation that would block: a BPF program cannot wait.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum WouldBlock {
    /// It completes at once: a receive gives (zero, false), a send drops, a select without default aborts the
    /// program. Each such site gets a note.
    #[default]
    Poll,
    /// It is an error.
    Reject,
}

/// How a program gets at a ring.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum BindMode {
    /// `bpf_map_lookup_elem` at each use of the channel.
    #[default]
    Lookup,
    /// A direct map value address: no helper call.
    Direct,
}

/// The pass.
#[derive(Clone, Copy, Debug, Default)]
pub struct BindChannels {
    /// How a program gets at a ring.
    pub mode: BindMode,
    /// What becomes of an operation that would block.
    pub would_block: WouldBlock,
    /// Where a select starts to look.
    pub select_order: SelectOrder,
}

impl ModulePass for BindChannels {
    fn run(&self, module: &mut Module, cx: &mut PassCx<'_>) -> PassResult {
        let mut binder = Binder { options: *self, ..Binder::default() };
        let entries: Vec<FuncId> =
            module.funcs.iter().filter(|(_, f)| f.section.is_some()).map(|(id, _)| id).collect();
        if entries.is_empty() {
            let help = "name the program's section behind its result, as in `-> u32 section \"xdp\"`";
            return Err(Box::new(
                Diagnostic::error("no function is a BPF program").on(Entity::Module).help(help),
            ));
        }
        for id in entries {
            binder.variant(module, id, &[]);
        }
        while let Some(variant) = binder.queue.pop() {
            binder.bind(module, variant);
        }
        let failed = binder.errors.len();
        binder.errors.into_iter().chain(binder.notes).for_each(|d| cx.report(d));
        if failed == 0 {
            drop_unbound(module, &binder.bound);
        }
        Ok(Changed::Yes)
    }
}

/// Removes the functions that no program reaches, and those that clones stand in for.
fn drop_unbound(module: &mut Module, bound: &[FuncId]) {
    let keep: HashSet<FuncId> = bound.iter().copied().collect();
    let drop: Vec<FuncId> = module
        .funcs
        .iter()
        .filter(|(id, f)| f.kind == larrow_ir::FuncKind::User && !keep.contains(id))
        .map(|(id, _)| id)
        .collect();
    for id in drop {
        module.funcs.remove(id);
    }
}

/// A function with the instances of its parameters.
struct Variant {
    id: FuncId,
    params: Vec<Option<InstanceId>>,
}

/// The state of the pass.
#[derive(Default)]
struct Binder {
    options: BindChannels,
    instances: Instances,
    /// The map and the instance of each channel met so far; `None` for one that has an error.
    chans: IndexMap<ChanId, Option<(MapId, InstanceId)>>,
    /// The variant of a function for parameter instances.
    variants: HashMap<(FuncId, Vec<Option<InstanceId>>), FuncId>,
    queue: Vec<Variant>,
    bound: Vec<FuncId>,
    selects: HashMap<Vec<SelectArm>, FuncId>,
    errors: Vec<Diagnostic>,
    notes: Vec<Diagnostic>,
}

impl Binder {
    /// The function to call in place of `id` with channel arguments of these instances; queues it on first use.
    /// A function with channel parameters is always cloned, for nil channels too: the original is what the next
    /// clone is made from. Any other function stands for itself.
    fn variant(&mut self, module: &mut Module, id: FuncId, args: &[Option<InstanceId>]) -> FuncId {
        let callee = &module.funcs[id];
        let is_chan = |v: Value| module.decls.types.chan_parts(callee.ty(v)).is_some();
        let takes_channels = callee.section.is_none() && callee.params.iter().any(|&p| is_chan(p));
        let params = if takes_channels { args.to_vec() } else { Vec::new() };
        let key = (id, params.clone());
        if let Some(&known) = self.variants.get(&key) {
            return known;
        }
        let made = if takes_channels {
            let chans = callee.params.iter().zip(&params).filter(|&(&p, _)| is_chan(p));
            let suffix: Vec<String> =
                chans.map(|(_, i)| i.map_or("nil".into(), |i| self.instances.get(i).to_string())).collect();
            let mut clone = callee.clone();
            clone.name = module.funcs.fresh_name(&format!("{}.{}", clone.name, suffix.join("."))).into();
            module.add_func(clone).unwrap_or_else(|f| unreachable!("`{}` is fresh", f.name))
        } else {
            id
        };
        self.variants.insert(key, made);
        self.bound.push(made);
        self.queue.push(Variant { id: made, params });
        made
    }

    /// The map and the instance of a channel, declared on first use.
    fn chan(&mut self, decls: &mut Decls, chan: ChanId) -> Option<(MapId, InstanceId)> {
        if let Some(&known) = self.chans.get(&chan) {
            return known;
        }
        let made = match declare(decls, chan) {
            Ok((map, instance)) => Some((map, self.instances.id(instance))),
            Err(error) => {
                self.errors.push(*error);
                None
            }
        };
        self.chans.insert(chan, made);
        made
    }

    /// Resolves and rewrites one variant.
    fn bind(&mut self, module: &mut Module, variant: Variant) {
        let Variant { id, params } = variant;
        let mut func = std::mem::replace(&mut module.funcs[id], Function::new("", Type::UNIT));
        let chans: Vec<ChanId> = func
            .iter_insts()
            .filter_map(|(_, v)| match func.inst(v).aux {
                Aux::Chan(chan) => Some(chan),
                _ => None,
            })
            .collect();
        for chan in chans {
            self.chan(&mut module.decls, chan);
        }
        let of_chan = |c: ChanId| self.chans.get(&c).copied().flatten().map(|(_, i)| i);
        let (resolved, errors) =
            resolve::resolve(id, &func, &module.decls, &params, &self.instances, of_chan);
        self.errors.extend(errors);
        self.rewrite(module, id, &mut func, &resolved);
        module.funcs[id] = func;
    }

    /// The instance of a channel operand; a nil channel takes one of its element type, for the functions test
    /// for nil first.
    fn instance_of(
        &self,
        decls: &Decls,
        func: &Function,
        resolved: &Resolved,
        chan: Value,
    ) -> Option<Instance> {
        match resolved.get(chan) {
            Some(id) => Some(self.instances.get(id).clone()),
            None => {
                let (elem, _) = decls.types.chan_parts(func.ty(chan))?;
                Instance::new(decls, elem, 1)
            }
        }
    }
}

/// Declares the map of a channel.
fn declare(decls: &mut Decls, chan: ChanId) -> Result<(MapId, Instance), Box<Diagnostic>> {
    let decl = decls.chans[chan].clone();
    let name = decls.chans.name(chan).to_string();
    let error = |text: String| Diagnostic::error(text).on(Entity::Chan(chan)).at(decl.pos);
    if let Some(storage) = decl.storage.as_deref().filter(|s| *s != "ring") {
        let help = "leave `storage` out, or say `storage ring`";
        return Err(Box::new(
            error(format!("channel `@{name}` asks for the unknown storage `{storage}`")).help(help),
        ));
    }
    let (elem, _) = decls.types.chan_parts(decl.ty).unwrap_or((Type::UNIT, larrow_ir::ChanDir::Both));
    if decls.types.chan_parts(elem).is_some() {
        let help = "send a number that says which channel is meant, and switch on it";
        return Err(Box::new(
            error(format!("channel `@{name}` carries channels: a received one has no map that is known"))
                .help(help),
        ));
    }
    if decl.cap == 0 {
        let error = error(format!("channel `@{name}` has capacity 0: a ring holds at least one element"))
            .note("both sides of an unbuffered channel wait for each other, and a BPF program cannot wait")
            .help("declare it with `cap 1` or more; a send then does not wait for its receiver");
        return Err(Box::new(error));
    }
    let Some(instance) = Instance::new(decls, elem, decl.cap) else {
        let help = "declare a smaller capacity or a smaller element";
        return Err(Box::new(
            error(format!("channel `@{name}` does not fit into one map value of 256 MiB")).help(help),
        ));
    };
    let value = instance.hchan(decls);
    let map = MapDecl {
        kind: MapKind::Array,
        key: Type::U32,
        value,
        max_entries: 1,
        flags: MMAPABLE,
        pos: decl.pos,
    };
    match decls.maps.insert(name.as_str(), map) {
        Ok(map) => Ok((map, instance)),
        Err(_) => {
            let error =
                error(format!("channel `@{name}` becomes a map, and there is a map `@{name}` already"));
            Err(Box::new(error.help("give one of them another name")))
        }
    }
}

/// Whether a function still has anything to bind: for tests and for targets that compose their own pipeline.
pub fn is_bound(func: &Function, decls: &Decls) -> bool {
    func.iter_insts().all(|(_, v)| {
        let inst = func.inst(v);
        !matches!(inst.op, Op::ChanAddr | Op::CallRuntime | Op::Status)
            && decls.types.chan_parts(inst.ty).is_none()
    })
}
