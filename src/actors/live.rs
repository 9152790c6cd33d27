//! What sessions, rooms and HTTP share on one node: caches of rights, feeds, the directory of rooms, and the road of news.

mod news;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use actix::{Addr, ArbiterHandle};
use governor::{DefaultKeyedRateLimiter, RateLimiter};
use moka::sync::Cache;
use tokio::sync::mpsc;

use super::admission::Admission;
use super::counters::Counters;
use super::directory::{Directory, Seat};
use super::feed::{Accepted, Feed, FeedKey, Feeds};
use super::gaps;
use super::hub::{Delivery, HubSender};
use super::platform::{FindTenant, Platform};
use super::presence::Presence;
use super::session::emulated::Emulations;
use super::session::quota;
use super::tenant::FindRoom;
use super::unread::Unread;
use super::writer::Writers;
use crate::config::Config;
use crate::domain::communities::{self, Access, Grants, RoomFacts};
use crate::domain::identity::{self, Keys};
use crate::domain::messaging::{self, history};
use crate::domain::tenancy::{State, TenancyError, Tenants};
use crate::infra::pg::{Db, PgError};
use crate::kernel::{Clock, RoomId, TenantId, UserId, rng};
use crate::protocol::Channel;

/// People and rooms whose rights are kept in memory.
const CACHED_MAX: u64 = 200_000;
/// News that went missing is made good after this.
const CACHED_FOR: Duration = Duration::from_secs(60);
/// How long finding or starting a room may take.
const FIND_TIMEOUT: Duration = Duration::from_secs(5);

/// Why something is not to be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    NotFound,
    TenantSuspended,
    TenantTerminated,
    Unavailable,
}

impl From<PgError> for Refused {
    fn from(error: PgError) -> Self {
        tracing::warn!(%error, "the live part could not ask the store");
        Self::Unavailable
    }
}

impl From<communities::Error> for Refused {
    fn from(error: communities::Error) -> Self {
        tracing::warn!(%error, "the live part could not read rights");
        Self::Unavailable
    }
}

impl From<messaging::Error> for Refused {
    fn from(error: messaging::Error) -> Self {
        match error {
            messaging::Error::NotFound => Self::NotFound,
            error => {
                tracing::warn!(%error, "the live part could not read a stream");
                Self::Unavailable
            }
        }
    }
}

impl From<TenancyError> for Refused {
    fn from(error: TenancyError) -> Self {
        match error {
            TenancyError::NotFound => Self::NotFound,
            _ => Self::Unavailable,
        }
    }
}

/// The live part of a node.
pub struct Live {
    pub node: String,
    pub config: Arc<Config>,
    pub clock: Clock,
    pub db: Db,
    pub keys: Arc<Keys>,
    pub tenants: Tenants,
    /// People as HTTP knows them; forgotten together with their grants.
    pub people: identity::Directory,
    pub feeds: Feeds,
    pub directory: Directory,
    pub writers: Writers,
    pub presence: Presence,
    pub admission: Arc<Admission>,
    pub counters: Arc<Counters>,
    pub emulations: Emulations,
    pub(super) unread: Unread,
    pub(super) posts_of_person: DefaultKeyedRateLimiter<(TenantId, UserId)>,
    pub(super) posts_of_tenant: DefaultKeyedRateLimiter<TenantId>,
    pub(super) typing_of_person: DefaultKeyedRateLimiter<(TenantId, UserId)>,
    hubs: Arc<[HubSender]>,
    grants: Cache<(TenantId, UserId), Arc<Grants>>,
    rooms: Cache<(TenantId, RoomId), Arc<RoomFacts>>,
    /// Counts forgettings, so that what was read before one is not kept after it.
    forgotten: AtomicU64,
    gaps: mpsc::Sender<FeedKey>,
    platform: RwLock<Option<Addr<Platform>>>,
}

/// What [`Live::new`] needs.
pub struct Parts {
    pub config: Arc<Config>,
    pub clock: Clock,
    pub db: Db,
    pub keys: Arc<Keys>,
    pub tenants: Tenants,
    pub people: identity::Directory,
    pub hubs: Arc<[HubSender]>,
    pub arbiters: Vec<ArbiterHandle>,
}

