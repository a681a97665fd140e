//! What a run of the pipeline is asked for.

use std::collections::BTreeSet;

use larrow_ir::nearest;

use super::pipeline::PipelineError;
use crate::generic::opt::rule_names;

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

    /// Switches a rule of `opt` off; the error carries the nearest name. A rule of an embedder's own pass goes
    /// into [`Options::disabled_rules`] as it is.
    pub fn disable_rule(&mut self, name: &str) -> Result<(), PipelineError> {
        if !rule_names().any(|n| n == name) {
            let nearest = nearest(name, rule_names()).map(str::to_string);
            return Err(PipelineError::UnknownRule { name: name.to_string(), nearest });
        }
        self.disabled_rules.insert(name.to_string());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_rule_gets_the_nearest_name() {
        let mut options = Options::default();
        options.disable_rule("mul-power").unwrap();
        assert!(options.disabled_rules.contains("mul-power"));
        let error = options.disable_rule("mul-powr").unwrap_err();
        assert_eq!(error.to_string(), "there is no rule mul-powr; did you mean mul-power?");
    }
}
