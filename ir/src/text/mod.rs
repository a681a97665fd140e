//! The text format `.ssa`: what is printed is what is parsed, `parse(print(m)) == m` for every module, after
//! every pass.
//!
//! ```text
//! file "filter.go"
//!
//! ; the port to let through arrives over a channel
//! chan @ports: chan u16 cap 8
//!
//! func @filter(v0: ptr<ctx xdp>) -> u32 section "xdp" {
//! b0:
//!     v1 = ChanAddr <chan u16> @ports    @8:9
//!     v2 = ChanRecv <(u16, bool)> v1     @8:14
//!     v3 = Extract <bool> [1] v2         @8:5
//!     If v3 → b1, b2                     @9:5
//! b1: ← b0
//!     …
//! }
//! ```
//!
//! A line is a declaration, a function's header, a label, an instruction or a block's end; `;` starts a comment.
//! An instruction that yields nothing is `v8: Store v3, v7`. The payload stands behind the type, as its kind is:
//!
//! | [`AuxKind`](crate::AuxKind) | spelled |
//! |---|---|
//! | `Const` | `[-80]` signed as the type is, `[true]`, `[1.5]`, `[-inf]`, `[0x7fc00001]` (a float's bits), `[nil]` |
//! | `Index`, `Size`, `Bounds` | `[1]`, `[16]`, `[0..15]` |
//! | `Slot` | `s0` |
//! | `Global`, `Func`, `Chan`, `Intrinsic` | `@name`, `@"main.(*T).Run"` |
//! | `Form` | nothing, `[value]`, `[discard]` |
//! | `Select` | `{recv v1, send v2 ← v3, recv [discard] v4, recv v5 → v6, default}` with all its operands |
//! | `Runtime`, `Name`, `Site` | `[chanrecv2]`, `[ktime_get_ns]`, `[site 3]` |
//! | `Lookup` | `@map`, `[bind] @map`, `[site] @map` |
//! | `MapFlags`, `MapOffset` | `@map` or `[flags 0x1] @map`, `[8] @map` |
//!
//! Both `→` and `->`, `←` and `<-` are read; a block without phis may leave out its predecessors.

mod cursor;
mod lex;
mod parse;
mod parse_func;
mod parse_inst;
mod parse_type;
mod print;
mod source_map;
mod spell;
#[cfg(test)]
mod tests;

pub use parse::{Parsed, parse, parse_bytes};
pub use print::{Scope, print, print_block, print_func, print_header, print_inst, print_term};
pub use source_map::SourceMap;
pub use spell::TypeText;

impl std::fmt::Display for crate::Module {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&print(self))
    }
}
