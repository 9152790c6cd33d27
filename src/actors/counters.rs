//! What this node has done since it started; read by `/health/stats`.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// One more.
    pub fn increment(&self) {
        self.add(1);
    }

    /// Several more.
    pub fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    /// The number now.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Serialize for Counter {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(self.get())
    }
}

/// All counters of a node.
#[derive(Debug, Default, Serialize)]
pub struct Counters {
    /// Messages stored.
    pub posts: Counter,
    /// Sends of a message that was stored already.
    pub posts_duplicate: Counter,
    /// Posts refused.
    pub posts_refused: Counter,
    /// Batches committed by the writers.
    pub batches: Counter,
    /// Batches that failed.
    pub batches_failed: Counter,
    /// Recoveries answered from a ring.
    pub recoveries_ring: Counter,
    /// Recoveries that read Postgres.
    pub recoveries_store: Counter,
    /// Recoveries that were too large or too slow to answer.
    pub recoveries_refused: Counter,
    /// Clients that had seen more than the store has.
    pub clients_ahead: Counter,
    /// Streams of which the store has less than was delivered: history was lost.
    pub streams_behind: Counter,
    /// Gaps between what was delivered and what is stored, closed from the store.
    pub gaps_filled: Counter,
    /// Rooms started.
    pub rooms_started: Counter,
    /// Rooms started anew after a panic.
    pub rooms_restarted: Counter,
    /// Tenant supervisors started.
    pub tenants_started: Counter,
    /// Writers, hubs and other tasks that run for ever, started anew after a panic.
    pub tasks_restarted: Counter,
    /// Connections refused by admission.
    pub connections_refused: Counter,
    /// Requests refused because their address makes too many.
    pub requests_refused: Counter,
}
