//! Reading a module.
//!
//! 1. [`scan`](Reader::scan) goes over the lines once: it sorts the declarations by kind, cuts out the functions'
//!    bodies and registers every type's and function's name, so that all may be used before they are declared.
//! 2. The declarations are read, those first that others mention.
//! 3. The functions are read one by one ([`super::parse_func`]).
//!
//! Every step looks at each line once and at each token once, with one token ahead; names are found by hash. Ids
//! index tables, so their sum is bounded by the text's length ([`Reader::claim`]). The time and the memory are
//! therefore linear in the text, whatever it holds, and an error ends the reading of its line.

use std::collections::HashMap;
use std::sync::Arc;

use cranelift_entity::EntityRef;

use crate::diag::{Diagnostic, Entity};
use crate::entity::{FuncId, LocId, SiteId, Type};
use crate::inst::Pos;
use crate::module::{
    ChanDecl, GlobalDecl, GlobalSection, IntrinsicDecl, LocData, MapDecl, MapKind, Module, SiteDecl, SiteKind,
};
use crate::nearest::nearest;
use crate::op::Effects;
use crate::types::TypeKind;

use super::cursor::{Cursor, Errors, Line, MOST_ERRORS, Read};
use super::lex::Token;
use super::parse_func::parse_func;
use super::parse_type::parse_type;
use super::source_map::{Place, SourceMap};

/// A module and where its parts stand in the text.
#[derive(Clone, Debug)]
pub struct Parsed {
    /// The module: spelled right, not verified.
    pub module: Module,
    /// The places of its entities.
    pub spans: SourceMap,
}

/// Reads a module. `name` is the text's own file name, which errors show.
///
/// # Errors
/// All errors of the text in its order, each located in it; after a hundred, the last says that it stopped.
pub fn parse(name: &str, text: &str) -> Result<Parsed, Vec<Diagnostic>> {
    let mut reader = Reader::new(name.into(), text);
    reader.scan(text.strip_prefix('\u{feff}').unwrap_or(text));
    for kind in Keyword::DECLARATIONS {
        reader.declare_all(*kind);
    }
    reader.check_aliases();
    for func in std::mem::take(&mut reader.bodies) {
        if !reader.errors.enough() {
            parse_func(&mut reader, func);
        }
    }
    reader.finish()
}

/// Reads a module from bytes, which are UTF-8.
///
/// # Errors
/// As [`parse`], and one that names the first byte that is not UTF-8.
pub fn parse_bytes(name: &str, bytes: &[u8]) -> Result<Parsed, Vec<Diagnostic>> {
    let error = match std::str::from_utf8(bytes) {
        Ok(text) => return parse(name, text),
        Err(error) => error,
    };
    let good = &bytes[..error.valid_up_to()];
    let line_start = good.iter().rposition(|&b| b == b'\n').map_or(0, |i| i + 1);
    let narrow = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let place = Place {
        line: narrow(good.iter().filter(|&&b| b == b'\n').count() + 1),
        col: narrow(good.len() - line_start + 1),
        len: narrow(error.error_len().unwrap_or(1)),
    };
    let mut errors = Errors::new(name.into());
    errors
        .add(place, Diagnostic::error("the text is not UTF-8").help("save it as UTF-8, or pass a text file"));
    Err(errors.list)
}

/// What a line at the top level starts with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Keyword {
    File,
    Loc,
    Type,
    Chan,
    Map,
    Global,
    Intrinsic,
    Site,
    Func,
}

impl Keyword {
    /// In the order of reading: what is mentioned stands before what mentions it.
    const DECLARATIONS: &'static [Keyword] = &[
        Keyword::File,
        Keyword::Loc,
        Keyword::Type,
        Keyword::Chan,
        Keyword::Map,
        Keyword::Global,
        Keyword::Intrinsic,
        Keyword::Site,
    ];
    const SPELLED: [(&'static str, Keyword); 8] = [
        ("file", Keyword::File),
        ("type", Keyword::Type),
        ("chan", Keyword::Chan),
        ("map", Keyword::Map),
        ("global", Keyword::Global),
        ("intrinsic", Keyword::Intrinsic),
        ("site", Keyword::Site),
        ("func", Keyword::Func),
    ];

    fn of(word: &str) -> Option<Keyword> {
        Keyword::SPELLED.iter().find(|(name, _)| *name == word).map(|(_, keyword)| *keyword)
    }
}

