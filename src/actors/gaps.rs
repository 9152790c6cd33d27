//! Closing gaps: what was committed but did not come by news is read from the store.
//!
//! Two ways lead here: a feed that got an event too early, and the position check, which compares every stream that somebody listens
//! to with the store every few seconds. So losing news costs seconds, never events (R2, R11).

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use super::feed::{Accepted, Feed, FeedKey};
use super::keep::survived;
use super::live::Live;
use crate::domain::events;
use crate::domain::messaging::history;
use crate::infra::bus::StreamId;
use crate::kernel::TenantId;
use crate::protocol::Channel;

/// Feeds that may wait for the store.
const QUEUE_MAX: usize = 4_096;
/// Events read at a time.
const PAGE: u32 = 500;
const CHECK_EVERY: Duration = Duration::from_secs(4);
/// Streams compared with one statement.
const CHECK_PAGE: usize = 2_000;
/// Feeds kept for recoveries although nobody listens.
const HELD_MAX: usize = 50_000;

/// Requests to close a gap.
pub type Requests = mpsc::Receiver<FeedKey>;

/// The queue of requests.
pub fn queue() -> (mpsc::Sender<FeedKey>, Requests) {
    mpsc::channel(QUEUE_MAX)
}

/// Closes gaps until the live part is gone.
pub async fn run(live: Arc<Live>, mut requests: Requests) {
    while !survived("closing gaps", &live.counters.tasks_restarted, answer(&live, &mut requests)).await {}
}

async fn answer(live: &Arc<Live>, requests: &mut Requests) {
    let mut check = tokio::time::interval(CHECK_EVERY);
    check.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            request = requests.recv() => {
                let Some(key) = request else { return };
                if let Some(feed) = live.feeds.find(&key) {
                    fill(live, &feed).await;
                }
            }
            _ = check.tick() => {
                compare(live, live.feeds.heard()).await;
                live.feeds.shed(HELD_MAX);
                live.forget_full_buckets();
            }
        }
    }
}

/// Reads and delivers what the store has beyond the feed's position.
async fn fill(live: &Live, feed: &Arc<Feed>) {
    let Some(stream) = feed.key.stored() else { return };
    while let Some((_, top)) = feed.position() {
        let page = history::list_events(live.db.pg(), feed.key.tenant, stream, (top + 1, u64::MAX), PAGE, false).await;
        let page = match page {
            Ok(page) => page,
            Err(error) => return tracing::warn!(channel = %feed.channel, %error, "a gap could not be closed yet"),
        };
        let (count, last) = (page.events.len(), page.position.last_offset);
        live.counters.gaps_filled.add(count as u64);
        for event in page.events {
            feed.accept(event);
        }
        if let (StreamId::Room(room), 1..) = (stream, count) {
            live.unread.room_stale(feed.key.tenant, room);
        }
        if count < PAGE as usize || feed.position().is_none_or(|(_, now)| now >= last || now == top) {
            return;
        }
    }
}

/// Compares streams with the store: what was missed is read, and where the epoch is another one everybody begins anew.
async fn compare(live: &Live, feeds: Vec<Arc<Feed>>) {
    let known: HashMap<_, _> = feeds
        .into_iter()
        .filter_map(|feed| {
            let (epoch, top) = feed.position()?;
            Some(((feed.key.tenant, feed.key.stored()?.uuid()), (feed, epoch, top)))
        })
        .collect();
    let keys: Vec<_> = known.keys().copied().collect();
    let mut behind = 0;
    for chunk in keys.chunks(CHECK_PAGE) {
        let positions = match events::list_positions(live.db.pg(), chunk).await {
            Ok(positions) => positions,
            Err(error) => return tracing::warn!(%error, "positions could not be compared with the store"),
        };
        let mut gone: HashSet<_> = chunk.iter().copied().collect();
        for (tenant, id, epoch, last_offset) in positions {
            gone.remove(&(tenant, id));
            let Some((feed, known_epoch, top)) = known.get(&(tenant, id)) else { continue };
            behind += u64::from(**known_epoch == *epoch && last_offset < *top);
            if feed.anchor(&epoch, last_offset) == Accepted::Gap {
                fill(live, feed).await;
            }
        }
        gone.iter().filter_map(|key| known.get(key)).for_each(|(feed, ..)| feed.vanish());
    }
    if behind > 0 {
        live.counters.streams_behind.add(behind);
        tracing::error!(streams = behind, "the store has less than was delivered; run `rialto doctor restore-done`");
    }
}

/// Reads again where a tenant's streams stand: its history was cut.
pub(super) async fn compare_tenant(live: Arc<Live>, tenant: TenantId) {
    // What is only in memory has no past in the store.
    let feeds = live.feeds.of_tenant(tenant).into_iter().filter(|feed| feed.key.stored().is_some());
    let feeds: Vec<_> = feeds.collect();
    // What has no position yet may hold events of the past that came early.
    feeds.iter().filter(|feed| feed.position().is_none()).for_each(|feed| feed.vanish());
    // People's own streams first: their sessions close, and are spared the end of each subscription.
    let (own, rooms) = feeds.into_iter().partition(|feed| matches!(feed.key.channel, Channel::User(_)));
    compare(&live, own).await;
    compare(&live, rooms).await;
}
