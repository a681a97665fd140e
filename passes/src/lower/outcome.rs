//! `insert-map-lookup`: each `Outcome` becomes a lookup of its site's record and an atomic count; where hooks
//! are not wanted it is taken out.
//!
//! ```text
//! v9: Outcome [site 3] v5         v10 = Status <u32> v5
//!                                 v11: Store key, 3
//!                            ⇒    v12 = MapLookup [site] @__sites key
//!                                 If v12 ≠ nil → count, on
//!                                 count: AtomicAdd (v12 + 8 · counter(v10)), 1; Plain → on
//! ```
//!
//! The counter is taken from the status word without a branch: two bits per status value in [`COUNTER_OF`].

use larrow_ir::{
    Aux, Block, Decls, FuncBuilder, Function, LookupRole, MapDecl, MapId, MapKind, Op, Pos, SiteId, Slot,
    Type, Value,
};

use crate::manager::{Changed, PassCx, PassResult};

/// The map that holds a record per site, its key the site's number.
pub const SITES_MAP: &str = "__sites";

/// Two bits per status value: 0 for communicated, 1 for closed (a receive that selected without communicating,
/// a send that aborts), 2 for would block, 3 for retries exhausted.
const COUNTER_OF: u64 = {
    use larrow_ir::status::{ABORT, COMMUNICATED, EXHAUSTED, SELECTED};
    // COMMUNICATED | SELECTED is counter 0, so its bits stay zero.
    let _ = COMMUNICATED;
    2 | 1 << (2 * SELECTED) | 3 << (2 * EXHAUSTED) | 1 << (2 * ABORT)
};

/// Turns every `Outcome` into its lookup and count, or takes it out if hooks are off.
pub(super) fn lower(func: &mut Function, decls: &mut Decls, cx: &mut PassCx<'_>) -> PassResult {
    let changed = if cx.options.hooks { insert(func, decls) } else { drop_outcomes(func) };
    Ok(Changed::from(changed))
}

/// Turns every `Outcome` into its lookup and count. The map is declared on first use.
fn insert(func: &mut Function, decls: &mut Decls) -> bool {
    let mut key_slot = None;
    let mut changed = false;
    for b in func.layout().to_vec() {
        // From the last to the first, so that each cut moves only what stands behind it.
        let places: Vec<usize> = (0..func.block(b).insts.len())
            .rev()
            .filter(|&i| func.inst(func.block(b).insts[i]).op == Op::Outcome)
            .collect();
        for at in places {
            let key = *key_slot.get_or_insert_with(|| func.add_slot(Type::U32));
            expand(func, decls, b, at, key);
            changed = true;
        }
    }
    changed
}

/// Replaces the `Outcome` at `b[at]`.
fn expand(func: &mut Function, decls: &mut Decls, b: Block, at: usize, key: Slot) {
    let map = sites_map(decls);
    let on = func.split_block(b, at + 1);
    let outcome = func.block(b).insts[at];
    let inst = func.inst(outcome).clone();
    let Aux::Site(site) = inst.aux else { unreachable!("the verifier checks payloads") };
    let keep = func.block(b).insts[..at].to_vec();
    func.set_insts(b, keep);

    let count = func.add_block();
    let mut build = FuncBuilder::new(func, decls);
    build.at(inst.pos).switch_to(b);
    let record = lookup_site(&mut build, map, site, key);
    let status = build.status(inst.args[0]);
    let nil = build.nil(build.func.ty(record));
    let found = build.neq(record, nil);
    build.branch(found, count, on);
    build.switch_to(count);
    add_one(&mut build, record, status);
    build.jump(on);
}

/// Appends the lookup of a site's record; `key` is a `u32` slot to pass the key in.
pub fn lookup_site(build: &mut FuncBuilder<'_>, map: MapId, site: SiteId, key: Slot) -> Value {
    let number = build.int(Type::U32, u64::from(site.as_u32()));
    lookup_record(build, map, number, key)
}

/// Appends the lookup of the record of a site that is known by its number, a `u32`, when the program runs.
pub fn lookup_record(build: &mut FuncBuilder<'_>, map: MapId, number: Value, key: Slot) -> Value {
    let key = build.local_addr(key);
    build.store(key, number);
    build.map_lookup(map, LookupRole::Site, key)
}

/// Appends the count of a status word in a record that is not nil.
fn add_one(build: &mut FuncBuilder<'_>, record: Value, status: Value) {
    let table = build.int(Type::U64, COUNTER_OF);
    let status = build.zero_ext(Type::U64, status);
    let (one, three) = (build.int(Type::U64, 1), build.int(Type::U64, 3));
    let shift = build.lsh(status, one);
    let shifted = build.rsh_u(table, shift);
    let counter = build.and(shifted, three);
    let offset = build.lsh(counter, three);
    let counter = build.ptr_add(Type::U64, record, offset);
    build.op(Op::AtomicAdd, Type::UNIT, &[counter, one]);
}

/// The map of site records, declared if it is not, with a record per site so far.
pub fn sites_map(decls: &mut Decls) -> MapId {
    let entries = u32::try_from(decls.sites.len()).expect("fewer than 2³² sites").max(1);
    if let Some(map) = decls.maps.id(SITES_MAP) {
        let decl = &mut decls.maps[map];
        decl.max_entries = decl.max_entries.max(entries);
        return map;
    }
    let fields =
        [("done", Type::U64), ("closed", Type::U64), ("blocked", Type::U64), ("contended", Type::U64)];
    let record = decls.types.structure(&fields, false);
    decls.types.define("site", record);
    let value = decls.types.named_type("site");
    let decl = MapDecl {
        kind: MapKind::Array,
        key: Type::U32,
        value,
        max_entries: entries,
        flags: 0,
        pos: Pos::None,
    };
    decls.maps.insert(SITES_MAP, decl).unwrap_or_else(|_| unreachable!("the name was looked up"))
}

/// Takes every `Outcome` out.
fn drop_outcomes(func: &mut Function) -> bool {
    let mut changed = false;
    for b in func.layout().to_vec() {
        func.retain(b, |func, v| {
            let drop = func.inst(v).op == Op::Outcome;
            changed |= drop;
            !drop
        });
    }
    changed
}
