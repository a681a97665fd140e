//! Instructions, op by op.

use larrow_ir::{Aux, Op, Type, Value};

use super::body::{Body, int_type};
use super::refuse;
use crate::ctx::FieldKind;
use crate::helpers::{self, Helper};
use crate::legalize;

/// Whose result is a truth value in memory: the byte that is loaded is 0 or 1.
const BOOL_BYTE: &str = ", !range !0, !noundef !1";

impl Body<'_> {
    /// Writes an instruction that is no phi.
    pub(super) fn inst(&mut self, v: Value) {
        let inst = self.func.inst(v);
        if self.module.decls.types.is_float(inst.ty) {
            return self.refuse(v, "a float has no place in BPF's registers");
        }
        match inst.op {
            // They stand where they are used.
            Op::Const | Op::Copy | Op::LocalAddr | Op::GlobalAddr | Op::FuncAddr => {}
            Op::Add => self.binary(v, "add"),
            Op::Sub => self.binary(v, "sub"),
            Op::Mul => self.binary(v, "mul"),
            Op::And => self.binary(v, "and"),
            Op::Or => self.binary(v, "or"),
            Op::Xor => self.binary(v, "xor"),
            Op::DivU => self.divide(v, "udiv", "/=", false),
            Op::ModU => self.divide(v, "urem", "%=", false),
            Op::Div => self.divide(v, "sdiv", "s/=", true),
            Op::Mod => self.divide(v, "srem", "s%=", true),
            Op::Lsh => self.shift(v, "shl"),
            Op::Rsh => self.shift(v, "ashr"),
            Op::RshU => self.shift(v, "lshr"),
            Op::Neg => self.unary(v, "sub", "0", true),
            Op::Com => self.unary(v, "xor", "-1", false),
            Op::Not => self.unary(v, "xor", "true", false),
            Op::Bswap => {
                let (ty, x) = (self.ty(inst.ty), self.typed(inst.args[0]));
                self.line(&format!("%{v} = call {ty} @llvm.bswap.{ty}({x})"));
            }
            Op::Eq => self.compare(v, "eq"),
            Op::Neq => self.compare(v, "ne"),
            Op::Less => self.compare(v, "slt"),
            Op::Leq => self.compare(v, "sle"),
            Op::LessU => self.compare(v, "ult"),
            Op::LeqU => self.compare(v, "ule"),
            Op::SignExt => self.convert(v, "sext"),
            Op::ZeroExt => self.convert(v, "zext"),
            Op::Trunc => self.convert(v, "trunc"),
            Op::CondSelect => {
                let [c, x, y] = [0, 1, 2].map(|i| self.typed(inst.args[i]));
                self.line(&format!("%{v} = select {c}, {x}, {y}"));
            }
            Op::PtrAdd => {
                let (ptr, by) = (self.operand(inst.args[0]), self.operand(inst.args[1]));
                self.line(&format!("%{v} = getelementptr i8, ptr {ptr}, i64 {by}"));
            }
            Op::Load => self.load(v, ""),
            Op::AtomicLoad => {
                self.load(v, "volatile ");
                self.barrier(v);
            }
            Op::Store => self.store(v),
            Op::MemCopy | Op::MemZero => self.memory(v),
            Op::AtomicAdd => self.modify(v, "add"),
            Op::AtomicAnd => self.modify(v, "and"),
            Op::AtomicOr => self.modify(v, "or"),
            Op::AtomicXor => self.modify(v, "xor"),
            Op::AtomicXchg | Op::AtomicStore => self.modify(v, "xchg"),
            Op::AtomicCas => self.compare_and_swap(v),
            Op::Sync => self.barrier(v),
            Op::Call => self.call(v),
            Op::CallHelper => self.call_helper(v),
            Op::CtxLoad => self.context_load(v),
            Op::MapLookup | Op::MapUpdate | Op::MapDelete | Op::MapPush | Op::MapPop | Op::MapPeek => {
                self.map_call(v);
            }
            Op::MapValue => {
                let Aux::MapOffset { map, offset } = inst.aux else { return };
                let name = self.names.map(map);
                self.line(&format!("%{v} = getelementptr i8, ptr @{name}, i64 {offset}"));
            }
            Op::Param
            | Op::Phi
            | Op::AddF
            | Op::SubF
            | Op::MulF
            | Op::DivF
            | Op::NegF
            | Op::EqF
            | Op::NeqF
            | Op::LessF
            | Op::LeqF
            | Op::IntToFloat
            | Op::UintToFloat
            | Op::FloatToInt
            | Op::FloatToUint
            | Op::FloatCast
            | Op::Extract
            | Op::Tuple
            | Op::Bounded
            | Op::New
            | Op::CallIndirect
            | Op::CallRuntime
            | Op::Intrinsic
            | Op::Status
            | Op::Outcome
            | Op::MakeChan
            | Op::ChanAddr
            | Op::ChanSend
            | Op::ChanRecv
            | Op::ChanClose
            | Op::ChanLen
            | Op::ChanCap
            | Op::Select
            | Op::Go => {
                let message = format!("`{}` has no like in LLVM IR for BPF", inst.op);
                self.refuse(v, &message);
            }
        }
    }

    fn refuse(&mut self, v: Value, why: &str) {
        self.errors.push(refuse(self.id, self.func, v, why));
    }

    fn width(&self, v: Value) -> u32 {
        self.module.decls.types.bits(self.func.ty(v)).unwrap_or(64)
    }

    // ---- arithmetic ------------------------------------------------------------------------------------------

    fn binary(&mut self, v: Value, name: &str) {
        let args = self.func.args(v);
        let (x, y) = (self.typed(args[0]), self.operand(args[1]));
        self.line(&format!("%{v} = {name} {x}, {y}"));
    }

    /// One operand and a constant, which may stand on the left.
    fn unary(&mut self, v: Value, name: &str, constant: &str, left: bool) {
        let (ty, x) = (self.ty(self.func.ty(v)), self.operand(self.func.args(v)[0]));
        let operands = if left { format!("{constant}, {x}") } else { format!("{x}, {constant}") };
        self.line(&format!("%{v} = {name} {ty} {operands}"));
    }

    fn compare(&mut self, v: Value, how: &str) {
        let args = self.func.args(v);
        let (x, y) = (self.typed(args[0]), self.operand(args[1]));
        self.line(&format!("%{v} = icmp {how} {x}, {y}"));
    }

    fn convert(&mut self, v: Value, name: &str) {
        let (x, ty) = (self.typed(self.func.args(v)[0]), self.ty(self.func.ty(v)));
        self.line(&format!("%{v} = {name} {x} to {ty}"));
    }

    fn shift(&mut self, v: Value, name: &str) {
        let args = self.func.args_of(v);
        let (x, ty, width) = (self.typed(args[0]), self.ty(self.func.ty(v)), self.width(v));
        let by = match self.func.inst(args[1]).int_const() {
            Some(c) => (c & u64::from(width - 1)).to_string(),
            None => {
                let count = self.resized(v, args[1], width);
                let masked = self.temp(v);
                self.line(&format!("{masked} = and {ty} {count}, {}", width - 1));
                masked
            }
        };
        self.line(&format!("%{v} = {name} {x}, {by}"));
    }

    /// An integer as one of another width, zero-extended or cut.
    fn resized(&mut self, v: Value, x: Value, width: u32) -> String {
        let from = self.width(x);
        if from == width {
            return self.operand(x);
        }
        let (text, to) = (self.typed(x), int_type(width as u8));
        let name = self.temp(v);
        let how = if from < width { "zext" } else { "trunc" };
        self.line(&format!("{name} = {how} {text} to {to}"));
        name
    }

    /// A constant divisor that traps nowhere is LLVM's business, any other the machine's: `w0 /= w1` is total.
    fn divide(&mut self, v: Value, name: &str, sign: &str, signed: bool) {
        let args = self.func.args_of(v);
        let (ty, width) = (self.ty(self.func.ty(v)), self.width(v));
        let all_ones = u64::MAX >> (64 - width);
        if self.func.inst(args[1]).int_const().is_some_and(|c| c != 0 && !(signed && c == all_ones)) {
            return self.binary(v, name);
        }
        let exec = if width <= 32 && self.isa.has_alu32() { 32 } else { 64 };
        let extend = if signed { "sext" } else { "zext" };
        let mut operands = Vec::new();
        for &arg in &args {
            let mut text = self.operand(arg);
            if width < exec {
                let wide = self.temp(v);
                self.line(&format!("{wide} = {extend} {ty} {text} to i{exec}"));
                text = wide;
            }
            operands.push(format!("i{exec} {text}"));
        }
        let (reg, operands) = (if exec == 32 { "w" } else { "r" }, operands.join(", "));
        let result = if width < exec { self.temp(v) } else { format!("%{v}") };
        self.line(&format!("{result} = call i{exec} asm \"$0 {sign} $2\", \"={reg},0,{reg}\"({operands})"));
        if width < exec {
            self.line(&format!("%{v} = trunc i{exec} {result} to {ty}"));
        }
    }

    // ---- memory ----------------------------------------------------------------------------------------------

    /// The alignment to claim for an access of so many bytes: its own, as our selection does, but for what lies
    /// askew on the stack.
    fn access_align(&self, ptr: Value, bytes: u64) -> u64 {
        legalize::misaligned(self.func, &self.module.decls, ptr, bytes).unwrap_or(bytes)
    }

    fn bytes(&self, v: Value) -> u64 {
        u64::from(self.width(v)).div_ceil(8)
    }

    fn load(&mut self, v: Value, volatile: &str) {
        let from = self.func.args(v)[0];
        let (ty, align, ptr) =
            (self.ty(self.func.ty(v)), self.access_align(from, self.bytes(v)), self.operand(from));
        if self.func.ty(v) == Type::BOOL {
            let byte = self.temp(v);
            self.line(&format!("{byte} = load {volatile}i8, ptr {ptr}, align 1{BOOL_BYTE}"));
            return self.line(&format!("%{v} = trunc i8 {byte} to i1"));
        }
        self.line(&format!("%{v} = load {volatile}{ty}, ptr {ptr}, align {align}"));
    }

    fn store(&mut self, v: Value) {
        let args = self.func.args_of(v);
        let (ptr, align) = (self.operand(args[0]), self.access_align(args[0], self.bytes(args[1])));
        let mut x = self.typed(args[1]);
        if self.func.ty(args[1]) == Type::BOOL {
            let byte = self.temp(v);
            self.line(&format!("{byte} = zext {x} to i8"));
            x = format!("i8 {byte}");
        }
        self.line(&format!("store {x}, ptr {ptr}, align {align}"));
    }

    fn memory(&mut self, v: Value) {
        let inst = self.func.inst(v);
        let Aux::Size(size) = inst.aux else { return };
        let place = |ptr| {
            let align = legalize::alignment(self.func, &self.module.decls, ptr);
            format!("ptr align {align} {}", self.operand(ptr))
        };
        let to = place(inst.args[0]);
        let text = match inst.args.get(1) {
            Some(&from) => format!("llvm.memcpy.inline.p0.p0.i64({to}, {}", place(from)),
            None => format!("llvm.memset.inline.p0.i64({to}, i8 0"),
        };
        self.line(&format!("call void @{text}, i64 {size}, i1 false)"));
    }

    /// `AtomicAdd` and its kin. One without a result is left without a use, and llc then orders nothing by it, as we.
    fn modify(&mut self, v: Value, name: &str) {
        let args = self.func.args(v);
        let (ptr, x, bytes) = (self.operand(args[0]), self.typed(args[1]), self.bytes(args[1]));
        let ty = self.ty(self.func.ty(args[1]));
        self.line(&format!("%{v} = atomicrmw {name} ptr {ptr}, {x} seq_cst, align {bytes}"));
        if self.func.ty(v) != Type::UNIT && self.uses[v] == 0 {
            self.keep(&format!("{ty} %{v}"));
        }
    }

    /// Uses a value without an instruction.
    fn keep(&mut self, x: &str) {
        let reg = if x.starts_with("i32") && self.isa.has_alu32() { "w" } else { "r" };
        self.line(&format!("call void asm sideeffect \"\", \"{reg}\"({x})"));
    }

    fn compare_and_swap(&mut self, v: Value) {
        let args = self.func.args(v);
        let (ptr, bytes) = (self.operand(args[0]), self.bytes(args[1]));
        let (expected, new, ty) = (self.typed(args[1]), self.typed(args[2]), self.ty(self.func.ty(args[1])));
        let pair = self.temp(v);
        self.line(&format!("{pair} = cmpxchg ptr {ptr}, {expected}, {new} seq_cst seq_cst, align {bytes}"));
        self.line(&format!("%{v} = extractvalue {{ {ty}, i1 }} {pair}, 0"));
    }

    fn barrier(&mut self, v: Value) {
        let old = self.temp(v);
        self.line("store i64 0, ptr %sync, align 8");
        self.line(&format!("{old} = atomicrmw add ptr %sync, i64 0 seq_cst, align 8"));
        self.keep(&format!("i64 {old}"));
    }

    // ---- calls -----------------------------------------------------------------------------------------------

    fn call(&mut self, v: Value) {
        let inst = self.func.inst(v);
        let Aux::Func(callee) = inst.aux else { return };
        let args: Vec<String> = inst.args.iter().map(|&a| self.typed(a)).collect();
        let target = format!("@{}", self.names.func(callee));
        self.assign(v, &format!("{} {target}({})", self.ty(inst.ty), args.join(", ")));
    }

    /// A call whose result has a name unless there is none.
    fn assign(&mut self, v: Value, call: &str) {
        if self.func.ty(v) == Type::UNIT {
            self.line(&format!("call {call}"));
        } else {
            self.line(&format!("%{v} = call {call}"));
        }
    }

    /// Integers go to helpers in all 64 bits.
    fn helper_arguments(&mut self, v: Value) -> Vec<String> {
        let args = self.func.args_of(v);
        args.iter()
            .map(|&a| match self.module.decls.types.is_ptr(self.func.ty(a)) {
                true => self.typed(a),
                false => format!("i64 {}", self.resized(v, a, 64)),
            })
            .collect()
    }

    fn call_helper(&mut self, v: Value) {
        let Aux::Name(ref name) = self.func.inst(v).aux else { return };
        let Some(helper) = helpers::helper(name) else {
            return self.refuse(v, &format!("no helper is called `{name}`"));
        };
        let args = self.helper_arguments(v);
        self.call_number(v, helper, &args);
    }

    fn call_number(&mut self, v: Value, helper: &Helper, args: &[String]) {
        let (ty, args) = (self.func.ty(v), args.join(", "));
        let target = format!("inttoptr (i64 {} to ptr)({args})", helper.id);
        let width = self.width(v);
        if ty == Type::UNIT || width >= 32 {
            return self.assign(v, &format!("{} {target}", self.ty(ty)));
        }
        let wide = self.temp(v);
        self.line(&format!("{wide} = call i64 {target}"));
        self.line(&format!("%{v} = trunc i64 {wide} to {}", self.ty(ty)));
    }

    fn map_call(&mut self, v: Value) {
        let inst = self.func.inst(v);
        let (map, flags) = match inst.aux {
            Aux::Lookup { map, .. } => (map, 0),
            Aux::MapFlags { map, flags } => (map, flags),
            _ => return,
        };
        let Some((helper, takes_flags)) = helpers::of_map_op(inst.op) else { return };
        let mut args = vec![format!("ptr @{}", self.names.map(map))];
        args.extend(self.helper_arguments(v));
        if takes_flags {
            args.push(format!("i64 {flags}"));
        }
        self.call_number(v, helper, &args);
    }

    /// `CtxLoad`: a load of the field's exact size; the packet's ends are pointers of 32 bits there.
    fn context_load(&mut self, v: Value) {
        let Aux::Name(ref name) = self.func.inst(v).aux else { return };
        let Some(field) = legalize::context_field(&self.module.decls, self.func, self.section, v) else {
            return self.refuse(v, &format!("the context has no field `{name}`"));
        };
        let (ctx, at, raw) = (self.operand(self.func.args(v)[0]), self.temp(v), self.temp(v));
        self.line(&format!("{at} = getelementptr i8, ptr {ctx}, i64 {}", field.offset));
        let load = format!("load i{}, ptr {at}, align {}", field.size * 8, field.size);
        match field.kind {
            FieldKind::Scalar => self.line(&format!("%{v} = {load}")),
            FieldKind::Packet | FieldKind::PacketEnd => {
                let wide = self.temp(v);
                self.line(&format!("{raw} = {load}"));
                self.line(&format!("{wide} = zext i{} {raw} to i64", field.size * 8));
                self.line(&format!("%{v} = inttoptr i64 {wide} to ptr"));
            }
        }
    }
}
