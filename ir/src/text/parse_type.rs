//! Reading types and constants.

use std::borrow::Cow;
use std::sync::Arc;

use crate::diag::Diagnostic;
use crate::entity::Type;
use crate::inst::Aux;
use crate::nearest::nearest;
use crate::types::{ChanDir, Field, PRIMITIVES, Space, TypeKind, TypeTable};

use super::cursor::{Cursor, Read};
use super::lex::{Int, Token};
use super::spell::is_context_name;

/// Types nest so deep at most, so that noise does not exhaust the stack.
const DEEPEST: u32 = 100;

/// Reads a type. Names are known: the reader has registered every declared one before it reads any type.
pub(super) fn parse_type(c: &mut Cursor<'_>, types: &mut TypeTable) -> Read<Type> {
    nested(c, types, DEEPEST)
}

fn nested(c: &mut Cursor<'_>, types: &mut TypeTable, fuel: u32) -> Read<Type> {
    let Some(fuel) = fuel.checked_sub(1) else {
        return c.fail(format!("types nest more than {DEEPEST} deep"));
    };
    match c.peek() {
        Token::Punct('[') => array(c, types, fuel),
        Token::Punct('(') => tuple(c, types, fuel),
        Token::Left => {
            c.take();
            c.expect_word("chan")?;
            let elem = nested(c, types, fuel)?;
            Ok(types.chan(ChanDir::Recv, elem))
        }
        Token::Percent(_) => named(c, types),
        Token::Word(word) => match *word {
            "ptr" => pointer(c, types, fuel),
            "chan" => channel(c, types, fuel),
            "struct" | "packed" => structure(c, types, fuel),
            "func" => function(c, types, fuel),
            "opaque" => {
                c.take();
                let name = c.string("the type's name in quotes")?;
                Ok(types.opaque(&name))
            }
            word => primitive(c, word),
        },
        _ => c.expected("a type"),
    }
}

fn primitive(c: &mut Cursor<'_>, word: &str) -> Read<Type> {
    if let Some((ty, _)) = PRIMITIVES.iter().find(|(_, name)| *name == word) {
        c.take();
        return Ok(*ty);
    }
    let known = PRIMITIVES.iter().map(|(_, name)| *name);
    let all = known.chain(["ptr", "chan", "struct", "packed", "func", "opaque"]);
    let mut error = Diagnostic::error(format!("unknown type `{word}`"));
    if let Some(near) = nearest(word, all) {
        error = error.help(format!("did you mean `{near}`?"));
    }
    Err(c.failure(error))
}

fn named(c: &mut Cursor<'_>, types: &mut TypeTable) -> Read<Type> {
    let (place, known) = (c.place(), types.named().len());
    let name = c.percent("a named type")?;
    let ty = types.named_type(&name);
    if types.named().len() > known {
        let error = Diagnostic::error(format!("type %{name} is not declared"))
            .help(format!("declare it: `type %{name} = …`"));
        return Err(Box::new((place, error)));
    }
    Ok(ty)
}

fn array(c: &mut Cursor<'_>, types: &mut TypeTable, fuel: u32) -> Read<Type> {
    c.expect('[')?;
    let len = c.u64("an array's length")?;
    c.expect(']')?;
    let elem = nested(c, types, fuel)?;
    Ok(types.array(elem, len))
}

/// `(T, U)`, `(T,)`, `()`; `(T)` is T.
fn tuple(c: &mut Cursor<'_>, types: &mut TypeTable, fuel: u32) -> Read<Type> {
    c.expect('(')?;
    let (items, comma) = list(c, types, fuel)?;
    match items[..] {
        [only] if !comma => Ok(only),
        _ => Ok(types.tuple(&items)),
    }
}

/// Types up to `)`, and whether a comma stands behind the last.
fn list(c: &mut Cursor<'_>, types: &mut TypeTable, fuel: u32) -> Read<(Vec<Type>, bool)> {
    let mut items = Vec::new();
    let mut comma = false;
    while !c.eat(')') {
        items.push(nested(c, types, fuel)?);
        comma = c.eat(',');
        if !comma {
            c.expect(')')?;
            break;
        }
    }
    Ok((items, comma))
}

fn pointer(c: &mut Cursor<'_>, types: &mut TypeTable, fuel: u32) -> Read<Type> {
    c.take();
    c.expect('<')?;
    let named = match c.peek() {
        Token::Word(word) => Space::NAMED.iter().find(|(_, name)| name == word).map(|(space, _)| *space),
        _ => None,
    };
    let space = named.unwrap_or(Space::Any);
    if named.is_some() {
        c.take();
    }
    let to = match c.peek() {
        Token::Word(word) if space == Space::Ctx && is_context_name(word) => {
            let ty = types.opaque(word);
            c.take();
            ty
        }
        _ => nested(c, types, fuel)?,
    };
    c.expect('>')?;
    Ok(types.ptr(space, to))
}

