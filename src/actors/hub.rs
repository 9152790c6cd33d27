//! One hub per HTTP worker: every delivery reaches a worker once and fans out here, on the thread where its sessions live.
//!
//! R2: a hub knows the last offset that it handed on per channel; what it lost because its queue was full it reads again from the
//! feed's ring, and where the ring no longer has it, subscribers are told to recover. R7: the sweep closes sockets that do not read.
//! R9: decisions (rights, bans, suspensions) arrive here and take effect on the live sessions.

pub(super) mod listeners;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{mpsc, watch};

use listeners::Listeners;

use super::feed::{Entry, Feed, FeedKey};
use super::keep::survived;
use super::live::Live;
use super::session::{Client, Subscription};
use crate::infra::bus::Sessions;
use crate::kernel::{RoomId, TenantId, UserId};
use crate::protocol::{Channel, Disconnect, Format};

/// Deliveries that may wait for one worker. Full: entries are read from rings again, decisions become a check of everybody.
const QUEUE_MAX: usize = 8_192;
/// Deliveries handled before other tasks of the worker get their turn.
const BATCH_MAX: usize = 128;
/// How often stuck sockets are looked for, and pings and expiries handed out.
const SWEEP_EVERY: Duration = Duration::from_millis(500);

/// What reaches a worker.
pub enum Delivery {
    /// A channel has something new.
    Entry { feed: Arc<Feed>, entry: Arc<Entry> },
    /// A channel's past was replaced: its subscribers begin anew.
    Cut { feed: Arc<Feed>, era: u64 },
    /// Somebody joined or left a room: pushes for those who asked for them.
    JoinLeave { feed: Arc<Feed>, json: Bytes, protobuf: Bytes },
    /// Rights may have changed: look again at these people's subscriptions in these rooms.
    Recheck { tenant: TenantId, user: Option<UserId>, room: Option<RoomId> },
    /// These sessions end, of everybody in a tenant or of one person.
    Close { tenant: TenantId, user: Option<UserId>, which: Sessions, why: Disconnect },
    /// Commands of an emulated session, which arrived at another worker.
    Frame { client: u64, data: Bytes },
    /// Panic, to prove what happens then.
    #[cfg(feature = "faults")]
    Panic,
}

/// The way to one worker. Never waits.
#[derive(Clone)]
pub struct HubSender {
    queue: mpsc::Sender<Delivery>,
    overflown: Arc<AtomicBool>,
    undecided: Arc<AtomicBool>,
    /// Beside the queue, which may be full.
    drain_within: watch::Sender<Duration>,
}

/// The other end, to be given to [`Hub::run`] on the worker's thread.
pub struct HubReceiver {
    queue: mpsc::Receiver<Delivery>,
    overflown: Arc<AtomicBool>,
    undecided: Arc<AtomicBool>,
    drain_within: watch::Receiver<Duration>,
}

/// A queue to one worker.
#[must_use]
pub fn channel() -> (HubSender, HubReceiver) {
    let (tx, rx) = mpsc::channel(QUEUE_MAX);
    let (overflown, undecided) = (Arc::<AtomicBool>::default(), Arc::<AtomicBool>::default());
    let (drain, drain_within) = watch::channel(Duration::ZERO);
    let sender = HubSender {
        queue: tx,
        overflown: Arc::clone(&overflown),
        undecided: Arc::clone(&undecided),
        drain_within: drain,
    };
    (sender, HubReceiver { queue: rx, overflown, undecided, drain_within })
}

impl HubSender {
    /// Hands a delivery over. A full queue loses nothing for good: see [`QUEUE_MAX`].
    pub fn deliver(&self, delivery: Delivery) {
        #[cfg(feature = "faults")]
        if super::faults::is_losing() {
            match delivery {
                Delivery::Entry { .. } | Delivery::Cut { .. } => return self.overflown.store(true, Ordering::Release),
                Delivery::Recheck { .. } | Delivery::Close { .. } => {
                    return self.undecided.store(true, Ordering::Release);
                }
                _ => {}
            }
        }
        let Err(mpsc::error::TrySendError::Full(lost)) = self.queue.try_send(delivery) else { return };
        match lost {
            Delivery::Entry { .. } | Delivery::Cut { .. } => self.overflown.store(true, Ordering::Release),
            Delivery::JoinLeave { .. } | Delivery::Frame { .. } => {}
            Delivery::Recheck { .. } | Delivery::Close { .. } => self.undecided.store(true, Ordering::Release),
            #[cfg(feature = "faults")]
            Delivery::Panic => {}
        }
    }

    /// The process stops: sessions close spread over this time.
    pub fn drain(&self, within: Duration) {
        self.drain_within.send_replace(within);
    }

