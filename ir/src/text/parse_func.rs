//! Reading a function: its lines one by one, then the edges and uses between them.

use std::sync::Arc;

use cranelift_entity::EntityRef;

use crate::diag::{Diagnostic, Entity};
use crate::entity::{Block, FuncId, Slot, Type, Value};
use crate::function::{FuncKind, Function};
use crate::inst::{PanicWith, Pos, Terminator};
use crate::nearest::nearest;
use crate::types::TypeKind;

use super::cursor::{Cursor, Failure, Line, Read};
use super::lex::{Int, Token};
use super::parse::{FuncText, Reader, lines, shorten};
use super::parse_inst::parse_inst;
use super::parse_type::{integer_bits, parse_type};
use super::source_map::Place;

/// Where each id of one kind is defined: its line, 0 for nowhere.
#[derive(Debug, Default)]
struct Defined(Vec<u32>);

impl Defined {
    fn line(&self, id: u32) -> Option<u32> {
        self.0.get(id as usize).copied().filter(|&line| line != 0)
    }
}

/// A switch's cases, whose numbers wait for the operand's type.
type Cases = Vec<(Int, Place, Block)>;

/// A terminator whose targets may not be known yet.
struct Ending {
    b: Block,
    term: Terminator,
    /// The cases of a switch, whose own list is empty.
    cases: Cases,
    pos: Pos,
}

/// A function being read.
pub(super) struct Body<'r, 'a> {
    pub(super) reader: &'r mut Reader<'a>,
    pub(super) func: Function,
    id: FuncId,
    values: Defined,
    blocks: Defined,
    slots: Defined,
    next: [Option<(u32, Place)>; 3],
    value_uses: Vec<(Value, Place)>,
    block_uses: Vec<(Block, Place)>,
    slot_uses: Vec<(Slot, Place)>,
    preds: Vec<(Block, Vec<Block>, Place)>,
    endings: Vec<Ending>,
    /// The block that instructions go to, and whether it has ended.
    current: Option<(Block, bool)>,
    bad: bool,
}

/// Reads a function and adds it to the reader's module.
pub(super) fn parse_func<'a>(reader: &mut Reader<'a>, text: FuncText<'a>) {
    let mut body = Body {
        reader,
        func: Function::new(&text.name, Type::UNIT),
        id: text.id,
        values: Defined::default(),
        blocks: Defined::default(),
        slots: Defined::default(),
        next: [None; 3],
        value_uses: Vec::new(),
        block_uses: Vec::new(),
        slot_uses: Vec::new(),
        preds: Vec::new(),
        endings: Vec::new(),
        current: None,
        bad: false,
    };
    let header = body.header(text.header);
    body.record(header);
    for line in lines(text.body, text.header.number.saturating_add(1)) {
        let result = body.line(line);
        body.record(result);
        if body.reader.errors.enough() {
            return;
        }
    }
    body.end_block();
    body.check_uses();
    if body.func.layout().is_empty() && !body.bad {
        let place = text.header.cursor().place();
        body.reader.errors.add(place, Diagnostic::error("the function has no blocks"));
        body.bad = true;
    }
    if !body.bad {
        body.connect();
    }
    let func = body.func;
    // The names were found distinct when the lines were scanned, in this same order.
    let added = reader.module.add_func(func);
    debug_assert!(added.is_ok_and(|id| id == text.id));
}

fn failure<T>(place: Place, error: Diagnostic) -> Read<T> {
    Err(Box::new((place, error)))
}

