//! Channels: a buffer of values, and whether it is closed.
//!
//! The decisions are those of Go's `runtime/chan.go` without waiting goroutines, so a channel without a buffer
//! is never ready.

use std::collections::VecDeque;

use crate::memory::{Blob, Memory};
use crate::trap::Fallible;
use crate::value::{Ptr, Repr, Val};

/// What a channel carries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Elem {
    /// Of a scalar; [`Repr::None`] for an aggregate.
    pub(crate) repr: Repr,
    /// Bytes in memory.
    pub(crate) size: u64,
}

/// Buffered values, oldest first.
#[derive(Debug)]
enum Buffer {
    Scalars(VecDeque<Val>),
    /// Aggregates, and spare blobs to reuse.
    Blobs {
        full: VecDeque<Blob>,
        spare: Vec<Blob>,
    },
}

/// A channel.
#[derive(Debug)]
pub(crate) struct Channel {
    pub(crate) elem: Elem,
    pub(crate) cap: u64,
    pub(crate) closed: bool,
    buffer: Buffer,
}

/// Where a sent value is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Source {
    Scalar(Val),
    Memory(Ptr),
}

/// Where a received value goes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Dest {
    /// Into [`Received::Value`], or nowhere.
    Value,
    Memory(Ptr),
}

/// What came of a send.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Sent {
    Done,
    Full,
    Closed,
}

/// What came of a receive.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Received {
    Value(Val),
    Closed,
    Empty,
}

impl Channel {
    pub(crate) fn new(elem: Elem, cap: u64) -> Channel {
        let buffer = match elem.repr {
            Repr::None => Buffer::Blobs { full: VecDeque::new(), spare: Vec::new() },
            Repr::Bool | Repr::Num(_) | Repr::Ref => Buffer::Scalars(VecDeque::new()),
        };
        Channel { elem, cap, closed: false, buffer }
    }

    pub(crate) fn len(&self) -> u64 {
        let len = match &self.buffer {
            Buffer::Scalars(queue) => queue.len(),
            Buffer::Blobs { full, .. } => full.len(),
        };
        len as u64
    }

    /// Sends if there is room.
    pub(crate) fn send(&mut self, memory: &Memory, from: Source) -> Fallible<Sent> {
        if self.closed {
            return Ok(Sent::Closed);
        }
        if self.len() >= self.cap {
            return Ok(Sent::Full);
        }
        match (&mut self.buffer, from) {
            (Buffer::Scalars(queue), Source::Scalar(val)) => queue.push_back(val),
            (Buffer::Scalars(queue), Source::Memory(ptr)) => {
                queue.push_back(memory.load(ptr, self.elem.repr)?);
            }
            (Buffer::Blobs { full, spare }, from) => {
                let mut blob = spare.pop().unwrap_or_default();
                match from {
                    Source::Memory(ptr) => memory.export(ptr, self.elem.size, &mut blob)?,
                    // An element without a representation has no bytes either.
                    Source::Scalar(_) => blob.set(&[]),
                }
                full.push_back(blob);
            }
        }
        Ok(Sent::Done)
    }

    /// Receives if there is a value. Whatever else happens, memory to receive into is zeroed.
    pub(crate) fn recv(&mut self, memory: &mut Memory, to: Dest) -> Fallible<Received> {
        let val = match &mut self.buffer {
            Buffer::Scalars(queue) => queue.pop_front(),
            Buffer::Blobs { full, spare } => match full.pop_front() {
                None => None,
                Some(blob) => {
                    if let Dest::Memory(ptr) = to {
                        memory.import(ptr, &blob)?;
                    }
                    spare.push(blob);
                    return Ok(Received::Value(Val::Unit));
                }
            },
        };
        match (val, to) {
            (Some(val), Dest::Value) => Ok(Received::Value(val)),
            (Some(val), Dest::Memory(ptr)) => {
                memory.store(ptr, self.elem.repr, val)?;
                Ok(Received::Value(val))
            }
            (None, to) => {
                zero(memory, to, self.elem)?;
                Ok(if self.closed { Received::Closed } else { Received::Empty })
            }
        }
    }

    /// Whether a receive would complete.
    pub(crate) fn can_recv(&self) -> bool {
        self.closed || self.len() > 0
    }

    /// Whether a send would complete, be it with a panic.
    pub(crate) fn can_send(&self) -> bool {
        self.closed || self.len() < self.cap
    }

    /// Adds a value from outside the program.
    pub(crate) fn push_bytes(&mut self, bytes: &[u8]) {
        match &mut self.buffer {
            Buffer::Scalars(queue) => {
                let mut word = [0; 8];
                word[..bytes.len()].copy_from_slice(bytes);
                queue.push_back(Val::Int(u64::from_le_bytes(word)));
            }
            Buffer::Blobs { full, spare } => {
                let mut blob = spare.pop().unwrap_or_default();
                blob.set(bytes);
                full.push_back(blob);
            }
        }
    }

    /// Removes the oldest value for the outside.
    pub(crate) fn pop_bytes(&mut self) -> Option<Vec<u8>> {
        let size = self.elem.repr.size();
        match &mut self.buffer {
            Buffer::Scalars(queue) => queue.pop_front().map(|v| v.bits().to_le_bytes()[..size].to_vec()),
            Buffer::Blobs { full, .. } => full.pop_front().map(|blob| blob.bytes),
        }
    }

    /// The buffered values, oldest first; pointers read as zeros.
    pub(crate) fn contents(&self) -> Vec<Vec<u8>> {
        let size = self.elem.repr.size();
        match &self.buffer {
            Buffer::Scalars(queue) => queue.iter().map(|v| v.bits().to_le_bytes()[..size].to_vec()).collect(),
            Buffer::Blobs { full, .. } => full.iter().map(|blob| blob.bytes.clone()).collect(),
        }
    }
}

/// Writes the zero of an element.
pub(crate) fn zero(memory: &mut Memory, to: Dest, elem: Elem) -> Fallible<()> {
    match to {
        Dest::Memory(ptr) => memory.zero(ptr, elem.size),
        Dest::Value => Ok(()),
    }
}
