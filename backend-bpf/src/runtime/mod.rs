//! The runtime prelude: the functions behind channel operations, as IR text, instantiated per element type and
//! capacity.
//!
//! A channel of a program is a ring in the value of an array map with one element ([`Ring`]). The functions take
//! `(hchan*, elem*)` and return a status word ([`larrow_ir::status`]); a null hchan is the nil channel. They are
//! static subprograms at `-l=0` and stand in their callers at `-l=4`; it is the same text either way.

mod import;
mod selectgo;

use std::fmt;
use std::sync::Arc;

use larrow_ir::{
    Decls, FuncId, FuncKind, Function, LocData, Module, Named, Pos, RuntimeFn, Type, TypeKind, text,
};

pub(crate) use selectgo::CHOSEN_SHIFT;
pub use selectgo::{SelectArm, SelectOrder, selectgo};

/// The template.
const TEMPLATE: &str = include_str!("chan.ssa");
/// Its name in positions.
const TEMPLATE_FILE: &str = "chan.ssa";
/// How often an operation tries to take a ticket before it gives up as contended.
const TRIES: u32 = 8;

/// Byte offset of `recvx` in a ring; `sendx` stands at 0. Each has a cache line, for the two ends usually run on
/// different CPUs.
pub const RECVX: u32 = 64;
/// Byte offset of the first slot.
pub const SLOTS: u32 = 128;
/// Byte offset of the element in its slot, behind the turn.
pub const ELEM: u32 = 8;
/// The bit of `sendx` that says closed.
pub const CLOSED: u64 = 1 << 63;
/// The largest map value that a pointer can move through: the verifier bounds offsets by 2²⁹.
const MAX_BYTES: u64 = 1 << 28;

/// The layout of a ring.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Ring {
    /// Go's capacity: how many elements fit.
    pub cap: u64,
    /// Slots: the next power of two.
    pub slots: u64,
    /// Bytes from a slot to the next.
    pub stride: u64,
    /// Bytes of an element.
    pub elem_size: u64,
}

impl Ring {
    /// The ring for elements of a size; `None` if the capacity is 0 or the ring too large for a map value.
    pub fn new(elem_size: u64, cap: u64) -> Option<Ring> {
        if cap == 0 || cap > MAX_BYTES {
            return None;
        }
        let slots = cap.next_power_of_two();
        let stride = larrow_ir::align_up(u64::from(ELEM) + elem_size, 8);
        let ring = Ring { cap, slots, stride, elem_size };
        (stride.checked_mul(slots)? <= MAX_BYTES - u64::from(SLOTS)).then_some(ring)
    }
    /// Bytes of the whole ring.
    pub fn size(&self) -> u64 {
        u64::from(SLOTS) + self.stride * self.slots
    }
}

/// An instantiation of the channel functions: an element type and a capacity.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Instance {
    /// The element's type in the program's module.
    pub elem: Type,
    /// The ring.
    pub ring: Ring,
    /// `u32.16`, `event.8`: part of the functions' names.
    pub name: Arc<str>,
}

impl fmt::Display for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl Instance {
    /// The instance for an element type and a capacity; `None` as for [`Ring::new`].
    pub fn new(decls: &Decls, elem: Type, cap: u64) -> Option<Instance> {
        let layout = decls.types.layout(elem)?;
        let ring = Ring::new(layout.size, cap)?;
        Some(Instance { elem, ring, name: format!("{}.{cap}", mangle(decls, elem)).into() })
    }

    /// The type of the ring, `%hchan.u32.16`, declared in the module on first use.
    pub fn hchan(&self, decls: &mut Decls) -> Type {
        let types = &mut decls.types;
        let pad = types.array(Type::U8, u64::from(RECVX) - 8);
        let slot = types.structure(&[("turn", Type::U64), ("elem", self.elem)], false);
        let used = larrow_ir::align_up(types.size(slot), 8);
        debug_assert!(used <= self.ring.stride);
        let slots = types.array(slot, self.ring.slots);
        let fields =
            [("sendx", Type::U64), ("pad0", pad), ("recvx", Type::U64), ("pad1", pad), ("slots", slots)];
        let body = types.structure(&fields, false);
        let name = format!("hchan.{}", self.name);
        types.define(&name, body);
        types.named_type(&name)
    }
}

/// A name for an element type in `[A-Za-z0-9_.]`: other characters make loaders drop all type information.
fn mangle(decls: &Decls, ty: Type) -> String {
    let clean = |name: &str| -> String {
        name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' }).collect()
    };
    match decls.types.kind(ty) {
        TypeKind::Unit => "unit".into(),
        TypeKind::Bool => "bool".into(),
        TypeKind::Int { bits, signed } => format!("{}{bits}", if *signed { 'i' } else { 'u' }),
        TypeKind::Float { bits } => format!("f{bits}"),
        TypeKind::Ptr { .. } => "ptr".into(),
        TypeKind::Func { .. } => "func".into(),
        TypeKind::Chan { .. } => "chan".into(),
        TypeKind::Named(id) => clean(&decls.types.named()[*id].name),
        TypeKind::Array { elem, len } => format!("{len}x{}", mangle(decls, *elem)),
        TypeKind::Struct { fields, packed } => {
            let parts: Vec<String> = fields.iter().map(|f| mangle(decls, f.ty)).collect();
            format!("{}_{}", if *packed { "p" } else { "s" }, parts.join("_"))
        }
        TypeKind::Tuple(_) | TypeKind::Opaque(_) => "opaque".into(),
    }
}

