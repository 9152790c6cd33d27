//! What this node knows of one channel: where it stands, its latest entries, and which workers listen.
//!
//! A stream's events come here from wherever they were committed, in any order; they leave in offset order, each once (R2). A map's
//! changes get their offsets here, for a map lives in memory. The lock is held for a few pointer moves; nothing is encoded or sent to
//! a socket under it. R3: the ring answers recoveries before Postgres does.
//! R6: a ring holds at most `limits.ring.events` or `.room` bytes, all rings `.node` bytes, least recently used out first.

mod entry;
mod registry;

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use entry::{Entry, calls_person, publication};
pub use registry::Feeds;

use super::hub::{Delivery, HubSender};
use crate::config::Ring;
use crate::infra::bus::{StreamEvent, StreamId};
use crate::kernel::{TenantId, rng};
use crate::protocol::Channel;

/// Events that may wait for one before them; beyond it the store is asked at once.
const EARLY_MAX: usize = 1_024;

/// A channel of a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FeedKey {
    pub tenant: TenantId,
    pub channel: Channel,
}

impl FeedKey {
    /// The channel that carries a durable stream.
    #[must_use]
    pub const fn stream(tenant: TenantId, stream: StreamId) -> Self {
        let channel = match stream {
            StreamId::Room(id) => Channel::Room(id.uuid()),
            StreamId::User(id) => Channel::User(id.uuid()),
        };
        Self { tenant, channel }
    }

    /// The durable stream behind the channel, where there is one.
    #[must_use]
    pub fn stored(self) -> Option<StreamId> {
        match self.channel {
            Channel::Room(id) => Some(StreamId::Room(id.into())),
            Channel::User(id) => Some(StreamId::User(id.into())),
            Channel::Typing(_) | Channel::Unread(_) | Channel::Presence(_) => None,
        }
    }
}

/// Up to where a reader knows a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Mark {
    /// Counts the pasts that the channel has had: after a cut, offsets mean something else.
    pub era: u64,
    pub top: u64,
}

/// What a reader finds at one instant.
pub struct Snapshot {
    pub epoch: Arc<str>,
    pub mark: Mark,
    /// The events after the asked-for offset, when the ring still has all of them.
    pub missed: Option<Vec<Arc<Entry>>>,
}

/// What became of an event handed to [`Feed::accept`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accepted {
    /// Delivered, or known already.
    Done,
    /// It waits for events before it: the store must be asked for what lies between.
    Gap,
}

/// One channel on this node.
pub struct Feed {
    pub key: FeedKey,
    /// The channel's name, for pushes.
    pub channel: String,
    state: Mutex<State>,
    used_at: AtomicU64,
    /// Counts how often its past was replaced.
    era: AtomicU64,
    /// Subscribers who asked for join and leave pushes.
    announced_to: AtomicUsize,
    bytes_node: Arc<AtomicUsize>,
    limits: Arc<Ring>,
    hubs: Arc<[HubSender]>,
}

#[derive(Default)]
struct State {
    /// Epoch and top, once they have been read from the store.
    position: Option<(Arc<str>, u64)>,
    /// The epoch before: a reading that was under way when it ended changes nothing.
    ended: Option<Arc<str>>,
    ring: VecDeque<Arc<Entry>>,
    bytes: usize,
    early: BTreeMap<u64, Arc<Entry>>,
    /// Bodies of removed content whose events have not been delivered yet: they may still come with what was removed.
    blanked: BTreeMap<u64, Arc<str>>,
    /// A map's present entries.
    map: BTreeMap<Box<str>, Arc<Entry>>,
    /// Bit per worker that has subscribers.
    listeners: u64,
}

impl Feed {
    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic under this lock can only be an allocation failure; the state is whole between statements.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Epoch and last delivered offset; `None` before the first reading from the store.
    #[must_use]
    pub fn position(&self) -> Option<(Arc<str>, u64)> {
        self.lock().position.clone()
    }

    /// Whether any worker of this node has subscribers.
    #[must_use]
    pub fn is_heard(&self) -> bool {
        self.lock().listeners != 0
    }

    /// Whether anybody asked for join and leave pushes.
    #[must_use]
    pub fn announces(&self) -> bool {
        self.announced_to.load(Ordering::Relaxed) > 0
    }

    /// One more, or one less, who asks for join and leave pushes.
    pub(super) fn announce(&self, more: bool) {
        if more {
            self.announced_to.fetch_add(1, Ordering::Relaxed)
        } else {
            self.announced_to.fetch_sub(1, Ordering::Relaxed)
        };
    }

    /// Registers a worker; what is delivered from now on reaches it. Answers the last offset that did not.
    pub fn listen(&self, worker: usize) -> Option<u64> {
        let mut state = self.lock();
        state.listeners |= 1 << worker;
        state.position.as_ref().map(|(_, top)| *top)
    }

