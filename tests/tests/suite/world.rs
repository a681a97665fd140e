//! A module in the interpreter at any stage of the pipeline, seen the same way from outside: a channel is the
//! interpreter's own, or, once bound, a ring in a map's value that user space has the other end of.

use std::collections::BTreeMap;

use larrow_backend_bpf::ring::{Private, Received, RingEnd, Sent};
use larrow_backend_bpf::runtime::{Instance, Ring};
use larrow_interp::{Interp, Options, Outcome, Prng, TestEnv, Val};
use larrow_ir::{Decls, Module, SiteKind, Type, TypeKind};
use larrow_passes::lower::SITES_MAP;

use crate::case::{Action, Arg, Run};

/// Everything that a run leaves behind and that must not depend on the stage.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Seen {
    /// As a `RUN` line spells it.
    pub(crate) result: String,
    /// For each channel what waits in it, and whether it is closed.
    pub(crate) channels: BTreeMap<String, (Vec<Vec<u8>>, bool)>,
    /// What each site counted, those of aborts left out.
    pub(crate) sites: BTreeMap<String, [u64; 4]>,
}

/// A module under the interpreter.
pub(crate) struct World<'m> {
    module: &'m Module,
    interp: Interp<'m>,
}

impl<'m> World<'m> {
    pub(crate) fn new(module: &'m Module, seed: u64) -> World<'m> {
        let env = TestEnv { random: Prng::new(seed), ..TestEnv::default() };
        let interp = Interp::with_env(module, Options::default(), Box::new(env));
        World { module, interp: interp.unwrap_or_else(|e| panic!("the module cannot be run: {e}")) }
    }

    /// Does what a `RUN` line says; what it left behind.
    pub(crate) fn run(&mut self, run: &Run) -> Seen {
        for action in &run.before {
            match action {
                Action::Send(chan, elems) => {
                    let size = self.elem_size(chan);
                    for elem in elems {
                        assert!(self.send(chan, &elem.bytes(size)), "@{chan} is full before the run");
                    }
                }
                Action::Close(chan) => self.close(chan),
            }
        }
        let result = self.call(&run.func, &run.args);
        Seen { result, channels: self.channels(), sites: self.sites() }
    }

    /// Calls a function; its result as text.
    pub(crate) fn call(&mut self, func: &str, args: &[Arg]) -> String {
        let id = self.module.funcs.id(func).unwrap_or_else(|| panic!("there is no @{func}"));
        let callee = &self.module.funcs[id];
        let args: Vec<Val> = args
            .iter()
            .zip(&callee.params)
            .map(|(arg, &param)| match arg {
                Arg::Int(n) => Val::Int(masked(&self.module.decls, callee.ty(param), *n)),
                Arg::Nil => Val::Nil,
                Arg::Ctx => self.interp.context(),
            })
            .collect();
        match self.interp.run_func(id, &args) {
            Ok(done) => match done.outcome {
                Outcome::Returned(vals) => spell(&self.module.decls, callee.result, &vals),
                Outcome::Panicked { text, .. } => format!("panic {text:?}"),
                Outcome::Aborted { .. } => "abort".to_string(),
            },
            Err(trap) => panic!("@{func} traps: {trap}\n{}", larrow_ir::text::print(self.module)),
        }
    }

    /// The number of the map that a channel is bound to, and the ring in it.
    fn ring(&self, chan: &str) -> Option<(usize, Ring)> {
        let decls = &self.module.decls;
        let map = &decls.maps[decls.maps.id(chan)?];
        let TypeKind::Named(id) = decls.types.kind(map.value) else { return None };
        if !decls.types.named()[*id].name.starts_with("hchan.") {
            return None;
        }
        let decl = &decls.chans[decls.chans.id(chan)?];
        let (elem, _) = decls.types.chan_parts(decl.ty)?;
        let ring = Instance::new(decls, elem, decl.cap)?.ring;
        self.interp.maps().index_of(chan).map(|number| (number, ring))
    }

    fn with_ring<R>(&mut self, number: usize, ring: Ring, f: impl FnOnce(RingEnd<Private<'_>>) -> R) -> R {
        let map = self.interp.maps_mut().get_mut(number).expect("just found");
        let id = map.direct_value().expect("rings lie in arrays of one element");
        let bytes = map.value_mut(id).expect("the one value");
        assert_eq!(bytes.len() as u64, ring.size(), "the map's value is the ring");
        f(RingEnd::new(ring, Private::new(bytes)))
    }

    /// Sends an element's bytes from outside; whether there was room.
    pub(crate) fn send(&mut self, chan: &str, bytes: &[u8]) -> bool {
        match self.ring(chan) {
            Some((number, ring)) => self.with_ring(number, ring, |end| end.send(bytes) == Sent::Sent),
            None => self.interp.send(chan, bytes).unwrap_or_else(|e| panic!("{e}")),
        }
    }

    /// Receives from outside.
    pub(crate) fn recv(&mut self, chan: &str) -> Option<Vec<u8>> {
        match self.ring(chan) {
            Some((number, ring)) => self.with_ring(number, ring, |end| {
                let mut elem = vec![0; ring.elem_size as usize];
                (end.recv(&mut elem) == Received::Received).then_some(elem)
            }),
            None => self.interp.recv(chan).unwrap_or_else(|e| panic!("{e}")),
        }
    }

    /// Closes from outside.
    pub(crate) fn close(&mut self, chan: &str) {
        match self.ring(chan) {
            Some((number, ring)) => assert!(self.with_ring(number, ring, |end| end.close())),
            None => self.interp.close(chan).unwrap_or_else(|e| panic!("{e}")),
        }
    }

    /// Bytes of a channel's element.
    pub(crate) fn elem_size(&self, chan: &str) -> usize {
        let decls = &self.module.decls;
        let id = decls.chans.id(chan).unwrap_or_else(|| panic!("there is no channel @{chan}"));
        let (elem, _) = decls.types.chan_parts(decls.chans[id].ty).expect("channels have channel types");
        decls.types.size(elem) as usize
    }

    /// Every channel's contents, and whether it is closed.
    pub(crate) fn channels(&mut self) -> BTreeMap<String, (Vec<Vec<u8>>, bool)> {
        let chans = &self.module.decls.chans;
        let names: Vec<String> = chans.ids().map(|c| chans.name(c).to_string()).collect();
        let state = |name: String| {
            let state = match self.ring(&name) {
                Some((number, ring)) => self.with_ring(number, ring, |end| (end.contents(), end.is_closed())),
                None => {
                    let contents = self.interp.contents(&name).expect("declared");
                    (contents, self.interp.closed(&name).expect("declared"))
                }
            };
            (name, state)
        };
        names.into_iter().map(state).collect()
    }

    /// What each site of a send or receive counted, by name: in the map once it is there, plus what the
    /// interpreter counted at `Outcome`s.
    pub(crate) fn sites(&self) -> BTreeMap<String, [u64; 4]> {
        let mut counts = BTreeMap::new();
        for (id, site) in self.module.decls.sites.iter().filter(|(_, s)| s.kind != SiteKind::Abort) {
            let mut count = self.interp.outcomes(id);
            if let Some(record) = self.record(id.as_u32()) {
                count.iter_mut().zip(record).for_each(|(c, r)| *c += r);
            }
            counts.insert(site.name.to_string(), count);
        }
        counts
    }

    /// The record of a site in the map of sites.
    pub(crate) fn record(&self, site: u32) -> Option<[u64; 4]> {
        let mut map = self.interp.maps().named(SITES_MAP)?.clone();
        let bytes = map.syscall().lookup(&site.to_le_bytes(), 0).ok()?;
        let words: Vec<u64> =
            bytes.chunks(8).map(|w| u64::from_le_bytes(w.try_into().expect("8 bytes"))).collect();
        Some(words.try_into().expect("four counters"))
    }
}

/// `recv@x.go:3:4 received=1 empty=2`, for each site that counted anything.
pub(crate) fn spell_sites(module: &Module, sites: &BTreeMap<String, [u64; 4]>) -> Vec<String> {
    let mut lines = Vec::new();
    for site in module.decls.sites.values() {
        let Some(counts) = sites.get(&*site.name).filter(|c| c.iter().any(|&n| n > 0)) else { continue };
        let named = site.kind.counters().into_iter().zip(counts).filter(|(_, n)| **n > 0);
        let counts: Vec<String> = named.map(|(name, n)| format!("{name}={n}")).collect();
        lines.push(format!("{} {}", site.name, counts.join(" ")));
    }
    lines
}

fn masked(decls: &Decls, ty: Type, n: i128) -> u64 {
    let bits = decls.types.bits(ty).unwrap_or(64);
    (n as u64) & (u64::MAX >> (64 - bits))
}

/// A result as text.
fn spell(decls: &Decls, ty: Type, vals: &[Val]) -> String {
    match decls.types.resolve(ty) {
        TypeKind::Tuple(items) => {
            let parts: Vec<String> =
                items.iter().zip(vals).map(|(&ty, &val)| spell(decls, ty, &[val])).collect();
            format!("({})", parts.join(", "))
        }
        TypeKind::Unit => "()".to_string(),
        TypeKind::Bool => vals[0].as_int().map_or("?", |b| if b == 0 { "false" } else { "true" }).to_string(),
        TypeKind::Int { bits, signed: true } => {
            let value = vals[0].as_int().unwrap_or_default();
            (((value << (64 - bits)) as i64) >> (64 - bits)).to_string()
        }
        TypeKind::Int { signed: false, .. } => vals[0].as_int().unwrap_or_default().to_string(),
        TypeKind::Ptr { .. } | TypeKind::Chan { .. } | TypeKind::Func { .. } => {
            if vals[0] == Val::Nil { "nil" } else { "not nil" }.to_string()
        }
        TypeKind::Float { .. }
        | TypeKind::Array { .. }
        | TypeKind::Struct { .. }
        | TypeKind::Named(_)
        | TypeKind::Opaque(_) => format!("{vals:?}"),
    }
}
