//! The one place that reads the machine's clock, so that the rest of the tool takes times as values.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Monotonic now: every latency and window is a difference of two of these.
pub fn now() -> Instant {
    Instant::now()
}

/// Seconds since 1970, only to tell one run's accounts and files from another's.
pub fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