    /// The worker has no subscribers any more.
    pub fn leave(&self, worker: usize) {
        self.lock().listeners &= !(1 << worker);
    }

    /// Tells where the stream stood in the store. A first reading fixes where delivery begins; a later one, when the store is ahead,
    /// answers that there is a gap.
    pub fn anchor(self: &Arc<Self>, epoch: &str, top: u64) -> Accepted {
        let mut state = self.lock();
        match &state.position {
            None => {
                state.position = Some((Arc::from(epoch), top));
                state.early = state.early.split_off(&(top + 1));
                state.blanked = state.blanked.split_off(&(top + 1));
                self.flush(&mut state);
                Accepted::Done
            }
            Some((known, delivered)) if **known == *epoch => {
                if *delivered < top {
                    Accepted::Gap
                } else {
                    Accepted::Done
                }
            }
            Some(_) if state.ended.as_deref() == Some(epoch) => Accepted::Done,
            Some(_) => {
                self.cut(&mut state, Some((Arc::from(epoch), top)));
                Accepted::Done
            }
        }
    }

    /// The store does not know the stream any more.
    pub fn vanish(self: &Arc<Self>) {
        self.cut(&mut self.lock(), None);
    }

    /// History was cut: offsets of the old epoch mean nothing, and whoever listens begins anew before anything else is told.
    fn cut(self: &Arc<Self>, state: &mut State, position: Option<(Arc<str>, u64)>) {
        self.bytes_node.fetch_sub(state.bytes, Ordering::Relaxed);
        self.era.fetch_add(1, Ordering::Release);
        let ended = state.position.take().map(|(epoch, _)| epoch);
        *state = State { position, ended, listeners: state.listeners, ..State::default() };
        let era = self.era();
        self.tell(state, || Delivery::Cut { feed: Arc::clone(self), era });
    }

    /// How often the channel's past was replaced.
    pub fn era(&self) -> u64 {
        self.era.load(Ordering::Acquire)
    }

    /// Takes an event that has been committed: delivers it when its turn has come, keeps it when it is early, drops it when known.
    pub fn accept(self: &Arc<Self>, event: StreamEvent) -> Accepted {
        let mut state = self.lock();
        let offset = event.offset;
        match &state.position {
            Some((_, top)) if offset <= *top => return Accepted::Done,
            _ => {}
        }
        state.early.insert(offset, Entry::new(self.era(), event));
        while state.early.len() > EARLY_MAX {
            state.early.pop_last();
        }
        self.flush(&mut state);
        // Without a position yet, the reading that is under way settles what is early.
        if state.early.is_empty() || state.position.is_none() { Accepted::Done } else { Accepted::Gap }
    }

    /// Moves what is next in order from `early` to the ring and to the workers.
    fn flush(self: &Arc<Self>, state: &mut State) {
        let Some((_, top)) = &mut state.position else { return };
        let mut due = Vec::new();
        while let Some(entry) = state.early.first_entry() {
            match entry.key().cmp(&(*top + 1)) {
                std::cmp::Ordering::Greater => break,
                std::cmp::Ordering::Less => drop(entry.remove()),
                std::cmp::Ordering::Equal => {
                    *top += 1;
                    let entry = entry.remove();
                    due.push(match state.blanked.remove(top) {
                        Some(body) => Entry::new(entry.era, StreamEvent { body, ..entry.event.clone() }),
                        None => entry,
                    });
                }
            }
        }
        for entry in due {
            self.remember(state, &entry);
            self.dispatch(state, &entry);
        }
    }

    fn dispatch(self: &Arc<Self>, state: &State, entry: &Arc<Entry>) {
        self.tell(state, || Delivery::Entry { feed: Arc::clone(self), entry: Arc::clone(entry) });
    }

    /// Hands a delivery to each worker that listens.
    fn tell(&self, state: &State, delivery: impl Fn() -> Delivery) {
        let mut listeners = state.listeners;
        while listeners != 0 {
            let worker = listeners.trailing_zeros() as usize;
            listeners &= listeners - 1;
            if let Some(hub) = self.hubs.get(worker) {
                hub.deliver(delivery());
            }
        }
    }

    /// Tells whoever listens now; nothing is kept (typing).
    pub fn shout(self: &Arc<Self>, kind: &str, body: Arc<str>) {
        let event = StreamEvent { offset: 0, kind: kind.into(), body, actor: None, calls: [].into() };
        self.dispatch(&self.lock(), &Entry::new(self.era(), event));
    }

