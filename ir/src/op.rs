//! The op table: one row per op. The enum, the spelling, the arity, the typing rule, the payload, the effects
//! and the documentation all come from it.
//!
//! **Invariant:** nobody matches on [`Op`] with a catch-all arm. Whoever adds a row is led by the compiler to
//! every place that must learn about it: the interpreter, the verifier's [`Rule`], the lowering, the target.
//!
//! The channel family is high-level and is eliminated by the `lower-*` passes; `check-lowered` proves that none
//! is left. The core family never learns about channels.

use std::fmt;
use std::ops::BitOr;

/// What an op may do besides yielding its value. A set.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Effects(u8);

impl Effects {
    /// Depends on its operands only: may float, be merged, be dropped.
    pub const PURE: Effects = Effects(0);
    /// Reads memory.
    pub const READS: Effects = Effects(1);
    /// Writes memory, or anything else that outlives the op.
    pub const WRITES: Effects = Effects(2);
    /// Later reads do not move before it.
    pub const ACQUIRES: Effects = Effects(4);
    /// Touches a channel.
    pub const CHANNEL: Effects = Effects(8);
    /// Calls code.
    pub const CALLS: Effects = Effects(16);
    /// May end the program with a panic.
    pub const TRAPS: Effects = Effects(32);
    /// May park the goroutine.
    pub const BLOCKS: Effects = Effects(64);

    /// Whether every effect of `other` is in this set.
    pub fn has(self, other: Effects) -> bool {
        self.0 & other.0 == other.0
    }
    /// Whether any effect of `other` is in this set.
    pub fn any(self, other: Effects) -> bool {
        self.0 & other.0 != 0
    }
    /// No effect at all.
    pub fn is_pure(self) -> bool {
        self.0 == 0
    }
    /// Whether an unused op of these effects may be dropped: it changes nothing that others see.
    pub fn droppable(self) -> bool {
        !self.any(
            Effects::WRITES
                | Effects::ACQUIRES
                | Effects::CHANNEL
                | Effects::CALLS
                | Effects::TRAPS
                | Effects::BLOCKS,
        )
    }
    /// Whether the op keeps its place among the other ordered ops of its block.
    pub fn ordered(self) -> bool {
        !self.is_pure()
    }

    /// Every effect with its name, in the order that [`fmt::Display`] lists them.
    pub const NAMED: [(Effects, &'static str); 7] = [
        (Effects::READS, "reads"),
        (Effects::WRITES, "writes"),
        (Effects::ACQUIRES, "acquires"),
        (Effects::CHANNEL, "channel"),
        (Effects::CALLS, "calls"),
        (Effects::TRAPS, "traps"),
        (Effects::BLOCKS, "blocks"),
    ];
}

impl BitOr for Effects {
    type Output = Effects;
    fn bitor(self, other: Effects) -> Effects {
        Effects(self.0 | other.0)
    }
}

/// `pure`, or the effects' names with a space between.
impl fmt::Display for Effects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_pure() {
            return f.write_str("pure");
        }
        let names: Vec<_> = Self::NAMED.iter().filter(|(e, _)| self.has(*e)).map(|(_, n)| *n).collect();
        f.write_str(&names.join(" "))
    }
}

impl fmt::Debug for Effects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Which family an op belongs to; see the module's text.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Family {
    /// Gone after the channel lowerings.
    Channel,
    /// Every target understands it.
    Core,
    /// Contributed for targets with helpers, contexts and maps.
    Target,
}

