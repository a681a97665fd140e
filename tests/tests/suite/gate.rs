//! Tests that need the running kernel. Where it is missing each says so and passes; how many ran and how many did
//! not stands behind the last of them.
#![expect(clippy::print_stderr, reason = "a skipped test must be seen")]

use std::sync::atomic::{AtomicU32, Ordering};

use larrow::engine;

static RAN: AtomicU32 = AtomicU32::new(0);
static SKIPPED: AtomicU32 = AtomicU32::new(0);

/// Whether BPF can be used; counts, and says so if not.
pub(crate) fn kernel_or_skip(test: &str) -> bool {
    let why = engine::kernel_version().err();
    let counter = if why.is_some() { &SKIPPED } else { &RAN };
    counter.fetch_add(1, Ordering::SeqCst);
    if let Some(why) = &why {
        skip(test, why);
    }
    let (ran, skipped) = (RAN.load(Ordering::SeqCst), SKIPPED.load(Ordering::SeqCst));
    eprintln!("kernel tests so far: {ran} ran, {skipped} skipped");
    why.is_none()
}

/// Says that a test, or a part of one, cannot run.
pub(crate) fn skip(test: &str, why: &dyn std::fmt::Display) {
    eprintln!("SKIPPED {test}: {why}");
}
