//! News that commits have published, as it changes what this node knows and whom it tells.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::Live;
use crate::actors::feed::{Accepted, FeedKey};
use crate::actors::gaps;
use crate::actors::hub::Delivery;
use crate::domain::tenancy::{State, TenancyError};
use crate::infra::bus::{News, Sessions, StreamEvent, StreamId};
use crate::kernel::{TenantId, UserId};
use crate::protocol::{Channel, Disconnect};

/// When a tenant's state could not be read.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

impl Live {
    /// Takes news that a commit has published. Runs on whatever thread committed; never waits.
    pub(super) fn hear(self: &Arc<Self>, news: News) {
        match news {
            News::Advanced { tenant, stream, event } => self.advance(tenant, stream, event),
            News::Blanked { tenant, stream, events } => {
                if let Some(feed) = self.feeds.find(&FeedKey::stream(tenant, stream)) {
                    feed.blank(&events);
                }
            }
            News::GrantsChanged { tenant, user } => {
                self.forget_grants(tenant, user);
                self.unread.stale(tenant, user);
                self.tell(|| Delivery::Recheck { tenant, user: Some(user), room: None });
            }
            News::RoomChanged { tenant, room } => {
                self.forgotten.fetch_add(1, Ordering::AcqRel);
                self.rooms.invalidate(&(tenant, room));
                self.tell(|| Delivery::Recheck { tenant, user: None, room: Some(room) });
            }
            News::CommunityChanged { .. } => {}
            News::SessionsRevoked { tenant, user, which } => {
                self.forget_grants(tenant, user);
                let why = if which == Sessions::All { Disconnect::Banned } else { Disconnect::InvalidToken };
                self.tell(|| Delivery::Close { tenant, user: Some(user), which, why });
            }
            News::TenantChanged { tenant } => self.tenant_changed(tenant),
            News::Typing { tenant, room, body } => {
                if let Some(feed) = self.feeds.find(&FeedKey { tenant, channel: Channel::Typing(room.uuid()) }) {
                    feed.shout("typing", body);
                }
            }
            News::HistoryCut { tenant } => self.history_cut(tenant),
            News::ReadMoved { tenant, user, .. } => self.unread.stale(tenant, user),
        }
    }

    fn advance(&self, tenant: TenantId, stream: StreamId, event: StreamEvent) {
        if let StreamId::Room(room) = stream {
            self.unread.note(tenant, room, &event);
        }
        // A stream that nobody here has looked at needs nothing: who looks later reads the store.
        if let Some(feed) = self.feeds.find(&FeedKey::stream(tenant, stream))
            && (feed.position().is_some() || feed.is_heard())
            && feed.accept(event) == Accepted::Gap
        {
            self.fill_gap(&feed);
        }
    }

    fn forget_grants(&self, tenant: TenantId, user: UserId) {
        self.forgotten.fetch_add(1, Ordering::AcqRel);
        self.people.forget(tenant, user);
        self.grants.invalidate(&(tenant, user));
    }

    /// Live connections of a tenant that is not active any more end.
    fn tenant_changed(&self, tenant: TenantId) {
        self.tenants.forget(tenant);
        let (tenants, pg, hubs) = (self.tenants.clone(), self.db.pg().clone(), Arc::clone(&self.hubs));
        self.db.runtime().spawn(async move {
            let why = loop {
                match tenants.get(&pg, tenant).await.map(|tenant| tenant.state) {
                    Ok(State::Suspended) => break Disconnect::TenantSuspended,
                    Ok(State::Terminated) => break Disconnect::TenantTerminated,
                    Ok(State::Active | State::Provisioning) | Err(TenancyError::NotFound) => return,
                    // The store is away: the decision stands, and is read when it is back.
                    Err(error) => tracing::warn!(tenant.id = %tenant, %error, "a tenant's state could not be read yet"),
                }
                tokio::time::sleep(AGAIN_AFTER).await;
            };
            for hub in hubs.iter() {
                hub.deliver(Delivery::Close { tenant, user: None, which: Sessions::All, why });
            }
        });
    }

    /// A tenant's past was replaced: nothing that memory holds of it is believed any more. Rare enough to forget everybody's rights.
    fn history_cut(self: &Arc<Self>, tenant: TenantId) {
        self.tenants.forget(tenant);
        self.people.forget_all();
        self.forgotten.fetch_add(1, Ordering::AcqRel);
        self.grants.invalidate_all();
        self.rooms.invalidate_all();
        self.unread.all_stale(tenant);
        self.db.runtime().spawn(gaps::compare_tenant(Arc::clone(self), tenant));
        self.tell(|| Delivery::Recheck { tenant, user: None, room: None });
    }
}