/// The typing rule of an op: what the verifier checks. The comments give operands `→` result; `T` is one type
/// up to [`crate::TypeTable::same_width`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Rule {
    /// `→ any scalar`; listed in the function's header only.
    Param,
    /// `→ scalar`, with a payload that fits: number, truth value or nil.
    Const,
    /// `int T, int T → T`
    IntBinary,
    /// `int or bool T, T → T`
    BitBinary,
    /// `int T, any int → T`
    Shift,
    /// `int T → T`
    IntUnary,
    /// `int T of 16 bits or more → T`
    ByteSwap,
    /// `bool → bool`
    BoolUnary,
    /// `float T, T → T`
    FloatBinary,
    /// `float T → T`
    FloatUnary,
    /// `int, bool, pointer, channel or function T, T → bool`
    Equality,
    /// `int T, T → bool`
    IntOrder,
    /// `int or pointer T, T → bool`
    UnsignedOrder,
    /// `float T, T → bool`
    FloatOrder,
    /// `int → wider int`
    SignExtend,
    /// `int or bool → wider int`
    ZeroExtend,
    /// `int → narrower int`
    Truncate,
    /// `int → float`
    IntToFloat,
    /// `float → int`
    FloatToInt,
    /// `float → float of the other width`
    FloatToFloat,
    /// `one T per predecessor → T`, first in its block
    Phi,
    /// `T → T`
    Copy,
    /// `tuple → its member [i]`
    Extract,
    /// `scalars or unit → their tuple`
    Tuple,
    /// `bool, T, T → T`
    CondSelect,
    /// `int T → T`, with `lo <= hi` that fit T
    Bounded,
    /// `→ pointer to the slot's type`
    LocalAddr,
    /// `→ pointer to the variable's type`
    GlobalAddr,
    /// `→ the function's type`
    FuncAddr,
    /// `pointer, 64-bit int → pointer`
    PtrAdd,
    /// `pointer → scalar`; a scalar pointee has the result's width, an aggregate is large enough
    Load,
    /// `pointer, scalar →`; as for a load
    Store,
    /// `pointer to, pointer from →`, with a size
    MemCopy,
    /// `pointer →`, with a size
    MemZero,
    /// `→ heap pointer to a type with a layout`
    New,
    /// `pointer → int`
    AtomicLoad,
    /// `pointer, int →`
    AtomicStore,
    /// `pointer, int T of 32 or 64 bits → T`, or `→ unit` when the old value is not wanted
    AtomicRmw,
    /// `pointer, expected T, new T → old T`, 32 or 64 bits
    AtomicCas,
    /// `→`
    Sync,
    /// `the callee's parameters → its result`
    Call,
    /// `function pointer, its parameters → its result`
    CallIndirect,
    /// as the runtime function's signature says ([`crate::RuntimeFn`])
    CallRuntime,
    /// as the intrinsic's declaration says
    Intrinsic,
    /// `int capacity → channel`
    MakeChan,
    /// `→ the channel's type`
    ChanAddr,
    /// `channel that can send, T →`; T scalar, or a pointer to an aggregate element
    ChanSend,
    /// `channel that can receive → (T, bool)` for a scalar element;
    /// `channel, pointer to T → (unit, bool)` for an aggregate one
    ChanRecv,
    /// `channel that can send →`
    ChanClose,
    /// `channel → i64`
    ChanLength,
    /// the operands of each case in order `→ (i64 index, bool ok, one per receive case)`
    Select,
    /// `the callee's parameters →`
    Go,
    /// `a channel runtime call → u32`
    Status,
    /// `a channel runtime call →`
    Outcome,
    /// `scalars → scalar or unit`; the target knows the helper
    CallHelper,
    /// `context pointer → scalar`; the target knows the field
    CtxLoad,
    /// `pointer to a key → pointer to the map's value, or nil`
    MapLookup,
    /// `pointer to a key, pointer to a value → i64` (0, or minus an error number)
    MapUpdate,
    /// `pointer to a key → i64`
    MapDelete,
    /// `pointer to a value → i64`
    MapValueIo,
    /// `→ pointer into a one-element array's value`
    MapValue,
}

