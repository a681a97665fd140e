//! Types in messages, as the text format spells them.

use std::fmt::Write;

use cranelift_entity::EntityRef;

use crate::entity::Type;
use crate::types::{ChanDir, Field, Space, TypeKind, TypeTable};

/// A type as the text format spells it; a type of another module is `?`.
pub fn spell_type(types: &TypeTable, ty: Type) -> String {
    let mut out = String::new();
    write_type(&mut out, types, ty);
    out
}

fn write_type(out: &mut String, types: &TypeTable, ty: Type) {
    if ty.index() >= types.len() {
        out.push('?');
        return;
    }
    match types.kind(ty) {
        TypeKind::Unit => out.push_str("unit"),
        TypeKind::Bool => out.push_str("bool"),
        TypeKind::Int { bits, signed } => {
            out.push(if *signed { 'i' } else { 'u' });
            out.push_str(&bits.to_string());
        }
        TypeKind::Float { bits } => {
            out.push('f');
            out.push_str(&bits.to_string());
        }
        TypeKind::Ptr { to, space } => {
            out.push_str("ptr<");
            if *space != Space::Any {
                out.push_str(space.name());
                out.push(' ');
            }
            write_type(out, types, *to);
            out.push('>');
        }
        TypeKind::Chan { elem, dir } => write_chan(out, types, *elem, *dir),
        TypeKind::Array { elem, len } => {
            write!(out, "[{len}]").expect("a string takes everything");
            write_type(out, types, *elem);
        }
        TypeKind::Struct { fields, packed } => write_struct(out, types, fields, *packed),
        TypeKind::Tuple(items) => write_list(out, types, items),
        TypeKind::Func { params, result } => {
            out.push_str("func");
            write_list(out, types, params);
            out.push_str(" -> ");
            write_type(out, types, *result);
        }
        TypeKind::Named(id) => {
            out.push('%');
            out.push_str(&types.named()[*id].name);
        }
        TypeKind::Opaque(name) => out.push_str(name),
    }
}

fn write_chan(out: &mut String, types: &TypeTable, elem: Type, dir: ChanDir) {
    let receives = matches!(types.kind(elem), TypeKind::Chan { dir: ChanDir::Recv, .. });
    out.push_str(match dir {
        ChanDir::Both => "chan ",
        ChanDir::Recv => "<-chan ",
        ChanDir::Send => "chan<- ",
    });
    // `chan <-chan T` would read as `chan<- chan T`.
    let wrap = receives && dir == ChanDir::Both;
    out.push_str(if wrap { "(" } else { "" });
    write_type(out, types, elem);
    out.push_str(if wrap { ")" } else { "" });
}

fn write_struct(out: &mut String, types: &TypeTable, fields: &[Field], packed: bool) {
    out.push_str(if packed { "packed struct {" } else { "struct {" });
    for (i, field) in fields.iter().enumerate() {
        out.push_str(if i == 0 { "" } else { ", " });
        out.push_str(&field.name);
        out.push_str(": ");
        write_type(out, types, field.ty);
    }
    out.push('}');
}

fn write_list(out: &mut String, types: &TypeTable, items: &[Type]) {
    out.push('(');
    for (i, &item) in items.iter().enumerate() {
        out.push_str(if i == 0 { "" } else { ", " });
        write_type(out, types, item);
    }
    out.push(')');
}
