//! Equality of modules: the live parts by id, and where numbering goes on. What a text cannot tell apart is equal:
//! the interned numbers of types, the gaps that removed declarations leave, and what holes once held.
//!
//! Declarations keep their order and names; a removed one shifts the ids behind it, so references compare by the
//! name that they lead to.

use std::collections::HashMap;

use cranelift_entity::EntityRef;

use crate::entity::{FuncId, Type};
use crate::function::Function;
use crate::inst::{Aux, Inst};
use crate::module::{Decls, Module, Named};
use crate::types::{TypeKind, TypeTable};

impl PartialEq for Module {
    fn eq(&self, other: &Module) -> bool {
        let mut both = Both { a: self, b: other, types: HashMap::new() };
        both.declarations() && both.functions()
    }
}

/// Two modules side by side.
struct Both<'m> {
    a: &'m Module,
    b: &'m Module,
    /// Pairs of types found equal or unequal. A pair that is being looked at counts as equal: only what follows
    /// can tell otherwise, and then the whole is unequal.
    types: HashMap<(Type, Type), bool>,
}

/// Whether both have the same live declarations under the same names, in order.
fn same_named<K: EntityRef, T>(
    a: &Named<K, T>,
    b: &Named<K, T>,
    mut same: impl FnMut(&T, &T) -> bool,
) -> bool {
    a.count() == b.count()
        && a.iter().zip(b.iter()).all(|((i, x), (j, y))| a.name(i) == b.name(j) && same(x, y))
}

/// Whether two references lead to declarations of one name, both live or both removed.
fn same_ref<K: EntityRef, T>(a: &Named<K, T>, b: &Named<K, T>, i: K, j: K) -> bool {
    a.name(i) == b.name(j) && a.get(i).is_some() == b.get(j).is_some()
}