/// Which payload an op carries (the variants of [`crate::Aux`]).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum AuxKind {
    /// None.
    None,
    /// A constant: [`crate::Aux::Int`], [`crate::Aux::Float`] or [`crate::Aux::Nil`].
    Const,
    /// [`crate::Aux::Index`]
    Index,
    /// [`crate::Aux::Bounds`]
    Bounds,
    /// [`crate::Aux::Size`]
    Size,
    /// [`crate::Aux::Slot`]
    Slot,
    /// [`crate::Aux::Global`]
    Global,
    /// [`crate::Aux::Func`]
    Func,
    /// [`crate::Aux::Chan`]
    Chan,
    /// [`crate::Aux::Form`]
    Form,
    /// [`crate::Aux::Select`]
    Select,
    /// [`crate::Aux::Runtime`]
    Runtime,
    /// [`crate::Aux::Intrinsic`]
    Intrinsic,
    /// [`crate::Aux::Site`]
    Site,
    /// [`crate::Aux::Name`]
    Name,
    /// [`crate::Aux::Lookup`]
    Lookup,
    /// [`crate::Aux::MapFlags`]
    MapFlags,
    /// [`crate::Aux::MapOffset`]
    MapOffset,
}

/// How many operands an op takes: exactly `Some(n)`, or `None` when its rule decides.
pub type Arity = Option<u8>;

