//! What a run of the pipeline is asked for.

use std::collections::BTreeSet;

/// Options of a run. Rows that take more of their own carry it in their body.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Options {
    /// The inlining level, 0 to 4.
    pub level: u8,
    /// `-N`: run the required passes alone, and do not inline.
    pub required_only: bool,
    /// Names of rules that are switched off.
    pub disabled_rules: BTreeSet<String>,
    /// Verify after every pass, recompute cached analyses and compare, and hold passes to what they report.
    pub verify_each: bool,
    /// Shuffle what has no defined order before every pass, from this seed.
    pub shuffle: Option<u64>,
    /// Count the outcome of each receive and send at its site (`--no-hooks` clears it).
    pub hooks: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            level: 2,
            required_only: false,
            disabled_rules: BTreeSet::new(),
            verify_each: false,
            shuffle: None,
            hooks: true,
        }
    }
}

impl Options {
    /// The default options with verification after every pass and shuffling from a seed: what tests use.
    pub fn checked(level: u8, seed: u64) -> Options {
        Options { level, verify_each: true, shuffle: Some(seed), ..Options::default() }
    }
}
