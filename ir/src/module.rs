//! Modules: functions, and the declarations that they share.

use std::collections::HashSet;
use std::marker::PhantomData;
use std::ops::{Index, IndexMut};
use std::sync::Arc;

use cranelift_entity::{EntityRef, PrimaryMap};
use indexmap::IndexMap;

use crate::entity::{ChanId, FuncId, GlobalId, IntrinsicId, LocId, MapId, SiteId, Type};
use crate::function::Function;
use crate::inst::{Aux, Inst, Pos};
use crate::op::Effects;
use crate::types::TypeTable;

/// Declarations of one kind, by name and by id, in declaration order. Ids are never reused.
#[derive(Clone, Debug)]
pub struct Named<K, T> {
    items: IndexMap<Arc<str>, Option<T>>,
    key: PhantomData<K>,
}

impl<K, T> Default for Named<K, T> {
    fn default() -> Self {
        Named { items: IndexMap::new(), key: PhantomData }
    }
}

impl<K: EntityRef, T> Named<K, T> {
    /// Adds a declaration; gives it back if the name is taken.
    pub fn insert(&mut self, name: impl Into<Arc<str>>, item: T) -> Result<K, T> {
        let name = name.into();
        if self.items.contains_key(&name) {
            return Err(item);
        }
        Ok(K::new(self.items.insert_full(name, Some(item)).0))
    }
    /// Removes a declaration. Its id and its name are not used again.
    pub fn remove(&mut self, id: K) -> Option<T> {
        self.items.get_index_mut(id.index()).and_then(|(_, item)| item.take())
    }
    /// The declaration of an id, unless removed.
    pub fn get(&self, id: K) -> Option<&T> {
        self.items.get_index(id.index()).and_then(|(_, item)| item.as_ref())
    }
    /// The declaration of an id, unless removed.
    pub fn get_mut(&mut self, id: K) -> Option<&mut T> {
        self.items.get_index_mut(id.index()).and_then(|(_, item)| item.as_mut())
    }
    /// The id of a name, unless removed.
    pub fn id(&self, name: &str) -> Option<K> {
        let (index, _, item) = self.items.get_full(name)?;
        item.as_ref().map(|_| K::new(index))
    }
    /// Whether the name was ever taken.
    pub fn is_taken(&self, name: &str) -> bool {
        self.items.contains_key(name)
    }
    /// The name of an id, removed or not.
    pub fn name(&self, id: K) -> &str {
        self.items.get_index(id.index()).map_or("?", |(name, _)| name)
    }
    /// The live declarations in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (K, &T)> + '_ {
        self.items.values().enumerate().filter_map(|(i, item)| item.as_ref().map(|item| (K::new(i), item)))
    }
    /// The live ids in order.
    pub fn ids(&self) -> impl DoubleEndedIterator<Item = K> + '_ {
        self.iter().map(|(id, _)| id)
    }
    /// How many live declarations there are.
    pub fn count(&self) -> usize {
        self.iter().count()
    }
    /// How many ids were ever given out.
    pub fn num_ids(&self) -> usize {
        self.items.len()
    }
    /// A name that is not taken: `base`, or `base.1`, `base.2`, ….
    pub fn fresh_name(&self, base: &str) -> String {
        if !self.is_taken(base) {
            return base.to_string();
        }
        let mut n = 1;
        loop {
            let name = format!("{base}.{n}");
            if !self.is_taken(&name) {
                return name;
            }
            n += 1;
        }
    }
}

impl<K: EntityRef, T> Index<K> for Named<K, T> {
    type Output = T;
    fn index(&self, id: K) -> &T {
        self.get(id).expect("a live declaration")
    }
}

impl<K: EntityRef, T> IndexMut<K> for Named<K, T> {
    fn index_mut(&mut self, id: K) -> &mut T {
        self.get_mut(id).expect("a live declaration")
    }
}

/// `chan @events: chan u32 cap 16 storage ring`
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChanDecl {
    /// A channel type; its direction is what the program may do.
    pub ty: Type,
    /// Go's capacity.
    pub cap: u64,
    /// The storage that the user asked for; `None` leaves the choice to the target.
    pub storage: Option<Arc<str>>,
    /// Where it is declared.
    pub pos: Pos,
}

/// The kinds of map.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum MapKind {
    /// `array`
    Array,
    /// `percpu_array`
    PercpuArray,
    /// `hash`
    Hash,
    /// `percpu_hash`
    PercpuHash,
    /// `lru_hash`
    LruHash,
    /// `lru_percpu_hash`
    LruPercpuHash,
    /// `queue`
    Queue,
    /// `stack`
    Stack,
}

