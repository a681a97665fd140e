//! The user side of a ring: the algorithm of the runtime prelude over memory that user space shares with the
//! program, or over the bytes of a map that nobody else touches.
//!
//! A system call's update would overwrite the whole value and lose elements; this is how to send to a program
//! and to receive from it while it runs.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use crate::runtime::{CLOSED, ELEM, RECVX, Ring, SLOTS};

/// What became of a send.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sent {
    /// It is in the ring.
    Sent,
    /// The ring was full.
    Full,
    /// The channel is closed: in Go, a panic.
    Closed,
    /// Others kept interfering; nothing was done.
    Contended,
}

/// What became of a receive.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Received {
    /// The element was received.
    Received,
    /// The ring was empty and the channel is open.
    Empty,
    /// The ring was empty and the channel is closed: the zero value.
    Closed,
    /// Others kept interfering; nothing was done.
    Contended,
}

/// Memory that holds a ring.
pub trait RingMemory {
    /// Reads the aligned word at a byte offset; later accesses stay behind it.
    fn load(&self, offset: usize) -> u64;
    /// Writes the aligned word; earlier accesses stay before it.
    fn store(&self, offset: usize, word: u64);
    /// Replaces `old` by `new`; yields what was there. A full barrier.
    fn compare_exchange(&self, offset: usize, old: u64, new: u64) -> u64;
    /// Sets bits; yields what was there. A full barrier.
    fn fetch_or(&self, offset: usize, bits: u64) -> u64;
    /// Copies bytes out.
    fn read(&self, offset: usize, to: &mut [u8]);
    /// Copies bytes in.
    fn write(&self, offset: usize, from: &[u8]);
}

/// Shared memory seen as atomics: a map's value that is mapped into this process. Both views cover the same
/// bytes.
#[derive(Clone, Copy, Debug)]
pub struct Shared<'a> {
    /// As aligned words.
    pub words: &'a [AtomicU64],
    /// As bytes.
    pub bytes: &'a [AtomicU8],
}

impl RingMemory for Shared<'_> {
    fn load(&self, offset: usize) -> u64 {
        self.words[offset / 8].load(Ordering::Acquire)
    }
    fn store(&self, offset: usize, word: u64) {
        self.words[offset / 8].store(word, Ordering::Release);
    }
    fn compare_exchange(&self, offset: usize, old: u64, new: u64) -> u64 {
        self.words[offset / 8]
            .compare_exchange(old, new, Ordering::SeqCst, Ordering::SeqCst)
            .unwrap_or_else(|seen| seen)
    }
    fn fetch_or(&self, offset: usize, bits: u64) -> u64 {
        self.words[offset / 8].fetch_or(bits, Ordering::SeqCst)
    }
    fn read(&self, offset: usize, to: &mut [u8]) {
        for (to, from) in to.iter_mut().zip(&self.bytes[offset..]) {
            *to = from.load(Ordering::Relaxed);
        }
    }
    fn write(&self, offset: usize, from: &[u8]) {
        for (from, to) in from.iter().zip(&self.bytes[offset..]) {
            to.store(*from, Ordering::Relaxed);
        }
    }
}

/// The bytes of a ring that nobody else touches meanwhile.
#[derive(Debug)]
pub struct Private<'a>(std::cell::RefCell<&'a mut [u8]>);

impl<'a> Private<'a> {
    /// Wraps the bytes.
    pub fn new(bytes: &'a mut [u8]) -> Self {
        Private(std::cell::RefCell::new(bytes))
    }
    fn update(&self, offset: usize, f: impl FnOnce(u64) -> u64) -> u64 {
        let old = self.load(offset);
        self.store(offset, f(old));
        old
    }
}

impl RingMemory for Private<'_> {
    fn load(&self, offset: usize) -> u64 {
        let mut word = [0; 8];
        self.read(offset, &mut word);
        u64::from_le_bytes(word)
    }
    fn store(&self, offset: usize, word: u64) {
        self.write(offset, &word.to_le_bytes());
    }
    fn compare_exchange(&self, offset: usize, old: u64, new: u64) -> u64 {
        self.update(offset, |seen| if seen == old { new } else { seen })
    }
    fn fetch_or(&self, offset: usize, bits: u64) -> u64 {
        self.update(offset, |seen| seen | bits)
    }
    fn read(&self, offset: usize, to: &mut [u8]) {
        to.copy_from_slice(&self.0.borrow()[offset..offset + to.len()]);
    }
    fn write(&self, offset: usize, from: &[u8]) {
        self.0.borrow_mut()[offset..offset + from.len()].copy_from_slice(from);
    }
}

/// The user's end of a ring.
#[derive(Clone, Copy, Debug)]
pub struct RingEnd<M> {
    ring: Ring,
    memory: M,
}

/// How often an operation tries to take a ticket.
const TRIES: u32 = 64;

impl<M: RingMemory> RingEnd<M> {
    /// The end of a ring of this layout in this memory.
    pub fn new(ring: Ring, memory: M) -> Self {
        RingEnd { ring, memory }
    }

    fn slot(&self, ticket: u64) -> usize {
        (u64::from(SLOTS) + (ticket & (self.ring.slots - 1)) * self.ring.stride) as usize
    }
    /// The turn at which a ticket's slot may be written.
    fn write_turn(&self, ticket: u64) -> u64 {
        (ticket >> self.ring.slots.trailing_zeros()) << 1
    }

