//! Switches that tests throw to break things; only in programs built with the feature `faults`. One process, one set of switches.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

/// When a writer panics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Moment {
    BeforeCommit = 1,
    AfterCommit = 2,
}

static NEXT_BATCH: AtomicU8 = AtomicU8::new(0);
static LOSING: AtomicBool = AtomicBool::new(false);

/// The next batch of any writer panics.
pub fn panic_next_batch(moment: Moment) {
    NEXT_BATCH.store(moment as u8, Ordering::Release);
}

/// Panics if it was asked for.
#[expect(clippy::panic, reason = "asked for by a test")]
pub fn strike(moment: Moment) {
    if NEXT_BATCH.compare_exchange(moment as u8, 0, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
        panic!("a writer was asked to panic: {moment:?}");
    }
}

/// From now on (or no longer) workers' queues take no entries and no decisions, as if they were full.
pub fn lose_deliveries(on: bool) {
    LOSING.store(on, Ordering::Release);
}

/// Whether a delivery is lost on its way to a worker.
#[must_use]
pub fn is_losing() -> bool {
    LOSING.load(Ordering::Acquire)
}
