//! Generating one function: its frame, its stock of values, its statements.

use cranelift_entity::EntityRef;

use crate::builder::FuncBuilder;
use crate::entity::{FuncId, Slot, Type, Value};
use crate::function::Function;
use crate::inst::Pos;
use crate::module::Decls;
use crate::op::Op;
use crate::types::Space;

use super::random::Random;
use super::world::{Callee, INTS, Param, World};

/// What a function is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Role {
    /// The program.
    Entry,
    /// Called by the program and by later helpers.
    Helper,
    /// Run as a goroutine: returns.
    Idle,
}

/// A function in the making.
pub(super) struct FuncGen<'a> {
    pub(super) b: FuncBuilder<'a>,
    pub(super) random: &'a mut Random,
    pub(super) world: &'a World,
    /// Scalars that dominate the current place: integers, bools, floats.
    pub(super) pool: Vec<Value>,
    /// A `u64` that depends on all that was computed.
    pub(super) acc: Value,
    /// Zeroed slots.
    pub(super) cells: Vec<(Slot, Type)>,
    /// Channels that came as parameters, by class.
    pub(super) chans: Vec<(usize, Value)>,
    /// Pointers that came as parameters, by pointee.
    pub(super) pointers: Vec<(Value, Type)>,
    /// The packet's start and how many bytes are known to be there.
    pub(super) packet: Option<(Value, u64)>,
    pub(super) result: Type,
    /// How deep the current place is nested, and in how many loops.
    pub(super) depth: u32,
    pub(super) loops: u32,
    line: u32,
}

/// Makes a function and says how it is called; the caller knows its id.
pub(super) fn function(
    decls: &mut Decls,
    world: &World,
    random: &mut Random,
    role: Role,
    name: &str,
) -> (Function, Callee) {
    let (params, result) = signature(world, random, role);
    let mut func = Function::new(name, result);
    func.pos = Pos::At { line: 3, col: 1 };
    if role == Role::Entry && world.profile.has_packet() {
        func.section = Some("xdp".into());
    }
    func.noinline = role == Role::Helper && random.one_in(4);
    let values: Vec<Value> = params
        .iter()
        .map(|param| {
            let ty = match *param {
                Param::Int(ty) => ty,
                Param::Pointer(to) => decls.types.ptr(Space::Stack, to),
                Param::Chan(class) => world.classes[class].ty,
                Param::Context => {
                    let xdp = decls.types.opaque("xdp");
                    decls.types.ptr(Space::Ctx, xdp)
                }
            };
            func.add_param(ty)
        })
        .collect();
    let mut b = FuncBuilder::new(&mut func, decls);
    let entry = b.block();
    b.switch_to(entry);
    let acc = b.int(Type::U64, 0);
    let mut g = FuncGen {
        b,
        random,
        world,
        pool: Vec::new(),
        acc,
        cells: Vec::new(),
        chans: Vec::new(),
        pointers: Vec::new(),
        packet: None,
        result,
        depth: 0,
        loops: 0,
        line: 4,
    };
    g.take_params(&params, &values);
    if role != Role::Idle {
        g.frame();
        g.statements_of(world.profile.size);
    }
    g.finish(role);
    leave_holes(&mut func, random);
    (func, Callee { id: FuncId::new(0), params, result })
}

fn signature(world: &World, random: &mut Random, role: Role) -> (Vec<Param>, Type) {
    match role {
        Role::Entry if world.profile.has_packet() => (vec![Param::Context], Type::U32),
        Role::Entry => (vec![Param::Int(Type::U64), Param::Int(Type::U32)], Type::U64),
        Role::Idle => (vec![Param::Int(Type::U64)], Type::UNIT),
        Role::Helper => {
            let mut params: Vec<Param> =
                (0..random.below(4)).map(|_| Param::Int(random.pick(&INTS))).collect();
            if world.profile.memory && random.one_in(3) {
                params.push(Param::Pointer(random.pick(&[Type::U64, world.array])));
            }
            if world.profile.channels && random.one_in(2) {
                params.insert(0, Param::Chan(random.below(world.classes.len())));
            }
            let result = if random.one_in(6) { Type::UNIT } else { random.pick(&INTS) };
            (params, result)
        }
    }
}

