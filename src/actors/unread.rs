//! `unread:<user>` maps: snapshot from the watermarks, live in memory, at most two changes a second per person, never stored.
//!
//! A new message makes its room dirty, whoever is in it; twice a second the rooms that were dirtied are counted up for the people who
//! look. A watermark that moved, or rights that changed, make a person's counts be read from the store again.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::json;

use super::feed::{Feed, FeedKey, calls_person};
use super::keep::survived;
use super::live::{Live, Refused};
use crate::domain::communities::views::MyRoom;
use crate::domain::communities::{self, rooms};
use crate::infra::bus::StreamEvent;
use crate::kernel::{RoomId, Scope, TenantId, UserId};
use crate::protocol::Channel;

const TICK: Duration = Duration::from_millis(500);
/// New messages of one room that are remembered between two ticks; beyond it counts are read again.
const NOTED_MAX: usize = 256;

#[derive(Clone, Copy, Default)]
struct Count {
    last_offset: u64,
    read_offset: u64,
    unread: u64,
    mentions: u64,
    muted: bool,
}

#[derive(Default)]
struct State {
    /// Who looks, and what they were told of each room.
    people: HashMap<(TenantId, UserId), HashMap<RoomId, Count>>,
    /// Which of them are in a room.
    rooms: HashMap<(TenantId, RoomId), HashSet<UserId>>,
    noted: HashMap<(TenantId, RoomId), Vec<StreamEvent>>,
    stale: HashSet<(TenantId, UserId)>,
}

/// Unread counts of the people who look at them.
#[derive(Default)]
pub struct Unread {
    state: Mutex<State>,
}

impl Unread {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A room has a new event.
    pub fn note(&self, _live: &Live, tenant: TenantId, room: RoomId, event: &StreamEvent) {
        let mut state = self.lock();
        let State { rooms, noted, stale, .. } = &mut *state;
        let Some(people) = rooms.get(&(tenant, room)) else { return };
        let events = noted.entry((tenant, room)).or_default();
        if events.len() < NOTED_MAX && &*event.kind != "message.deleted" {
            events.push(event.clone());
        } else {
            // Too many to remember, or one less to read: count from the store.
            stale.extend(people.iter().map(|user| (tenant, *user)));
        }
    }

    /// A person's counts have to be read again.
    pub fn stale(&self, tenant: TenantId, user: UserId) {
        let mut state = self.lock();
        if state.people.contains_key(&(tenant, user)) {
            state.stale.insert((tenant, user));
        }
    }

    /// A room has events that did not come as news: the store does not say whom they call, so those who are in it count anew.
    pub fn room_stale(&self, tenant: TenantId, room: RoomId) {
        let mut state = self.lock();
        let State { rooms, stale, .. } = &mut *state;
        stale.extend(rooms.get(&(tenant, room)).into_iter().flatten().map(|user| (tenant, *user)));
    }

    /// Everybody's counts in a tenant have to be read again.
    pub fn all_stale(&self, tenant: TenantId) {
        let mut state = self.lock();
        let State { people, stale, .. } = &mut *state;
        stale.extend(people.keys().filter(|(of, _)| *of == tenant));
    }

    fn forget(&self, tenant: TenantId, user: UserId) {
        let mut state = self.lock();
        if let Some(rooms) = state.people.remove(&(tenant, user)) {
            for room in rooms.into_keys() {
                if let Some(people) = state.rooms.get_mut(&(tenant, room)) {
                    people.remove(&user);
                    if people.is_empty() {
                        state.rooms.remove(&(tenant, room));
                        state.noted.remove(&(tenant, room));
                    }
                }
            }
        }
    }
}

/// Reads a person's counts from the store, unless they are being kept already.
pub(super) async fn fill(live: &Live, feed: &Arc<Feed>, user: UserId) -> Result<(), Refused> {
    let tenant = feed.key.tenant;
    if live.unread.lock().people.contains_key(&(tenant, user)) {
        return Ok(());
    }
    reload(live, feed, user).await
}