    /// Hands a delivery over, or says that the queue is full.
    #[must_use]
    pub fn try_deliver(&self, delivery: Delivery) -> bool {
        self.queue.try_send(delivery).is_ok()
    }
}

#[cfg(test)]
impl HubReceiver {
    /// What has been handed over, if anything.
    pub fn try_next(&mut self) -> Option<Delivery> {
        self.queue.try_recv().ok()
    }
}

/// The sessions of one worker.
pub struct Hub {
    pub worker: usize,
    pub live: Arc<Live>,
    channels: RefCell<HashMap<FeedKey, Listeners>>,
    clients: RefCell<HashMap<u64, Rc<Client>>>,
    people: RefCell<HashMap<(TenantId, UserId), Vec<u64>>>,
    next_client: Cell<u64>,
    draining: Cell<bool>,
}

impl Hub {
    /// The hub of a worker; [`Hub::run`] must be spawned on the same thread.
    #[must_use]
    pub fn new(worker: usize, live: Arc<Live>) -> Rc<Self> {
        Rc::new(Self {
            worker,
            live,
            channels: RefCell::default(),
            clients: RefCell::default(),
            people: RefCell::default(),
            next_client: Cell::new(1),
            draining: Cell::new(false),
        })
    }

    /// Delivers until every sender is gone.
    pub async fn run(self: Rc<Self>, mut receiver: HubReceiver) {
        let mut crashed = false;
        while !survived("a hub", &self.live.counters.tasks_restarted, self.work(&mut receiver, crashed)).await {
            crashed = true;
        }
    }

    /// R8: after a panic nobody knows what arrived; every session ends, and recovers on its return.
    fn end_everybody(self: &Rc<Self>) {
        for listeners in self.channels.take().into_values() {
            listeners.feed.leave(self.worker);
        }
        let clients: Vec<_> = self.clients.borrow().values().cloned().collect();
        clients.into_iter().for_each(|client| client.close(Disconnect::ServerError));
    }

    async fn work(self: &Rc<Self>, receiver: &mut HubReceiver, crashed: bool) {
        if crashed {
            self.end_everybody();
        }
        let mut sweep = tokio::time::interval(SWEEP_EVERY);
        sweep.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut batch = Vec::with_capacity(BATCH_MAX);
        loop {
            tokio::select! {
                count = receiver.queue.recv_many(&mut batch, BATCH_MAX) => {
                    if count == 0 {
                        return;
                    }
                    batch.drain(..).for_each(|delivery| self.deliver(delivery));
                    // Sessions were woken; let them write before more piles up.
                    tokio::task::yield_now().await;
                }
                Ok(()) = receiver.drain_within.changed() => {
                    let within = *receiver.drain_within.borrow_and_update();
                    self.drain(within);
                }
                _ = sweep.tick() => self.sweep(),
            }
            if receiver.queue.is_empty() && receiver.overflown.swap(false, Ordering::AcqRel) {
                self.catch_up();
            }
            if receiver.undecided.swap(false, Ordering::AcqRel) {
                self.check_everybody();
            }
        }
    }

    fn deliver(self: &Rc<Self>, delivery: Delivery) {
        match delivery {
            Delivery::Entry { feed, entry } => {
                if let Some(listeners) = self.channels.borrow_mut().get_mut(&feed.key) {
                    listeners.deliver(&entry);
                }
            }
            Delivery::Cut { feed, era } => {
                if let Some(listeners) = self.channels.borrow_mut().get_mut(&feed.key) {
                    listeners.enter(era);
                }
            }
            Delivery::JoinLeave { feed, json, protobuf } => {
                if let Some(listeners) = self.channels.borrow().get(&feed.key) {
                    for subscription in listeners.subscriptions.iter().filter(|s| s.wants_join_leave()) {
                        subscription.push(match subscription.format() {
                            Format::Json => json.clone(),
                            Format::Protobuf => protobuf.clone(),
                        });
                    }
                }
            }
            Delivery::Recheck { tenant, user, room } => self.recheck(tenant, user, room),
            Delivery::Close { tenant, user, which, why } => {
                for client in self.clients_of(tenant, user) {
                    if client.is_of(which) {
                        client.close(why);
                    }
                }
            }
            Delivery::Frame { client, data } => {
                let client = self.clients.borrow().get(&client).cloned();
                if let Some(client) = client {
                    client.receive(&data);
                }
            }
            #[cfg(feature = "faults")]
            #[expect(clippy::panic, reason = "asked for by a test")]
            Delivery::Panic => panic!("a hub was asked to panic"),
        }
    }

    /// Reads what a full queue lost from the rings again.
    fn catch_up(&self) {
        tracing::warn!(worker = self.worker, "a worker's queue was full; reading its channels again");
        for listeners in self.channels.borrow_mut().values_mut() {
            listeners.catch_up();
        }
    }

