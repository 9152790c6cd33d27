//! The channels that this node holds, within its bound.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use super::{Feed, FeedKey};
use crate::actors::hub::HubSender;
use crate::config::Ring;
use crate::kernel::TenantId;

/// Parts of the registry, so that threads seldom meet at one lock.
const SHARDS: usize = 64;

/// All channels that this node holds.
pub struct Feeds {
    shards: Vec<RwLock<HashMap<FeedKey, Arc<Feed>>>>,
    clock: AtomicU64,
    bytes: Arc<AtomicUsize>,
    limits: Arc<Ring>,
    hubs: Arc<[HubSender]>,
}

impl Feeds {
    #[must_use]
    pub fn new(limits: Ring, hubs: Arc<[HubSender]>) -> Self {
        let shards = (0..SHARDS).map(|_| RwLock::default()).collect();
        Self { shards, clock: AtomicU64::new(0), bytes: Arc::default(), limits: Arc::new(limits), hubs }
    }

    fn shard(&self, key: &FeedKey) -> &RwLock<HashMap<FeedKey, Arc<Feed>>> {
        // UUIDv7: the last bytes are random.
        let byte = usize::from(key.channel.id().as_bytes()[15]);
        &self.shards[byte % SHARDS]
    }

    /// The stream, if this node holds it.
    #[must_use]
    pub fn find(&self, key: &FeedKey) -> Option<Arc<Feed>> {
        let feed = self.shard(key).read().unwrap_or_else(PoisonError::into_inner).get(key).cloned()?;
        feed.used_at.store(self.clock.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
        Some(feed)
    }

    /// The stream; begins to hold it.
    #[must_use]
    pub fn get_or_insert(&self, key: FeedKey) -> Arc<Feed> {
        if let Some(feed) = self.find(&key) {
            return feed;
        }
        let mut shard = self.shard(&key).write().unwrap_or_else(PoisonError::into_inner);
        let new = || {
            Arc::new(Feed {
                key,
                channel: key.channel.to_string(),
                state: Mutex::default(),
                era: AtomicU64::new(0),
                announced_to: AtomicUsize::new(0),
                used_at: AtomicU64::new(self.clock.fetch_add(1, Ordering::Relaxed)),
                bytes_node: Arc::clone(&self.bytes),
                limits: Arc::clone(&self.limits),
                hubs: Arc::clone(&self.hubs),
            })
        };
        Arc::clone(shard.entry(key).or_insert_with(new))
    }

    /// Feeds with subscribers here: those whose position must be compared with the store.
    #[must_use]
    pub fn heard(&self) -> Vec<Arc<Feed>> {
        self.all().into_iter().filter(|feed| feed.is_heard()).collect()
    }

    /// A tenant's feeds.
    #[must_use]
    pub fn of_tenant(&self, tenant: TenantId) -> Vec<Arc<Feed>> {
        self.all().into_iter().filter(|feed| feed.key.tenant == tenant).collect()
    }

    fn all(&self) -> Vec<Arc<Feed>> {
        let read = |shard: &RwLock<HashMap<FeedKey, Arc<Feed>>>| {
            shard.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect::<Vec<_>>()
        };
        self.shards.iter().flat_map(read).collect()
    }

    /// Bytes of all rings.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Keeps the node's bound: while rings weigh too much, the least recently used are emptied; streams that nobody else holds and
    /// nobody hears go altogether once they are beyond `held_max`.
    pub fn shed(&self, held_max: usize) {
        let mut all = self.all();
        let over = self.bytes() > self.limits.node.as_usize();
        if !over && all.len() <= held_max {
            return;
        }
        all.sort_by_key(|feed| feed.used_at.load(Ordering::Relaxed));
        let mut excess = all.len().saturating_sub(held_max);
        for feed in all {
            let over = self.bytes() > self.limits.node.as_usize();
            if !over && excess == 0 {
                break;
            }
            if over {
                feed.drop_ring();
            }
            if !feed.is_heard() {
                let mut shard = self.shard(&feed.key).write().unwrap_or_else(PoisonError::into_inner);
                // Held by the map and by this loop: nobody else can find it before the lock is free again.
                if Arc::strong_count(&feed) == 2 && !feed.is_heard() {
                    shard.remove(&feed.key);
                    excess = excess.saturating_sub(1);
                }
            }
        }
    }
}