/// Calls the given macro with the table: `Name Family arity aux rule effects "meaning";` per op.
#[macro_export]
macro_rules! for_each_op {
    ($m:ident) => {
        $m! {
            Param Core 0 Index Param (PURE) "the function's parameter `[i]`; stands in the header only";
            Const Core 0 Const Const (PURE) "a constant: `v1 = Const <u16> [80]`, `[true]`, `[1.5]`, `[nil]`";

            Add Core 2 None IntBinary (PURE) "sum, modulo 2ⁿ";
            Sub Core 2 None IntBinary (PURE) "difference, modulo 2ⁿ";
            Mul Core 2 None IntBinary (PURE) "product, modulo 2ⁿ";
            Div Core 2 None IntBinary (PURE) "signed quotient, towards zero; x/0 = 0, MIN/−1 = MIN";
            DivU Core 2 None IntBinary (PURE) "unsigned quotient; x/0 = 0";
            Mod Core 2 None IntBinary (PURE) "signed remainder, sign of the dividend; x%0 = x, MIN%−1 = 0";
            ModU Core 2 None IntBinary (PURE) "unsigned remainder; x%0 = x";
            And Core 2 None BitBinary (PURE) "bitwise and";
            Or Core 2 None BitBinary (PURE) "bitwise or";
            Xor Core 2 None BitBinary (PURE) "bitwise exclusive or";
            Lsh Core 2 None Shift (PURE) "shift left; the count is masked by width − 1";
            Rsh Core 2 None Shift (PURE) "arithmetic shift right; the count is masked by width − 1";
            RshU Core 2 None Shift (PURE) "logical shift right; the count is masked by width − 1";
            Neg Core 1 None IntUnary (PURE) "two's complement negation";
            Com Core 1 None IntUnary (PURE) "bitwise complement";
            Bswap Core 1 None ByteSwap (PURE) "the bytes in reverse order";
            Not Core 1 None BoolUnary (PURE) "logical not";
            AddF Core 2 None FloatBinary (PURE) "IEEE 754 sum";
            SubF Core 2 None FloatBinary (PURE) "IEEE 754 difference";
            MulF Core 2 None FloatBinary (PURE) "IEEE 754 product";
            DivF Core 2 None FloatBinary (PURE) "IEEE 754 quotient";
            NegF Core 1 None FloatUnary (PURE) "sign flipped";

            Eq Core 2 None Equality (PURE) "equal";
            Neq Core 2 None Equality (PURE) "not equal";
            Less Core 2 None IntOrder (PURE) "signed less";
            Leq Core 2 None IntOrder (PURE) "signed less or equal";
            LessU Core 2 None UnsignedOrder (PURE) "unsigned less; pointers into one object compare by offset";
            LeqU Core 2 None UnsignedOrder (PURE) "unsigned less or equal";
            EqF Core 2 None FloatOrder (PURE) "IEEE 754 equal";
            NeqF Core 2 None FloatOrder (PURE) "IEEE 754 not equal";
            LessF Core 2 None FloatOrder (PURE) "IEEE 754 less";
            LeqF Core 2 None FloatOrder (PURE) "IEEE 754 less or equal";

            SignExt Core 1 None SignExtend (PURE) "widened with copies of the sign bit";
            ZeroExt Core 1 None ZeroExtend (PURE) "widened with zeros";
            Trunc Core 1 None Truncate (PURE) "the low bits";
            IntToFloat Core 1 None IntToFloat (PURE) "signed integer to the nearest float";
            UintToFloat Core 1 None IntToFloat (PURE) "unsigned integer to the nearest float";
            FloatToInt Core 1 None FloatToInt (PURE) "towards zero to a signed integer, saturating; NaN is 0";
            FloatToUint Core 1 None FloatToInt (PURE) "towards zero to an unsigned integer, saturating; NaN is 0";
            FloatCast Core 1 None FloatToFloat (PURE) "between f32 and f64, to nearest";

            Phi Core - None Phi (PURE) "the operand of the edge taken; operands follow the block's predecessor order";
            Copy Core 1 None Copy (PURE) "the operand";
            Extract Core 1 Index Extract (PURE) "member `[i]` of a tuple";
            Tuple Core - None Tuple (PURE) "its operands together";
            CondSelect Core 3 None CondSelect (PURE) "the second operand if the first is true, else the third";
            Bounded Core 1 Bounds Bounded (TRAPS) "the operand, proved to lie in [lo..hi] unsigned, or a trap; what the check proved is this value, so nobody looks through it";

            LocalAddr Core 0 Slot LocalAddr (PURE) "the address of a stack slot";
            GlobalAddr Core 0 Global GlobalAddr (PURE) "the address of a variable";
            FuncAddr Core 0 Func FuncAddr (PURE) "the address of a function";
            PtrAdd Core 2 None PtrAdd (PURE) "a pointer moved by bytes";
            Load Core 1 None Load (READS) "what a pointer points to";
            Store Core 2 None Store (WRITES) "writes through a pointer";
            MemCopy Core 2 Size MemCopy (READS | WRITES) "copies `[size]` bytes from the second to the first; they do not overlap unless they are the same";
            MemZero Core 1 Size MemZero (WRITES) "zeroes `[size]` bytes";
            New Core 0 None New (WRITES) "a fresh zeroed object on the heap";

            AtomicLoad Core 1 None AtomicLoad (READS | ACQUIRES) "load, and later accesses stay behind it";
            AtomicStore Core 2 None AtomicStore (READS | WRITES | ACQUIRES) "store, and earlier accesses stay before it";
            AtomicAdd Core 2 None AtomicRmw (READS | WRITES | ACQUIRES) "adds; yields the old value, or nothing as `v8: AtomicAdd v3, v4`";
            AtomicAnd Core 2 None AtomicRmw (READS | WRITES | ACQUIRES) "bitwise and; yields the old value or nothing";
            AtomicOr Core 2 None AtomicRmw (READS | WRITES | ACQUIRES) "bitwise or; yields the old value or nothing";
            AtomicXor Core 2 None AtomicRmw (READS | WRITES | ACQUIRES) "bitwise exclusive or; yields the old value or nothing";
            AtomicXchg Core 2 None AtomicRmw (READS | WRITES | ACQUIRES) "exchanges; yields the old value";
            AtomicCas Core 3 None AtomicCas (READS | WRITES | ACQUIRES) "stores the third operand if memory equals the second; yields the old value";
            Sync Core 0 None Sync (READS | ACQUIRES) "accesses after it do not happen before accesses before it";

            Call Core - Func Call (READS | WRITES | ACQUIRES | CALLS | TRAPS | BLOCKS) "calls a function of the module";
            CallIndirect Core - None CallIndirect (READS | WRITES | ACQUIRES | CALLS | TRAPS | BLOCKS) "calls through a function pointer";
            CallRuntime Core - Runtime CallRuntime (READS | WRITES | ACQUIRES | CALLS | TRAPS | BLOCKS) "calls a function of the Go runtime";
            Intrinsic Core - Intrinsic Intrinsic (READS | WRITES | ACQUIRES | CALLS | TRAPS | BLOCKS) "an op that the embedder declares; its effects are the declaration's";
            Status Core 1 None Status (PURE) "the status word of a channel runtime call: bit 0 communicated, 1 selected, 2 retries exhausted, 3 abort";
            Outcome Core 1 Site Outcome (WRITES) "counts the outcome of a channel runtime call at a site";

            MakeChan Channel 1 None MakeChan (CHANNEL | TRAPS | WRITES) "a new channel of a capacity";
            ChanAddr Core 0 Chan ChanAddr (PURE) "a module-level channel";
            ChanSend Channel 2 None ChanSend (CHANNEL | TRAPS | BLOCKS | READS | WRITES) "sends";
            ChanRecv Channel - Form ChanRecv (CHANNEL | ACQUIRES | BLOCKS | READS | WRITES) "receives: the value, and whether it was sent";
            ChanClose Channel 1 None ChanClose (CHANNEL | TRAPS | WRITES) "closes";
            ChanLen Channel 1 None ChanLength (CHANNEL | READS) "how many values wait in the buffer";
            ChanCap Channel 1 None ChanLength (CHANNEL | READS) "the buffer's capacity";
            Select Channel - Select Select (CHANNEL | ACQUIRES | TRAPS | BLOCKS | READS | WRITES) "the first of several communications that can go on: its index in source order, −1 for default";
            Go Channel - Func Go (CALLS | WRITES) "starts a goroutine";

            CallHelper Target - Name CallHelper (READS | WRITES | ACQUIRES | CALLS) "calls a helper of the target by name";
            CtxLoad Target 1 Name CtxLoad (READS) "a field of the program's context";
            MapLookup Target 1 Lookup MapLookup (READS) "the address of a map's value, or nil: `[bind]` for a channel's storage, `[site]` for a site's record";
            MapUpdate Target 2 MapFlags MapUpdate (READS | WRITES) "writes a key's value";
            MapDelete Target 1 MapFlags MapDelete (READS | WRITES) "removes a key";
            MapPush Target 1 MapFlags MapValueIo (READS | WRITES) "pushes to a queue or a stack";
            MapPop Target 1 MapFlags MapValueIo (READS | WRITES) "removes a queue's or stack's next value into memory";
            MapPeek Target 1 MapFlags MapValueIo (READS | WRITES) "copies a queue's or stack's next value into memory";
            MapValue Target 0 MapOffset MapValue (PURE) "an address inside the value of a one-element array, without a call";
        }
    };
}

