//! Writes a large module to standard output: `large straight|blocks VALUES`. For profiling.

use std::io::{Error, Result, Write as _};

use larrow_tests::large::{self, Shape};

fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let usage = || Error::other("usage: large straight|blocks VALUES");
    let name = args.next().ok_or_else(usage)?;
    let shape = Shape::ALL.into_iter().find(|s| s.name() == name).ok_or_else(usage)?;
    let values = args.next().and_then(|n| n.parse().ok()).ok_or_else(usage)?;
    std::io::stdout().write_all(larrow_ir::text::print(&large::module(shape, values)).as_bytes())
}