impl Live {
    /// The live part; [`Live::start`] sets it going.
    #[must_use]
    pub fn new(parts: Parts) -> (Arc<Self>, gaps::Requests) {
        let Parts { config, clock, db, keys, tenants, people, hubs, arbiters } = parts;
        let limits = &config.limits;
        let counters = Arc::<Counters>::default();
        let (gap_tx, gap_rx) = gaps::queue();
        let writers =
            Writers::start(&db, &clock, config.store.writer_count(), limits.posting.batch as usize, &counters);
        let cache = || Cache::builder().max_capacity(CACHED_MAX).time_to_live(CACHED_FOR);
        let live = Self {
            node: rng::token::<9>(),
            feeds: Feeds::new(limits.ring.clone(), Arc::clone(&hubs)),
            directory: Directory::new(arbiters),
            writers,
            presence: Presence::default(),
            admission: Admission::new(&limits.admission),
            emulations: Emulations::default(),
            unread: Unread::default(),
            posts_of_person: RateLimiter::keyed(quota(limits.posting.per_person)),
            posts_of_tenant: RateLimiter::keyed(quota(limits.posting.per_tenant)),
            typing_of_person: RateLimiter::keyed(quota(limits.posting.typing)),
            grants: cache().build(),
            rooms: Cache::builder().max_capacity(CACHED_MAX).time_to_live(CACHED_FOR).build(),
            forgotten: AtomicU64::new(0),
            gaps: gap_tx,
            platform: RwLock::default(),
            counters,
            config,
            clock,
            db,
            keys,
            tenants,
            people,
            hubs,
        };
        (Arc::new(live), gap_rx)
    }

    /// Starts the actor tree and the background work. Must run inside an actix system.
    pub fn start(self: &Arc<Self>, gap_requests: gaps::Requests) {
        use actix::Actor;
        let platform = Platform { live: Arc::clone(self), started: HashMap::new() }.start();
        *self.platform.write().unwrap_or_else(PoisonError::into_inner) = Some(platform);
        self.db.runtime().spawn(gaps::run(Arc::clone(self), gap_requests));
        self.db.runtime().spawn(super::unread::run(Arc::clone(self)));
        let live = Arc::clone(self);
        self.db.pg().bus().deliver_to(move |news| live.hear(news));
    }

    /// What a person may do anywhere.
    ///
    /// # Errors
    /// [`Refused::NotFound`] when there is no such person.
    pub async fn grants(&self, tenant: TenantId, user: UserId) -> Result<Arc<Grants>, Refused> {
        if let Some(grants) = self.grants.get(&(tenant, user)) {
            return Ok(grants);
        }
        let before = self.forgotten.load(Ordering::Acquire);
        let pg = self.db.pg().clone();
        let grants = self.db.run(async move { communities::load_grants(&pg, tenant, user).await }).await?;
        let grants = Arc::new(grants.ok_or(Refused::NotFound)?);
        self.grants.insert((tenant, user), Arc::clone(&grants));
        if self.forgotten.load(Ordering::Acquire) != before {
            self.grants.invalidate(&(tenant, user));
        }
        Ok(grants)
    }

    /// What is known of a room.
    ///
    /// # Errors
    /// [`Refused::NotFound`] when there is no such room.
    pub async fn room(&self, tenant: TenantId, room: RoomId) -> Result<Arc<RoomFacts>, Refused> {
        if let Some(facts) = self.rooms.get(&(tenant, room)) {
            return Ok(facts);
        }
        let before = self.forgotten.load(Ordering::Acquire);
        let pg = self.db.pg().clone();
        let facts = self.db.run(async move { communities::load_room(&pg, tenant, room).await }).await?;
        let facts = Arc::new(facts.ok_or(Refused::NotFound)?);
        self.rooms.insert((tenant, room), Arc::clone(&facts));
        if self.forgotten.load(Ordering::Acquire) != before {
            self.rooms.invalidate(&(tenant, room));
        }
        Ok(facts)
    }

    /// What a person may do in a room now.
    ///
    /// # Errors
    /// [`Refused::NotFound`] when either is unknown. That the person may not read is in the answer.
    pub async fn access(
        &self,
        tenant: TenantId,
        user: UserId,
        room: RoomId,
    ) -> Result<(Arc<RoomFacts>, Access), Refused> {
        let facts = self.room(tenant, room).await?;
        let grants = self.grants(tenant, user).await?;
        let access = communities::access(&facts, &grants, self.clock.now());
        Ok((facts, access))
    }

