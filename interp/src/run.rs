//! The interpreter: a module's state between runs, and the runs.

use std::rc::Rc;

use cranelift_entity::EntityRef;
use larrow_ir::{FuncId, Module, Pos, SiteId, SiteKind, status};

use crate::channel::Channel;
use crate::code::{Code, Kind};
use crate::compile::{Places, compile, elem_of};
use crate::env::{Env, TestEnv};
use crate::exec::{Cursor, Stop};
use crate::memory::Memory;
use crate::outside::InterpError;
use crate::setup::{make_globals, make_maps};
use crate::trap::{Fallible, Fault, Trap, TrapKind, fault};
use crate::value::{Region, RegionKind, Val, Vals};

/// In which order a select looks for a case that is ready.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum SelectOrder {
    /// The sends in source order, then the receives in source order; no random number is drawn.
    Source,
    /// Round gc's numbering (sends in source order, then receives from the last to the first) from a random
    /// start: [`Env::random`] modulo the number of cases, drawn once per select of two cases or more.
    #[default]
    Rotation,
}

/// Limits and choices.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Options {
    /// How many instructions and terminators a run may execute.
    pub steps: u64,
    /// How many bytes slots, heap objects, variables, the packet and made channels' buffers may take.
    pub memory: u64,
    /// How many calls may be open at once.
    pub depth: usize,
    /// How many CPUs the maps are made for.
    pub cpus: u32,
    /// How selects choose.
    pub select_order: SelectOrder,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            steps: 100_000_000,
            memory: 256 << 20,
            depth: 10_000,
            cpus: 1,
            select_order: SelectOrder::default(),
        }
    }
}

/// How a run ended.
#[derive(Clone, PartialEq, Debug)]
pub enum Outcome {
    /// The function returned: no scalar, one, or a tuple's.
    Returned(Vals),
    /// A Go panic.
    Panicked {
        /// As Go prints it, without `panic: `.
        text: String,
        /// The function.
        func: FuncId,
        /// Where in the source.
        pos: Pos,
    },
    /// The program ended itself: `Exit`, or a wait that can have no end.
    Aborted {
        /// The function.
        func: FuncId,
        /// Where in the source.
        pos: Pos,
    },
}

/// What a run came to.
#[derive(Clone, PartialEq, Debug)]
pub struct RunResult {
    /// How it ended.
    pub outcome: Outcome,
    /// How many instructions and terminators it executed; phis are part of the terminator before them.
    pub steps: u64,
}

impl RunResult {
    /// The scalar that was returned, if exactly one was.
    pub fn value(&self) -> Option<Val> {
        match &self.outcome {
            Outcome::Returned(vals) if vals.len() == 1 => Some(vals[0]),
            Outcome::Returned(_) | Outcome::Panicked { .. } | Outcome::Aborted { .. } => None,
        }
    }
}

/// How an intrinsic is evaluated: its scalar operands to its result ([`Val::Unit`] for none), or a plain
/// sentence that says why not.
pub type IntrinsicFn = Box<dyn Fn(&[Val]) -> Result<Val, String>>;

/// An interpreter of one module. Channels, variables, maps, the heap and the counted outcomes live on from run to
/// run.
pub struct Interp<'m> {
    pub(crate) module: &'m Module,
    pub(crate) options: Options,
    pub(crate) env: Box<dyn Env>,
    pub(crate) memory: Memory,
    pub(crate) channels: Vec<Channel>,
    pub(crate) packet: Region,
    pub(crate) intrinsics: Vec<Option<Rc<IntrinsicFn>>>,
    /// Scratch for a map call's key and value.
    pub(crate) key: Vec<u8>,
    pub(crate) value: Vec<u8>,
    pub(crate) outcomes: Vec<[u64; 4]>,
    pub(crate) places: Places,
    codes: Vec<Option<Rc<Code>>>,
}

/// An open call.
struct Frame {
    code: Rc<Code>,
    pc: usize,
    /// The first of its registers.
    base: usize,
    /// The first of its slots.
    slots: usize,
    /// The caller's register for the result.
    dst: usize,
}

/// A thread of control: everything to suspend and resume it.
#[derive(Default)]
struct Task {
    frames: Vec<Frame>,
    regs: Vec<Val>,
    slots: Vec<Region>,
    steps: u64,
}

impl<'m> Interp<'m> {
    /// An interpreter in a [`TestEnv`].
    ///
    /// # Errors
    /// A map's definition that the kernel refuses, or variables beyond the memory limit.
    pub fn new(module: &'m Module, options: Options) -> Result<Self, InterpError> {
        Interp::with_env(module, options, Box::new(TestEnv::default()))
    }

