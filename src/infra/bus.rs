//! News that leaves a committed transaction and must reach live connections.
//!
//! R1: news is published after `COMMIT` only ([`super::pg::TenantTx::announce`] holds it until then). Everything that is published
//! goes through [`Bus`], so that other nodes can stand behind it.

use std::sync::{Arc, OnceLock};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::kernel::ids::TokenId;
use crate::kernel::{CommunityId, RoomId, TenantId, UserId};

/// A stream: a room's events, or what is addressed to one person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StreamId {
    Room(RoomId),
    User(UserId),
}

impl StreamId {
    /// The id that the `streams` table knows it by.
    #[must_use]
    pub const fn uuid(self) -> Uuid {
        match self {
            Self::Room(id) => id.uuid(),
            Self::User(id) => id.uuid(),
        }
    }
}

/// One durable event as it is stored and sent.
#[derive(Debug, Clone)]
pub struct StreamEvent {
    pub offset: u64,
    /// `message.created`, `reaction.added`, …
    pub kind: Arc<str>,
    /// Payload v1: compact JSON without a raw newline.
    pub body: Arc<str>,
    /// Who caused it, where a person did.
    pub actor: Option<UserId>,
    /// Whom a new message calls: `user:<id>`, `here`, `role:<role>`.
    pub calls: Arc<[String]>,
}

/// Which sessions of somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sessions {
    /// All, and none may begin: the person, or the tenant, is suspended.
    All,
    /// Those with a token from before that instant: signed out everywhere, or a new password.
    IssuedBefore(DateTime<Utc>),
    /// One, signed out of.
    One(TokenId),
}

/// What happened, told after commit. Losing one costs latency only: positions are compared with the store every few seconds.
#[derive(Debug, Clone)]
pub enum News {
    /// A stream has a new event. May arrive out of order; receivers sort by offset and fill gaps from the store.
    Advanced { tenant: TenantId, stream: StreamId, event: StreamEvent },
    /// Earlier events of a stream lost their content (a removal); offset and kind stay.
    Blanked { tenant: TenantId, stream: StreamId, events: Vec<(u64, Arc<str>)> },
    /// What one person may do has changed: membership, role, mute, name. Their live subscriptions are checked again.
    GrantsChanged { tenant: TenantId, user: UserId },
    /// A room's kind, name, archive state or slow mode has changed, or it is new.
    RoomChanged { tenant: TenantId, room: RoomId },
    /// A community's rooms or policy have changed.
    CommunityChanged { tenant: TenantId, community: CommunityId },
    /// Sessions of a person ended: their tokens count no more and their sockets close.
    SessionsRevoked { tenant: TenantId, user: UserId, which: Sessions },
    /// The tenant's state or plan has changed.
    TenantChanged { tenant: TenantId },
    /// The tenant's history was cut: what is known of it is read again, positions from before mean nothing any more.
    HistoryCut { tenant: TenantId },
    /// Somebody types in a room; for those who look now.
    Typing { tenant: TenantId, room: RoomId, body: Arc<str> },
    /// A person's watermark moved, or they muted the room.
    ReadMoved { tenant: TenantId, user: UserId, room: RoomId },
}

type Sink = Box<dyn Fn(News) + Send + Sync>;

/// The road from a commit to live connections on every node.
#[derive(Clone)]
pub enum Bus {
    /// Everything is in this process.
    Local(Arc<OnceLock<Sink>>),
}

impl Bus {
    /// A bus inside this process. News published before [`Bus::deliver_to`] has nobody to reach and is dropped.
    #[must_use]
    pub fn local() -> Self {
        Self::Local(Arc::default())
    }

    /// Sets who receives news on this node; called once, by the composition root. The sink must not block.
    pub fn deliver_to(&self, sink: impl Fn(News) + Send + Sync + 'static) {
        let Self::Local(slot) = self;
        let _already_set = slot.set(Box::new(sink));
    }

    /// Tells every node. Never waits.
    pub fn publish(&self, news: News) {
        let Self::Local(slot) = self;
        if let Some(sink) = slot.get() {
            sink(news);
        }
    }
}

impl std::fmt::Debug for Bus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Bus::Local")
    }
}
