//! The step loop of one frame. It stops between instructions, to call, to return, to end the run, or because
//! its steps are used up; whoever drives it decides how to go on.

mod arith;
mod call;
mod chan;
mod map;
mod mem;

use larrow_ir::FuncId;

use crate::code::{Code, Inst, Kind};
use crate::run::Interp;
use crate::trap::{Fallible, TrapKind, fault};
use crate::value::{Region, Repr, Val};

/// Why the loop of a frame stopped.
#[derive(Debug)]
pub(crate) enum Stop {
    /// Calls a function with `count` operands from `args[first]` on; its results go to `dst`.
    Call { callee: FuncId, first: u32, count: u32, dst: u32 },
    /// Returns the registers from `first` on.
    Return { first: u32, count: u32 },
    /// A Go panic.
    Panic(String),
    /// The program ends itself.
    Abort,
    /// No steps left.
    Fuel,
}

/// What follows an instruction: nothing special, or a stop.
pub(crate) type Flow = Option<Stop>;

/// Where a frame is, and how far it may go.
#[derive(Debug)]
pub(crate) struct Cursor {
    pub(crate) pc: usize,
    pub(crate) steps: u64,
    pub(crate) until: u64,
}

impl Interp<'_> {
    /// Runs one frame until it stops.
    pub(crate) fn run_frame(
        &mut self,
        code: &Code,
        regs: &mut [Val],
        slots: &[Region],
        cursor: &mut Cursor,
    ) -> Fallible<Stop> {
        loop {
            if cursor.steps >= cursor.until {
                return Ok(Stop::Fuel);
            }
            cursor.steps += 1;
            let inst = &code.insts[cursor.pc];
            cursor.pc += 1;
            let flow = match inst.kind {
                Kind::Move => set(regs, inst, regs[inst.a as usize]),
                Kind::MoveMany => copy_many(regs, inst.dst, inst.a, inst.b),
                Kind::Gather => gather(code, inst, regs),
                Kind::Const => set(regs, inst, code.consts[inst.imm as usize]),
                Kind::Int(op) => set(regs, inst, arith::int(op, inst, regs)),
                Kind::Cmp(op) => set(regs, inst, arith::compare(op, inst, regs)?),
                Kind::Float(op) => set(regs, inst, arith::float(op, inst, regs)),
                Kind::Conv(op) => set(regs, inst, arith::convert(op, inst, regs)),
                Kind::CondSelect => {
                    let from = if regs[inst.a as usize].bits() != 0 { inst.b } else { inst.c };
                    copy_many(regs, inst.dst, from, inst.imm as u32)
                }
                Kind::Bounded => set(regs, inst, arith::bounded(code, inst, regs)?),
                Kind::LocalAddr => set(regs, inst, mem::slot_address(slots, inst)),
                Kind::PtrAdd => set(regs, inst, regs[inst.a as usize].moved(regs[inst.b as usize].bits())),
                Kind::Load(repr) => {
                    let val = self.memory.load(regs[inst.a as usize].ptr(), repr)?;
                    if repr == Repr::None { None } else { set(regs, inst, val) }
                }
                Kind::Store(repr) => {
                    self.memory.store(regs[inst.a as usize].ptr(), repr, regs[inst.b as usize])?;
                    None
                }
                Kind::Bulk(op) => self.bulk(op, inst, regs)?,
                Kind::Atomic(op) => self.atomic(op, inst, regs)?,
                Kind::Sync => None,
                Kind::Call => Some(Stop::Call {
                    callee: FuncId::from_u32(inst.imm as u32),
                    first: inst.a,
                    count: inst.b,
                    dst: inst.dst,
                }),
                Kind::CallIndirect => Some(call::indirect(code, inst, regs)?),
                Kind::CallRuntime(function) => self.call_runtime(function, code, inst, regs)?,
                Kind::Intrinsic => self.intrinsic(code, inst, regs)?,
                Kind::Outcome => self.count(inst, regs),
                Kind::MakeChan => self.make_chan(code, inst, regs)?,
                Kind::ChanSend => self.send_op(inst, regs)?,
                Kind::ChanRecv => self.recv_op(code, inst, regs)?,
                Kind::ChanClose => self.chan_close(regs[inst.a as usize])?.err().and_then(chan::panic),
                Kind::ChanSize(op) => set(regs, inst, self.chan_size(op, regs[inst.a as usize])?),
                Kind::Select => self.select(&code.selects[inst.imm as usize], inst, regs)?,
                Kind::Go => return chan::one_goroutine(),
                Kind::CallHelper => self.helper(code, inst, regs)?,
                Kind::CtxLoad => self.ctx_load(code, inst, regs)?,
                Kind::MapKeyed(op) => self.keyed(op, inst, regs)?,
                Kind::MapValueIo(op) => self.queue(op, inst, regs)?,
                Kind::Jump => take(code, inst.imm as usize, regs, cursor),
                Kind::Branch => {
                    let edge = inst.imm as usize + usize::from(regs[inst.a as usize].bits() == 0);
                    take(code, edge, regs, cursor)
                }
                Kind::Switch => take(code, choose(code, inst, regs), regs, cursor),
                Kind::Ret => Some(Stop::Return { first: inst.a, count: inst.b }),
                Kind::PanicText => Some(Stop::Panic(code.names[inst.imm as usize].to_string())),
                Kind::PanicValue => {
                    let print = code.prints[inst.imm as usize];
                    Some(Stop::Panic(call::print(print, regs[inst.a as usize])))
                }
                Kind::Exit => Some(Stop::Abort),
                Kind::Malformed => return fault(TrapKind::Malformed, &*code.names[inst.imm as usize]),
            };
            if let Some(stop) = flow {
                return Ok(stop);
            }
        }
    }
}

#[inline]
fn set(regs: &mut [Val], inst: &Inst, val: Val) -> Flow {
    regs[inst.dst as usize] = val;
    None
}

fn copy_many(regs: &mut [Val], dst: u32, from: u32, count: u32) -> Flow {
    regs.copy_within(from as usize..(from + count) as usize, dst as usize);
    None
}

fn gather(code: &Code, inst: &Inst, regs: &mut [Val]) -> Flow {
    for (i, &from) in code.operands(inst).iter().enumerate() {
        regs[inst.dst as usize + i] = regs[from as usize];
    }
    None
}

/// Goes along an edge.
#[inline]
fn take(code: &Code, edge: usize, regs: &mut [Val], cursor: &mut Cursor) -> Flow {
    let edge = code.edges[edge];
    let first = edge.first as usize;
    for &(dst, src) in &code.moves[first..first + edge.count as usize] {
        regs[dst as usize] = regs[src as usize];
    }
    cursor.pc = edge.target as usize;
    None
}

/// The edge of a switch.
fn choose(code: &Code, inst: &Inst, regs: &[Val]) -> usize {
    let table = &code.switches[inst.imm as usize];
    let on = regs[inst.a as usize].bits();
    let found = table.cases.binary_search_by_key(&on, |&(value, _)| value);
    found.map_or(table.default, |i| table.cases[i].1) as usize
}
