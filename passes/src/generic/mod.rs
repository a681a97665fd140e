//! Passes that serve every target.

pub mod copyelim;
pub mod critical;
pub mod deadcode;
pub mod fuse;
pub mod phielim;
pub(crate) mod replace;
pub mod trim;

#[cfg(test)]
pub(crate) mod testing;
