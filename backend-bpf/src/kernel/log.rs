//! What the verifier says.

/// How much of the verifier's log is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogLevel {
    /// The numbers at the end alone.
    #[default]
    Statistics,
    /// The instructions and states of the path that failed.
    FailingPath,
    /// Every path, with states.
    Everything,
}

impl LogLevel {
    /// The kernel's bits; the numbers always come along.
    pub(super) fn bits(self) -> u32 {
        match self {
            Self::Statistics => 4,
            Self::FailingPath => 4 | 1,
            Self::Everything => 4 | 2 | 1,
        }
    }

    /// How large a buffer to start with, in bytes.
    pub(super) fn buffer(self) -> usize {
        match self {
            Self::Statistics => 1 << 12,
            Self::FailingPath => 1 << 18,
            Self::Everything => 1 << 22,
        }
    }
}

/// The verifier's numbers for a program.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct VerifierStats {
    /// Instructions it went through, over all paths.
    pub processed: u64,
    /// States it holds in the end.
    pub total_states: u64,
    /// Most states it held at a time.
    pub peak_states: u64,
    /// Bytes of stack of the program, then of each function behind it.
    pub stack_depths: Vec<u32>,
    /// How long it took, in microseconds.
    pub time_us: u64,
}

impl VerifierStats {
    /// Reads the numbers from a log of level 4; none if there are none.
    pub fn parse(log: &str) -> Option<Self> {
        let mut stats = Self::default();
        let mut found = false;
        for line in log.lines() {
            if let Some(depths) = line.strip_prefix("stack depth ") {
                stats.stack_depths =
                    depths.split('+').filter_map(|depth| depth.trim().parse().ok()).collect();
            } else if let Some(time) = line.strip_prefix("verification time ") {
                stats.time_us = number(time.split(' ').next());
            } else if line.starts_with("processed ") && line.contains(" insns ") {
                let mut words = line.split(' ');
                found = true;
                while let Some(word) = words.next() {
                    match word {
                        "processed" => stats.processed = number(words.next()),
                        "total_states" => stats.total_states = number(words.next()),
                        "peak_states" => stats.peak_states = number(words.next()),
                        _ => {}
                    }
                }
            }
        }
        found.then_some(stats)
    }
}

fn number(word: Option<&str>) -> u64 {
    word.and_then(|word| word.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod unit {
    use super::*;

    #[test]
    fn the_numbers_are_found_behind_a_log() {
        let log = "0: (b7) r0 = 0\nverification time 366 usec\nstack depth 24+0+8\nprocessed 28 insns (limit \
                   1000000) max_states_per_insn 0 total_states 3 peak_states 2 mark_read 1\n";
        let stats = VerifierStats::parse(log).expect("there are numbers");
        assert_eq!((stats.processed, stats.total_states, stats.peak_states), (28, 3, 2));
        assert_eq!((stats.stack_depths, stats.time_us), (vec![24, 0, 8], 366));
        assert_eq!(VerifierStats::parse("0: (95) exit\nR0 !read_ok\n"), None);
    }
}