macro_rules! arity {
    (-) => {
        None
    };
    ($n:literal) => {
        Some($n)
    };
}

macro_rules! define_ops {
    ($($name:ident $family:ident $arity:tt $aux:ident $rule:ident ($($effect:ident)|+) $doc:literal;)*) => {
        /// What an instruction does.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum Op {
            $(#[doc = $doc] $name,)*
        }

        impl Op {
            /// Every op, in the table's order.
            pub const ALL: &'static [Op] = &[$(Op::$name),*];

            /// The spelling in the text format.
            pub fn name(self) -> &'static str {
                match self { $(Op::$name => stringify!($name)),* }
            }
            /// The family.
            pub fn family(self) -> Family {
                match self { $(Op::$name => Family::$family),* }
            }
            /// How many operands.
            pub fn arity(self) -> Arity {
                match self { $(Op::$name => arity!($arity)),* }
            }
            /// Which payload.
            pub fn aux_kind(self) -> AuxKind {
                match self { $(Op::$name => AuxKind::$aux),* }
            }
            /// The typing rule.
            pub fn rule(self) -> Rule {
                match self { $(Op::$name => Rule::$rule),* }
            }
            /// The effects; for runtime calls and intrinsics the most that any of them has.
            pub fn effects(self) -> Effects {
                match self { $(Op::$name => Effects(0 $(| Effects::$effect.0)+)),* }
            }
            /// The meaning in a sentence.
            pub fn doc(self) -> &'static str {
                match self { $(Op::$name => $doc),* }
            }
            /// The op of this spelling.
            pub fn from_name(name: &str) -> Option<Op> {
                match name { $(stringify!($name) => Some(Op::$name),)* _ => None }
            }
        }
    };
}
for_each_op!(define_ops);

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