impl<'a> Body<'_, 'a> {
    fn record(&mut self, result: Read<()>) {
        self.bad |= result.is_err();
        self.reader.record(result);
    }

    /// `func @filter(v0: ptr<ctx xdp>) -> u32 section "xdp" runtime noinline next v51, b4 @7:1 {`
    fn header(&mut self, line: Line<'a>) -> Read<()> {
        let mut c = line.cursor();
        let start = c.start();
        c.expect_word("func")?;
        c.at("the function's name")?;
        self.params(&mut c)?;
        if c.eat_token(&Token::Right) {
            self.func.result = parse_type(&mut c, &mut self.reader.module.decls.types)?;
        }
        loop {
            if c.eat_word("section") {
                let section: Arc<str> = c.string("the section's name in quotes")?.into();
                self.func.section = Some(section);
            } else if c.eat_word("runtime") {
                self.func.kind = FuncKind::Runtime;
            } else if c.eat_word("noinline") {
                self.func.noinline = true;
            } else if c.eat_word("next") {
                self.next_ids(&mut c)?;
            } else {
                break;
            }
        }
        self.func.pos = self.reader.position(&mut c)?;
        self.reader.spans.add(Entity::Func(self.id), c.since(start));
        c.expect('{')?;
        c.end()
    }

    fn params(&mut self, c: &mut Cursor<'a>) -> Read<()> {
        c.expect('(')?;
        while !c.eat(')') {
            let (start, place) = (c.start(), c.place());
            let v = Value::from_u32(c.id('v', "a parameter, such as `v0: u32`")?);
            self.define_value(v, place)?;
            c.expect(':')?;
            let ty = parse_type(c, &mut self.reader.module.decls.types)?;
            self.func.add_param_as(v, ty);
            self.func.inst_mut(v).pos = self.reader.position(c)?;
            self.reader.spans.add(Entity::Value(self.id, v), c.since(start));
            if !c.eat(',') {
                return c.expect(')');
            }
        }
        Ok(())
    }

    /// `v51, b4, s2`
    fn next_ids(&mut self, c: &mut Cursor<'a>) -> Read<()> {
        loop {
            let place = c.place();
            let kinds = ['v', 'b', 's'];
            let Some((kind, n)) = kinds.iter().enumerate().find_map(|(i, p)| c.peek_id(*p).map(|n| (i, n)))
            else {
                return c.expected("the next id, such as `v51`");
            };
            c.take();
            self.next[kind] = Some((n, place));
            if !c.eat(',') {
                return Ok(());
            }
        }
    }

    // ---- lines -----------------------------------------------------------------------------------------------

    fn line(&mut self, line: Line<'a>) -> Read<()> {
        let mut c = line.cursor();
        if *c.peek() == Token::End {
            return Ok(());
        }
        if c.peek_id('v').is_some() {
            return self.instruction(&mut c);
        }
        if let Some(b) = c.peek_id('b') {
            return self.label(&mut c, Block::from_u32(b));
        }
        match *c.peek() {
            Token::Word("slot") => self.slot(&mut c),
            Token::Word(word) if Self::ENDINGS.contains(&word) => self.ending(&mut c),
            Token::Word(word) => {
                let mut error = Diagnostic::error(format!("`{}` starts no instruction", shorten(word)));
                error = match nearest(word, Self::ENDINGS.iter().copied()) {
                    Some(near) => error.help(format!("did you mean `{near}`?")),
                    None => error.help("an instruction names its value: `v7 = …`, or `v8: …` if it has none"),
                };
                Err(c.failure(error))
            }
            _ => c.expected("an instruction, a block, or the block's end"),
        }
    }

    const ENDINGS: [&'static str; 6] = ["Plain", "If", "Switch", "Ret", "Panic", "Exit"];

    fn slot(&mut self, c: &mut Cursor<'a>) -> Read<()> {
        c.take();
        let (start, place) = (c.start(), c.place());
        let n = c.id('s', "a slot, such as `s0`")?;
        define(&mut self.slots, self.reader, n, 's', place)?;
        c.expect(':')?;
        let ty = parse_type(c, &mut self.reader.module.decls.types)?;
        let slot = Slot::from_u32(n);
        self.func.add_slot_as(slot, ty);
        self.reader.spans.add(Entity::Slot(self.id, slot), c.since(start));
        c.end()
    }

    /// `b3: ← b1, b2`
    fn label(&mut self, c: &mut Cursor<'a>, b: Block) -> Read<()> {
        self.end_block();
        let place = c.place();
        c.take();
        define(&mut self.blocks, self.reader, b.as_u32(), 'b', place)?;
        self.func.add_block_as(b);
        self.current = Some((b, false));
        self.reader.spans.add_label(self.id, b, place);
        self.reader.spans.add(Entity::Block(self.id, b), place);
        c.expect(':')?;
        let list = c.place();
        if c.eat_token(&Token::Left) {
            let mut preds = vec![self.block(c)?];
            while c.eat(',') {
                preds.push(self.block(c)?);
            }
            self.preds.push((b, preds, list));
        }
        c.end()
    }

    /// A block must end before the next begins.
    fn end_block(&mut self) {
        if let Some((b, false)) = self.current {
            let place = Place { line: self.blocks.line(b.as_u32()).unwrap_or(1), col: 1, len: 1 };
            let error = Diagnostic::error(format!("block {b} does not end"))
                .help("end it with Plain, If, Switch, Ret, Panic or Exit");
            self.record(failure(place, error));
        }
    }

    /// The block that the line belongs to.
    fn open_block(&self, c: &Cursor<'a>) -> Read<Block> {
        match self.current {
            Some((b, false)) => Ok(b),
            Some((b, true)) => c.fail(format!("block {b} has ended already")),
            None => Err(c.failure(
                Diagnostic::error("there is no block yet").help("start one with a label, such as `b0:`"),
            )),
        }
    }

    fn instruction(&mut self, c: &mut Cursor<'a>) -> Read<()> {
        let (start, place) = (c.start(), c.place());
        let block = self.open_block(c);
        let v = Value::from_u32(c.id('v', "a value")?);
        let defined = self.define_value(v, place);
        let b = block?;
        defined?;
        let inst = parse_inst(self, c)?;
        // The position behind it is no part of what an error underlines.
        let span = c.since(start);
        let inst = inst.at(self.reader.last_position(c)?);
        self.func.append_as(v, b, inst);
        self.reader.spans.add(Entity::Value(self.id, v), span);
        Ok(())
    }

    fn define_value(&mut self, v: Value, place: Place) -> Read<()> {
        define(&mut self.values, self.reader, v.as_u32(), 'v', place)
    }

    // ---- operands --------------------------------------------------------------------------------------------

    /// A value, to be checked when all are known.
    pub(super) fn value(&mut self, c: &mut Cursor<'a>) -> Read<Value> {
        let place = c.place();
        let v = Value::from_u32(c.id('v', "a value, such as `v7`")?);
        self.value_uses.push((v, place));
        Ok(v)
    }
    /// A slot, to be checked when all are known.
    pub(super) fn slot_use(&mut self, c: &mut Cursor<'a>) -> Read<Slot> {
        let place = c.place();
        let slot = Slot::from_u32(c.id('s', "a slot, such as `s0`")?);
        self.slot_uses.push((slot, place));
        Ok(slot)
    }
    fn block(&mut self, c: &mut Cursor<'a>) -> Read<Block> {
        let place = c.place();
        let b = Block::from_u32(c.id('b', "a block, such as `b1`")?);
        self.block_uses.push((b, place));
        Ok(b)
    }

    // ---- terminators -----------------------------------------------------------------------------------------

    fn ending(&mut self, c: &mut Cursor<'a>) -> Read<()> {
        let b = self.open_block(c)?;
        self.current = Some((b, true));
        let start = c.start();
        let word = c.word("the block's end")?;
        let (term, cases) = self.terminator(word, c)?;
        self.reader.spans.add(Entity::Block(self.id, b), c.since(start));
        let pos = self.reader.last_position(c)?;
        self.endings.push(Ending { b, term, cases, pos });
        Ok(())
    }

    fn arrow(c: &mut Cursor<'a>) -> Read<()> {
        if c.eat_token(&Token::Right) { Ok(()) } else { c.expected("`→` or `->`") }
    }

    fn terminator(&mut self, word: &str, c: &mut Cursor<'a>) -> Read<(Terminator, Cases)> {
        let mut cases = Vec::new();
        let term = match word {
            "Plain" => {
                Self::arrow(c)?;
                Terminator::Plain(self.block(c)?)
            }
            "If" => {
                let cond = self.value(c)?;
                Self::arrow(c)?;
                let then = self.block(c)?;
                c.expect(',')?;
                Terminator::If { cond, then, other: self.block(c)? }
            }
            "Switch" => {
                let on = self.value(c)?;
                c.expect('[')?;
                while !c.eat(']') {
                    let place = c.place();
                    let n = c.int("a case's number")?;
                    c.expect(':')?;
                    cases.push((n, place, self.block(c)?));
                    if !c.eat(',') {
                        c.expect(']')?;
                        break;
                    }
                }
                c.expect_word("default")?;
                Terminator::Switch { on, cases: Vec::new(), default: self.block(c)? }
            }
            "Ret" => {
                let value = if c.peek_id('v').is_some() { Some(self.value(c)?) } else { None };
                Terminator::Ret(value)
            }
            "Panic" => match c.peek() {
                Token::Str(_) => Terminator::Panic(PanicWith::Text(c.string("a text")?.into())),
                _ => Terminator::Panic(PanicWith::Value(self.value(c)?)),
            },
            _ => Terminator::Exit,
        };
        Ok((term, cases))
    }

    // ---- when all lines are read -----------------------------------------------------------------------------

    /// Everything that is used is defined, and `next` is past every id.
    fn check_uses(&mut self) {
        for (v, place) in std::mem::take(&mut self.value_uses) {
            if self.values.line(v.as_u32()).is_none() {
                self.record(failure(place, Diagnostic::error(format!("value {v} is not defined"))));
            }
        }
        for (b, place) in std::mem::take(&mut self.block_uses) {
            if self.blocks.line(b.as_u32()).is_none() {
                self.record(failure(place, Diagnostic::error(format!("block {b} is not defined"))));
            }
        }
        for (slot, place) in std::mem::take(&mut self.slot_uses) {
            if self.slots.line(slot.as_u32()).is_none() {
                let error = Diagnostic::error(format!("slot {slot} is not declared"))
                    .help(format!("declare it at the function's beginning: `slot {slot}: T`"));
                self.record(failure(place, error));
            }
        }
        self.reserve();
    }

    fn reserve(&mut self) {
        let used = [self.func.num_values(), self.func.num_blocks(), self.func.num_slots()];
        for (kind, next) in self.next.into_iter().enumerate() {
            let Some((n, place)) = next else { continue };
            let (n, prefix) = (n as usize, ['v', 'b', 's'][kind]);
            if n < used[kind] {
                let error = Diagnostic::error(format!("{prefix}{n} cannot be next"))
                    .note(format!("{prefix}{} is in use", used[kind] - 1));
                self.record(failure(place, error));
            } else if !self.reader.claim(n - used[kind]) {
                self.record(Err(too_large(prefix, n as u32, place)));
            } else {
                match kind {
                    0 => self.func.reserve_values(n),
                    1 => self.func.reserve_blocks(n),
                    _ => self.func.reserve_slots(n),
                }
            }
        }
    }

    /// Sets terminators, then the order of predecessors. All targets are defined.
    fn connect(&mut self) {
        for ending in std::mem::take(&mut self.endings) {
            let mut term = ending.term;
            if let Terminator::Switch { on, cases, .. } = &mut term {
                *cases = self.switch_cases(*on, ending.cases);
            }
            self.func.set_terminator(ending.b, term, ending.pos);
        }
        let mut ordered = vec![false; self.func.num_blocks()];
        for (b, preds, place) in std::mem::take(&mut self.preds) {
            ordered[b.index()] = true;
            if !self.func.set_pred_order(b, &preds) {
                let error = Diagnostic::error(format!("these are not the blocks that lead to {b}"));
                self.record(failure(place, error.help(leading_to(&self.func, b))));
            }
        }
        let phi_blocks = self.func.layout().iter().copied().filter(|b| !ordered[b.index()]);
        let unordered: Vec<Block> = phi_blocks
            .filter(|&b| !self.func.preds(b).is_empty() && self.func.phis(b).next().is_some())
            .collect();
        for b in unordered {
            let place = Place { line: self.blocks.line(b.as_u32()).unwrap_or(1), col: 1, len: 1 };
            let error = Diagnostic::error(format!("block {b} has a Phi and does not list its predecessors"));
            self.record(failure(place, error.help(leading_to(&self.func, b))));
        }
    }

    /// The cases' numbers at the width of the operand.
    fn switch_cases(&mut self, on: Value, cases: Cases) -> Vec<(u64, Block)> {
        let (bits, signed) = match self.reader.module.decls.types.resolve(self.func.ty(on)) {
            TypeKind::Int { bits, signed } => (u32::from(*bits), *signed),
            _ => (64, false),
        };
        let mut out = Vec::with_capacity(cases.len());
        for (n, place, to) in cases {
            match integer_bits(n, bits, signed) {
                Some(n) => out.push((n, to)),
                None => {
                    let error = Diagnostic::error(format!("the case does not fit the type of {on}"));
                    self.record(failure(place, error));
                }
            }
        }
        out
    }
}

