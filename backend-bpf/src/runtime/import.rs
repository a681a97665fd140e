//! Moving a function from one module's type table to another's.

use std::collections::HashMap;

use larrow_ir::{Decls, Function, Type, TypeKind};

/// Translates every type of `func` from `from`'s table to `to`'s. Named types keep their names; where `to`
/// defines one already, its definition stands.
pub(super) fn types(func: &mut Function, from: &Decls, to: &mut Decls) {
    let mut import = Import { from, to, known: HashMap::new() };
    func.result = import.ty(func.result);
    for v in func.params.clone() {
        func.inst_mut(v).ty = import.ty(func.ty(v));
    }
    let values: Vec<_> = func.iter_insts().map(|(_, v)| v).collect();
    for v in values {
        func.inst_mut(v).ty = import.ty(func.ty(v));
    }
}

struct Import<'a> {
    from: &'a Decls,
    to: &'a mut Decls,
    known: HashMap<Type, Type>,
}

impl Import<'_> {
    fn ty(&mut self, ty: Type) -> Type {
        if let Some(&known) = self.known.get(&ty) {
            return known;
        }
        let kind = match self.from.types.kind(ty).clone() {
            TypeKind::Ptr { to, space } => TypeKind::Ptr { to: self.ty(to), space },
            TypeKind::Chan { elem, dir } => TypeKind::Chan { elem: self.ty(elem), dir },
            TypeKind::Array { elem, len } => TypeKind::Array { elem: self.ty(elem), len },
            TypeKind::Struct { fields, packed } => {
                let fields =
                    fields.iter().map(|f| larrow_ir::Field { name: f.name.clone(), ty: self.ty(f.ty) });
                TypeKind::Struct { fields: fields.collect(), packed }
            }
            TypeKind::Tuple(items) => TypeKind::Tuple(items.iter().map(|&t| self.ty(t)).collect()),
            TypeKind::Func { params, result } => {
                let params = params.iter().map(|&t| self.ty(t)).collect();
                TypeKind::Func { params, result: self.ty(result) }
            }
            TypeKind::Named(id) => return self.named(ty, id),
            kind @ (TypeKind::Unit
            | TypeKind::Bool
            | TypeKind::Int { .. }
            | TypeKind::Float { .. }
            | TypeKind::Opaque(_)) => kind,
        };
        let imported = self.to.types.intern(kind);
        self.known.insert(ty, imported);
        imported
    }

    /// A named type is known before its body is looked at: it may be recursive.
    fn named(&mut self, ty: Type, id: larrow_ir::NamedId) -> Type {
        let decl = self.from.types.named()[id].clone();
        let imported = self.to.types.named_type(&decl.name);
        self.known.insert(ty, imported);
        if let Some(body) = decl.body {
            let body = self.ty(body);
            self.to.types.define(&decl.name, body);
        }
        imported
    }
}