impl MapKind {
    /// Every kind with its spelling.
    pub const ALL: [(MapKind, &'static str); 8] = [
        (MapKind::Array, "array"),
        (MapKind::PercpuArray, "percpu_array"),
        (MapKind::Hash, "hash"),
        (MapKind::PercpuHash, "percpu_hash"),
        (MapKind::LruHash, "lru_hash"),
        (MapKind::LruPercpuHash, "lru_percpu_hash"),
        (MapKind::Queue, "queue"),
        (MapKind::Stack, "stack"),
    ];
    /// The spelling.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(k, _)| *k == self).map_or("", |(_, n)| n)
    }
    /// The kind of this spelling.
    pub fn from_name(name: &str) -> Option<MapKind> {
        Self::ALL.iter().find(|(_, n)| *n == name).map(|(k, _)| *k)
    }
    /// Whether its elements have keys.
    pub fn is_keyed(self) -> bool {
        !matches!(self, MapKind::Queue | MapKind::Stack)
    }
}

/// `map @flows: hash<u32, u64> entries 1024 flags 0x1`, `map @q: queue<u32> entries 16`
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MapDecl {
    /// The kind.
    pub kind: MapKind,
    /// The key's type; [`Type::UNIT`] for queues and stacks.
    pub key: Type,
    /// The value's type.
    pub value: Type,
    /// How many elements at most.
    pub max_entries: u32,
    /// `BPF_F_*` as the kernel numbers them.
    pub flags: u32,
    /// Where it is declared.
    pub pos: Pos,
}

/// Where a module-level variable lives.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum GlobalSection {
    /// Constant.
    Rodata,
    /// Initialised.
    Data,
    /// Zeroed.
    Bss,
}

impl GlobalSection {
    /// Every section with its spelling.
    pub const ALL: [(GlobalSection, &'static str); 3] =
        [(GlobalSection::Rodata, "rodata"), (GlobalSection::Data, "data"), (GlobalSection::Bss, "bss")];
    /// The spelling.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(s, _)| *s == self).map_or("", |(_, n)| n)
    }
}

/// `global @limit: u32 rodata "2a000000"`, `global @hits: u64 bss`
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GlobalDecl {
    /// Its type; has a layout.
    pub ty: Type,
    /// Where it lives.
    pub section: GlobalSection,
    /// Its bytes, as many as the type's size; empty for `bss`.
    pub init: Vec<u8>,
    /// Where it is declared.
    pub pos: Pos,
}

/// `intrinsic @pkg.name: func(u32) -> u32 pure`: an op that an embedder adds without forking. How it is
/// evaluated and lowered is registered with the interpreter and the pass pipeline under the same name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IntrinsicDecl {
    /// A function type.
    pub ty: Type,
    /// Its effects.
    pub effects: Effects,
    /// Where it is declared.
    pub pos: Pos,
}

/// What happens at a counted site.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum SiteKind {
    /// A receive, or a receiving select case. Counts: received, closed, empty, contended.
    Recv,
    /// A send, or a sending select case. Counts: sent, closed, full, contended.
    Send,
    /// A place that may abort the program. Counts: aborted.
    Abort,
}

impl SiteKind {
    /// Every kind with its spelling.
    pub const ALL: [(SiteKind, &'static str); 3] =
        [(SiteKind::Recv, "recv"), (SiteKind::Send, "send"), (SiteKind::Abort, "abort")];
    /// The spelling.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(s, _)| *s == self).map_or("", |(_, n)| n)
    }
    /// What its four counters count; empty names are not in use.
    pub fn counters(self) -> [&'static str; 4] {
        match self {
            SiteKind::Recv => ["received", "closed", "empty", "contended"],
            SiteKind::Send => ["sent", "closed", "full", "contended"],
            SiteKind::Abort => ["aborted", "", "", ""],
        }
    }
}

/// `site 0 recv "recv@filter.go:8:14" chan @ports @8:14`: a counted place. Clones of an instruction keep theirs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SiteDecl {
    /// What happens there.
    pub kind: SiteKind,
    /// Unique in the module.
    pub name: Arc<str>,
    /// The channel, where it is one known at compile time.
    pub chan: Option<ChanId>,
    /// Where it stands.
    pub pos: Pos,
}