/// Registers an id, once.
fn define(defined: &mut Defined, reader: &mut Reader<'_>, id: u32, prefix: char, place: Place) -> Read<()> {
    if let Some(line) = defined.line(id) {
        let error = Diagnostic::error(format!("{prefix}{id} is defined twice"))
            .note(format!("the first definition stands in line {line}"));
        return failure(place, error);
    }
    let more = (id as usize + 1).saturating_sub(defined.0.len());
    if !reader.claim(more) {
        return Err(too_large(prefix, id, place));
    }
    if more > 0 {
        defined.0.resize(id as usize + 1, 0);
    }
    defined.0[id as usize] = place.line;
    Ok(())
}

fn too_large(prefix: char, id: u32, place: Place) -> Failure {
    let error = Diagnostic::error(format!("{prefix}{id} is too large a number for a text of this size"));
    Box::new((place, error.help("number from 0 with few holes")))
}

fn leading_to(func: &Function, b: Block) -> String {
    let preds: Vec<String> = func.preds(b).iter().take(16).map(Block::to_string).collect();
    let dots = if func.preds(b).len() > preds.len() { ", …" } else { "" };
    let arrow = if preds.is_empty() { "" } else { " ← " };
    format!("write `{b}:{arrow}{}{dots}`", preds.join(", "))
}