async fn reload(live: &Live, feed: &Arc<Feed>, user: UserId) -> Result<(), Refused> {
    let (tenant, pg, now) = (feed.key.tenant, live.db.pg().clone(), live.clock.now());
    let grants = live.grants(tenant, user).await?;
    let scope = Scope {
        tenant,
        user,
        role: grants.role,
        handle: Arc::clone(&grants.handle),
        display_name: Arc::clone(&grants.display_name),
    };
    let listing = async move {
        let mut tx = pg.tenant(tenant).await?;
        let page = rooms::list_mine(&mut tx, &scope, now).await?;
        tx.commit().await?;
        Ok::<_, communities::Error>(page.items)
    };
    let count = |row: &MyRoom| Count {
        last_offset: row.room.last_offset.cast_unsigned(),
        read_offset: row.read_offset.cast_unsigned(),
        unread: row.unread.cast_unsigned(),
        mentions: row.mentions.cast_unsigned(),
        muted: row.muted,
    };
    let counts: HashMap<RoomId, Count> =
        live.db.run(listing).await?.iter().map(|row| (row.room.id, count(row))).collect();
    live.unread.forget(tenant, user);
    let mut state = live.unread.lock();
    for room in counts.keys() {
        state.rooms.entry((tenant, *room)).or_default().insert(user);
    }
    state.people.insert((tenant, user), counts.clone());
    drop(state);
    for gone in feed.keys().iter().filter(|key| !counts.keys().any(|room| room.to_string() == ***key)) {
        feed.set(gone, None);
    }
    for (room, count) in counts {
        tell(feed, room, count);
    }
    Ok(())
}

fn tell(feed: &Arc<Feed>, room: RoomId, count: Count) {
    let Count { last_offset, read_offset, unread, mentions, muted } = count;
    let body = json!({"last_offset": last_offset, "read_offset": read_offset, "unread": unread, "mentions": mentions, "muted": muted});
    feed.set(&room.to_string(), Some(body.to_string().into()));
}

/// Counts up what was noted, twice a second.
pub(super) async fn run(live: Arc<Live>) {
    while !survived("counting unread messages", &live.counters.tasks_restarted, count_for_ever(&live)).await {}
}

async fn count_for_ever(live: &Live) {
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        let (noted, stale) = {
            let mut state = live.unread.lock();
            (std::mem::take(&mut state.noted), std::mem::take(&mut state.stale))
        };
        for ((tenant, room), events) in noted {
            count_up(live, tenant, room, &events);
        }
        for (tenant, user) in stale {
            let Some(feed) = look(live, tenant, user) else { continue };
            if reload(live, &feed, user).await.is_err() {
                live.unread.stale(tenant, user);
            }
        }
    }
}

/// The map of a person who still looks; one who does not is forgotten.
fn look(live: &Live, tenant: TenantId, user: UserId) -> Option<Arc<Feed>> {
    let feed =
        live.feeds.find(&FeedKey { tenant, channel: Channel::Unread(user.uuid()) }).filter(|feed| feed.is_heard());
    if feed.is_none() {
        live.unread.forget(tenant, user);
    }
    feed
}

fn count_up(live: &Live, tenant: TenantId, room: RoomId, events: &[StreamEvent]) {
    let people: Vec<UserId> =
        live.unread.lock().rooms.get(&(tenant, room)).map(|p| p.iter().copied().collect()).unwrap_or_default();
    for user in people {
        let Some(feed) = look(live, tenant, user) else { continue };
        let mut state = live.unread.lock();
        let Some(count) = state.people.get_mut(&(tenant, user)).and_then(|rooms| rooms.get_mut(&room)) else {
            continue;
        };
        for event in events.iter().filter(|event| event.offset > count.last_offset) {
            if &*event.kind == "message.created" && event.actor != Some(user) {
                count.unread += 1;
                count.mentions += u64::from(calls_person(event, user));
            }
        }
        count.last_offset = events.iter().map(|event| event.offset).max().unwrap_or_default().max(count.last_offset);
        let count = *count;
        drop(state);
        tell(&feed, room, count);
    }
}
