//! Reading what stands behind an instruction's id: op, type, payload, operands.

use crate::diag::Diagnostic;
use crate::entity::{GlobalId, MapId, SiteId, Type};
use crate::inst::{Args, Aux, Inst, LookupRole, RecvForm, SelectCase, SelectShape};
use crate::nearest::nearest;
use crate::op::{AuxKind, Op};
use crate::runtime::RuntimeFn;

use super::cursor::{Cursor, Read};
use super::lex::Token;
use super::parse::{shorten, unknown};
use super::parse_func::Body;
use super::parse_type::{parse_const, parse_type};

/// `= Load <u32> v3` or `: Store v3, v7`, up to the position.
pub(super) fn parse_inst<'a>(body: &mut Body<'_, 'a>, c: &mut Cursor<'a>) -> Read<Inst> {
    let yields = c.eat('=');
    if !yields && !c.eat(':') {
        return c.expected("`=`, or `:` if the instruction yields nothing");
    }
    let op = op_name(c)?;
    let ty = if yields {
        c.expect('<')?;
        let ty = parse_type(c, &mut body.reader.module.decls.types)?;
        c.expect('>')?;
        ty
    } else {
        Type::UNIT
    };
    let mut inst = Inst::new(op, ty, &[]);
    if op.aux_kind() == AuxKind::Select {
        let (shape, args) = select(body, c)?;
        inst.args = args;
        return Ok(inst.with(Aux::Select(Box::new(shape))));
    }
    inst.aux = payload(body, c, op, ty)?;
    if c.peek_id('v').is_some() {
        inst.args.push(body.value(c)?);
        while c.eat(',') {
            inst.args.push(body.value(c)?);
        }
    }
    Ok(inst)
}

fn op_name(c: &mut Cursor<'_>) -> Read<Op> {
    let failure = |c: &Cursor<'_>, error| Err(c.failure(error));
    let Token::Word(word) = *c.peek() else { return c.expected("an op, such as `Load`") };
    match Op::from_name(word) {
        Some(Op::Param) => {
            let error = Diagnostic::error("parameters stand in the function's header");
            failure(c, error.help("write `func @f(v0: T)`"))
        }
        Some(op) => {
            c.take();
            Ok(op)
        }
        None => {
            let mut error = Diagnostic::error(format!("unknown op `{}`", shorten(word)));
            if let Some(near) = nearest(word, Op::ALL.iter().map(|op| op.name())) {
                error = error.help(format!("did you mean `{near}`?"));
            }
            failure(c, error)
        }
    }
}

fn payload<'a>(body: &mut Body<'_, 'a>, c: &mut Cursor<'a>, op: Op, ty: Type) -> Read<Aux> {
    match op.aux_kind() {
        AuxKind::None => Ok(Aux::None),
        AuxKind::Const => in_brackets(c, |c| parse_const(c, &body.reader.module.decls.types, ty)),
        AuxKind::Index => in_brackets(c, |c| Ok(Aux::Index(c.u32("an index")?))),
        AuxKind::Bounds => in_brackets(c, |c| {
            let lo = c.u64("the least value")?;
            if !c.eat_token(&Token::Dots) {
                return c.expected("`..`");
            }
            Ok(Aux::Bounds { lo, hi: c.u64("the greatest value")? })
        }),
        AuxKind::Size => in_brackets(c, |c| Ok(Aux::Size(c.u64("a size in bytes")?))),
        AuxKind::Slot => Ok(Aux::Slot(body.slot_use(c)?)),
        AuxKind::Global => Ok(Aux::Global(global(body, c)?)),
        AuxKind::Func => func(body, c),
        AuxKind::Chan => chan(body, c),
        AuxKind::Form => Ok(Aux::Form(form(c)?)),
        AuxKind::Select => unreachable!("a select's operands stand in its braces"),
        AuxKind::Runtime => in_brackets(c, runtime),
        AuxKind::Intrinsic => intrinsic(body, c),
        AuxKind::Site => in_brackets(c, |c| site(body, c)),
        AuxKind::Name => in_brackets(c, |c| Ok(Aux::Name(c.name("a name")?.into()))),
        AuxKind::Lookup => lookup(body, c),
        AuxKind::MapFlags => map_flags(body, c),
        AuxKind::MapOffset => {
            let offset = bracketed(c, |c| c.u32("an offset in bytes"))?;
            Ok(Aux::MapOffset { map: map(body, c)?, offset })
        }
    }
}

fn bracketed<'a, T>(c: &mut Cursor<'a>, read: impl FnOnce(&mut Cursor<'a>) -> Read<T>) -> Read<T> {
    c.expect('[')?;
    let payload = read(c)?;
    c.expect(']')?;
    Ok(payload)
}

fn in_brackets<'a>(c: &mut Cursor<'a>, read: impl FnOnce(&mut Cursor<'a>) -> Read<Aux>) -> Read<Aux> {
    bracketed(c, read)
}

fn global<'a>(body: &Body<'_, 'a>, c: &mut Cursor<'a>) -> Read<GlobalId> {
    let (place, name) = (c.place(), c.at("a variable's name")?);
    let globals = &body.reader.module.decls.globals;
    globals
        .id(&name)
        .ok_or_else(|| unknown(place, "variable", &name, globals.ids().map(|id| globals.name(id))))
}

