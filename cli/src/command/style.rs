//! The few colours and shapes that the text output has.

use std::fmt::Display;
use std::time::Duration;

const RESET: &str = "\x1b[0m";

/// A heading.
pub(super) fn bold(text: impl Display) -> String {
    format!("\x1b[1m{text}{RESET}")
}
/// What is less important.
pub(super) fn dim(text: impl Display) -> String {
    format!("\x1b[2m{text}{RESET}")
}
/// What was added, or is right.
pub(super) fn green(text: impl Display) -> String {
    format!("\x1b[32m{text}{RESET}")
}
/// What was removed, or is wrong.
pub(super) fn red(text: impl Display) -> String {
    format!("\x1b[31m{text}{RESET}")
}
/// What was edited, or needs attention.
pub(super) fn yellow(text: impl Display) -> String {
    format!("\x1b[33m{text}{RESET}")
}
/// A name.
pub(super) fn cyan(text: impl Display) -> String {
    format!("\x1b[36m{text}{RESET}")
}

/// A time with three digits at most: `9ns`, `12µs`, `3.4ms`, `1.2s`.
pub(super) fn time(time: Duration) -> String {
    let ns = time.as_nanos();
    let scaled = |unit: u128, name: &str| {
        let tenths = (ns * 10 + unit / 2) / unit;
        if tenths < 100 {
            format!("{}.{}{name}", tenths / 10, tenths % 10)
        } else {
            format!("{}{name}", (ns + unit / 2) / unit)
        }
    };
    match ns {
        0..1_000 => format!("{ns}ns"),
        1_000..1_000_000 => format!("{}µs", (ns + 500) / 1_000),
        1_000_000..1_000_000_000 => scaled(1_000_000, "ms"),
        _ => scaled(1_000_000_000, "s"),
    }
}

/// `1 block`, `3 blocks`.
pub(super) fn count(n: usize, one: &str) -> String {
    if n == 1 { format!("1 {one}") } else { format!("{n} {one}s") }
}

/// The number of columns that a text takes: its characters, without colours.
pub(super) fn width(text: &str) -> usize {
    anstream::adapter::strip_str(text).to_string().chars().count()
}

/// Pads a text that may hold colours on its right.
pub(super) fn left(text: &str, columns: usize) -> String {
    format!("{text}{}", " ".repeat(columns.saturating_sub(width(text))))
}

/// Pads a text that may hold colours on its left.
pub(super) fn right(text: &str, columns: usize) -> String {
    format!("{}{text}", " ".repeat(columns.saturating_sub(width(text))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_short() {
        let shown = |ns| time(Duration::from_nanos(ns));
        assert_eq!(shown(7), "7ns");
        assert_eq!(shown(12_400), "12µs");
        assert_eq!(shown(3_449_000), "3.4ms");
        assert_eq!(shown(34_490_000), "34ms");
        assert_eq!(shown(1_250_000_000), "1.3s");
    }

    #[test]
    fn colours_take_no_columns() {
        assert_eq!(width(&red("→x")), 2);
        assert_eq!(right(&red("x"), 3).len(), red("x").len() + 2);
        assert_eq!((count(1, "block"), count(0, "block")), ("1 block".into(), "0 blocks".into()));
    }
}