fn channel(c: &mut Cursor<'_>, types: &mut TypeTable, fuel: u32) -> Read<Type> {
    c.take();
    let dir = if c.eat_token(&Token::Left) { ChanDir::Send } else { ChanDir::Both };
    let elem = nested(c, types, fuel)?;
    Ok(types.chan(dir, elem))
}

fn structure(c: &mut Cursor<'_>, types: &mut TypeTable, fuel: u32) -> Read<Type> {
    let packed = c.eat_word("packed");
    c.expect_word("struct")?;
    c.expect('{')?;
    let mut fields = Vec::new();
    while !c.eat('}') {
        let name: Arc<str> = match c.name("a field's name")? {
            Cow::Borrowed(name) => name.into(),
            Cow::Owned(name) => name.into(),
        };
        c.expect(':')?;
        fields.push(Field { name, ty: nested(c, types, fuel)? });
        if !c.eat(',') {
            c.expect('}')?;
            break;
        }
    }
    Ok(types.intern(TypeKind::Struct { fields: fields.into(), packed }))
}

fn function(c: &mut Cursor<'_>, types: &mut TypeTable, fuel: u32) -> Read<Type> {
    c.take();
    c.expect('(')?;
    let (params, _) = list(c, types, fuel)?;
    let result = if c.eat_token(&Token::Right) { nested(c, types, fuel)? } else { Type::UNIT };
    Ok(types.func(&params, result))
}

/// The payload of a constant of type `ty`, without its brackets.
pub(super) fn parse_const(c: &mut Cursor<'_>, types: &TypeTable, ty: Type) -> Read<Aux> {
    match *types.resolve(ty) {
        TypeKind::Bool => {
            if c.eat_word("true") {
                Ok(Aux::Int(1))
            } else if c.eat_word("false") {
                Ok(Aux::Int(0))
            } else {
                c.expected("`true` or `false`")
            }
        }
        TypeKind::Int { bits, signed } => {
            let place = c.place();
            let int = c.int("an integer")?;
            integer_bits(int, u32::from(bits), signed).map(Aux::Int).ok_or_else(|| {
                let (lo, hi) = integer_range(u32::from(bits), signed);
                let minus = if int.negative { "-" } else { "" };
                let error = Diagnostic::error(format!("{minus}{} is out of range", int.magnitude));
                Box::new((place, error.note(format!("the type holds {lo} to {hi}"))))
            })
        }
        TypeKind::Float { bits } => parse_float(c, bits).map(Aux::Float),
        TypeKind::Ptr { .. } | TypeKind::Chan { .. } | TypeKind::Func { .. } => {
            if c.eat_word("nil") {
                Ok(Aux::Nil)
            } else {
                c.expected("`nil`")
            }
        }
        TypeKind::Unit
        | TypeKind::Array { .. }
        | TypeKind::Struct { .. }
        | TypeKind::Tuple(_)
        | TypeKind::Named(_)
        | TypeKind::Opaque(_) => c.fail("this type has no constants"),
    }
}

/// The least and the greatest number of a type, as text.
fn integer_range(bits: u32, signed: bool) -> (i128, i128) {
    if signed { (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) } else { (0, (1 << bits) - 1) }
}

/// The bits of an integer at a width; `None` if it is out of range. Hexadecimal may spell the bits of a negative
/// number.
pub(super) fn integer_bits(int: Int, bits: u32, signed: bool) -> Option<u64> {
    let n = if int.negative { -i128::from(int.magnitude) } else { i128::from(int.magnitude) };
    let (lo, hi) = integer_range(bits, signed);
    let hi = if int.hex { (1 << bits) - 1 } else { hi };
    (lo..=hi).contains(&n).then_some((n as u64) & (u64::MAX >> (64 - bits)))
}

/// A float's bits in its own width: `1.5`, `-inf`, or the bits themselves in hexadecimal.
fn parse_float(c: &mut Cursor<'_>, bits: u8) -> Read<u64> {
    let place = c.place();
    let negative = c.eat('-');
    let text: Cow<'_, str> = match *c.peek() {
        Token::Word("inf") => "inf".into(),
        Token::Float(text) => text.into(),
        Token::Int(Int { magnitude, hex: true, negative: false }) if !negative => {
            c.take();
            return match bits {
                32 if magnitude >> 32 != 0 => {
                    let error = Diagnostic::error("the bits of an f32 do not exceed 32");
                    Err(Box::new((place, error)))
                }
                _ => Ok(magnitude),
            };
        }
        Token::Int(Int { magnitude, hex: false, negative }) => {
            format!("{}{magnitude}", if negative { "-" } else { "" }).into()
        }
        _ => return c.expected("a number, `inf`, or bits in hexadecimal"),
    };
    let text = if negative { format!("-{text}") } else { text.into_owned() };
    let parsed = match bits {
        32 => text.parse::<f32>().map(|x| u64::from(x.to_bits())),
        _ => text.parse::<f64>().map(f64::to_bits),
    };
    let Ok(parsed) = parsed else { return c.expected("a number") };
    c.take();
    Ok(parsed)
}
