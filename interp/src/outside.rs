//! What engines and tests do with an interpreter between runs: channels, the packet, variables, maps, counts.

use cranelift_entity::EntityRef;
use larrow_ir::{SiteId, TypeKind};
use larrow_maps::{MapSet, SetError};

use crate::run::Interp;
use crate::value::{Ptr, Region, RegionKind, Repr, Val};

/// What a caller of the interpreter asked for in vain.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InterpError {
    /// A map cannot be made.
    #[error(transparent)]
    Map(#[from] SetError),
    /// The variables need more memory than there may be.
    #[error("{0}")]
    Memory(String),
    /// More maps than pointers can tell apart.
    #[error("the module declares {0} maps; at most 65536 can be run")]
    TooManyMaps(usize),
    /// No such channel.
    #[error("there is no channel @{0}")]
    NoChannel(String),
    /// No such variable.
    #[error("there is no variable @{0}")]
    NoGlobal(String),
    /// No such intrinsic.
    #[error("there is no intrinsic @{0}")]
    NoIntrinsic(String),
    /// A value of the wrong size.
    #[error("@{name} takes {expected} bytes, not {got}")]
    Size {
        /// Of what.
        name: String,
        /// Bytes.
        expected: u64,
        /// Bytes.
        got: usize,
    },
    /// Bytes that are no value of the element's type.
    #[error("the elements of channel @{0} cannot come from outside as these bytes")]
    Element(String),
    /// The channel is closed.
    #[error("channel @{0} is closed")]
    Closed(String),
}

impl Interp<'_> {
    fn chan_index(&self, name: &str) -> Result<usize, InterpError> {
        let id = self.module.decls.chans.id(name);
        id.map(EntityRef::index).ok_or_else(|| InterpError::NoChannel(name.to_string()))
    }

    /// Sends a value to a module's channel from outside: the element's bytes in memory, little-endian. Whether
    /// there was room.
    ///
    /// # Errors
    /// An unknown or closed channel; bytes of the wrong number, or that are no value of the element's type.
    pub fn send(&mut self, chan: &str, bytes: &[u8]) -> Result<bool, InterpError> {
        let index = self.chan_index(chan)?;
        let channel = &mut self.channels[index];
        if bytes.len() as u64 != channel.elem.size {
            let (name, expected) = (chan.to_string(), channel.elem.size);
            return Err(InterpError::Size { name, expected, got: bytes.len() });
        }
        let valid = match channel.elem.repr {
            Repr::Bool => bytes[0] <= 1,
            Repr::Ref => false,
            Repr::Num(_) | Repr::None => true,
        };
        if !valid {
            return Err(InterpError::Element(chan.to_string()));
        }
        if channel.closed {
            return Err(InterpError::Closed(chan.to_string()));
        }
        if channel.len() >= channel.cap {
            return Ok(false);
        }
        channel.push_bytes(bytes);
        Ok(true)
    }

    /// Sends a number to a module's channel of numbers; bits beyond the element's width are dropped.
    ///
    /// # Errors
    /// As [`Interp::send`].
    pub fn send_int(&mut self, chan: &str, value: u64) -> Result<bool, InterpError> {
        let size = self.channels[self.chan_index(chan)?].elem.size;
        let bytes = value.to_le_bytes();
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        let bytes = bytes.get(..size).ok_or_else(|| InterpError::Element(chan.to_string()))?;
        self.send(chan, bytes)
    }

    /// Receives a value from a module's channel: the oldest, if there is one.
    ///
    /// # Errors
    /// An unknown channel.
    pub fn recv(&mut self, chan: &str) -> Result<Option<Vec<u8>>, InterpError> {
        let index = self.chan_index(chan)?;
        Ok(self.channels[index].pop_bytes())
    }

    /// Closes a module's channel.
    ///
    /// # Errors
    /// An unknown channel; one that is closed.
    pub fn close(&mut self, chan: &str) -> Result<(), InterpError> {
        let index = self.chan_index(chan)?;
        if std::mem::replace(&mut self.channels[index].closed, true) {
            return Err(InterpError::Closed(chan.to_string()));
        }
        Ok(())
    }

    /// The buffered values of a module's channel, oldest first.
    ///
    /// # Errors
    /// An unknown channel.
    pub fn contents(&self, chan: &str) -> Result<Vec<Vec<u8>>, InterpError> {
        Ok(self.channels[self.chan_index(chan)?].contents())
    }

    /// Whether a module's channel is closed.
    ///
    /// # Errors
    /// An unknown channel.
    pub fn closed(&self, chan: &str) -> Result<bool, InterpError> {
        Ok(self.channels[self.chan_index(chan)?].closed)
    }

    /// The maps, in the order of their declarations.
    pub fn maps(&self) -> &MapSet {
        &self.memory.maps
    }

    /// The maps, to change between runs.
    pub fn maps_mut(&mut self) -> &mut MapSet {
        &mut self.memory.maps
    }

    /// Gives the next runs a packet.
    pub fn set_packet(&mut self, bytes: &[u8]) {
        self.memory.set_bytes(self.packet, bytes);
    }

    /// The packet, as the last run left it.
    pub fn packet(&self) -> &[u8] {
        self.memory.bytes(self.packet)
    }

    /// The argument for a context parameter.
    pub fn context(&self) -> Val {
        let region = Region { kind: RegionKind::Ctx, tag: 0, index: 0 };
        Val::Ptr(Ptr { region, offset: 0 })
    }

    /// The arguments that run a program's entry: the context for each context parameter.
    /// `None` if the function is unknown or has other parameters.
    pub fn entry_args(&self, name: &str) -> Option<Vec<Val>> {
        let types = &self.module.decls.types;
        let func = self.module.funcs.get(self.module.funcs.id(name)?)?;
        let mut args = Vec::new();
        for &param in &func.params {
            let to = types.pointee(func.ty(param))?;
            if !matches!(types.resolve(to), TypeKind::Opaque(_)) {
                return None;
            }
            args.push(self.context());
        }
        Some(args)
    }

    /// A variable's bytes; pointers read as zeros.
    ///
    /// # Errors
    /// An unknown variable.
    pub fn global(&self, name: &str) -> Result<&[u8], InterpError> {
        Ok(self.memory.bytes(self.global_region(name)?))
    }

    /// Sets a variable's bytes between runs, constant ones too.
    ///
    /// # Errors
    /// An unknown variable; another number of bytes than it has.
    pub fn set_global(&mut self, name: &str, bytes: &[u8]) -> Result<(), InterpError> {
        let region = self.global_region(name)?;
        let expected = self.memory.bytes(region).len();
        if expected != bytes.len() {
            let name = name.to_string();
            return Err(InterpError::Size { name, expected: expected as u64, got: bytes.len() });
        }
        self.memory.set_bytes(region, bytes);
        Ok(())
    }

    fn global_region(&self, name: &str) -> Result<Region, InterpError> {
        let id = self.module.decls.globals.id(name);
        id.map(|id| self.places.globals[id.index()]).ok_or_else(|| InterpError::NoGlobal(name.to_string()))
    }

    /// What was counted at a site, in the order of [`larrow_ir::SiteKind::counters`].
    pub fn outcomes(&self, site: SiteId) -> [u64; 4] {
        self.outcomes.get(site.index()).copied().unwrap_or_default()
    }
}