    /// An interpreter in surroundings of one's own.
    ///
    /// # Errors
    /// As [`Interp::new`].
    pub fn with_env(module: &'m Module, options: Options, env: Box<dyn Env>) -> Result<Self, InterpError> {
        let (maps, numbers) = make_maps(module, options.cpus)?;
        let direct = numbers.iter().map(|&n| {
            let id = maps.get(usize::from(n)).and_then(|map| map.direct_value().ok());
            id.map(|id| id.index())
        });
        let direct = direct.collect();
        let mut memory = Memory::new(maps, options.memory);
        let globals =
            make_globals(module, &mut memory).map_err(|fault| InterpError::Memory(fault.message))?;
        let packet = memory.place(RegionKind::Packet, 0, true);
        let packet = packet.map_err(|fault| InterpError::Memory(fault.message))?;
        let chans = &module.decls.chans;
        let channels = (0..chans.num_ids()).map(|i| {
            let decl = chans.get(larrow_ir::ChanId::new(i));
            let elem = decl.map_or(elem_of(module, larrow_ir::Type::UNIT), |decl| elem_of(module, decl.ty));
            Channel::new(elem, decl.map_or(0, |decl| decl.cap))
        });
        Ok(Interp {
            module,
            options,
            env,
            memory,
            channels: channels.collect(),
            packet,
            intrinsics: vec![None; module.decls.intrinsics.num_ids()],
            key: Vec::new(),
            value: Vec::new(),
            outcomes: vec![[0; 4]; module.decls.sites.len()],
            places: Places { globals, maps: numbers, direct },
            codes: vec![None; module.funcs.num_ids()],
        })
    }

    /// Says how a declared intrinsic is evaluated.
    ///
    /// # Errors
    /// The module declares none of this name.
    pub fn register_intrinsic(&mut self, name: &str, eval: IntrinsicFn) -> Result<(), InterpError> {
        match self.module.decls.intrinsics.id(name) {
            Some(id) => {
                self.intrinsics[id.index()] = Some(Rc::new(eval));
                Ok(())
            }
            None => Err(InterpError::NoIntrinsic(name.to_string())),
        }
    }

    // ---- runs ------------------------------------------------------------------------------------------------

    /// Runs a function by name.
    ///
    /// # Errors
    /// A located error of the program, or a limit.
    pub fn run(&mut self, name: &str, args: &[Val]) -> Result<RunResult, Trap> {
        match self.module.funcs.id(name) {
            Some(id) => self.run_func(id, args),
            None => Err(Trap {
                kind: TrapKind::Malformed,
                func: FuncId::new(0),
                func_name: name.into(),
                value: None,
                pos: Pos::None,
                message: "there is no function of this name".to_string(),
            }),
        }
    }

    /// Runs a function.
    ///
    /// # Errors
    /// As [`Interp::run`].
    pub fn run_func(&mut self, func: FuncId, args: &[Val]) -> Result<RunResult, Trap> {
        let mut task = Task::default();
        let started = self.start(&mut task, func, args);
        let done = started.and_then(|()| self.drive(&mut task));
        for region in task.slots.drain(..) {
            self.memory.release(region);
        }
        self.memory.maps.quiesce();
        done.map(|outcome| RunResult { outcome, steps: task.steps })
    }

    fn start(&mut self, task: &mut Task, func: FuncId, args: &[Val]) -> Result<(), Trap> {
        let code = self.code(func);
        let fits = code.params.len() == args.len() && code.params.iter().zip(args).all(|(p, &a)| p.admits(a));
        let entered = if fits {
            self.enter(task, code.clone(), 0)
        } else {
            fault(
                TrapKind::Malformed,
                format!(
                    "is run with {} arguments that do not fit its {} parameters",
                    args.len(),
                    code.params.len()
                ),
            )
        };
        match entered {
            Ok(base) => {
                for (&param, &arg) in self.param_registers(&code).iter().zip(args) {
                    task.regs[base + param as usize] = arg;
                }
                Ok(())
            }
            Err(error) => Err(self.trap(&code, None, *error)),
        }
    }

    /// Parameters take the first registers.
    fn param_registers(&self, code: &Code) -> Vec<u32> {
        (0..code.params.len() as u32).collect()
    }

    /// The compact form of a function.
    fn code(&mut self, func: FuncId) -> Rc<Code> {
        let (module, places) = (self.module, &self.places);
        self.codes[func.index()].get_or_insert_with(|| Rc::new(compile(module, places, func))).clone()
    }

    /// Opens a call: registers and slots. Returns its first register.
    fn enter(&mut self, task: &mut Task, code: Rc<Code>, dst: usize) -> Fallible<usize> {
        if task.frames.len() >= self.options.depth {
            return fault(TrapKind::CallDepth, format!("more than {} calls are open", self.options.depth));
        }
        let base = task.frames.last().map_or(0, |f| f.base + f.code.registers as usize);
        task.regs.resize(base + code.registers as usize, Val::Unit);
        let slots = task.slots.len();
        for slot in &code.slots {
            task.slots.push(self.memory.place(RegionKind::Stack, slot.0, false)?);
        }
        task.frames.push(Frame { code, pc: 0, base, slots, dst });
        Ok(base)
    }