impl Both<'_> {
    fn declarations(&mut self) -> bool {
        let (a, b) = (&self.a.decls, &self.b.decls);
        a.file == b.file
            && a.locs == b.locs
            && self.named_types()
            && same_named(&a.chans, &b.chans, |x, y| {
                (x.cap, &x.storage, x.pos) == (y.cap, &y.storage, y.pos) && self.ty(x.ty, y.ty)
            })
            && same_named(&a.maps, &b.maps, |x, y| {
                (x.kind, x.max_entries, x.flags, x.pos) == (y.kind, y.max_entries, y.flags, y.pos)
                    && self.ty(x.key, y.key)
                    && self.ty(x.value, y.value)
            })
            && same_named(&a.globals, &b.globals, |x, y| {
                (x.section, &x.init, x.pos) == (y.section, &y.init, y.pos) && self.ty(x.ty, y.ty)
            })
            && same_named(&a.intrinsics, &b.intrinsics, |x, y| {
                (x.effects, x.pos) == (y.effects, y.pos) && self.ty(x.ty, y.ty)
            })
            && same_sites(a, b)
    }

    /// The named types in order, with their meanings.
    fn named_types(&mut self) -> bool {
        let (a, b) = (self.a.decls.types.named(), self.b.decls.types.named());
        a.len() == b.len()
            && a.values().zip(b.values()).all(|(x, y)| {
                x.name == y.name
                    && match (x.body, y.body) {
                        (Some(x), Some(y)) => self.ty(x, y),
                        (None, None) => true,
                        _ => false,
                    }
            })
    }

    fn functions(&mut self) -> bool {
        let (a, b) = (&self.a.funcs, &self.b.funcs);
        same_named(a, b, |x, y| self.function(x, y))
    }

    fn function(&mut self, x: &Function, y: &Function) -> bool {
        (&x.name, &x.section, x.kind, x.noinline, x.pos) == (&y.name, &y.section, y.kind, y.noinline, y.pos)
            && (x.num_values(), x.num_blocks(), x.num_slots())
                == (y.num_values(), y.num_blocks(), y.num_slots())
            && x.params == y.params
            && x.layout() == y.layout()
            && self.ty(x.result, y.result)
            && x.params.iter().all(|&v| x.inst(v).pos == y.inst(v).pos && self.ty(x.ty(v), y.ty(v)))
            && self.slots(x, y)
            && x.layout().iter().all(|&b| {
                let (p, q) = (x.block(b), y.block(b));
                p.preds() == q.preds()
                    && (&p.term, p.term_pos) == (&q.term, q.term_pos)
                    && p.insts == q.insts
                    && p.insts.iter().all(|&v| self.inst(x.inst(v), y.inst(v)))
            })
    }

    fn slots(&mut self, x: &Function, y: &Function) -> bool {
        x.slots().count() == y.slots().count()
            && x.slots().zip(y.slots()).all(|((i, p), (j, q))| i == j && self.ty(p.ty, q.ty))
    }

    fn inst(&mut self, x: &Inst, y: &Inst) -> bool {
        (x.op, &x.args, x.pos) == (y.op, &y.args, y.pos) && self.ty(x.ty, y.ty) && self.aux(&x.aux, &y.aux)
    }

    fn aux(&self, x: &Aux, y: &Aux) -> bool {
        let (a, b) = (&self.a.decls, &self.b.decls);
        match (x, y) {
            (Aux::Global(x), Aux::Global(y)) => same_ref(&a.globals, &b.globals, *x, *y),
            (Aux::Func(x), Aux::Func(y)) => same_ref::<FuncId, _>(&self.a.funcs, &self.b.funcs, *x, *y),
            (Aux::Chan(x), Aux::Chan(y)) => same_ref(&a.chans, &b.chans, *x, *y),
            (Aux::Intrinsic(x), Aux::Intrinsic(y)) => same_ref(&a.intrinsics, &b.intrinsics, *x, *y),
            (Aux::Lookup { map: x, role: p }, Aux::Lookup { map: y, role: q }) => {
                p == q && same_ref(&a.maps, &b.maps, *x, *y)
            }
            (Aux::MapFlags { map: x, flags: p }, Aux::MapFlags { map: y, flags: q }) => {
                p == q && same_ref(&a.maps, &b.maps, *x, *y)
            }
            (Aux::MapOffset { map: x, offset: p }, Aux::MapOffset { map: y, offset: q }) => {
                p == q && same_ref(&a.maps, &b.maps, *x, *y)
            }
            (x, y) => x == y,
        }
    }

    /// Whether two types have one shape, names compared as names.
    fn ty(&mut self, x: Type, y: Type) -> bool {
        if let Some(&known) = self.types.get(&(x, y)) {
            return known;
        }
        self.types.insert((x, y), true);
        let same = self.kinds(x, y);
        self.types.insert((x, y), same);
        same
    }

    fn kinds(&mut self, x: Type, y: Type) -> bool {
        let (a, b): (&TypeTable, &TypeTable) = (&self.a.decls.types, &self.b.decls.types);
        let lists = |both: &mut Self, x: &[Type], y: &[Type]| {
            x.len() == y.len() && x.iter().zip(y).all(|(&x, &y)| both.ty(x, y))
        };
        match (a.kind(x), b.kind(y)) {
            (TypeKind::Ptr { to: x, space: p }, TypeKind::Ptr { to: y, space: q }) => {
                p == q && self.ty(*x, *y)
            }
            (TypeKind::Chan { elem: x, dir: p }, TypeKind::Chan { elem: y, dir: q }) => {
                p == q && self.ty(*x, *y)
            }
            (TypeKind::Array { elem: x, len: p }, TypeKind::Array { elem: y, len: q }) => {
                p == q && self.ty(*x, *y)
            }
            (TypeKind::Struct { fields: x, packed: p }, TypeKind::Struct { fields: y, packed: q }) => {
                p == q
                    && x.len() == y.len()
                    && x.iter().zip(y.iter()).all(|(x, y)| x.name == y.name && self.ty(x.ty, y.ty))
            }
            (TypeKind::Tuple(x), TypeKind::Tuple(y)) => lists(self, x, y),
            (TypeKind::Func { params: x, result: p }, TypeKind::Func { params: y, result: q }) => {
                self.ty(*p, *q) && lists(self, x, y)
            }
            (TypeKind::Named(x), TypeKind::Named(y)) => a.named()[*x].name == b.named()[*y].name,
            // No types inside: unit, bool, numbers, opaque types, and unlike shapes.
            (x, y) => x == y,
        }
    }
}

/// Sites by number; a channel that is gone is none.
fn same_sites(a: &Decls, b: &Decls) -> bool {
    let chan = |decls: &Decls, site| {
        let chan = decls.sites[site].chan.filter(|&c| decls.chans.get(c).is_some());
        chan.map(|c| decls.chans.name(c).to_string())
    };
    a.sites.len() == b.sites.len()
        && a.sites.iter().zip(b.sites.values()).all(|((id, x), y)| {
            (x.kind, &x.name, x.pos) == (y.kind, &y.name, y.pos) && chan(a, id) == chan(b, id)
        })
}