/// Which part of the template implements a runtime function, and whether in its blocking form.
fn part(function: RuntimeFn) -> Option<(&'static str, bool)> {
    match function {
        RuntimeFn::ChanRecv1 | RuntimeFn::ChanRecv2 => Some(("recv", true)),
        RuntimeFn::SelectNbRecv => Some(("recv", false)),
        RuntimeFn::ChanSend1 => Some(("send", true)),
        RuntimeFn::SelectNbSend => Some(("send", false)),
        RuntimeFn::CloseChan => Some(("close", true)),
        RuntimeFn::ChanLen => Some(("len", true)),
        RuntimeFn::ChanCap => Some(("cap", true)),
        RuntimeFn::MakeChan | RuntimeFn::SelectGo | RuntimeFn::Block | RuntimeFn::NewProc => None,
    }
}

/// The function `runtime.NAME.INSTANCE` of the module, added on first use. `None` for runtime functions that
/// have no such form.
pub fn function(module: &mut Module, callee: RuntimeFn, instance: &Instance) -> Option<FuncId> {
    let name = format!("runtime.{}.{instance}", callee.name());
    if let Some(id) = module.funcs.id(&name) {
        return Some(id);
    }
    let (section, blocking) = part(callee)?;
    instance.hchan(&mut module.decls);
    let (source, first_line) = instantiate(&module.decls, section, callee, blocking, instance);
    let parsed = text::parse(TEMPLATE_FILE, &source)
        .unwrap_or_else(|errors| panic!("the prelude's text is valid: {:?}\n{source}", errors[0]));
    let mut prelude = parsed.module;
    let id = prelude.funcs.ids().next().expect("the text holds one function");
    let mut func = prelude.funcs.remove(id).expect("just found");
    import::types(&mut func, &prelude.decls, &mut module.decls);
    stamp(&mut func, &parsed.spans, id, first_line, &mut module.decls);
    func.kind = FuncKind::Runtime;
    Some(module.add_func(func).unwrap_or_else(|f| unreachable!("`{}` was looked up", f.name)))
}

/// The text of one function with the placeholders filled in; dropped lines stay as empty ones. Also the line of
/// the template that it starts at.
fn instantiate(
    decls: &Decls,
    section: &str,
    callee: RuntimeFn,
    blocking: bool,
    instance: &Instance,
) -> (String, u32) {
    let scalar = decls.types.is_scalar(instance.elem);
    let mut out = declared_types(decls);
    let types_lines = out.lines().count() as u32;
    let ring = &instance.ring;
    let elem = text::TypeText::new(&decls.types, instance.elem).to_string();
    let zero = match decls.types.resolve(instance.elem) {
        TypeKind::Ptr { .. } | TypeKind::Chan { .. } | TypeKind::Func { .. } => "nil",
        TypeKind::Bool => "false",
        _ => "0",
    };
    let marker = format!(";; {section}");
    let lines = TEMPLATE.lines().enumerate().skip_while(|(_, l)| *l != marker).skip(1);
    let mut first_line = 0;
    for (number, line) in lines.take_while(|(_, l)| !l.starts_with(";; ")) {
        if first_line == 0 {
            first_line = number as u32 + 1;
        }
        let (mark, body) = line.split_at_checked(2).unwrap_or((line, ""));
        let (kept, line) = match mark {
            "?s" => (scalar, body),
            "?a" => (!scalar, body),
            "?b" => (blocking, body),
            "?n" => (!blocking, body),
            _ => (true, line),
        };
        if kept {
            let line = line
                .replace("$NAME", callee.name())
                .replace("$TRIES", &TRIES.to_string())
                .replace("$MASK", &(ring.slots - 1).to_string())
                .replace("$SHIFT", &ring.slots.trailing_zeros().to_string())
                .replace("$STRIDE", &ring.stride.to_string())
                .replace("$SIZE", &ring.elem_size.to_string())
                .replace("$CAP", &ring.cap.to_string())
                .replace("$ZERO", zero)
                .replace("$T", &elem)
                .replace("$I", &instance.name);
            out.push_str(&line);
        }
        out.push('\n');
    }
    (out, first_line.wrapping_sub(types_lines + 1))
}

/// The module's named types as text.
fn declared_types(decls: &Decls) -> String {
    let mut module = Module::default();
    module.decls.types = decls.types.clone();
    text::print(&module)
}

/// Gives every instruction its line of the template as position.
fn stamp(func: &mut Function, spans: &text::SourceMap, id: FuncId, shift: u32, decls: &mut Decls) {
    let values: Vec<_> = func.iter_insts().map(|(_, v)| v).collect();
    for v in values {
        if let Some(span) = spans.get(larrow_ir::Entity::Value(id, v)) {
            let loc = LocData {
                file: TEMPLATE_FILE.into(),
                line: span.line.wrapping_add(shift),
                col: span.col,
                inlined_at: Pos::None,
            };
            func.inst_mut(v).pos = Pos::Loc(decls.locs.push(loc));
        }
    }
}

/// Names already in use by functions: what a generated name must avoid.
pub(crate) fn fresh(funcs: &Named<FuncId, Function>, base: &str) -> String {
    funcs.fresh_name(base)
}
