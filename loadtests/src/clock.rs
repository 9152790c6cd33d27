//! The one place that reads the machine's clock, so that the rest of the tool takes times as values.

use std::time::Instant;

/// Monotonic now: every latency and window is a difference of two of these.
pub fn now() -> Instant {
    Instant::now()
}