    /// Sends an element of the ring's element size.
    pub fn send(&self, elem: &[u8]) -> Sent {
        for _ in 0..TRIES {
            let ticket = self.memory.load(0);
            if ticket & CLOSED != 0 {
                return Sent::Closed;
            }
            let waiting = ticket.wrapping_sub(self.memory.load(RECVX as usize)) as i64;
            if waiting >= self.ring.cap as i64 {
                return Sent::Full;
            }
            let slot = self.slot(ticket);
            let turn = self.write_turn(ticket);
            if self.memory.load(slot) == turn && self.memory.compare_exchange(0, ticket, ticket + 1) == ticket
            {
                self.memory.write(slot + ELEM as usize, elem);
                self.memory.store(slot, turn + 1);
                return Sent::Sent;
            }
            std::hint::spin_loop();
        }
        Sent::Contended
    }

    /// Receives an element; on [`Received::Closed`] it is zeroed.
    pub fn recv(&self, elem: &mut [u8]) -> Received {
        for _ in 0..TRIES {
            let ticket = self.memory.load(RECVX as usize);
            let sendx = self.memory.load(0);
            if ((sendx & !CLOSED).wrapping_sub(ticket) as i64) <= 0 {
                if sendx & CLOSED == 0 {
                    return Received::Empty;
                }
                elem.fill(0);
                return Received::Closed;
            }
            let slot = self.slot(ticket);
            let turn = self.write_turn(ticket) + 1;
            if self.memory.load(slot) == turn
                && self.memory.compare_exchange(RECVX as usize, ticket, ticket + 1) == ticket
            {
                self.memory.read(slot + ELEM as usize, elem);
                self.memory.store(slot, turn + 1);
                return Received::Received;
            }
            std::hint::spin_loop();
        }
        Received::Contended
    }

    /// Closes the channel. Returns `false` if it was closed: in Go, a panic.
    pub fn close(&self) -> bool {
        self.memory.fetch_or(0, CLOSED) & CLOSED == 0
    }

    /// Whether it is closed.
    pub fn is_closed(&self) -> bool {
        self.memory.load(0) & CLOSED != 0
    }

    /// How many elements wait; while others are at work, a moment's view.
    pub fn len(&self) -> u64 {
        let received = self.memory.load(RECVX as usize);
        let sent = self.memory.load(0) & !CLOSED;
        (sent.wrapping_sub(received) as i64).clamp(0, self.ring.cap as i64) as u64
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The waiting elements, oldest first, without receiving them. Nobody else may be at work.
    pub fn contents(&self) -> Vec<Vec<u8>> {
        let first = self.memory.load(RECVX as usize);
        let elem = |ticket: u64| {
            let mut elem = vec![0; self.ring.elem_size as usize];
            self.memory.read(self.slot(ticket) + ELEM as usize, &mut elem);
            elem
        };
        (0..self.len()).map(|i| elem(first.wrapping_add(i))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring(cap: u64) -> Ring {
        Ring::new(4, cap).unwrap()
    }

    #[test]
    fn a_ring_is_a_queue_of_its_capacity() {
        for cap in 1..9u64 {
            let ring = ring(cap);
            let mut bytes = vec![0; ring.size() as usize];
            let end = RingEnd::new(ring, Private::new(&mut bytes));
            let mut model = std::collections::VecDeque::new();
            let mut next = 0u32;
            for step in 0..400u32 {
                if (step.wrapping_mul(2_654_435_761) >> 9) % 5 < 3 {
                    let sent = end.send(&next.to_le_bytes());
                    assert_eq!(sent, if model.len() as u64 == cap { Sent::Full } else { Sent::Sent });
                    if sent == Sent::Sent {
                        model.push_back(next);
                    }
                    next += 1;
                } else {
                    let mut elem = [0; 4];
                    match model.pop_front() {
                        Some(want) => {
                            assert_eq!(end.recv(&mut elem), Received::Received);
                            assert_eq!(u32::from_le_bytes(elem), want);
                        }
                        None => assert_eq!(end.recv(&mut elem), Received::Empty),
                    }
                }
                assert_eq!(end.len(), model.len() as u64);
                let contents: Vec<u32> =
                    end.contents().iter().map(|e| u32::from_le_bytes(e[..].try_into().unwrap())).collect();
                assert!(contents.iter().eq(model.iter()));
            }
        }
    }

    #[test]
    fn a_closed_ring_gives_what_waits_and_then_zeros() {
        let ring = ring(2);
        let mut bytes = vec![0; ring.size() as usize];
        let end = RingEnd::new(ring, Private::new(&mut bytes));
        assert_eq!(end.send(&7u32.to_le_bytes()), Sent::Sent);
        assert!(end.close());
        assert!(!end.close());
        assert_eq!(end.send(&8u32.to_le_bytes()), Sent::Closed);
        let mut elem = [0; 4];
        assert_eq!((end.recv(&mut elem), elem[0]), (Received::Received, 7));
        assert_eq!((end.recv(&mut elem), elem[0]), (Received::Closed, 0));
    }

    #[test]
    fn no_capacity_and_no_end_are_no_rings() {
        assert_eq!(Ring::new(4, 0), None);
        assert_eq!(Ring::new(1 << 20, 1 << 20), None);
    }
}
