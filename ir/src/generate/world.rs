//! What the functions of a generated module share: its declarations, and the functions made so far.

use crate::entity::{ChanId, FuncId, GlobalId, IntrinsicId, LocId, MapId, SiteId, Type};
use crate::inst::Pos;
use crate::module::{
    ChanDecl, Decls, GlobalDecl, GlobalSection, IntrinsicDecl, LocData, MapDecl, MapKind, SiteDecl, SiteKind,
};
use crate::op::Effects;
use crate::types::ChanDir;

use super::random::Random;
use super::{INTRINSIC, Profile};

/// Every integer type.
pub(super) const INTS: [Type; 8] =
    [Type::U8, Type::U16, Type::U32, Type::U64, Type::I8, Type::I16, Type::I32, Type::I64];

/// Channels of one element and one capacity: they may meet in a phi.
#[derive(Clone, Debug)]
pub(super) struct Class {
    pub(super) elem: Type,
    pub(super) ty: Type,
    pub(super) cap: u64,
    pub(super) chans: Vec<ChanId>,
}

/// A parameter of a helper function.
#[derive(Clone, Copy, Debug)]
pub(super) enum Param {
    /// An integer.
    Int(Type),
    /// A pointer to a zeroed slot of this type.
    Pointer(Type),
    /// A channel of a class.
    Chan(usize),
    /// The program's context.
    Context,
}

/// A function that may be called.
#[derive(Clone, Debug)]
pub(super) struct Callee {
    pub(super) id: FuncId,
    pub(super) params: Vec<Param>,
    pub(super) result: Type,
}

impl Callee {
    pub(super) fn with_id(self, id: FuncId) -> Callee {
        Callee { id, ..self }
    }
}

/// What functions share.
#[derive(Clone, Debug)]
pub(super) struct World {
    pub(super) profile: Profile,
    pub(super) classes: Vec<Class>,
    /// Maps with keys: they have `u32` keys.
    pub(super) keyed: Vec<MapId>,
    pub(super) queues: Vec<MapId>,
    /// An array of one element, a `u64` and a `u32` in a struct.
    pub(super) single: Option<MapId>,
    /// An array of records for sites.
    pub(super) records: Option<MapId>,
    pub(super) globals: Vec<GlobalId>,
    pub(super) intrinsic: Option<IntrinsicId>,
    pub(super) sites: Vec<SiteId>,
    pub(super) loc: Option<LocId>,
    pub(super) callees: Vec<Callee>,
    pub(super) idle: Option<Callee>,
    /// An aggregate that channels and slots hold.
    pub(super) pair: Type,
    pub(super) array: Type,
}

impl World {
    /// Declares what a profile asks for.
    pub(super) fn declare(decls: &mut Decls, profile: &Profile, random: &mut Random) -> World {
        let pair = decls.types.structure(&[("a", Type::U32), ("b", Type::U16), ("c", Type::U64)], false);
        let pair = if random.one_in(2) {
            decls.types.define("pair", pair);
            decls.types.named_type("pair")
        } else {
            pair
        };
        let mut world = World {
            profile: profile.clone(),
            classes: Vec::new(),
            keyed: Vec::new(),
            queues: Vec::new(),
            single: None,
            records: None,
            globals: Vec::new(),
            intrinsic: None,
            sites: Vec::new(),
            loc: None,
            callees: Vec::new(),
            idle: None,
            pair,
            array: decls.types.array(Type::U32, 4),
        };
        if random.one_in(4) {
            let inner =
                LocData { file: "lib.go".into(), line: 3, col: 7, inlined_at: Pos::At { line: 1, col: 1 } };
            world.loc = Some(decls.locs.push(inner));
        }
        if profile.channels {
            world.channels(decls, random);
        }
        if profile.maps {
            world.maps(decls, random);
        }
        if profile.memory {
            world.variables(decls, random);
        }
        if !profile.bpf {
            let ty = decls.types.func(&[Type::U32], Type::U32);
            let decl = IntrinsicDecl { ty, effects: Effects::PURE, pos: Pos::None };
            world.intrinsic = decls.intrinsics.insert(INTRINSIC, decl).ok();
        }
        if profile.has_runtime_calls() {
            world.outcomes(decls);
        }
        world
    }

