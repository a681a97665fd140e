//! How names, strings, types, numbers and positions are spelled. The parser reads exactly this.

use std::fmt::{self, Display, Write};

use cranelift_entity::EntityRef;

use crate::entity::Type;
use crate::inst::Pos;
use crate::types::{ChanDir, PRIMITIVES, Space, TypeKind, TypeTable};

/// Whether a name needs no quotes behind `@` or `%`.
pub(super) fn is_bare_symbol(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'.')
}

/// Whether a name needs no quotes on its own: a word that is not taken for a number.
pub(super) fn is_bare_word(name: &str) -> bool {
    is_bare_symbol(name) && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
}

/// A name behind its sigil: `@filter`, `@"main.(*T).Run"`, `%event`.
pub(super) fn symbol(sigil: char, name: &str) -> String {
    if is_bare_symbol(name) { format!("{sigil}{name}") } else { format!("{sigil}{}", Quoted(name)) }
}

/// A name without a sigil: a field, a helper, a storage.
pub(super) fn word(name: &str) -> String {
    if is_bare_word(name) { name.to_string() } else { Quoted(name).to_string() }
}

/// A string in quotes. Control characters and what a terminal would not show are escaped.
pub(super) struct Quoted<'a>(pub(super) &'a str);

impl Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for c in self.0.chars() {
            match c {
                '"' => f.write_str("\\\"")?,
                '\\' => f.write_str("\\\\")?,
                '\n' => f.write_str("\\n")?,
                '\r' => f.write_str("\\r")?,
                '\t' => f.write_str("\\t")?,
                c if c.is_control() || is_invisible(c) => write!(f, "\\u{{{:x}}}", u32::from(c))?,
                c => f.write_char(c)?,
            }
        }
        f.write_char('"')
    }
}

/// Separators and direction marks that would make the printed line lie.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// A position: `@8:14`, `@l3`, or nothing.
pub(super) fn position(pos: Pos) -> String {
    match pos {
        Pos::None => String::new(),
        Pos::At { line, col } => format!("@{line}:{col}"),
        Pos::Loc(loc) => format!("@{loc}"),
    }
}

/// A type as the text format spells it: `ptr<ctx xdp>`, `(u16, bool)`.
#[derive(Clone, Copy, Debug)]
pub struct TypeText<'a> {
    types: &'a TypeTable,
    ty: Type,
}

impl<'a> TypeText<'a> {
    /// The spelling of a type of a table.
    pub fn new(types: &'a TypeTable, ty: Type) -> TypeText<'a> {
        TypeText { types, ty }
    }

    fn other(self, ty: Type) -> TypeText<'a> {
        TypeText { ty, ..self }
    }

    fn list(self, f: &mut fmt::Formatter<'_>, items: &[Type]) -> fmt::Result {
        for (i, &item) in items.iter().enumerate() {
            let comma = if i > 0 { ", " } else { "" };
            write!(f, "{comma}{}", self.other(item))?;
        }
        Ok(())
    }

    fn pointer(self, f: &mut fmt::Formatter<'_>, to: Type, space: Space) -> fmt::Result {
        let gap = if space == Space::Any { "" } else { " " };
        write!(f, "ptr<{}{gap}", space.name())?;
        match self.types.kind(to) {
            TypeKind::Opaque(name) if space == Space::Ctx && is_context_name(name) => f.write_str(name)?,
            _ => write!(f, "{}", self.other(to))?,
        }
        f.write_str(">")
    }

    fn channel(self, f: &mut fmt::Formatter<'_>, elem: Type, dir: ChanDir) -> fmt::Result {
        let receiving = matches!(self.types.kind(elem), TypeKind::Chan { dir: ChanDir::Recv, .. });
        let elem = self.other(elem);
        match dir {
            // Without the parentheses the element's arrow would be read as the channel's own.
            ChanDir::Both if receiving => write!(f, "chan ({elem})"),
            ChanDir::Both => write!(f, "chan {elem}"),
            ChanDir::Recv => write!(f, "<-chan {elem}"),
            ChanDir::Send => write!(f, "chan<- {elem}"),
        }
    }
}

/// Whether an opaque name may stand bare in `ptr<ctx …>`: a word that is not a type's.
pub(super) fn is_context_name(name: &str) -> bool {
    const KEYWORDS: [&str; 6] = ["ptr", "chan", "struct", "packed", "func", "opaque"];
    is_bare_word(name) && !KEYWORDS.contains(&name) && PRIMITIVES.iter().all(|(_, p)| *p != name)
}

impl Display for TypeText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((_, name)) = PRIMITIVES.get(self.ty.index()) {
            return f.write_str(name);
        }
        match self.types.kind(self.ty) {
            TypeKind::Unit | TypeKind::Bool | TypeKind::Int { .. } | TypeKind::Float { .. } => {
                unreachable!("the primitives stand first in every table")
            }
            TypeKind::Ptr { to, space } => self.pointer(f, *to, *space),
            TypeKind::Chan { elem, dir } => self.channel(f, *elem, *dir),
            TypeKind::Array { elem, len } => write!(f, "[{len}]{}", self.other(*elem)),
            TypeKind::Struct { fields, packed } => {
                f.write_str(if *packed { "packed struct {" } else { "struct {" })?;
                for (i, field) in fields.iter().enumerate() {
                    let comma = if i > 0 { ", " } else { "" };
                    write!(f, "{comma}{}: {}", word(&field.name), self.other(field.ty))?;
                }
                f.write_str("}")
            }
            TypeKind::Tuple(items) => {
                f.write_str("(")?;
                self.list(f, items)?;
                // A tuple of one is told from parentheses by its comma.
                f.write_str(if items.len() == 1 { ",)" } else { ")" })
            }
            TypeKind::Func { params, result } => {
                f.write_str("func(")?;
                self.list(f, params)?;
                f.write_str(")")?;
                if *result != Type::UNIT {
                    write!(f, " -> {}", self.other(*result))?;
                }
                Ok(())
            }
            TypeKind::Named(id) => f.write_str(&symbol('%', &self.types.named()[*id].name)),
            TypeKind::Opaque(name) => write!(f, "opaque {}", Quoted(name)),
        }
    }
}

/// An integer constant as its type spells it: signed if the type is, `true` and `false` for a bool.
pub(super) fn integer(types: &TypeTable, ty: Type, bits: u64) -> String {
    match types.resolve(ty) {
        TypeKind::Bool if bits <= 1 => (bits == 1).to_string(),
        TypeKind::Int { bits: width, signed: true } => {
            let unused = 64 - u32::from(*width);
            (((bits << unused) as i64) >> unused).to_string()
        }
        _ => bits.to_string(),
    }
}

/// A float constant of its own width: the shortest decimal that reads back as the same bits, `inf`, or the bits
/// in hexadecimal for what is not a number.
pub(super) fn float(types: &TypeTable, ty: Type, bits: u64) -> String {
    if types.bits(ty) == Some(32) {
        let x = f32::from_bits(bits as u32);
        if x.is_nan() { format!("0x{bits:08x}") } else { format!("{x:?}") }
    } else {
        let x = f64::from_bits(bits);
        if x.is_nan() { format!("0x{bits:016x}") } else { format!("{x:?}") }
    }
}