/// Ids are not dense after a pass; neither are these, sometimes.
fn leave_holes(func: &mut Function, random: &mut Random) {
    if random.one_in(4) {
        func.reserve_values(func.num_values() + random.range(1, 9));
        func.reserve_blocks(func.num_blocks() + random.below(3));
        func.reserve_slots(func.num_slots() + random.below(3));
    }
}

/// A kind of statement.
type Statement<'a> = fn(&mut FuncGen<'a>);

impl<'a> FuncGen<'a> {
    // ---- values ----------------------------------------------------------------------------------------------

    /// The width of an integer, a bool or a float.
    pub(super) fn bits(&self, ty: Type) -> u32 {
        self.b.decls.types.bits(ty).unwrap_or(64)
    }

    /// Lets a value be used by what follows, and by the result.
    pub(super) fn offer(&mut self, v: Value) {
        self.pool.push(v);
        if !self.random.one_in(4) {
            self.fold(v);
        }
    }

    /// Makes the result depend on a value: an integer, a bool or a float.
    pub(super) fn fold(&mut self, v: Value) {
        let wide = self.widen(v);
        let acc = self.acc;
        self.acc = match self.random.below(4) {
            0 => self.b.add(acc, wide),
            1 => self.b.xor(acc, wide),
            2 => self.b.sub(acc, wide),
            _ => {
                let factor = self.b.int(Type::U64, 31);
                let scaled = self.b.mul(acc, factor);
                self.b.add(scaled, wide)
            }
        };
    }

    /// A value as a `u64`.
    fn widen(&mut self, v: Value) -> Value {
        let ty = self.b.func.ty(v);
        if self.b.decls.types.is_float(ty) {
            return self.b.float_to_int(Type::U64, v);
        }
        match self.bits(ty) {
            64 => v,
            1 => self.b.zero_ext(Type::U64, v),
            _ if self.random.one_in(2) => self.b.sign_ext(Type::U64, v),
            _ => self.b.zero_ext(Type::U64, v),
        }
    }

    /// An integer, a bool or a float of a type: used before, constant, or drawn from the accumulator.
    pub(super) fn value(&mut self, ty: Type) -> Value {
        if self.random.below(10) < 6 {
            let start = self.random.below(self.pool.len().max(1));
            let found = self.pool.iter().cycle().skip(start).take(self.pool.len()).copied();
            let types = &self.b.decls.types;
            if let Some(v) = { found }.find(|&v| types.same_width(self.b.func.ty(v), ty)) {
                return v;
            }
        }
        if self.b.decls.types.is_float(ty) {
            let whole = self.random.interesting();
            let bits = match self.bits(ty) {
                32 => u64::from(((whole as i64) as f32 / 8.0).to_bits()),
                _ => ((whole as i64) as f64 / 8.0).to_bits(),
            };
            return self.b.float_bits(ty, bits);
        }
        if self.random.one_in(2) {
            let bits = self.random.interesting();
            return self.b.int(ty, bits);
        }
        self.of_acc(ty)
    }

    /// The accumulator's low bits.
    pub(super) fn of_acc(&mut self, ty: Type) -> Value {
        let acc = self.acc;
        match self.bits(ty) {
            64 => acc,
            1 => {
                let one = self.b.int(Type::U64, 1);
                let bit = self.b.and(acc, one);
                self.b.eq(bit, one)
            }
            _ => self.b.trunc(ty, acc),
        }
    }

    /// An integer type.
    pub(super) fn int_type(&mut self) -> Type {
        self.random.pick(&INTS)
    }

    /// A `u64` from 0 to `last`, one less than a power of two, proved.
    pub(super) fn index(&mut self, last: u64) -> Value {
        let x = self.value(Type::U64);
        let mask = self.b.int(Type::U64, last);
        let masked = self.b.and(x, mask);
        self.b.bounded(masked, 0, last)
    }

