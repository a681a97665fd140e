//! Channel operations, at both stages: as ops, and as calls of the Go runtime's functions.
//!
//! In poll mode nothing waits: a receive that would block yields the zero value and false, a send that would
//! block drops its value, a select without default where nothing is ready ends the program.

use larrow_ir::{RecvForm, RuntimeFn, status};

use crate::channel::{Channel, Dest, Elem, Received, Sent, Source, zero};
use crate::code::{Code, Inst, SelectPlan, SizeOp};
use crate::run::{Interp, SelectOrder};
use crate::trap::{Fallible, TrapKind, fault};
use crate::value::{Ptr, Repr, Val};

use super::arith::signed;
use super::{Flow, Stop};

const CLOSED_SEND: &str = "send on closed channel";
const DONE: u32 = status::COMMUNICATED | status::SELECTED;

/// What came of a communication: its status word, and what it received.
struct Done {
    status: u32,
    val: Option<Val>,
}

impl Interp<'_> {
    /// The number of a channel; `None` for nil.
    fn channel(&self, val: Val) -> Fallible<Option<usize>> {
        match val {
            Val::Chan(n) if (n as usize) < self.channels.len() => Ok(Some(n as usize)),
            Val::Nil => Ok(None),
            Val::Unit | Val::Int(_) | Val::Ptr(_) | Val::Chan(_) | Val::Func(_) => {
                fault(TrapKind::Provenance, "uses something that is no channel as one")
            }
        }
    }

    fn chan_send(&mut self, chan: Val, from: Source) -> Fallible<Done> {
        let sent = match self.channel(chan)? {
            None => Sent::Full,
            Some(n) => self.channels[n].send(&self.memory, from)?,
        };
        let status = match sent {
            Sent::Done => DONE,
            Sent::Full => 0,
            Sent::Closed => status::ABORT,
        };
        Ok(Done { status, val: None })
    }

    /// Receives an element of a type.
    fn chan_recv(&mut self, chan: Val, to: Dest, elem: Elem) -> Fallible<Done> {
        let received = match self.channel(chan)? {
            None => {
                zero(&mut self.memory, to, elem)?;
                Received::Empty
            }
            Some(n) => self.channels[n].recv(&mut self.memory, to)?,
        };
        Ok(match received {
            Received::Value(val) => Done { status: DONE, val: Some(val) },
            Received::Closed => Done { status: status::SELECTED, val: None },
            Received::Empty => Done { status: 0, val: None },
        })
    }

    /// Makes a channel as `makechan` does; the panic's text if it cannot be.
    fn new_chan(&mut self, elem: Elem, cap: i64) -> Fallible<Result<Val, &'static str>> {
        // The limits of a 64-bit Go: addresses of 48 bits, and the header of a channel.
        const MAX: u64 = (1 << 48) - 96;
        let bytes = u64::try_from(cap).ok().and_then(|cap| elem.size.checked_mul(cap));
        let Some(bytes) = bytes.filter(|&bytes| bytes <= MAX) else {
            return Ok(Err("makechan: size out of range"));
        };
        self.memory.charge(bytes)?;
        self.channels.push(Channel::new(elem, cap as u64));
        Ok(Ok(Val::Chan((self.channels.len() - 1) as u32)))
    }

    /// Closes; the panic's text if it cannot be.
    pub(super) fn chan_close(&mut self, chan: Val) -> Fallible<Result<(), &'static str>> {
        Ok(match self.channel(chan)? {
            None => Err("close of nil channel"),
            Some(n) if self.channels[n].closed => Err("close of closed channel"),
            Some(n) => {
                self.channels[n].closed = true;
                Ok(())
            }
        })
    }

    // ---- ops -------------------------------------------------------------------------------------------------

    pub(super) fn make_chan(&mut self, code: &Code, inst: &Inst, regs: &mut [Val]) -> Fallible<Flow> {
        let cap = regs[inst.a as usize].bits();
        let cap = if inst.b == 1 { signed(cap, inst.bits) } else { cap as i64 };
        match self.new_chan(code.elems[inst.imm as usize], cap)? {
            Ok(chan) => regs[inst.dst as usize] = chan,
            Err(text) => return Ok(panic(text)),
        }
        Ok(None)
    }

    pub(super) fn send_op(&mut self, inst: &Inst, regs: &mut [Val]) -> Fallible<Flow> {
        let chan = regs[inst.a as usize];
        let from = self.source(chan, regs[inst.b as usize])?;
        let done = self.chan_send(chan, from)?;
        Ok(if done.status & status::ABORT != 0 { panic(CLOSED_SEND) } else { None })
    }

    pub(super) fn chan_size(&self, op: SizeOp, chan: Val) -> Fallible<Val> {
        let channel = self.channel(chan)?.map(|n| &self.channels[n]);
        Ok(Val::Int(channel.map_or(0, |channel| match op {
            SizeOp::Len => channel.len(),
            SizeOp::Cap => channel.cap,
        })))
    }

    pub(super) fn recv_op(&mut self, code: &Code, inst: &Inst, regs: &mut [Val]) -> Fallible<Flow> {
        let chan = regs[inst.a as usize];
        let elem = code.elems[inst.imm as usize];
        let to = if inst.from == 1 { Dest::Memory(regs[inst.b as usize].ptr()) } else { Dest::Value };
        let done = self.chan_recv(chan, to, elem)?;
        if inst.c == 1 {
            regs[inst.dst as usize] = done.val.unwrap_or(elem.repr.zero());
        }
        regs[(inst.dst + inst.c) as usize] = Val::bool(done.val.is_some());
        Ok(None)
    }

    /// Where the value of a send is: itself if the element is a scalar, behind it if not.
    fn source(&self, chan: Val, operand: Val) -> Fallible<Source> {
        let aggregate = self.channel(chan)?.is_some_and(|n| self.channels[n].elem.repr == Repr::None);
        Ok(if aggregate { Source::Memory(operand.ptr()) } else { Source::Scalar(operand) })
    }

    /// Selects among the cases as they stand in the source. Where gc would not call `selectgo`, neither the
    /// rotation nor its random number is asked for.
    pub(super) fn select(&mut self, plan: &SelectPlan, inst: &Inst, regs: &mut [Val]) -> Fallible<Flow> {
        let n = plan.cases.len();
        let mut chosen = None;
        if n == 1 && !plan.has_default {
            chosen = Some(0);
        } else if n > 0 {
            let start = self.rotation(n);
            for round in 0..n {
                let case = plan.by_gc_index[in_order(start, round, n, plan.sends)] as usize;
                let chan = regs[plan.cases[case].chan as usize];
                if self.ready(chan, plan.cases[case].recv.is_none())? {
                    chosen = Some(case);
                    break;
                }
            }
        }
        if chosen.is_none() && !plan.has_default {
            return Ok(Some(Stop::Abort));
        }
        for case in &plan.cases {
            if let Some(result) = case.result {
                regs[result as usize] = case.elem.repr.zero();
            }
        }
        let received = match chosen {
            None => false,
            Some(case) => match self.perform(plan, case, regs)? {
                Some(done) => done,
                None => return Ok(panic(CLOSED_SEND)),
            },
        };
        regs[inst.dst as usize] = Val::Int(chosen.map_or(u64::MAX, |case| case as u64));
        regs[inst.dst as usize + 1] = Val::bool(received);
        Ok(None)
    }

    /// Communicates in a chosen case: whether a value was received, `None` for a send on a closed channel.
    fn perform(&mut self, plan: &SelectPlan, case: usize, regs: &mut [Val]) -> Fallible<Option<bool>> {
        let case = plan.cases[case];
        let chan = regs[case.chan as usize];
        let operand = case.operand.map(|r| regs[r as usize]);
        let Some(form) = case.recv else {
            let from = self.source(chan, operand.unwrap_or_default())?;
            let done = self.chan_send(chan, from)?;
            return Ok((done.status & status::ABORT == 0).then_some(false));
        };
        let to = match operand {
            Some(memory) if form != RecvForm::Discard => Dest::Memory(memory.ptr()),
            Some(_) | None => Dest::Value,
        };
        let done = self.chan_recv(chan, to, case.elem)?;
        if let Some(result) = case.result {
            regs[result as usize] = done.val.unwrap_or(case.elem.repr.zero());
        }
        Ok(Some(done.val.is_some()))
    }

    /// Where the search for a ready case starts; a random draw if there is a choice.
    fn rotation(&mut self, cases: usize) -> Option<usize> {
        match self.options.select_order {
            SelectOrder::Source => None,
            SelectOrder::Rotation if cases < 2 => None,
            SelectOrder::Rotation => Some(self.env.random() as usize % cases),
        }
    }

    fn ready(&self, chan: Val, send: bool) -> Fallible<bool> {
        let Some(n) = self.channel(chan)? else { return Ok(false) };
        Ok(if send { self.channels[n].can_send() } else { self.channels[n].can_recv() })
    }

    // ---- runtime calls ---------------------------------------------------------------------------------------

    pub(super) fn call_runtime(
        &mut self,
        function: RuntimeFn,
        code: &Code,
        inst: &Inst,
        regs: &mut [Val],
    ) -> Fallible<Flow> {
        let args = code.operands(inst);
        let arg = |regs: &[Val], i: usize| args.get(i).map_or(Val::Nil, |&r| regs[r as usize]);
        let (dst, status_reg) = (inst.dst as usize, (inst.dst + inst.c) as usize);
        let (a, b) = (arg(regs, 0), arg(regs, 1));
        let status = match function {
            RuntimeFn::MakeChan => match self.new_chan(code.elems[inst.imm as usize], a.bits() as i64)? {
                Ok(chan) => {
                    regs[dst] = chan;
                    0
                }
                Err(text) => return Ok(panic(text)),
            },
            RuntimeFn::ChanSend1 => self.chan_send(a, Source::Memory(b.ptr()))?.status,
            RuntimeFn::ChanRecv1 => self.chan_recv(a, into(b), code.elems[inst.imm as usize])?.status,
            RuntimeFn::ChanRecv2 => {
                let status = self.chan_recv(a, into(b), code.elems[inst.imm as usize])?.status;
                regs[dst] = Val::bool(status & status::COMMUNICATED != 0);
                status
            }
            RuntimeFn::CloseChan => match self.chan_close(a)? {
                Ok(()) => 0,
                Err(text) => {
                    regs[status_reg] = Val::Int(u64::from(status::ABORT));
                    return Ok(panic(text));
                }
            },
            RuntimeFn::ChanLen => {
                regs[dst] = self.chan_size(SizeOp::Len, a)?;
                0
            }
            RuntimeFn::ChanCap => {
                regs[dst] = self.chan_size(SizeOp::Cap, a)?;
                0
            }
            RuntimeFn::SelectNbSend => {
                let status = self.chan_send(a, Source::Memory(b.ptr()))?.status;
                regs[dst] = Val::bool(status & status::SELECTED != 0);
                status
            }
            RuntimeFn::SelectNbRecv => {
                let status = if self.ready(b, false)? {
                    self.chan_recv(b, into(a), code.elems[inst.imm as usize])?.status
                } else {
                    0
                };
                regs[dst] = Val::bool(status & status::SELECTED != 0);
                regs[dst + 1] = Val::bool(status & status::COMMUNICATED != 0);
                status
            }
            RuntimeFn::SelectGo => {
                let (sends, recvs) = (arg(regs, 3).bits() as usize, arg(regs, 4).bits() as usize);
                let (chosen, status) = self.selectgo(a.ptr(), sends, recvs)?;
                regs[dst] = Val::Int(chosen.map_or(u64::MAX, |case| case as u64));
                regs[dst + 1] =
                    Val::bool(chosen.is_some_and(|c| c >= sends) && status & status::COMMUNICATED != 0);
                if chosen.is_none() && arg(regs, 5).bits() != 0 {
                    regs[status_reg] = Val::Int(u64::from(status::ABORT));
                    return Ok(Some(Stop::Abort));
                }
                status
            }
            RuntimeFn::Block => {
                regs[status_reg] = Val::Int(u64::from(status::ABORT));
                return Ok(Some(Stop::Abort));
            }
            RuntimeFn::NewProc => return one_goroutine(),
        };
        regs[status_reg] = Val::Int(u64::from(status));
        if status & status::ABORT != 0 { Ok(panic(CLOSED_SEND)) } else { Ok(None) }
    }

    /// Selects among the cases in memory, `{channel, element}` of 8 bytes each: sends, then receives.
    fn selectgo(&mut self, cases: Ptr, sends: usize, recvs: usize) -> Fallible<(Option<usize>, u32)> {
        let n = sends.saturating_add(recvs);
        if n == 0 {
            return Ok((None, 0));
        }
        let start = self.rotation(n);
        for round in 0..n {
            let case = in_order(start, round, n, sends);
            let at = Ptr { region: cases.region, offset: cases.offset + 16 * case as i64 };
            let chan = self.memory.load(at, Repr::Ref)?;
            let is_send = case < sends;
            if !self.ready(chan, is_send)? {
                continue;
            }
            let elem = self.memory.load(Ptr { offset: at.offset + 8, ..at }, Repr::Ref)?;
            // A case that is ready is not nil, so that its own channel knows its element.
            let done = if is_send {
                self.chan_send(chan, Source::Memory(elem.ptr()))?
            } else {
                self.chan_recv(chan, into(elem), Elem { repr: Repr::None, size: 0 })?
            };
            return Ok((Some(case), done.status));
        }
        Ok((None, 0))
    }

    /// Counts a status word at a site.
    pub(super) fn count(&mut self, inst: &Inst, regs: &[Val]) -> Flow {
        self.count_outcome(inst.imm as usize, regs[inst.a as usize].bits() as u32);
        None
    }
}

/// The number of the case that a search looks at in a round. From a random start it goes round gc's numbering;
/// in source order it takes the sends and then the receives, which gc numbers from the last to the first.
fn in_order(start: Option<usize>, round: usize, cases: usize, sends: usize) -> usize {
    match start {
        Some(start) => (start + round) % cases,
        None if round < sends => round,
        None => cases - 1 - (round - sends),
    }
}

/// Where a runtime receive puts its value.
fn into(elem: Val) -> Dest {
    if elem == Val::Nil { Dest::Value } else { Dest::Memory(elem.ptr()) }
}

/// What `go` comes to in poll mode.
pub(super) fn one_goroutine<T>() -> Fallible<T> {
    fault(TrapKind::Unsupported, "poll mode runs a single goroutine")
}

pub(super) fn panic(text: &str) -> Flow {
    Some(Stop::Panic(text.to_string()))
}