    fn channels(&mut self, decls: &mut Decls, random: &mut Random) {
        let elems = [Type::U8, Type::U16, Type::U32, Type::U64, Type::I32, Type::I64, Type::BOOL, self.pair];
        for _ in 0..random.range(1, 3) {
            let (elem, cap) = (random.pick(&elems), random.range(1, 5) as u64);
            let ty = decls.types.chan(ChanDir::Both, elem);
            let mut class = Class { elem, ty, cap, chans: Vec::new() };
            for _ in 0..random.range(1, 2) {
                let name = decls.chans.fresh_name("c");
                let pos = Pos::At { line: 2, col: 1 };
                let decl = ChanDecl { ty, cap, storage: None, pos };
                class.chans.extend(decls.chans.insert(name, decl));
            }
            self.classes.push(class);
        }
    }

    fn maps(&mut self, decls: &mut Decls, random: &mut Random) {
        let decl = |kind, key, value, max_entries| MapDecl {
            kind,
            key,
            value,
            max_entries,
            flags: 0,
            pos: Pos::None,
        };
        let keyed = [
            ("array", MapKind::Array, Type::U64),
            ("pairs", MapKind::Array, self.pair),
            ("hash", MapKind::Hash, Type::U64),
            ("hash32", MapKind::Hash, Type::U32),
            ("cpu", MapKind::PercpuArray, Type::U64),
            ("cpuhash", MapKind::PercpuHash, Type::U64),
        ];
        for (name, kind, value) in keyed {
            if random.one_in(2) {
                let entries = if matches!(kind, MapKind::Array | MapKind::PercpuArray) { 4 } else { 64 };
                self.keyed.extend(decls.maps.insert(name, decl(kind, Type::U32, value, entries)));
            }
        }
        for (name, kind, value) in
            [("queue", MapKind::Queue, Type::U32), ("stack", MapKind::Stack, Type::U64)]
        {
            if random.one_in(2) {
                self.queues.extend(decls.maps.insert(name, decl(kind, Type::UNIT, value, 3)));
            }
        }
        if random.one_in(2) {
            let state = decls.types.structure(&[("total", Type::U64), ("last", Type::U32)], false);
            self.single = decls.maps.insert("state", decl(MapKind::Array, Type::U32, state, 1)).ok();
        }
    }

    fn variables(&mut self, decls: &mut Decls, random: &mut Random) {
        let table = decls.types.array(Type::U16, 8);
        let all = [
            ("limit", Type::U32, GlobalSection::Rodata),
            ("table", table, GlobalSection::Rodata),
            ("start", Type::U64, GlobalSection::Data),
            ("words", self.array, GlobalSection::Data),
            ("hits", Type::U64, GlobalSection::Bss),
            ("count", Type::U32, GlobalSection::Bss),
            ("grid", self.array, GlobalSection::Bss),
        ];
        for (name, ty, section) in all {
            let size = if section == GlobalSection::Bss { 0 } else { decls.types.size(ty) };
            let init = (0..size).map(|_| random.bits() as u8).collect();
            if random.one_in(2) {
                let decl = GlobalDecl { ty, section, init, pos: Pos::None };
                self.globals.extend(decls.globals.insert(name, decl));
            }
        }
    }

    fn outcomes(&mut self, decls: &mut Decls) {
        let chan = self.classes.first().and_then(|class| class.chans.first().copied());
        for (kind, _) in SiteKind::ALL {
            let name = format!("{}@gen.go:{}:1", kind.name(), decls.sites.len());
            self.sites.push(decls.sites.push(SiteDecl { kind, name: name.into(), chan, pos: Pos::None }));
        }
        let value = decls.types.array(Type::U64, 4);
        let (kind, max_entries) = (MapKind::Array, decls.sites.len() as u32);
        let decl = MapDecl { kind, key: Type::U32, value, max_entries, flags: 0, pos: Pos::None };
        self.records = decls.maps.insert("__sites", decl).ok();
    }
}
