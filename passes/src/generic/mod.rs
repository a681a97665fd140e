//! Passes that serve every target.

pub mod copyelim;
pub mod critical;
pub mod cse;
pub mod deadcode;
pub mod fold;
pub mod fuse;
pub mod inline;
pub mod mem2reg;
pub mod opt;
pub mod phielim;
pub(crate) mod replace;
pub mod shortcircuit;
pub mod trim;
pub mod unused;

#[cfg(test)]
pub(crate) mod testing;