    /// Sets (or, without a body, removes) an entry of a map; no change, no news.
    pub fn set(self: &Arc<Self>, key: &str, body: Option<Arc<str>>) {
        let mut state = self.lock();
        let known = state.map.get(key).map(|entry| Arc::clone(&entry.event.body));
        if known == body {
            return;
        }
        let (_, top) = state.position.get_or_insert_with(|| (rng::epoch().into(), 0));
        *top += 1;
        let removed = body.is_none();
        let event = StreamEvent {
            offset: *top,
            kind: "".into(),
            body: body.unwrap_or_else(|| "".into()),
            actor: None,
            calls: [].into(),
        };
        let entry = Entry::keyed(self.era(), event, key, removed);
        if removed {
            state.map.remove(key);
        } else {
            state.map.insert(key.into(), Arc::clone(&entry));
        }
        self.remember(&mut state, &entry);
        self.dispatch(&state, &entry);
    }

    /// A page of a map in key order behind `after`, with the position it was read at and whether more follows.
    #[must_use]
    pub fn page(&self, after: &str, limit: usize) -> (Arc<str>, u64, Vec<Arc<Entry>>, bool) {
        let mut state = self.lock();
        let (epoch, top) = state.position.get_or_insert_with(|| (rng::epoch().into(), 0)).clone();
        let range = (std::ops::Bound::Excluded(Box::from(after)), std::ops::Bound::Unbounded);
        let entries: Vec<_> = if after.is_empty() {
            state.map.values().take(limit + 1).cloned().collect()
        } else {
            state.map.range::<Box<str>, _>(range).map(|(_, entry)| Arc::clone(entry)).take(limit + 1).collect()
        };
        let more = entries.len() > limit;
        (epoch, top, entries.into_iter().take(limit).collect(), more)
    }

    /// The keys of a map.
    #[must_use]
    pub fn keys(&self) -> Vec<Box<str>> {
        self.lock().map.keys().cloned().collect()
    }

    fn remember(&self, state: &mut State, entry: &Arc<Entry>) {
        let weight = entry.weight();
        state.bytes += weight;
        self.bytes_node.fetch_add(weight, Ordering::Relaxed);
        state.ring.push_back(Arc::clone(entry));
        while state.ring.len() > self.limits.events as usize || state.bytes > self.limits.room.as_usize() {
            let Some(oldest) = state.ring.pop_front() else { break };
            state.bytes -= oldest.weight();
            self.bytes_node.fetch_sub(oldest.weight(), Ordering::Relaxed);
        }
    }

    /// The first offset that the ring still has.
    #[must_use]
    pub fn oldest(&self) -> Option<u64> {
        self.lock().ring.front().map(|entry| entry.event.offset)
    }

    /// Position and what was missed since `offset`, if a position is known.
    #[must_use]
    pub fn since(&self, offset: u64) -> Option<Snapshot> {
        let state = self.lock();
        let (epoch, top) = state.position.clone()?;
        let missed = if offset >= top {
            Some(Vec::new())
        } else {
            let first = state.ring.front().map_or(u64::MAX, |entry| entry.event.offset);
            (first <= offset + 1).then(|| state.ring.iter().filter(|e| e.event.offset > offset).cloned().collect())
        };
        Some(Snapshot { epoch, mark: Mark { era: self.era(), top }, missed })
    }

    /// Replaces the bodies of removed content, so that no recovery from the ring brings it back. News of a removal may overtake that of
    /// what was removed.
    pub fn blank(&self, events: &[(u64, Arc<str>)]) {
        let mut state = self.lock();
        let top = state.position.as_ref().map_or(0, |(_, top)| *top);
        for (offset, body) in events {
            if *offset > top {
                state.blanked.insert(*offset, Arc::clone(body));
                while state.blanked.len() > EARLY_MAX {
                    state.blanked.pop_first();
                }
                continue;
            }
            let first = state.ring.front().map_or(u64::MAX, |entry| entry.event.offset);
            let slot = offset.checked_sub(first).and_then(|index| usize::try_from(index).ok());
            if let Some(entry) = slot.and_then(|index| state.ring.get_mut(index)) {
                let before = entry.weight();
                *entry = Entry::new(entry.era, StreamEvent { body: Arc::clone(body), ..entry.event.clone() });
                let after = entry.weight();
                state.bytes = state.bytes + after - before;
                self.bytes_node.fetch_add(after, Ordering::Relaxed);
                self.bytes_node.fetch_sub(before, Ordering::Relaxed);
            }
        }
    }

    fn drop_ring(&self) {
        let mut state = self.lock();
        self.bytes_node.fetch_sub(state.bytes, Ordering::Relaxed);
        state.bytes = 0;
        state.ring.clear();
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.drop_ring();
    }
}

#[cfg(test)]
mod tests;
