//! A module's declarations.

use std::collections::HashSet;

use crate::diag::{Diagnostic, Entity};
use crate::entity::Type;
use crate::inst::Pos;
use crate::module::{ChanDecl, GlobalDecl, GlobalSection, MapDecl, MapKind, Module};
use crate::types::{TypeKind, TypeTable};

use super::spell::spell_type;

/// The largest element of a channel in bytes, as gc has it.
const MAX_ELEMENT: u64 = (1 << 16) - 1;

/// Every breach among a module's declarations.
pub(super) fn check(module: &Module) -> Vec<Diagnostic> {
    let mut errors = Vec::new();
    types(module, &mut errors);
    for (id, decl) in module.decls.chans.iter() {
        let report = |m: String| errors.push(Diagnostic::error(m).on(Entity::Chan(id)).at(decl.pos));
        chan(module, decl, module.decls.chans.name(id), report);
    }
    for (id, decl) in module.decls.maps.iter() {
        let report = |m: String| errors.push(Diagnostic::error(m).on(Entity::Map(id)).at(decl.pos));
        map(module, decl, module.decls.maps.name(id), report);
    }
    for (id, decl) in module.decls.globals.iter() {
        let report = |m: String| errors.push(Diagnostic::error(m).on(Entity::Global(id)).at(decl.pos));
        global(module, decl, module.decls.globals.name(id), report);
    }
    intrinsics(module, &mut errors);
    sites(module, &mut errors);
    for (id, func) in module.funcs.iter() {
        let name = module.funcs.name(id);
        if name != &*func.name {
            let message = format!("the function calls itself @{}, the module @{name}", func.name);
            errors.push(Diagnostic::error(message).on(Entity::Func(id)).at(func.pos));
        }
    }
    errors
}

/// What is wrong with a channel element type, if anything.
pub(super) fn element_error(types: &TypeTable, elem: Type) -> Option<String> {
    match types.layout(elem) {
        None => Some(format!("channel element type {} has no layout", spell_type(types, elem))),
        Some(layout) if layout.size > MAX_ELEMENT => {
            Some("channel element type too large (>64kB)".to_string())
        }
        Some(_) => None,
    }
}

fn in_module(message: String, pos: Pos) -> Diagnostic {
    Diagnostic::error(message).on(Entity::Module).at(pos)
}

fn types(module: &Module, errors: &mut Vec<Diagnostic>) {
    for (_, named) in module.decls.types.named() {
        if named.body.is_none() {
            let message = format!("type %{} is used but not declared", named.name);
            errors.push(in_module(message, Pos::None));
        }
    }
}

fn chan(module: &Module, decl: &ChanDecl, name: &str, mut report: impl FnMut(String)) {
    let types = &module.decls.types;
    let Some((elem, _)) = types.chan_parts(decl.ty) else {
        return report(format!("channel @{name} is declared as {}", spell_type(types, decl.ty)));
    };
    if let Some(message) = element_error(types, elem) {
        report(message);
    } else if i64::try_from(decl.cap).is_err() {
        report(format!("capacity {} of channel @{name} overflows int", decl.cap));
    }
}

fn map(module: &Module, decl: &MapDecl, name: &str, mut report: impl FnMut(String)) {
    let types = &module.decls.types;
    let kind = decl.kind.name();
    if decl.max_entries == 0 {
        report(format!("map @{name} has room for no element"));
    }
    if decl.kind.is_keyed() == (decl.key == Type::UNIT) {
        let has = if decl.kind.is_keyed() { "needs a key" } else { "takes no key" };
        report(format!("map @{name} is of kind {kind}, which {has}"));
    } else if decl.kind.is_keyed() && types.layout(decl.key).is_none_or(|l| l.size == 0) {
        report(format!("key {} of map @{name} has no size", spell_type(types, decl.key)));
    } else if matches!(decl.kind, MapKind::Array | MapKind::PercpuArray) && types.size(decl.key) != 4 {
        report(format!(
            "map @{name} is of kind {kind}: its key has 32 bits, not {}",
            spell_type(types, decl.key)
        ));
    }
    if types.layout(decl.value).is_none_or(|l| l.size == 0) {
        report(format!("value {} of map @{name} has no size", spell_type(types, decl.value)));
    }
}

fn global(module: &Module, decl: &GlobalDecl, name: &str, mut report: impl FnMut(String)) {
    let types = &module.decls.types;
    let Some(layout) = types.layout(decl.ty) else {
        return report(format!("variable @{name} is {}, which has no layout", spell_type(types, decl.ty)));
    };
    let have = decl.init.len() as u64;
    match decl.section {
        GlobalSection::Bss if have != 0 => {
            report(format!("variable @{name} in bss has {have} bytes of value"));
        }
        GlobalSection::Rodata | GlobalSection::Data if have != layout.size => {
            report(format!("variable @{name} has {have} bytes of value and {} of type", layout.size));
        }
        GlobalSection::Bss | GlobalSection::Rodata | GlobalSection::Data => {}
    }
}

fn intrinsics(module: &Module, errors: &mut Vec<Diagnostic>) {
    for (id, decl) in module.decls.intrinsics.iter() {
        if !matches!(module.decls.types.resolve(decl.ty), TypeKind::Func { .. }) {
            let (name, ty) = (module.decls.intrinsics.name(id), spell_type(&module.decls.types, decl.ty));
            errors.push(in_module(format!("intrinsic @{name} is {ty}, not a function"), decl.pos));
        }
    }
}

fn sites(module: &Module, errors: &mut Vec<Diagnostic>) {
    let mut names = HashSet::new();
    for (id, site) in &module.decls.sites {
        if !names.insert(&site.name) {
            errors.push(in_module(format!("two sites are named \"{}\"", site.name), site.pos));
        }
        if site.chan.is_some_and(|c| module.decls.chans.get(c).is_none()) {
            errors.push(in_module(format!("{id} names a channel that does not exist"), site.pos));
        }
    }
}
