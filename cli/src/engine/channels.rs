//! Where a module's channels are: still the interpreter's own, or rings in maps.

use larrow_backend_bpf::ring::{RingEnd, RingMemory, Sent};
use larrow_backend_bpf::runtime::{Instance, Ring};
use larrow_ir::{Module, Type, TypeKind, nearest};

use super::{EngineError, Inputs};

/// A channel of the module.
#[derive(Clone, Debug)]
pub(super) struct Channel {
    pub(super) name: String,
    pub(super) cap: u64,
    elem: Type,
    elem_size: u64,
    /// The map it is bound to, and how the ring lies in its value.
    pub(super) ring: Option<(String, Ring)>,
}

/// The channels of a module, in order.
#[derive(Clone, Debug)]
pub(super) struct Channels(pub(super) Vec<Channel>);

impl Channels {
    /// Finds each channel's map by its name and its type, as binding made them.
    pub(super) fn of(module: &Module) -> Channels {
        let decls = &module.decls;
        let mut all = Vec::new();
        for (id, decl) in decls.chans.iter() {
            let name = decls.chans.name(id).to_string();
            let elem = decls.types.chan_parts(decl.ty).map_or(Type::UNIT, |(elem, _)| elem);
            let ring = Instance::new(decls, elem, decl.cap).and_then(|instance| {
                let hchan = format!("hchan.{}", instance.name);
                let of_ring = |map: &str| {
                    decls.maps.id(map).is_some_and(|m| is_named(module, decls.maps[m].value, &hchan))
                };
                of_ring(&name).then(|| (name.clone(), instance.ring))
            });
            all.push(Channel { name, cap: decl.cap, elem, elem_size: decls.types.size(elem), ring });
        }
        Channels(all)
    }

    /// Whether a map holds a channel.
    pub(super) fn holds(&self, map: &str) -> bool {
        self.0.iter().any(|chan| chan.ring.as_ref().is_some_and(|(name, _)| name == map))
    }

    fn get(&self, name: &str) -> Result<&Channel, EngineError> {
        self.0.iter().find(|chan| chan.name == name).ok_or_else(|| {
            let nearest = nearest(name, self.0.iter().map(|c| c.name.as_str())).map(str::to_string);
            EngineError::NoChannel { name: name.to_string(), nearest }
        })
    }

    /// What there is to do before the first run: each channel with the elements to send, then those to close.
    pub(super) fn feed<'a>(
        &'a self,
        module: &Module,
        inputs: &'a Inputs,
    ) -> Result<Vec<(&'a Channel, Feed<'a>)>, EngineError> {
        let mut steps = Vec::new();
        for (name, elements) in &inputs.sends {
            let chan = self.get(name)?;
            for element in elements {
                chan.admit(module, element)?;
                steps.push((chan, Feed::Send(element)));
            }
        }
        for name in &inputs.closes {
            steps.push((self.get(name)?, Feed::Close));
        }
        Ok(steps)
    }
}

/// A step of user space.
pub(super) enum Feed<'a> {
    Send(&'a [u8]),
    Close,
}

impl Channel {
    /// Refuses what is no element of the channel.
    fn admit(&self, module: &Module, element: &[u8]) -> Result<(), EngineError> {
        let refuse = |expected: String| Err(EngineError::Element { name: self.name.clone(), expected });
        if element.len() as u64 != self.elem_size {
            return refuse(format!("{} bytes, not {}", self.elem_size, element.len()));
        }
        match module.decls.types.resolve(self.elem) {
            TypeKind::Bool if element[0] > 1 => refuse(format!("0 or 1, not {}", element[0])),
            TypeKind::Ptr { .. } | TypeKind::Chan { .. } | TypeKind::Func { .. } => {
                refuse("an address, which user space cannot send".into())
            }
            TypeKind::Bool
            | TypeKind::Unit
            | TypeKind::Int { .. }
            | TypeKind::Float { .. }
            | TypeKind::Array { .. }
            | TypeKind::Struct { .. }
            | TypeKind::Tuple(_)
            | TypeKind::Named(_)
            | TypeKind::Opaque(_) => Ok(()),
        }
    }
}

/// Does a step on a ring; whether a send was refused.
pub(super) fn feed_ring<M: RingMemory>(end: &RingEnd<M>, step: &Feed<'_>) -> bool {
    match step {
        Feed::Send(element) => end.send(element) != Sent::Sent,
        Feed::Close => {
            end.close();
            false
        }
    }
}

fn is_named(module: &Module, ty: Type, name: &str) -> bool {
    match module.decls.types.kind(ty) {
        TypeKind::Named(id) => *module.decls.types.named()[*id].name == *name,
        TypeKind::Unit
        | TypeKind::Bool
        | TypeKind::Int { .. }
        | TypeKind::Float { .. }
        | TypeKind::Ptr { .. }
        | TypeKind::Chan { .. }
        | TypeKind::Array { .. }
        | TypeKind::Struct { .. }
        | TypeKind::Tuple(_)
        | TypeKind::Func { .. }
        | TypeKind::Opaque(_) => false,
    }
}
