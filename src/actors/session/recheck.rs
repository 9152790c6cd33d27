//! R9: rights have changed, perhaps: a session looks again at what it is subscribed to.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::Client;
use crate::actors::live::Refused;
use crate::domain::identity::IdentityError;
use crate::kernel::RoomId;
use crate::protocol::{Channel, Disconnect, Unsubscribe};

/// When the store could not be asked.
const AGAIN_AFTER: Duration = Duration::from_secs(1);
/// Sessions come again spread over this many milliseconds.
const SPREAD_MS: u64 = 1_000;

/// The store could not be asked.
struct Unavailable;

/// Both looks in one: in one room, or everywhere.
fn joined(due: Option<Option<RoomId>>, room: Option<RoomId>) -> Option<RoomId> {
    match due {
        Some(due) if due != room => None,
        _ => room,
    }
}

impl Client {
    /// Looks again at what the client is subscribed to (in one room, or all). One look at a time: what is asked for meanwhile is one more
    /// behind it, and what the store did not answer is asked again.
    pub(in crate::actors) fn recheck(self: &Rc<Self>, room: Option<RoomId>) {
        self.check_due.set(Some(joined(self.check_due.get(), room)));
        if self.checking.replace(true) {
            return;
        }
        let client = Rc::clone(self);
        self.spawn(async move {
            while let Some(room) = client.check_due.take()
                && !client.over.get()
            {
                if let Err(Unavailable) = client.check_subscriptions(room).await {
                    client.check_due.set(Some(joined(client.check_due.get(), room)));
                    tokio::time::sleep(AGAIN_AFTER + Duration::from_millis(client.number % SPREAD_MS)).await;
                }
            }
            client.checking.set(false);
        });
    }

    /// Ends what the person may not have any more: subscriptions, or the session.
    async fn check_subscriptions(self: &Rc<Self>, room: Option<RoomId>) -> Result<(), Unavailable> {
        let Ok(identity) = self.identity() else { return Ok(()) };
        let live = &self.hub.live;
        let end = |why| {
            self.close(why);
            Ok(())
        };
        // Whoever looks at everything may have missed any decision, that about the tenant too.
        if room.is_none() {
            match live.check_tenant(identity.tenant).await {
                Err(Refused::TenantSuspended) => return end(Disconnect::TenantSuspended),
                Err(Refused::TenantTerminated) => return end(Disconnect::TenantTerminated),
                Err(Refused::Unavailable) => return Err(Unavailable),
                Ok(()) | Err(Refused::NotFound) => {}
            }
        }
        match live.people.admit(&live.db, &identity.token).await {
            Ok(person) => {
                if let Some(known) = self.identity.borrow_mut().as_mut() {
                    known.handle = Arc::clone(&person.scope.handle);
                    known.display_name = Arc::clone(&person.scope.display_name);
                }
            }
            Err(IdentityError::Banned) => return end(Disconnect::Banned),
            Err(IdentityError::Unauthorized) => return end(Disconnect::InvalidToken),
            Err(_) => return Err(Unavailable),
        }
        let of_room = |channel: &Channel| room.is_none_or(|room| channel.id() == room.uuid());
        let channels: Vec<_> = self.subscriptions.borrow().keys().filter(|c| of_room(c)).copied().collect();
        for channel in channels {
            match self.may_hear(&identity, channel).await {
                Ok(()) => {}
                Err(error) if error.temporary => return Err(Unavailable),
                Err(_) => self.end_subscription(channel, Unsubscribe::Server),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_looks_are_one_that_sees_what_both_would() {
        let (one, other) = (RoomId::generate(), RoomId::generate());
        assert_eq!(joined(None, Some(one)), Some(one));
        assert_eq!(joined(Some(Some(one)), Some(one)), Some(one));
        assert_eq!(joined(Some(Some(one)), Some(other)), None);
        assert_eq!(joined(Some(None), Some(one)), None);
        assert_eq!(joined(Some(Some(one)), None), None);
        assert_eq!(joined(None, None), None);
    }
}
