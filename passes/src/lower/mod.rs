//! The channel lowerings: from channel ops to the calls that gc's walk makes of them, then the map-lookup hooks,
//! then the proof that no channel op is left.
//!
//! | op | runtime call |
//! |---|---|
//! | `MakeChan` | `makechan` |
//! | `ChanSend` | `chansend1` |
//! | `ChanRecv` | `chanrecv2`; `chanrecv1` where the flag, or everything, is discarded |
//! | `ChanClose`, `ChanLen`, `ChanCap` | `closechan`, `chanlen`, `chancap` |
//! | `Select` | by its shape: `block`, nothing, one plain call, `selectnbsend`, `selectnbrecv`, `selectgo` |
//! | `Go` | `newproc` |
//!
//! Every receive and send, a select's cases among them, becomes a counted site: its call is followed by
//! `Outcome [site]`, which `insert-map-lookup` turns into the lookup and the count.
//!
//! **Invariant:** the results of `ChanRecv` and `Select` are used by `Extract` only (the verifier holds it), so a
//! lowering gives each member's replacement and never needs the tuple.

mod check;
mod close;
mod go;
mod len_cap;
mod make_chan;
mod outcome;
mod recv;
mod select;
mod send;

pub use outcome::{SITES_MAP, lookup_record, lookup_site, sites_map};

use larrow_ir::cranelift_entity::SecondaryMap;
use larrow_ir::cranelift_entity::packed_option::PackedOption;
use larrow_ir::{
    Aux, ChanId, Decls, FuncBuilder, Function, Inst, Op, SiteId, SiteKind, Type, TypeKind, Value,
};

use crate::manager::{Changed, Facts, FunctionPass, Pass, PassCx, PassResult};

/// The rows, in order.
pub fn rows() -> Vec<Pass> {
    let lowers = |name, doc, body: Lowering| Pass::function(name, doc, body).required();
    vec![
        lowers("lower-make-chan", "MakeChan → makechan", Lowering(make_chan::lower)),
        lowers("lower-go", "Go → newproc", Lowering(go::lower)),
        lowers("lower-select", "Select → what its shape asks for, and the dispatch", Lowering(select::lower)),
        lowers("lower-chan-send", "ChanSend → chansend1", Lowering(send::lower)).breaks(Facts::VALUES),
        lowers("lower-chan-recv", "ChanRecv → chanrecv1 or chanrecv2", Lowering(recv::lower))
            .breaks(Facts::VALUES),
        lowers("lower-chan-close", "ChanClose → closechan", Lowering(close::lower)).breaks(Facts::VALUES),
        lowers("lower-chan-len-cap", "ChanLen, ChanCap → chanlen, chancap", Lowering(len_cap::lower))
            .breaks(Facts::VALUES),
        Pass::function(
            "insert-map-lookup",
            "count each site's outcome in a map, or nothing under --no-hooks",
            outcome::lower,
        )
        .required()
        .needs("lower-chan-recv", "it counts the calls that receives became")
        .needs("lower-chan-send", "it counts the calls that sends became")
        .needs("lower-select", "it counts the arms that select cases became"),
        Pass::function("check-lowered", "prove that no channel op is left", check::check)
            .required()
            .breaks(Facts::NONE)
            .after("lower-chan-len-cap", "every lowering has run"),
    ]
}

/// A lowering as a pass: it says whether it changed anything.
struct Lowering(fn(&mut Function, &mut Decls) -> bool);

impl FunctionPass for Lowering {
    fn run(&self, func: &mut Function, decls: &mut Decls, _: &mut PassCx<'_>) -> PassResult {
        Ok(Changed::from((self.0)(func, decls)))
    }
}

/// What the members of lowered tuples became.
#[derive(Default)]
struct Members {
    /// For a lowered tuple: the start of its members in `members`, plus one; 0 for anything else.
    start: SecondaryMap<Value, u32>,
    members: Vec<PackedOption<Value>>,
}

impl Members {
    /// Records the members of a tuple; `None` for one that has no value.
    fn set(&mut self, tuple: Value, members: impl IntoIterator<Item = Option<Value>>) {
        self.start[tuple] = u32::try_from(self.members.len() + 1).expect("fewer than 2³² members");
        self.members.extend(members.into_iter().map(PackedOption::from));
    }

    /// Turns every `Extract` of a lowered tuple into a copy of the member.
    fn apply(&self, func: &mut Function) {
        let extracts: Vec<Value> =
            func.iter_insts().map(|(_, v)| v).filter(|&v| func.inst(v).op == Op::Extract).collect();
        for v in extracts {
            let inst = func.inst(v);
            let (start, Aux::Index(index)) = (self.start[inst.args[0]], &inst.aux) else { continue };
            if start == 0 {
                continue;
            }
            let member = self.members[start as usize - 1 + *index as usize];
            let member = member.expand().expect("a member that is extracted has a value");
            let (ty, pos) = (inst.ty, inst.pos);
            *func.inst_mut(v) = Inst::new(Op::Copy, ty, &[member]).at(pos);
        }
    }
}

