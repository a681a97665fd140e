//! Names of global symbols: LLVM has one space for what the IR keeps in three.

use std::collections::HashSet;

use larrow_ir::cranelift_entity::SecondaryMap;
use larrow_ir::{FuncId, GlobalId, MapId, Module};

/// The symbol of every map, variable and function, quoted where LLVM wants it.
#[derive(Debug)]
pub(super) struct Names {
    maps: SecondaryMap<MapId, String>,
    globals: SecondaryMap<GlobalId, String>,
    funcs: SecondaryMap<FuncId, String>,
}

impl Names {
    pub(super) fn new(module: &Module) -> Names {
        let mut taken = HashSet::from(["_license".to_string()]);
        let mut names =
            Names { maps: SecondaryMap::new(), globals: SecondaryMap::new(), funcs: SecondaryMap::new() };
        for (id, _) in module.funcs.iter() {
            names.funcs[id] = fresh(&mut taken, module.funcs.name(id));
        }
        for (id, _) in module.decls.maps.iter() {
            names.maps[id] = fresh(&mut taken, module.decls.maps.name(id));
        }
        for (id, _) in module.decls.globals.iter() {
            names.globals[id] = fresh(&mut taken, module.decls.globals.name(id));
        }
        names
    }

    pub(super) fn map(&self, id: MapId) -> &str {
        &self.maps[id]
    }
    pub(super) fn global(&self, id: GlobalId) -> &str {
        &self.globals[id]
    }
    pub(super) fn func(&self, id: FuncId) -> &str {
        &self.funcs[id]
    }
}

/// The name, or with a number behind it that nobody has yet. `llvm.` is LLVM's own.
fn fresh(taken: &mut HashSet<String>, name: &str) -> String {
    let base = if name.starts_with("llvm.") { format!("_{name}") } else { name.to_string() };
    let mut name = base.clone();
    let mut n = 0;
    while !taken.insert(name.clone()) {
        n += 1;
        name = format!("{base}.{n}");
    }
    quoted(&name)
}

/// A name in quotes unless it is plain. Its bytes outside printable ASCII are escaped.
pub(super) fn quoted(name: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.');
    if !name.is_empty() && !name.as_bytes()[0].is_ascii_digit() && name.bytes().all(plain) {
        return name.to_string();
    }
    quoted_always(name)
}

/// A name in quotes, as sections have theirs.
pub(super) fn quoted_always(name: &str) -> String {
    let mut out = String::from("\"");
    for b in name.bytes() {
        match b {
            b' '..=b'~' if b != b'"' && b != b'\\' => out.push(char::from(b)),
            b => out.push_str(&format!("\\{b:02X}")),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_name_gets_a_number() {
        let mut taken = HashSet::new();
        assert_eq!(fresh(&mut taken, "a"), "a");
        assert_eq!(fresh(&mut taken, "a"), "a.1");
        assert_eq!(fresh(&mut taken, "llvm.x"), "_llvm.x");
    }

    #[test]
    fn odd_names_are_quoted() {
        assert_eq!(quoted("runtime.chanrecv2.u16.8"), "runtime.chanrecv2.u16.8");
        assert_eq!(quoted("a\"b"), "\"a\\22b\"");
        assert_eq!(quoted("é"), "\"\\C3\\A9\"");
    }
}
