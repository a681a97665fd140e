//! The `larrow` command.

fn main() {}
