//! The counted sites of each runtime call, read back from the lookups that `insert-map-lookup` put behind it.
//!
//! A call that panics never reaches its count: the branch on the abort bit stands before it. The block that
//! panics counts in its place, and here it learns where.

use std::collections::HashMap;

use larrow_ir::{Aux, Decls, Function, LookupRole, Op, SiteId, SiteKind, Value};
use smallvec::SmallVec;

/// More steps than a counter's offset takes from a status: a table, two shifts and a mask.
const MOST_STEPS: u32 = 32;

/// The sites that a function's calls count at.
#[derive(Default)]
pub(super) struct Sites {
    of: HashMap<Value, SmallVec<[SiteId; 1]>>,
}

impl Sites {
    /// Collects them along the data that flows: the status of the call decides which member of the looked-up
    /// record an atomic add counts. (The order of pure instructions says nothing.)
    pub(super) fn collect(func: &Function) -> Sites {
        let mut sites = Sites::default();
        let records = records(func);
        for (_, v) in func.iter_insts() {
            let inst = func.inst(v);
            if inst.op != Op::AtomicAdd {
                continue;
            }
            let counter = func.inst(inst.args[0]);
            let (Op::PtrAdd, &[record, member]) = (counter.op, &counter.args[..]) else { continue };
            let Some(&site) = records.get(&record) else { continue };
            if let Some(call) = status_behind(func, member) {
                sites.of.entry(call).or_default().push(site);
            }
        }
        sites
    }

    /// The sites of a call's sends, by gc's numbers: `lower-select` makes the sites of a select in source order,
    /// and gc numbers sends in source order.
    pub(super) fn sends(&self, decls: &Decls, call: Value) -> SmallVec<[SiteId; 1]> {
        let of = self.of.get(&call).into_iter().flatten();
        let is_send = |site: &SiteId| decls.sites.get(*site).is_some_and(|s| s.kind == SiteKind::Send);
        let mut sends: SmallVec<[SiteId; 1]> = of.copied().filter(is_send).collect();
        sends.sort_unstable();
        sends.dedup();
        sends
    }
}

/// The site of each record that is looked up: the key was stored in the same block.
fn records(func: &Function) -> HashMap<Value, SiteId> {
    let mut records = HashMap::new();
    for &b in func.layout() {
        let mut keys: HashMap<Value, Value> = HashMap::new();
        for &v in &func.block(b).insts {
            let inst = func.inst(v);
            if inst.op == Op::Store {
                keys.insert(inst.args[0], inst.args[1]);
            } else if let Aux::Lookup { role: LookupRole::Site, .. } = inst.aux {
                let number = keys.get(&inst.args[0]).and_then(|&key| func.inst(key).int_const());
                let site = number.and_then(|n| u32::try_from(n).ok()).map(SiteId::from_u32);
                records.extend(site.map(|site| (v, site)));
            }
        }
    }
    records
}

/// The call whose status a value is computed from.
fn status_behind(func: &Function, value: Value) -> Option<Value> {
    let mut open = vec![value];
    let mut steps = 0;
    while let Some(v) = open.pop() {
        let inst = func.inst(v);
        if inst.op == Op::Status {
            return Some(inst.args[0]);
        }
        steps += 1;
        if steps > MOST_STEPS {
            return None;
        }
        if inst.op.effects().is_pure() && inst.op != Op::Phi {
            open.extend(&inst.args);
        }
    }
    None
}