/// `l3 = "chan.ssa" 12:3 inlined-at l1`
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct LocData {
    /// The file.
    pub file: Arc<str>,
    /// From 1.
    pub line: u32,
    /// From 1.
    pub col: u32,
    /// The call that it was inlined at, or [`Pos::None`].
    pub inlined_at: Pos,
}

/// Everything in a module but its functions. Passes over one function get it beside the function.
#[derive(Clone, Debug, Default)]
pub struct Decls {
    /// The source file that plain positions refer to; empty if unknown.
    pub file: Arc<str>,
    /// The types.
    pub types: TypeTable,
    /// The channels.
    pub chans: Named<ChanId, ChanDecl>,
    /// The maps.
    pub maps: Named<MapId, MapDecl>,
    /// The variables.
    pub globals: Named<GlobalId, GlobalDecl>,
    /// The intrinsics.
    pub intrinsics: Named<IntrinsicId, IntrinsicDecl>,
    /// The counted sites. Add with [`Decls::add_site`], which keeps names unique.
    pub sites: PrimaryMap<SiteId, SiteDecl>,
    /// The names in `sites`, as far as [`Decls::add_site`] has seen them.
    site_names: HashSet<Arc<str>>,
    /// The location table.
    pub locs: PrimaryMap<LocId, LocData>,
}

impl Decls {
    /// The effects of an instruction, an intrinsic's as declared.
    pub fn effects(&self, inst: &Inst) -> Effects {
        match inst.aux {
            Aux::Intrinsic(id) => self.intrinsics[id].effects,
            _ => inst.effects(),
        }
    }

    /// Adds a counted site named after its kind and its place, `recv@filter.go:8:14`, with an ordinal where two
    /// share it: `recv@filter.go:8:14#2`. A site without a position is named after `func`; a module without a
    /// file has no name to put before the line.
    pub fn add_site(&mut self, kind: SiteKind, func: &str, chan: Option<ChanId>, pos: Pos) -> SiteId {
        if self.site_names.len() < self.sites.len() {
            self.site_names.extend(self.sites.values().map(|s| s.name.clone()));
        }
        let base = match self.locate(pos) {
            Some((file, line, col)) if file.is_empty() => format!("{}@{line}:{col}", kind.name()),
            Some((file, line, col)) => format!("{}@{file}:{line}:{col}", kind.name()),
            None => format!("{}@{func}", kind.name()),
        };
        let mut name = base.clone();
        let mut ordinal = 1;
        while !self.site_names.insert(name.as_str().into()) {
            ordinal += 1;
            name = format!("{base}#{ordinal}");
        }
        self.sites.push(SiteDecl { kind, name: name.into(), chan, pos })
    }

    /// File, line and column of a position: its own, not that of the call that it was inlined at.
    pub fn locate(&self, pos: Pos) -> Option<(Arc<str>, u32, u32)> {
        match pos {
            Pos::None => None,
            Pos::At { line, col } => Some((self.file.clone(), line, col)),
            Pos::Loc(loc) => self.locs.get(loc).map(|l| (l.file.clone(), l.line, l.col)),
        }
    }

    /// The outermost position: that of the user's own line through which everything was inlined.
    pub fn outermost(&self, mut pos: Pos) -> Pos {
        // A chain is as long as the table at most.
        for _ in 0..=self.locs.len() {
            match pos {
                Pos::Loc(loc) => match self.locs.get(loc).map(|l| l.inlined_at) {
                    Some(Pos::None) | None => return pos,
                    Some(outer) => pos = outer,
                },
                Pos::None | Pos::At { .. } => return pos,
            }
        }
        pos
    }
}

/// A module.
#[derive(Clone, Debug, Default)]
pub struct Module {
    /// What its functions share.
    pub decls: Decls,
    /// Its functions.
    pub funcs: Named<FuncId, Function>,
}

impl Module {
    /// An empty module of a source file.
    pub fn new(file: &str) -> Module {
        Module { decls: Decls { file: file.into(), ..Decls::default() }, ..Module::default() }
    }

    /// Adds a function under its own name; gives it back if the name is taken.
    pub fn add_func(&mut self, func: Function) -> Result<FuncId, Box<Function>> {
        self.funcs.insert(func.name.clone(), func).map_err(Box::new)
    }

    /// Runs `f` on a function with the declarations beside it, both to be changed.
    pub fn with_func<R>(&mut self, id: FuncId, f: impl FnOnce(&mut Function, &mut Decls) -> R) -> R {
        f(&mut self.funcs[id], &mut self.decls)
    }
}