    /// Whether the tenant is open.
    ///
    /// # Errors
    /// Its state, when it is not active.
    pub async fn check_tenant(&self, tenant: TenantId) -> Result<(), Refused> {
        let (tenants, pg) = (self.tenants.clone(), self.db.pg().clone());
        let found = self.db.run(async move { tenants.get(&pg, tenant).await }).await?;
        match found.state {
            State::Active => Ok(()),
            State::Suspended | State::Provisioning => Err(Refused::TenantSuspended),
            State::Terminated => Err(Refused::TenantTerminated),
        }
    }

    /// Finds or starts a room. `None` when it recovers from a crash, or too much waits: try again.
    pub async fn find_room(&self, tenant: TenantId, room: RoomId) -> Option<Arc<Seat>> {
        if let Some(seat) = self.directory.find_running(tenant, room) {
            return Some(seat);
        }
        let supervisor = match self.directory.find_tenant(tenant) {
            Some(supervisor) => supervisor,
            None => {
                let platform = self.platform.read().unwrap_or_else(PoisonError::into_inner).clone()?;
                platform.send(FindTenant(tenant)).timeout(FIND_TIMEOUT).await.ok()?
            }
        };
        match supervisor.send(FindRoom(room)).timeout(FIND_TIMEOUT).await {
            Ok(seat) => seat,
            Err(actix::MailboxError::Closed) => {
                self.directory.remove_tenant(tenant, &supervisor);
                None
            }
            Err(actix::MailboxError::Timeout) => None,
        }
    }

    /// Reads where a feed's stream stands; what lies between the store and what was delivered is delivered.
    ///
    /// # Errors
    /// [`Refused::NotFound`] when there is no such stream.
    pub async fn anchor(&self, feed: &Arc<Feed>) -> Result<(), Refused> {
        let Some(stream) = feed.key.stored() else { return Ok(()) };
        let (pg, tenant) = (self.db.pg().clone(), feed.key.tenant);
        let position = self.db.run(async move { history::find_position(&pg, tenant, stream).await }).await?;
        let position = position.ok_or(Refused::NotFound)?;
        if feed.anchor(&position.epoch, position.last_offset) == Accepted::Gap {
            self.fill_gap(feed);
        }
        Ok(())
    }

    /// Asks for what lies between a feed's position and the store's. A full queue is made good by the position check.
    pub fn fill_gap(&self, feed: &Feed) {
        let _position_check_heals = self.gaps.try_send(feed.key);
    }

    /// R6: a rate's bucket that has filled up again says nothing and is dropped.
    pub(super) fn forget_full_buckets(&self) {
        self.posts_of_person.retain_recent();
        self.posts_of_tenant.retain_recent();
        self.typing_of_person.retain_recent();
    }

    /// Hands commands of an emulated session to its worker; false when they could not be taken.
    #[must_use]
    pub fn receive_emulated(&self, session: &str, data: bytes::Bytes) -> Option<bool> {
        let (worker, client) = self.emulations.find(session)?;
        Some(self.hubs.get(worker).is_some_and(|hub| hub.try_deliver(Delivery::Frame { client, data })))
    }

    /// Hands the same delivery to every worker.
    pub fn tell(&self, delivery: impl Fn() -> Delivery) {
        self.hubs.iter().for_each(|hub| hub.deliver(delivery()));
    }

    /// Closes all sessions, spread over this time.
    pub fn drain(&self, within: Duration) {
        self.hubs.iter().for_each(|hub| hub.drain(within));
    }

    /// Brings a map that nobody had looked at up to date.
    ///
    /// # Errors
    /// [`Refused::Unavailable`] when the store can not be asked.
    pub async fn fill_map(&self, feed: &Arc<Feed>) -> Result<(), Refused> {
        match feed.key.channel {
            Channel::Presence(room) => {
                self.presence.fill(feed, room.into());
                Ok(())
            }
            Channel::Unread(user) => super::unread::fill(self, feed, user.into()).await,
            Channel::Room(_) | Channel::User(_) | Channel::Typing(_) => Ok(()),
        }
    }
}