    /// Decisions were lost to a full queue: every session is looked at again.
    fn check_everybody(self: &Rc<Self>) {
        let clients: Vec<_> = self.clients.borrow().values().cloned().collect();
        for client in clients {
            client.recheck(None);
        }
    }

    fn recheck(self: &Rc<Self>, tenant: TenantId, user: Option<UserId>, room: Option<RoomId>) {
        match (user, room) {
            (None, Some(room)) => {
                let key = FeedKey { tenant, channel: Channel::Room(room.uuid()) };
                let in_room: Vec<_> = self
                    .channels
                    .borrow()
                    .get(&key)
                    .map(|l| l.subscriptions.iter().filter_map(|s| s.client()).collect())
                    .unwrap_or_default();
                in_room.into_iter().for_each(|client| client.recheck(Some(room)));
            }
            (user, room) => self.clients_of(tenant, user).into_iter().for_each(|client| client.recheck(room)),
        }
    }

    fn clients_of(&self, tenant: TenantId, user: Option<UserId>) -> Vec<Rc<Client>> {
        let clients = self.clients.borrow();
        match user {
            Some(user) => self
                .people
                .borrow()
                .get(&(tenant, user))
                .map(|numbers| numbers.iter().filter_map(|n| clients.get(n).cloned()).collect())
                .unwrap_or_default(),
            None => clients.values().filter(|client| client.tenant() == Some(tenant)).cloned().collect(),
        }
    }

    /// Pings, expiries, and R7: sockets that do not read are shut.
    fn sweep(&self) {
        let now = self.live.clock.now();
        let clients: Vec<_> = self.clients.borrow().values().cloned().collect();
        for client in clients {
            client.sweep(now);
        }
    }

    /// Closes all sessions in turn, so that a restart does not make them all come back in one instant.
    fn drain(self: &Rc<Self>, within: Duration) {
        self.draining.set(true);
        let clients: Vec<_> = self.clients.borrow().values().cloned().collect();
        let count = u32::try_from(clients.len()).unwrap_or(u32::MAX).max(1);
        for (turn, client) in clients.into_iter().enumerate() {
            let wait = within * u32::try_from(turn).unwrap_or(u32::MAX) / count;
            actix_web::rt::spawn(async move {
                tokio::time::sleep(wait).await;
                client.close(Disconnect::Shutdown);
            });
        }
    }

    /// Whether sessions are being sent away.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.draining.get()
    }

    /// Takes a new session in.
    pub(super) fn enter(&self, make: impl FnOnce(u64) -> Rc<Client>) -> Rc<Client> {
        let number = self.next_client.get();
        self.next_client.set(number + 1);
        let client = make(number);
        self.clients.borrow_mut().insert(number, Rc::clone(&client));
        client
    }

    /// The session is now known to be this person's.
    pub(super) fn identify(&self, number: u64, tenant: TenantId, user: UserId) {
        self.people.borrow_mut().entry((tenant, user)).or_default().push(number);
    }

    /// The session is over.
    pub(super) fn exit(&self, number: u64, who: Option<(TenantId, UserId)>) {
        self.clients.borrow_mut().remove(&number);
        if let Some(key) = who {
            let mut people = self.people.borrow_mut();
            if let Some(numbers) = people.get_mut(&key) {
                numbers.retain(|n| *n != number);
                if numbers.is_empty() {
                    people.remove(&key);
                }
            }
        }
    }

    /// Adds a subscription; from now on nothing of the channel is missed (it buffers until it is live).
    pub(super) fn join(&self, feed: &Arc<Feed>, subscription: Rc<Subscription>) {
        let mut channels = self.channels.borrow_mut();
        let listeners = channels.entry(feed.key).or_insert_with(|| Listeners::new(feed, self.worker));
        listeners.subscriptions.push(subscription);
    }

    /// Removes a subscription.
    pub(super) fn leave(&self, feed: &Feed, subscription: &Rc<Subscription>) {
        let mut channels = self.channels.borrow_mut();
        let Some(listeners) = channels.get_mut(&feed.key) else { return };
        if let Some(index) = listeners.subscriptions.iter().position(|s| Rc::ptr_eq(s, subscription)) {
            listeners.subscriptions.swap_remove(index);
        }
        if listeners.subscriptions.is_empty() {
            feed.leave(self.worker);
            channels.remove(&feed.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_to_drain_reaches_a_worker_whose_queue_is_full() {
        let (sender, receiver) = channel();
        let delivery = || Delivery::Recheck { tenant: TenantId::generate(), user: None, room: None };
        while sender.try_deliver(delivery()) {}
        sender.drain(Duration::from_secs(3));
        assert!(receiver.drain_within.has_changed().unwrap());
        assert_eq!(*receiver.drain_within.borrow(), Duration::from_secs(3));
    }
}