/// A function's text.
#[derive(Debug)]
pub(super) struct FuncText<'a> {
    pub(super) id: FuncId,
    pub(super) name: Arc<str>,
    pub(super) header: Line<'a>,
    /// Between the header's line and that of the closing brace.
    pub(super) body: &'a str,
}

/// The lines of a stretch of text, the first of them numbered.
pub(super) fn lines(text: &str, first: u32) -> impl Iterator<Item = Line<'_>> {
    let mut number = first;
    text.split('\n').map(move |text| {
        let line = Line { text, number };
        number = number.saturating_add(1);
        line
    })
}

/// What has been read so far.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    pub(super) module: Module,
    pub(super) spans: SourceMap,
    pub(super) errors: Errors,
    /// Every function of the text by name, with its line.
    pub(super) funcs: HashMap<Arc<str>, (FuncId, u32)>,
    bodies: Vec<FuncText<'a>>,
    declarations: Vec<(Keyword, Line<'a>)>,
    /// Where each declared name stands, for the note of a second one.
    declared: HashMap<(&'static str, Arc<str>), u32>,
    /// How many more ids the text may use.
    ids: usize,
}

impl<'a> Reader<'a> {
    fn new(name: Arc<str>, text: &str) -> Reader<'a> {
        Reader {
            module: Module::default(),
            spans: SourceMap::new(name.clone()),
            errors: Errors::new(name),
            funcs: HashMap::new(),
            bodies: Vec::new(),
            declarations: Vec::new(),
            declared: HashMap::new(),
            ids: (1 << 20) + text.len() / 8,
        }
    }

    fn finish(self) -> Result<Parsed, Vec<Diagnostic>> {
        let mut list = self.errors.list;
        if list.is_empty() {
            return Ok(Parsed { module: self.module, spans: self.spans });
        }
        list.sort_by_key(|d| d.span.as_ref().map(|s| (s.line, s.col)));
        if list.len() >= MOST_ERRORS {
            let mut stop = Diagnostic::error(format!("too many errors: reading stopped after {MOST_ERRORS}"));
            stop.span = list.last().and_then(|d| d.span.clone());
            list.push(stop);
        }
        Err(list)
    }

    /// Accounts for `more` fresh ids; says whether there is room. Ids may have holes, but a short text that
    /// names a huge one would cost memory out of proportion.
    pub(super) fn claim(&mut self, more: usize) -> bool {
        let left = self.ids.checked_sub(more);
        self.ids = left.unwrap_or(self.ids);
        left.is_some()
    }

    pub(super) fn record(&mut self, result: Read<()>) {
        if let Err(failure) = result {
            self.errors.add(failure.0, failure.1);
        }
    }

    // ---- the first walk --------------------------------------------------------------------------------------

    fn scan(&mut self, text: &'a str) {
        // The function whose body the walk is in: its place in `bodies`, and the byte where the body starts.
        let mut open: Option<(Option<usize>, usize, Place)> = None;
        for line in lines(text, 1) {
            if self.errors.enough() {
                return;
            }
            let at = line.text.as_ptr() as usize - text.as_ptr() as usize;
            let mut c = line.cursor();
            if let Some((func, start, header)) = open {
                let closed = c.eat('}');
                let next_top =
                    matches!(c.peek(), Token::Word(word) if !closed && Keyword::of(word).is_some());
                if !closed && !next_top {
                    continue;
                }
                if let Some(func) = func {
                    self.bodies[func].body =
                        text[start..at].strip_suffix('\n').unwrap_or(&text[start..start]);
                }
                open = None;
                if closed {
                    self.record(c.end());
                    continue;
                }
                self.errors.add(header, Diagnostic::error("the function has no closing brace"));
            }
            let end = at + line.text.len();
            match self.scan_top(line) {
                Ok(Some(func)) => open = Some((func, (end + 1).min(text.len()), line.cursor().place())),
                Ok(None) => {}
                Err(failure) => self.errors.add(failure.0, failure.1),
            }
        }
        if let Some((_, _, header)) = open {
            self.errors.add(header, Diagnostic::error("the function has no closing brace"));
        }
    }

    /// One line at the top level. A function's header gives its place in `bodies`, or `Some(None)` if its name
    /// is bad and its body to be skipped.
    fn scan_top(&mut self, line: Line<'a>) -> Read<Option<Option<usize>>> {
        let mut c = line.cursor();
        let word = match *c.peek() {
            Token::End => return Ok(None),
            Token::Word(word) => word,
            _ => return c.expected("a declaration or a function"),
        };
        let loc = c.peek_id('l').map(|_| Keyword::Loc);
        let Some(keyword) = Keyword::of(word).or(loc) else {
            let mut error = Diagnostic::error(format!("`{}` starts no declaration", shorten(word)));
            let near = nearest(word, Keyword::SPELLED.iter().map(|(name, _)| *name));
            error = match near {
                Some(near) => error.help(format!("did you mean `{near}`?")),
                None => error.help("instructions and blocks stand inside a function"),
            };
            return Err(c.failure(error));
        };
        match keyword {
            Keyword::Func => {
                c.take();
                Ok(Some(self.scan_func(&mut c, line)))
            }
            Keyword::Type => {
                c.take();
                let place = c.place();
                let name: Arc<str> = c.percent("the type's name, such as `%event`")?.into();
                self.declare("type", &name, place)?;
                self.module.decls.types.named_type(&name);
                self.declarations.push((keyword, line));
                Ok(None)
            }
            Keyword::File
            | Keyword::Loc
            | Keyword::Chan
            | Keyword::Map
            | Keyword::Global
            | Keyword::Intrinsic
            | Keyword::Site => {
                self.declarations.push((keyword, line));
                Ok(None)
            }
        }
    }

    fn scan_func(&mut self, c: &mut Cursor<'a>, line: Line<'a>) -> Option<usize> {
        let place = c.place();
        let name: Arc<str> = match c.at("the function's name, such as `@main`") {
            Ok(name) => name.into(),
            Err(failure) => {
                self.errors.add(failure.0, failure.1);
                return None;
            }
        };
        let id = FuncId::new(self.bodies.len());
        if let Some((_, line)) = self.funcs.get(&name) {
            self.errors.add(place, duplicate("function", &name, *line));
            return None;
        }
        self.funcs.insert(name.clone(), (id, line.number));
        self.bodies.push(FuncText { id, name, header: line, body: "" });
        Some(self.bodies.len() - 1)
    }

    /// Notes the line of a declared name; an error if there is one already.
    fn declare(&mut self, kind: &'static str, name: &Arc<str>, place: Place) -> Read<()> {
        match self.declared.insert((kind, name.clone()), place.line) {
            None => Ok(()),
            Some(line) => Err(Box::new((place, duplicate(kind, name, line)))),
        }
    }

    // ---- declarations ----------------------------------------------------------------------------------------

    fn declare_all(&mut self, kind: Keyword) {
        for i in 0..self.declarations.len() {
            let (found, line) = self.declarations[i];
            if found == kind && !self.errors.enough() {
                let result = self.declaration(kind, &mut line.cursor());
                self.record(result);
            }
        }
    }

    fn declaration(&mut self, kind: Keyword, c: &mut Cursor<'a>) -> Read<()> {
        match kind {
            Keyword::File => self.file(c),
            Keyword::Loc => self.loc(c),
            Keyword::Type => self.named_type(c),
            Keyword::Chan => self.chan(c),
            Keyword::Map => self.map(c),
            Keyword::Global => self.global(c),
            Keyword::Intrinsic => self.intrinsic(c),
            Keyword::Site => self.site(c),
            Keyword::Func => unreachable!("the scan keeps functions apart"),
        }
    }

    fn file(&mut self, c: &mut Cursor<'a>) -> Read<()> {
        c.take();
        let place = c.place();
        let file: Arc<str> = c.string("the source file's name in quotes")?.into();
        c.end()?;
        self.declare("file line", &"".into(), place)?;
        self.module.decls.file = file;
        Ok(())
    }

    /// `l3 = "chan.ssa" 12:3 inlined-at l1`
    fn loc(&mut self, c: &mut Cursor<'a>) -> Read<()> {
        let next = self.module.decls.locs.len();
        if c.peek_id('l').map(|n| n as usize) != Some(next) {
            return c.fail(format!("locations are numbered in order: this is l{next}"));
        }
        c.take();
        c.expect('=')?;
        let file: Arc<str> = c.string("a file's name in quotes")?.into();
        let (line, col) = line_col(c)?;
        let inlined_at = if !c.eat_word("inlined-at") {
            Pos::None
        } else if let Some(outer) = c.peek_id('l') {
            if outer as usize >= next {
                return c.fail(format!("l{outer} is not declared before"));
            }
            c.take();
            Pos::Loc(LocId::from_u32(outer))
        } else {
            let (line, col) = line_col(c)?;
            Pos::At { line, col }
        };
        c.end()?;
        self.module.decls.locs.push(LocData { file, line, col, inlined_at });
        Ok(())
    }

    fn named_type(&mut self, c: &mut Cursor<'a>) -> Read<()> {
        c.take();
        let name = c.percent("the type's name")?;
        if c.eat('=') {
            let body = parse_type(c, &mut self.module.decls.types)?;
            self.module.decls.types.define(&name, body);
        }
        c.end()
    }

    /// Names that stand for names: a long chain of them would make every look at the last one slow, and a circle
    /// means nothing.
    fn check_aliases(&mut self) {
        let types = &self.module.decls.types;
        let long = |first: &Arc<str>, body: Option<Type>| {
            let mut body = body;
            for _ in 0..16 {
                match body.map(|ty| types.kind(ty)) {
                    Some(TypeKind::Named(id)) => body = types.named()[*id].body,
                    _ => return None,
                }
            }
            Some(first.clone())
        };
        let bad: Vec<Arc<str>> = types.named().values().filter_map(|n| long(&n.name, n.body)).collect();
        for name in bad {
            let line = self.declared.get(&("type", name.clone())).copied().unwrap_or(1);
            let error = Diagnostic::error(format!("type %{name} stands for a name of a name too many times"));
            self.errors.add(Place { line, col: 1, len: 1 }, error);
        }
    }

    /// `@name:`, registered as `kind`.
    fn name_of(&mut self, kind: &'static str, c: &mut Cursor<'a>) -> Read<(Arc<str>, Place)> {
        c.take();
        let place = c.place();
        let name: Arc<str> = c.at("a name, such as `@ports`")?.into();
        self.declare(kind, &name, place)?;
        c.expect(':')?;
        Ok((name, place))
    }

    fn chan(&mut self, c: &mut Cursor<'a>) -> Read<()> {
        let (name, place) = self.name_of("chan", c)?;
        let ty_place = c.place();
        let ty = parse_type(c, &mut self.module.decls.types)?;
        if self.module.decls.types.chan_parts(ty).is_none() {
            let error = Diagnostic::error("a channel's type is a channel type").help("write `chan T`");
            return Err(Box::new((ty_place, error)));
        }
        c.expect_word("cap")?;
        let cap = c.u64("a capacity")?;
        let storage = if c.eat_word("storage") { Some(c.name("a storage")?.into()) } else { None };
        let pos = self.last_position(c)?;
        if let Ok(id) = self.module.decls.chans.insert(name, ChanDecl { ty, cap, storage, pos }) {
            self.spans.add(Entity::Chan(id), place);
        }
        Ok(())
    }

    fn map(&mut self, c: &mut Cursor<'a>) -> Read<()> {
        let (name, place) = self.name_of("map", c)?;
        let kind_place = c.place();
        let word = c.word("a kind of map")?;
        let Some(kind) = MapKind::from_name(word) else {
            let names = MapKind::ALL.map(|(_, name)| name);
            let mut error = Diagnostic::error(format!("unknown kind of map `{}`", shorten(word)));
            error = match nearest(word, names) {
                Some(near) => error.help(format!("did you mean `{near}`?")),
                None => error.help(format!("the kinds are {}", names.join(", "))),
            };
            return Err(Box::new((kind_place, error)));
        };
        c.expect('<')?;
        let first = parse_type(c, &mut self.module.decls.types)?;
        let (key, value) = if c.eat(',') {
            (first, parse_type(c, &mut self.module.decls.types)?)
        } else {
            (Type::UNIT, first)
        };
        c.expect('>')?;
        if kind.is_keyed() != (key != Type::UNIT) {
            let (has, form) = if kind.is_keyed() { ("a key", "<K, V>") } else { ("no key", "<V>") };
            let error = Diagnostic::error(format!("a map of kind {word} has {has}"));
            return Err(Box::new((kind_place, error.help(format!("write `{word}{form}`")))));
        }
        c.expect_word("entries")?;
        let max_entries = c.u32("the number of entries")?;
        let flags = if c.eat_word("flags") { c.u32("the flags")? } else { 0 };
        let pos = self.last_position(c)?;
        let decl = MapDecl { kind, key, value, max_entries, flags, pos };
        if let Ok(id) = self.module.decls.maps.insert(name, decl) {
            self.spans.add(Entity::Map(id), place);
        }
        Ok(())
    }

    fn global(&mut self, c: &mut Cursor<'a>) -> Read<()> {
        let (name, place) = self.name_of("global", c)?;
        let ty = parse_type(c, &mut self.module.decls.types)?;
        let section = match GlobalSection::ALL.iter().find(|(_, name)| c.eat_word(name)) {
            Some((section, _)) => *section,
            None => return c.expected("`rodata`, `data` or `bss`"),
        };
        let init = match c.peek() {
            Token::Str(_) => hex_bytes(c)?,
            _ if section == GlobalSection::Bss => Vec::new(),
            _ => return c.expected("the variable's bytes in hexadecimal and in quotes"),
        };
        let pos = self.last_position(c)?;
        if let Ok(id) = self.module.decls.globals.insert(name, GlobalDecl { ty, section, init, pos }) {
            self.spans.add(Entity::Global(id), place);
        }
        Ok(())
    }

    fn intrinsic(&mut self, c: &mut Cursor<'a>) -> Read<()> {
        let (name, _) = self.name_of("intrinsic", c)?;
        let ty_place = c.place();
        let ty = parse_type(c, &mut self.module.decls.types)?;
        if !matches!(self.module.decls.types.resolve(ty), TypeKind::Func { .. }) {
            return Err(Box::new((ty_place, Diagnostic::error("an intrinsic's type is a function type"))));
        }
        let mut effects = Effects::PURE;
        if !c.eat_word("pure") {
            while let Some((effect, _)) = Effects::NAMED.iter().find(|(_, name)| c.eat_word(name)) {
                effects = effects | *effect;
            }
            if effects.is_pure() {
                let names = Effects::NAMED.map(|(_, name)| name).join(", ");
                return c.expected(format_args!("`pure`, or effects among {names}"));
            }
        }
        let pos = self.last_position(c)?;
        let _ = self.module.decls.intrinsics.insert(name, IntrinsicDecl { ty, effects, pos });
        Ok(())
    }

    /// `site 0 recv "recv@filter.go:8:14" chan @ports @8:14`
    fn site(&mut self, c: &mut Cursor<'a>) -> Read<()> {
        c.take();
        let next = self.module.decls.sites.len();
        let place = c.place();
        if c.u64("the site's number")? != next as u64 {
            let error = Diagnostic::error(format!("sites are numbered in order: this is site {next}"));
            return Err(Box::new((place, error)));
        }
        let kind = match SiteKind::ALL.iter().find(|(_, name)| c.eat_word(name)) {
            Some((kind, _)) => *kind,
            None => return c.expected("`recv`, `send` or `abort`"),
        };
        let name_place = c.place();
        let name: Arc<str> = c.string("the site's name in quotes")?.into();
        self.declare("site", &name, name_place)?;
        let chan = if c.eat_word("chan") {
            let place = c.place();
            let chan = c.at("a channel's name")?;
            Some(self.module.decls.chans.id(&chan).ok_or_else(|| unknown(place, "channel", &chan, []))?)
        } else {
            None
        };
        let pos = self.last_position(c)?;
        let id: SiteId = self.module.decls.sites.push(SiteDecl { kind, name, chan, pos });
        debug_assert_eq!(id.index(), next);
        Ok(())
    }

    // ---- positions -------------------------------------------------------------------------------------------

    /// `@8:14`, `@l3`, or nothing.
    pub(super) fn position(&self, c: &mut Cursor<'_>) -> Read<Pos> {
        let Token::At(text) = c.peek() else { return Ok(Pos::None) };
        if let Some(n) = text.strip_prefix('l').and_then(|n| n.parse::<u32>().ok()) {
            if n as usize >= self.module.decls.locs.len() {
                return c.fail(format!("location l{n} is not declared"));
            }
            c.take();
            return Ok(Pos::Loc(LocId::from_u32(n)));
        }
        let Ok(line) = text.parse::<u32>() else {
            return c.expected("a position, such as `@8:14`");
        };
        c.take();
        c.expect(':')?;
        Ok(Pos::At { line, col: c.u32("a column")? })
    }

    /// A position, or nothing, up to the line's end.
    pub(super) fn last_position(&self, c: &mut Cursor<'_>) -> Read<Pos> {
        let pos = self.position(c)?;
        c.end()?;
        Ok(pos)
    }
}

