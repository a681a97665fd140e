//! `count-aborts`: each place that aborts the program counts itself, like a send or a receive does.

use larrow_ir::{
    Decls, FuncBuilder, FuncKind, Function, MapId, Op, Pos, SiteKind, Slot, Terminator, Type, Value,
};
use larrow_passes::lower::{lookup_record, sites_map};
use larrow_passes::{Changed, FunctionPass, PassCx, PassResult};

/// Appends the count of one event at the site of a number, a `u32`: lookup, null check, atomic add. The builder
/// goes on in the block behind. `counter` is the record's member, `key` a `u32` slot.
pub(super) fn count(build: &mut FuncBuilder<'_>, map: MapId, site: Value, counter: u64, key: Slot) {
    let record = lookup_record(build, map, site, key);
    let nil = build.nil(build.func.ty(record));
    let found = build.neq(record, nil);
    let (hit, on) = (build.block(), build.block());
    build.branch(found, hit, on);
    build.switch_to(hit);
    let counter = build.ptr_offset(Type::U64, record, 8 * counter);
    let one = build.int(Type::U64, 1);
    build.op(Op::AtomicAdd, Type::UNIT, &[counter, one]);
    build.jump(on);
    build.switch_to(on);
}

/// The pass. It stands before the inliner, so that the copies of a place count together.
#[derive(Clone, Copy, Debug, Default)]
pub struct CountAborts;

impl FunctionPass for CountAborts {
    fn run(&self, func: &mut Function, decls: &mut Decls, cx: &mut PassCx<'_>) -> PassResult {
        if !cx.options.hooks || func.kind != FuncKind::User {
            return Ok(Changed::No);
        }
        let mut key = None;
        for b in func.layout().to_vec() {
            let Terminator::Panic(with) = func.term(b).clone() else { continue };
            let pos: Pos = func.block(b).term_pos;
            let site = decls.add_site(SiteKind::Abort, &func.name, None, pos);
            let map = sites_map(decls);
            let key = *key.get_or_insert_with(|| func.add_slot(Type::U32));
            let mut build = FuncBuilder::new(func, decls);
            build.at(pos).switch_to(b);
            let number = build.int(Type::U32, u64::from(site.as_u32()));
            count(&mut build, map, number, 0, key);
            build.terminate(Terminator::Panic(with));
        }
        Ok(Changed::from(key.is_some()))
    }
}