    // ---- the frame -------------------------------------------------------------------------------------------

    fn take_params(&mut self, params: &[Param], values: &[Value]) {
        for (param, &v) in params.iter().zip(values) {
            match *param {
                Param::Int(_) => self.offer(v),
                Param::Pointer(to) => self.pointers.push((v, to)),
                Param::Chan(class) => self.chans.push((class, v)),
                Param::Context => self.open_packet(v),
            }
        }
    }

    /// Makes the slots that the function needs, zeroed.
    fn frame(&mut self) {
        let world = self.world;
        let mut types = Vec::new();
        if world.profile.memory || world.profile.maps {
            types.extend([Type::U32, Type::U64]);
        }
        if world.profile.memory {
            types.extend([world.array, world.pair]);
            if !world.profile.bpf {
                types.push(Type::U8);
            }
        }
        types.extend(
            world
                .classes
                .iter()
                .map(|class| class.elem)
                .filter(|&elem| world.profile.has_runtime_calls() || elem == world.pair),
        );
        let pairs = world.keyed.iter().any(|&map| self.b.decls.maps[map].value == world.pair);
        types.extend(pairs.then_some(world.pair));
        types.sort_unstable();
        types.dedup();
        if world.profile.memory && !world.profile.bpf {
            // A second one, to copy between them.
            types.push(world.array);
        }
        for ty in types {
            let slot = self.b.slot(ty);
            self.cells.push((slot, ty));
            let (at, size) = (self.b.local_addr(slot), self.b.decls.types.size(ty));
            self.b.mem_zero(at, size);
        }
    }

    /// The address of a zeroed slot of a type, if the function has one.
    pub(super) fn cell(&mut self, ty: Type) -> Option<Value> {
        let slots: Vec<Slot> =
            self.cells.iter().filter(|(_, have)| *have == ty).map(|(slot, _)| *slot).collect();
        if slots.is_empty() {
            return None;
        }
        let slot = self.random.pick(&slots);
        Some(self.b.local_addr(slot))
    }

    /// The address of scalar memory in the frame or behind a parameter.
    pub(super) fn cell_or_param(&mut self, ty: Type) -> Option<Value> {
        let params: Vec<Value> = self.pointers.iter().filter(|(_, to)| *to == ty).map(|(v, _)| *v).collect();
        if !params.is_empty() && self.random.one_in(2) {
            return Some(self.random.pick(&params));
        }
        self.cell(ty)
    }

    /// Ends the current block in a return of the accumulator.
    pub(super) fn ret(&mut self) {
        let value = if self.result == Type::UNIT { None } else { Some(self.of_acc(self.result)) };
        self.b.ret(value);
    }

    fn finish(&mut self, role: Role) {
        if role == Role::Entry {
            self.publish();
        }
        self.ret();
    }

    /// Writes the accumulator where others see it.
    fn publish(&mut self) {
        let acc = self.acc;
        if let Some((data, _)) = self.packet {
            let at = self.b.ptr_offset(Type::U64, data, 0);
            self.b.store(at, acc);
        }
        if let Some(single) = self.world.single {
            let at = self.b.map_value(Type::U64, single, 0);
            self.b.store(at, acc);
        }
        let hits = self.b.decls.globals.id("hits");
        if let Some(hits) = hits.filter(|hits| self.world.globals.contains(hits)) {
            let at = self.b.global_addr(hits);
            self.b.store(at, acc);
        }
    }

    // ---- statements ------------------------------------------------------------------------------------------

    /// About `n` statements.
    pub(super) fn statements_of(&mut self, n: usize) {
        let n = self.random.range(n / 2 + 1, n + 1);
        for _ in 0..n {
            self.statement();
        }
    }

