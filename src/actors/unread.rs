//! `unread:<user>` maps: snapshot from the watermarks, live in memory, at most two changes a second per person, never stored.
//!
//! A new message makes its room dirty, whoever is in it; twice a second the rooms that were dirtied are counted up for the people who
//! look. A watermark that moved, or rights that changed, make a person's counts be read from the store again; so does whatever was not
//! counted: an event counts only right behind the one before it, and what comes while counts are read is kept and added to them.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
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

impl Count {
    /// Counts up what came after it; false when something lies between, or cannot be counted without the store.
    fn add(&mut self, user: UserId, events: &[StreamEvent]) -> bool {
        for event in events {
            if event.offset <= self.last_offset {
                continue;
            }
            if event.offset > self.last_offset + 1 || &*event.kind == "message.deleted" {
                return false;
            }
            if &*event.kind == "message.created" && event.actor != Some(user) {
                self.unread += 1;
                self.mentions += u64::from(calls_person(event, user));
            }
            self.last_offset = event.offset;
        }
        true
    }
}

/// Somebody who looks.
#[derive(Default)]
struct Person {
    /// What they were told of each room.
    rooms: HashMap<RoomId, Count>,
    /// Which reading of the store it comes from; 0 before the first.
    reading: u64,
}

/// A room's new events in order, each with the time on [`State::clock`] at which it came.
type Noted = BTreeMap<u64, (u64, StreamEvent)>;

type RoomsNews = (TenantId, RoomId, Vec<StreamEvent>);

#[derive(Default)]
struct State {
    people: HashMap<(TenantId, UserId), Person>,
    /// Which of them are in a room.
    rooms: HashMap<(TenantId, RoomId), HashSet<UserId>>,
    noted: HashMap<(TenantId, RoomId), Noted>,
    stale: HashSet<(TenantId, UserId)>,
    /// Goes on with every reading and every tick.
    clock: u64,
    /// The readings that are under way: what comes meanwhile is kept for them.
    readings: HashMap<TenantId, BTreeSet<u64>>,
}

impl State {
    fn forget(&mut self, tenant: TenantId, user: UserId) {
        for room in self.people.remove(&(tenant, user)).unwrap_or_default().rooms.into_keys() {
            self.leave(tenant, room, user);
        }
    }

    fn leave(&mut self, tenant: TenantId, room: RoomId, user: UserId) {
        if let Some(people) = self.rooms.get_mut(&(tenant, room)) {
            people.remove(&user);
            if people.is_empty() {
                self.rooms.remove(&(tenant, room));
            }
        }
    }

    /// What a room's noted events are.
    fn events(&self, tenant: TenantId, room: RoomId) -> Vec<StreamEvent> {
        self.noted.get(&(tenant, room)).into_iter().flat_map(|noted| noted.values().map(|(_, e)| e.clone())).collect()
    }
}

/// Unread counts of the people who look at them.
#[derive(Default)]
pub struct Unread {
    state: Mutex<State>,
}

/// A reading of one person's counts that is under way.
struct Reading<'a> {
    unread: &'a Unread,
    tenant: TenantId,
    user: UserId,
    number: u64,
}

impl Unread {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A room has a new event.
    pub fn note(&self, tenant: TenantId, room: RoomId, event: &StreamEvent) {
        let mut state = self.lock();
        if !state.rooms.contains_key(&(tenant, room)) && !state.readings.contains_key(&tenant) {
            return;
        }
        let at = state.clock;
        let noted = state.noted.entry((tenant, room)).or_default();
        noted.insert(event.offset, (at, event.clone()));
        if noted.len() > NOTED_MAX {
            // Whoever misses it sees the gap, and counts from the store.
            noted.pop_first();
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
        let State { people, stale, noted, .. } = &mut *state;
        stale.extend(people.keys().filter(|(of, _)| *of == tenant));
        // Perhaps of a past that was replaced.
        noted.retain(|(of, _), _| *of != tenant);
    }

    /// R8: what was taken to be counted when a panic came is lost; everybody counts anew.
    fn everybody_stale(&self) {
        let mut state = self.lock();
        let State { people, stale, .. } = &mut *state;
        stale.extend(people.keys());
    }

    fn forget(&self, tenant: TenantId, user: UserId) {
        self.lock().forget(tenant, user);
    }

    /// Whether a person's counts are being kept.
    fn keeps(&self, tenant: TenantId, user: UserId) -> bool {
        self.lock().people.get(&(tenant, user)).is_some_and(|person| person.reading > 0)
    }

    /// Begins to read a person's counts. They are known from now on, so that what makes them stale meanwhile does.
    fn begin(&self, tenant: TenantId, user: UserId) -> Reading<'_> {
        let mut state = self.lock();
        state.clock += 1;
        let number = state.clock;
        state.people.entry((tenant, user)).or_default();
        state.readings.entry(tenant).or_default().insert(number);
        Reading { unread: self, tenant, user, number }
    }