fn func<'a>(body: &Body<'_, 'a>, c: &mut Cursor<'a>) -> Read<Aux> {
    let (place, name) = (c.place(), c.at("a function's name")?);
    match body.reader.funcs.get(&*name) {
        Some((id, _)) => Ok(Aux::Func(*id)),
        None => {
            // In the text's order, so that the nearest is always the same.
            let mut known: Vec<_> = body.reader.funcs.iter().map(|(name, (id, _))| (*id, &**name)).collect();
            known.sort_unstable();
            Err(unknown(place, "function", &name, known.into_iter().map(|(_, name)| name)))
        }
    }
}

fn chan<'a>(body: &Body<'_, 'a>, c: &mut Cursor<'a>) -> Read<Aux> {
    let (place, name) = (c.place(), c.at("a channel's name")?);
    let chans = &body.reader.module.decls.chans;
    let id = chans.id(&name);
    id.map(Aux::Chan).ok_or_else(|| unknown(place, "channel", &name, chans.ids().map(|id| chans.name(id))))
}

fn intrinsic<'a>(body: &Body<'_, 'a>, c: &mut Cursor<'a>) -> Read<Aux> {
    let (place, name) = (c.place(), c.at("an intrinsic's name")?);
    let known = &body.reader.module.decls.intrinsics;
    let id = known.id(&name);
    id.map(Aux::Intrinsic)
        .ok_or_else(|| unknown(place, "intrinsic", &name, known.ids().map(|id| known.name(id))))
}

fn map<'a>(body: &Body<'_, 'a>, c: &mut Cursor<'a>) -> Read<MapId> {
    let (place, name) = (c.place(), c.at("a map's name")?);
    let maps = &body.reader.module.decls.maps;
    maps.id(&name).ok_or_else(|| unknown(place, "map", &name, maps.ids().map(|id| maps.name(id))))
}

fn form(c: &mut Cursor<'_>) -> Read<RecvForm> {
    if !c.eat('[') {
        return Ok(RecvForm::CommaOk);
    }
    let form = if c.eat_word("value") {
        RecvForm::Value
    } else if c.eat_word("discard") {
        RecvForm::Discard
    } else {
        return c.expected("`value` or `discard`");
    };
    c.expect(']')?;
    Ok(form)
}

fn runtime(c: &mut Cursor<'_>) -> Read<Aux> {
    let place = c.place();
    let word = c.word("a runtime function's name")?;
    RuntimeFn::from_name(word).map(Aux::Runtime).ok_or_else(|| {
        let mut error = Diagnostic::error(format!("unknown runtime function `{}`", shorten(word)));
        if let Some(near) = nearest(word, RuntimeFn::ALL.iter().map(|f| f.name())) {
            error = error.help(format!("did you mean `{near}`?"));
        }
        Box::new((place, error))
    })
}

fn site(body: &Body<'_, '_>, c: &mut Cursor<'_>) -> Read<Aux> {
    c.expect_word("site")?;
    let place = c.place();
    let n = c.u32("a site's number")?;
    if n as usize >= body.reader.module.decls.sites.len() {
        return Err(Box::new((place, Diagnostic::error(format!("site {n} is not declared")))));
    }
    Ok(Aux::Site(SiteId::from_u32(n)))
}

/// `@flows`, `[bind] @chan.ports`, `[site] @__sites`
fn lookup<'a>(body: &Body<'_, 'a>, c: &mut Cursor<'a>) -> Read<Aux> {
    let mut role = LookupRole::Plain;
    if c.eat('[') {
        role = if c.eat_word("bind") {
            LookupRole::Bind
        } else if c.eat_word("site") {
            LookupRole::Site
        } else {
            return c.expected("`bind` or `site`");
        };
        c.expect(']')?;
    }
    Ok(Aux::Lookup { map: map(body, c)?, role })
}

/// `@flows`, `[flags 0x1] @flows`
fn map_flags<'a>(body: &Body<'_, 'a>, c: &mut Cursor<'a>) -> Read<Aux> {
    let mut flags = 0;
    if c.eat('[') {
        c.expect_word("flags")?;
        flags = c.u32("the flags")?;
        c.expect(']')?;
    }
    Ok(Aux::MapFlags { map: map(body, c)?, flags })
}

/// `{recv v1, send v2 ← v3, recv [discard] v4, recv v5 → v6, default}`
fn select<'a>(body: &mut Body<'_, 'a>, c: &mut Cursor<'a>) -> Read<(SelectShape, Args)> {
    let (mut shape, mut args) = (SelectShape::default(), Args::new());
    c.expect('{')?;
    while !c.eat('}') {
        if c.eat_word("default") {
            shape.has_default = true;
            c.expect('}')?;
            break;
        } else if c.eat_word("send") {
            args.push(body.value(c)?);
            if !c.eat_token(&Token::Left) {
                return c.expected("`←` or `<-`");
            }
            args.push(body.value(c)?);
            shape.cases.push(SelectCase::Send);
        } else if c.eat_word("recv") {
            let form = form(c)?;
            args.push(body.value(c)?);
            if c.eat_token(&Token::Right) {
                args.push(body.value(c)?);
                shape.cases.push(SelectCase::RecvInto(form));
            } else {
                shape.cases.push(SelectCase::Recv(form));
            }
        } else {
            return c.expected("`recv`, `send` or `default`");
        }
        if !c.eat(',') {
            c.expect('}')?;
            break;
        }
    }
    Ok((shape, args))
}