    /// Runs a task until it ends.
    fn drive(&mut self, task: &mut Task) -> Result<Outcome, Trap> {
        loop {
            let frame = task.frames.last().expect("a task that runs has a frame");
            let (code, base, slots) = (frame.code.clone(), frame.base, frame.slots);
            let mut cursor = Cursor { pc: frame.pc, steps: task.steps, until: self.options.steps };
            let regs = &mut task.regs[base..];
            let stopped = self.run_frame(&code, regs, &task.slots[slots..], &mut cursor);
            task.steps = cursor.steps;
            if let Some(frame) = task.frames.last_mut() {
                frame.pc = cursor.pc;
            }
            let at = cursor.pc.saturating_sub(1);
            let next = stopped.and_then(|stop| self.follow(task, &code, stop, at));
            match next {
                Ok(None) => {}
                Ok(Some(outcome)) => return Ok(outcome),
                Err(error) => return Err(self.trap(&code, Some(at), *error)),
            }
        }
    }

    /// Does what a frame stopped for; an outcome if that ends the run.
    fn follow(&mut self, task: &mut Task, code: &Code, stop: Stop, at: usize) -> Fallible<Option<Outcome>> {
        let base = task.frames.last().map_or(0, |f| f.base);
        match stop {
            Stop::Call { callee, first, count, dst } => {
                let target = self.code(callee);
                if target.params.len() != count as usize {
                    let (want, name) = (target.params.len(), &target.name);
                    return fault(
                        TrapKind::Malformed,
                        format!("@{name} takes {want} arguments, not {count}"),
                    );
                }
                let callee_base = self.enter(task, target, base + dst as usize)?;
                let args = &code.args[first as usize..(first + count) as usize];
                for (i, &arg) in args.iter().enumerate() {
                    task.regs[callee_base + i] = task.regs[base + arg as usize];
                }
                Ok(None)
            }
            Stop::Return { first, count } => Ok(self.leave(task, base + first as usize, count as usize)),
            Stop::Panic(text) => {
                self.count_rest(task, code, at);
                Ok(Some(Outcome::Panicked { text, func: code.func, pos: code.origins[at].1 }))
            }
            Stop::Abort => {
                self.count_rest(task, code, at);
                Ok(Some(Outcome::Aborted { func: code.func, pos: code.origins[at].1 }))
            }
            Stop::Fuel => fault(
                TrapKind::StepLimit,
                format!("the program ran {} instructions, which is the limit", self.options.steps),
            ),
        }
    }

    /// Closes a call. Its slots dangle; its results go to the caller, or end the run.
    fn leave(&mut self, task: &mut Task, first: usize, count: usize) -> Option<Outcome> {
        let frame = task.frames.pop()?;
        for region in task.slots.drain(frame.slots..) {
            self.memory.release(region);
        }
        if task.frames.is_empty() {
            return Some(Outcome::Returned(task.regs[first..first + count].iter().copied().collect()));
        }
        task.regs.copy_within(first..first + count, frame.dst);
        None
    }

    /// Counts the outcome of a runtime call that ended the run: the counting stands behind it in its block.
    fn count_rest(&mut self, task: &Task, code: &Code, at: usize) {
        let call = code.insts[at];
        let Kind::CallRuntime(function) = call.kind else { return };
        if !function.has_status() {
            return;
        }
        let base = task.frames.last().map_or(0, |f| f.base);
        let register = call.dst + call.c;
        for inst in &code.insts[at + 1..] {
            match inst.kind {
                Kind::Outcome if inst.a == register => {
                    let word = task.regs[base + register as usize].bits() as u32;
                    self.count_outcome(inst.imm as usize, word);
                }
                kind if kind.ends_block() => return,
                _ => {}
            }
        }
    }

    /// Counts a status word at a site.
    pub(crate) fn count_outcome(&mut self, site: usize, word: u32) {
        let Some(decl) = self.module.decls.sites.get(SiteId::new(site)) else { return };
        let has = |bit: u32| word & bit != 0;
        let counter = match decl.kind {
            SiteKind::Recv if has(status::COMMUNICATED) => 0,
            SiteKind::Recv if has(status::SELECTED) => 1,
            SiteKind::Send if has(status::COMMUNICATED) => 0,
            SiteKind::Send if has(status::ABORT) => 1,
            SiteKind::Recv | SiteKind::Send if has(status::EXHAUSTED) => 3,
            SiteKind::Recv | SiteKind::Send => 2,
            SiteKind::Abort if has(status::ABORT) => 0,
            SiteKind::Abort => return,
        };
        self.outcomes[site][counter] += 1;
    }

    #[cold]
    fn trap(&self, code: &Code, at: Option<usize>, error: Fault) -> Trap {
        let (value, pos) = at.map_or((None, code.pos), |at| code.origins[at]);
        Trap {
            kind: error.kind,
            func: code.func,
            func_name: code.name.clone(),
            value,
            pos,
            message: error.message,
        }
    }
}