    /// What may be said, and how often.
    fn vocabulary(&self) -> Vec<(u32, Statement<'a>)> {
        let p = &self.world.profile;
        let when = |on: bool, weight: u32| if on { weight } else { 0 };
        let nested = when(self.depth < 3, 1);
        // What costs much stays out of loops: engines walk through all of it again and again.
        let calm = when(self.loops == 0, 1);
        let chans = when(p.channels && self.loops < 2, 1);
        let host = when(!p.bpf, 1);
        let runtime = when(p.has_runtime_calls() && self.loops == 0, 1);
        vec![
            (10, Self::binary),
            (4, Self::shift),
            (4, Self::unary),
            (5, Self::compare),
            (5, Self::convert),
            (2, Self::cond_select),
            (2, Self::bounded),
            (1, Self::copy),
            (1, Self::tuple),
            (5 * nested, Self::branch),
            (2 * nested, Self::one_armed),
            (2 * nested, Self::switch),
            (3 * nested * when(self.loops < 2, 1), Self::count_up),
            (2 * nested * when(self.loops < 2, 1), Self::count_down),
            (nested, Self::guard),
            (when(self.depth > 0 && self.depth < 3, 1), Self::panic),
            (4 * calm * when(!self.world.callees.is_empty(), 1), Self::call),
            (1, Self::helper),
            (when(p.memory, 4), Self::slot_scalar),
            (when(p.memory, 3), Self::slot_array),
            (when(p.memory, 3), Self::slot_struct),
            (when(p.memory, 2), Self::block_memory),
            (when(!self.world.globals.is_empty(), 4), Self::variable),
            (when(p.memory, 4), Self::atomic),
            (when(self.packet.is_some(), 4), Self::packet_read),
            (when(self.packet.is_some(), 2), Self::packet_write),
            (5 * chans, Self::send),
            (6 * chans, Self::receive),
            (2 * chans, Self::chan_sizes),
            (3 * chans * calm, Self::select),
            (chans * calm * nested, Self::block_forever),
            (when(p.channels && self.depth > 0 && self.loops == 0, 1), Self::close),
            (when(!self.world.keyed.is_empty() && self.loops < 2, 4) * nested, Self::look_up),
            (when(!self.world.keyed.is_empty(), 3), Self::update),
            (when(!self.world.keyed.is_empty(), 1), Self::delete),
            (when(!self.world.queues.is_empty(), 4), Self::queue),
            (when(self.world.single.is_some(), 3), Self::map_value),
            (8 * host, Self::float),
            (2 * host, Self::float_convert),
            (2 * host * when(p.memory, 1), Self::heap),
            (2 * host * calm * when(!self.world.callees.is_empty(), 1), Self::call_indirect),
            (2 * host * chans * calm, Self::make_chan),
            (2 * host, Self::intrinsic),
            (2 * host * when(p.memory, 1), Self::atomic_access),
            (host * when(p.memory, 1), Self::pointer_order),
            (host, Self::sync),
            (when(p.has_goroutines() && self.loops == 0, 1), Self::goroutine),
            (16 * runtime, Self::runtime_call),
            (2 * runtime * nested, Self::site_record),
        ]
    }

    fn statement(&mut self) {
        self.line += 1;
        let col = self.random.range(2, 30) as u32;
        let pos = match self.world.loc {
            Some(loc) if self.random.one_in(4) => Pos::Loc(loc),
            _ => Pos::At { line: self.line, col },
        };
        self.b.at(pos);
        let vocabulary = self.vocabulary();
        let weights: Vec<u32> = vocabulary.iter().map(|(weight, _)| *weight).collect();
        let (_, say) = vocabulary[self.random.weighted(&weights)];
        say(self);
    }

    /// Some statements in a nested place; values made there end with it.
    pub(super) fn nested(&mut self) {
        self.depth += 1;
        let mark = self.pool.len();
        for _ in 0..self.random.range(1, 3) {
            self.statement();
        }
        self.pool.truncate(mark);
        self.depth -= 1;
    }

    /// Appends an op without a payload.
    pub(super) fn op(&mut self, op: Op, ty: Type, args: &[Value]) -> Value {
        self.b.op(op, ty, args)
    }
}
