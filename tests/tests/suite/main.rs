//! Every test that crosses crates, in one binary. Cases are `.ssa` files under `tests/cases`; `tests/README.md`
//! says what may stand in one.

mod case;
mod channels;
mod differential;
mod docs;
mod errors;
mod gate;
mod golden;
mod hooks;
mod kernel;
mod objects;
mod passes;
mod registry;
mod ring;
mod run;
mod sites;
mod world;