/// `12:3`
fn line_col(c: &mut Cursor<'_>) -> Read<(u32, u32)> {
    let line = c.u32("a line")?;
    c.expect(':')?;
    Ok((line, c.u32("a column")?))
}

fn hex_bytes(c: &mut Cursor<'_>) -> Read<Vec<u8>> {
    let place = c.place();
    let text = c.string("bytes in hexadecimal")?;
    let nibble = |b: u8| char::from(b).to_digit(16);
    let pairs = text.as_bytes().chunks(2);
    let byte = |pair: &[u8]| match *pair {
        [a, b] => Some((nibble(a)? << 4 | nibble(b)?) as u8),
        _ => None,
    };
    pairs
        .map(byte)
        .collect::<Option<Vec<u8>>>()
        .ok_or_else(|| Box::new((place, Diagnostic::error("bytes are pairs of hexadecimal digits"))))
}

/// As much of a word as an error shows.
pub(super) fn shorten(word: &str) -> String {
    word.chars().take(40).collect()
}

fn duplicate(kind: &str, name: &str, line: u32) -> Diagnostic {
    let what = if name.is_empty() { kind.to_string() } else { format!("{kind} {}", shorten(name)) };
    Diagnostic::error(format!("a second {what}")).note(format!("the first stands in line {line}"))
}

/// A name that is not declared, with the nearest that is.
pub(super) fn unknown<'n>(
    place: Place,
    kind: &str,
    name: &str,
    known: impl IntoIterator<Item = &'n str>,
) -> super::cursor::Failure {
    let mut error = Diagnostic::error(format!("{kind} @{} is not declared", shorten(name)));
    if let Some(near) = nearest(name, known) {
        error = error.help(format!("did you mean `@{near}`?"));
    }
    Box::new((place, error))
}
