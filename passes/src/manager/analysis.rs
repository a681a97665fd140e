//! The cache of analyses: computed when first asked for, dropped when a pass breaks what they rest on.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::rc::Rc;

use larrow_ir::{FuncId, Function, Module};

use super::pass::Facts;

/// Something computed from a function and cached until a pass breaks it. Anyone may add one.
pub trait Analysis: Any + Sized {
    /// Its name in messages.
    const NAME: &'static str;
    /// What it is computed from.
    const DEPENDS: Facts;
    /// Computes it.
    fn compute(func: &Function) -> Self;
    /// Whether a cached one says the same as a fresh one: what `verify_each` compares.
    fn agrees(&self, fresh: &Self) -> bool;
}

/// Something computed from a module and cached until a pass breaks it.
pub trait ModuleAnalysis: Any + Sized {
    /// Its name in messages.
    const NAME: &'static str;
    /// What it is computed from.
    const DEPENDS: Facts;
    /// Computes it.
    fn compute(module: &Module) -> Self;
    /// Whether a cached one says the same as a fresh one.
    fn agrees(&self, fresh: &Self) -> bool;
}

struct Entry<Of> {
    value: Rc<dyn Any>,
    name: &'static str,
    depends: Facts,
    /// Recomputes and compares.
    fresh: fn(&dyn Any, &Of) -> bool,
}

type Entries<Of> = HashMap<TypeId, Entry<Of>>;

/// The cached analyses of a module and of its functions.
#[derive(Default)]
pub struct AnalysisCache {
    funcs: HashMap<FuncId, Entries<Function>>,
    module: Entries<Module>,
}

fn still_fresh<A: Analysis>(cached: &dyn Any, func: &Function) -> bool {
    cached.downcast_ref::<A>().is_some_and(|cached| cached.agrees(&A::compute(func)))
}
fn still_fresh_module<A: ModuleAnalysis>(cached: &dyn Any, module: &Module) -> bool {
    cached.downcast_ref::<A>().is_some_and(|cached| cached.agrees(&A::compute(module)))
}

fn lookup<A: Any, Of>(
    entries: &mut Entries<Of>,
    of: &Of,
    make: impl FnOnce(&Of) -> A,
    name: &'static str,
    depends: Facts,
    fresh: fn(&dyn Any, &Of) -> bool,
) -> Rc<A> {
    let entry = entries.entry(TypeId::of::<A>()).or_insert_with(|| Entry {
        value: Rc::new(make(of)),
        name,
        depends,
        fresh,
    });
    Rc::downcast(Rc::clone(&entry.value)).expect("entries are keyed by their type")
}

impl AnalysisCache {
    /// An analysis of a function.
    pub fn of_func<A: Analysis>(&mut self, id: FuncId, func: &Function) -> Rc<A> {
        let entries = self.funcs.entry(id).or_default();
        lookup(entries, func, A::compute, A::NAME, A::DEPENDS, still_fresh::<A>)
    }
    /// An analysis of the module.
    pub fn of_module<A: ModuleAnalysis>(&mut self, module: &Module) -> Rc<A> {
        lookup(&mut self.module, module, A::compute, A::NAME, A::DEPENDS, still_fresh_module::<A>)
    }
    /// Drops what rests on `facts` of one function, and of the module.
    pub fn invalidate_func(&mut self, id: FuncId, facts: Facts) {
        if let Some(entries) = self.funcs.get_mut(&id) {
            entries.retain(|_, entry| !entry.depends.any(facts));
        }
        self.module.retain(|_, entry| !entry.depends.any(facts));
    }
    /// Drops what rests on `facts` of every function, and of the module.
    pub fn invalidate(&mut self, facts: Facts) {
        self.funcs.values_mut().for_each(|entries| entries.retain(|_, entry| !entry.depends.any(facts)));
        self.module.retain(|_, entry| !entry.depends.any(facts));
    }
    /// Recomputes what is cached of one function, or of everything where none is given; the names of what
    /// disagrees, with its function.
    pub fn stale(&self, module: &Module, only: Option<FuncId>) -> Vec<(Option<FuncId>, &'static str)> {
        let mut stale = Vec::new();
        for (&id, entries) in self.funcs.iter().filter(|(id, _)| only.is_none_or(|only| only == **id)) {
            let Some(func) = module.funcs.get(id) else { continue };
            let bad = entries.values().filter(|e| !(e.fresh)(&*e.value, func));
            stale.extend(bad.map(|e| (Some(id), e.name)));
        }
        if only.is_none() {
            let bad = self.module.values().filter(|e| !(e.fresh)(&*e.value, module));
            stale.extend(bad.map(|e| (None, e.name)));
        }
        stale.sort_unstable();
        stale
    }
}

macro_rules! cached {
    ($($trait:ident $of:ident $analysis:ty, $name:literal, $depends:expr;)*) => {$(
        impl $trait for $analysis {
            const NAME: &'static str = $name;
            const DEPENDS: Facts = $depends;
            fn compute(of: &$of) -> Self {
                <$analysis>::compute(of)
            }
            fn agrees(&self, fresh: &Self) -> bool {
                self == fresh
            }
        }
    )*};
}

cached! {
    Analysis Function larrow_ir::cfg::Rpo, "reverse postorder", Facts::CFG;
    Analysis Function larrow_ir::cfg::DomTree, "dominator tree", Facts::CFG;
    Analysis Function larrow_ir::cfg::PostDomTree, "postdominator tree", Facts::CFG;
    Analysis Function larrow_ir::cfg::Frontier, "dominance frontier", Facts::CFG;
    Analysis Function larrow_ir::cfg::LoopForest, "loop forest", Facts::CFG;
    Analysis Function larrow_ir::cfg::Liveness, "liveness", Facts::ALL;
    ModuleAnalysis Module larrow_ir::cfg::CallGraph, "call graph", Facts::ALL;
}
