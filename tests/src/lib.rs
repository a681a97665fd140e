//! Every test that crosses crates: corpora, snapshots, differential and kernel tests.

pub mod differential;
pub mod large;
pub mod llc;