    /// What is to be counted up and whose counts are to be read. Events that came while a reading is under way stay for it: to count
    /// one twice changes nothing.
    fn take(&self) -> (Vec<RoomsNews>, HashSet<(TenantId, UserId)>) {
        let mut state = self.lock();
        state.clock += 1;
        let due = state.noted.keys().map(|(tenant, room)| (*tenant, *room, state.events(*tenant, *room))).collect();
        let State { noted, readings, stale, .. } = &mut *state;
        noted.retain(|(tenant, _), events| {
            let Some(oldest) = readings.get(tenant).and_then(BTreeSet::first) else { return false };
            events.retain(|_, (at, _)| *at >= *oldest);
            !events.is_empty()
        });
        (due, std::mem::take(stale))
    }

    fn people_in(&self, tenant: TenantId, room: RoomId) -> Vec<UserId> {
        self.lock().rooms.get(&(tenant, room)).into_iter().flatten().copied().collect()
    }

    /// Adds a room's new events to what a person was told of it.
    fn count_up(&self, feed: &Arc<Feed>, who: (TenantId, UserId), room: RoomId, events: &[StreamEvent]) {
        let mut state = self.lock();
        let Some(count) = state.people.get_mut(&who).and_then(|person| person.rooms.get_mut(&room)) else { return };
        let complete = count.add(who.1, events);
        // Told under the lock: what a reading finds meanwhile must not be told first.
        tell(feed, room, *count);
        if !complete {
            state.stale.insert(who);
        }
    }
}

impl Reading<'_> {
    /// The store's counts with what came meanwhile become the person's, and are told; not when a later reading was faster.
    fn end(self, feed: &Arc<Feed>, mut counts: HashMap<RoomId, Count>) {
        let (tenant, user) = (self.tenant, self.user);
        let mut state = self.unread.lock();
        let before = state.people.get(&(tenant, user)).map(|person| person.reading);
        if before.is_some_and(|before| before > self.number) {
            return;
        }
        let mut complete = before.is_some();
        for (room, count) in &mut counts {
            complete &= count.add(user, &state.events(tenant, *room));
        }
        // Forgotten meanwhile, or something is missing still.
        if !complete {
            state.stale.insert((tenant, user));
        }
        state.forget(tenant, user);
        for room in counts.keys() {
            state.rooms.entry((tenant, *room)).or_default().insert(user);
        }
        let rooms: HashSet<String> = counts.keys().map(ToString::to_string).collect();
        feed.keys().iter().filter(|key| !rooms.contains(&***key)).for_each(|gone| feed.set(gone, None));
        for (room, count) in &counts {
            tell(feed, *room, *count);
        }
        state.people.insert((tenant, user), Person { rooms: counts, reading: self.number });
    }
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        let mut state = self.unread.lock();
        if let Some(readings) = state.readings.get_mut(&self.tenant) {
            readings.remove(&self.number);
            if readings.is_empty() {
                state.readings.remove(&self.tenant);
            }
        }
        // It failed, and was the first: the tick reads for those who look, and forgets the others.
        let who = (self.tenant, self.user);
        if state.people.get(&who).is_some_and(|person| person.reading == 0) {
            state.stale.insert(who);
        }
    }
}

/// Reads a person's counts from the store, unless they are being kept already.
pub(super) async fn fill(live: &Live, feed: &Arc<Feed>, user: UserId) -> Result<(), Refused> {
    // A channel that was given up meanwhile has nothing in it, whatever is known of the person.
    if feed.position().is_some() && live.unread.keeps(feed.key.tenant, user) {
        return Ok(());
    }
    reload(live, feed, user).await
}

async fn reload(live: &Live, feed: &Arc<Feed>, user: UserId) -> Result<(), Refused> {
    let (tenant, pg, now) = (feed.key.tenant, live.db.pg().clone(), live.clock.now());
    let reading = live.unread.begin(tenant, user);
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
    reading.end(feed, counts);
    Ok(())
}

fn tell(feed: &Arc<Feed>, room: RoomId, count: Count) {
    let Count { last_offset, read_offset, unread, mentions, muted } = count;
    let body = json!({"last_offset": last_offset, "read_offset": read_offset, "unread": unread, "mentions": mentions, "muted": muted});
    feed.set(&room.to_string(), Some(body.to_string().into()));
}

/// Counts up what was noted, twice a second.
pub(super) async fn run(live: Arc<Live>) {
    while !survived("counting unread messages", &live.counters.tasks_restarted, count_for_ever(&live)).await {
        live.unread.everybody_stale();
    }
}

async fn count_for_ever(live: &Live) {
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        let (noted, stale) = live.unread.take();
        for (tenant, room, events) in noted {
            for user in live.unread.people_in(tenant, room) {
                if let Some(feed) = look(live, tenant, user) {
                    live.unread.count_up(&feed, (tenant, user), room, &events);
                }
            }
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

#[cfg(test)]
mod tests;