/// Rebuilds each block that holds an instruction of the ops in question, in order: `lower` appends what replaces
/// one through the builder, which stands at the instruction's position. Returns whether there was any.
fn rewrite(
    func: &mut Function,
    decls: &mut Decls,
    wanted: impl Fn(Op) -> bool,
    mut lower: impl FnMut(&mut FuncBuilder<'_>, Value, Inst),
) -> bool {
    let mut changed = false;
    for b in func.layout().to_vec() {
        if !func.block(b).insts.iter().any(|&v| wanted(func.inst(v).op)) {
            continue;
        }
        changed = true;
        let old = func.detach_insts(b);
        let mut build = FuncBuilder::new(func, decls);
        build.switch_to(b);
        for v in old {
            if wanted(build.func.inst(v).op) {
                let inst = build.func.inst(v).clone();
                build.at(inst.pos);
                lower(&mut build, v, inst);
            } else {
                build.func.attach(b, v);
            }
        }
    }
    changed
}

/// The element type of a channel value.
fn elem_type(build: &FuncBuilder<'_>, chan: Value) -> Type {
    build.decls.types.chan_parts(build.func.ty(chan)).map_or(Type::UNIT, |(elem, _)| elem)
}

/// The zero of a scalar type.
pub(crate) fn zero(build: &mut FuncBuilder<'_>, ty: Type) -> Value {
    match build.decls.types.resolve(ty) {
        TypeKind::Float { .. } => build.float_bits(ty, 0),
        TypeKind::Ptr { .. } | TypeKind::Chan { .. } | TypeKind::Func { .. } => build.nil(ty),
        TypeKind::Bool
        | TypeKind::Int { .. }
        | TypeKind::Unit
        | TypeKind::Array { .. }
        | TypeKind::Struct { .. }
        | TypeKind::Tuple(_)
        | TypeKind::Named(_)
        | TypeKind::Opaque(_) => build.int(ty, 0),
    }
}

/// The channel behind a value, where it is a module-level one known on the spot.
fn known_chan(func: &Function, mut v: Value) -> Option<ChanId> {
    loop {
        let inst = func.inst(v);
        match (inst.op, &inst.aux) {
            (Op::Copy, _) => v = inst.args[0],
            (Op::ChanAddr, Aux::Chan(chan)) => return Some(*chan),
            _ => return None,
        }
    }
}

/// A new site for an operation on a channel at the builder's instruction.
fn new_site(build: &mut FuncBuilder<'_>, kind: SiteKind, chan: Value, pos: larrow_ir::Pos) -> SiteId {
    let known = known_chan(build.func, chan);
    build.decls.add_site(kind, &build.func.name, known, pos)
}

/// A stack temporary that holds `value`; its address.
fn spill(build: &mut FuncBuilder<'_>, value: Value) -> Value {
    let ty = build.func.ty(value);
    let slot = build.slot(ty);
    let addr = build.local_addr(slot);
    build.store(addr, value);
    addr
}

/// The pointer that a send passes: to a temporary with the scalar, or the pointer to the aggregate itself.
fn send_operand(build: &mut FuncBuilder<'_>, chan: Value, value: Value) -> Value {
    let elem = elem_type(build, chan);
    if build.decls.types.is_scalar(elem) { spill(build, value) } else { value }
}

/// A nil pointer to a channel's element: what a discarding receive passes.
fn nil_elem(build: &mut FuncBuilder<'_>, chan: Value) -> Value {
    let elem = elem_type(build, chan);
    let ty = build.decls.types.ptr(larrow_ir::Space::Any, elem);
    build.nil(ty)
}

/// Where a kept receive of a scalar lands: a temporary, zeroed first if asked.
fn recv_temp(build: &mut FuncBuilder<'_>, elem: Type, zeroed: bool) -> Value {
    let slot = build.slot(elem);
    let addr = build.local_addr(slot);
    if zeroed {
        let zero = zero(build, elem);
        build.store(addr, zero);
    }
    addr
}

/// Whether a scalar type holds a pointer: gc zeroes such temporaries for its collector.
fn has_pointers(build: &FuncBuilder<'_>, ty: Type) -> bool {
    match build.decls.types.resolve(ty) {
        TypeKind::Ptr { .. } | TypeKind::Chan { .. } | TypeKind::Func { .. } => true,
        TypeKind::Unit
        | TypeKind::Bool
        | TypeKind::Int { .. }
        | TypeKind::Float { .. }
        | TypeKind::Array { .. }
        | TypeKind::Struct { .. }
        | TypeKind::Tuple(_)
        | TypeKind::Named(_)
        | TypeKind::Opaque(_) => false,
    }
}
