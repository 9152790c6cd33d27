//! The verbs on rooms and messages as both edges call them, HTTP and RPC: rights from the caches, then the domain's verb.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::json;
use tokio::sync::oneshot;
use uuid::Uuid;

use super::admission::wait_s;
use super::live::{Live, Refused};
use super::room::Post;
use crate::domain::communities::Access;
use crate::domain::messaging::history::{EditView, EventPage, MessagePage, MessageView, Window};
use crate::domain::messaging::post::Draft;
use crate::domain::messaging::verbs::{self, Acting};
use crate::domain::messaging::{Emoji, Error, MessageText, Posted, history};
use crate::infra::bus::{News, StreamId};
use crate::infra::pg::Pg;
use crate::kernel::{MessageId, RoomId, Scope, TenantId};

/// The longest reason of a removal, in characters.
const REASON_MAX: usize = 500;

/// A verb on one message, made ready: who, with which rights, on what.
struct Prepared {
    pg: Pg,
    scope: Scope,
    access: Access,
    room: RoomId,
    message: MessageId,
    at: DateTime<Utc>,
}

impl Prepared {
    const fn acting(&self) -> Acting<'_> {
        Acting { scope: &self.scope, access: &self.access, room: self.room, message: self.message, at: self.at }
    }
}

impl Live {
    /// The caller's rights in a room that they may read.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the caller may not know of the room.
    pub async fn reader(&self, scope: &Scope, room: RoomId) -> Result<Access, Error> {
        let (_, access) = self.access(scope.tenant, scope.user, room).await?;
        if access.read { Ok(access) } else { Err(Error::NotFound) }
    }

    async fn prepare(&self, scope: &Scope, room: RoomId, message: MessageId) -> Result<Prepared, Error> {
        let access = self.reader(scope, room).await?;
        Ok(Prepared { pg: self.db.pg().clone(), scope: scope.clone(), access, room, message, at: self.clock.now() })
    }

    /// Sends a message. The returned future answers when it has been committed; whether the room is asked now or the room has to be
    /// found first, posts of one caller keep their order.
    pub fn start_post(
        self: &Arc<Self>,
        scope: &Scope,
        room: RoomId,
        client_id: Uuid,
        text: MessageText,
        reply_to: Option<MessageId>,
    ) -> impl Future<Output = Result<Posted, Error>> + use<> {
        let draft = Arc::new(Draft {
            room,
            author: scope.user,
            handle: Arc::clone(&scope.handle),
            display_name: Arc::clone(&scope.display_name),
            client_id,
            text,
            reply_to,
        });
        let (live, tenant, user) = (Arc::clone(self), scope.tenant, scope.user);
        let asked = self.check_posting_rate(scope).map(|()| self.ask_room(tenant, &draft));
        async move {
            let answer = match asked? {
                Some(answer) => answer,
                None => {
                    // Unknown here or just ended: found or started, and asked once more. Nothing is started for those who may not read.
                    if !live.access(tenant, user, draft.room).await?.1.read {
                        return Err(Error::NotFound);
                    }
                    live.find_room(tenant, draft.room).await.ok_or(Error::Busy)?;
                    live.ask_room(tenant, &draft).ok_or(Error::Busy)?
                }
            };
            // A dropped sender is a room that crashed with the post in its hands: the client sends it again.
            answer.await.unwrap_or(Err(Error::Busy))
        }
    }

    /// Puts a post into the room's mailbox; `None` when the room is not running here.
    fn ask_room(&self, tenant: TenantId, draft: &Arc<Draft>) -> Option<oneshot::Receiver<Result<Posted, Error>>> {
        let seat = self.directory.find_room(tenant, draft.room)?;
        let (answer, waiting) = oneshot::channel();
        match seat.addr.try_send(Post { draft: Arc::clone(draft), answer }) {
            Ok(()) => Some(waiting),
            Err(actix::prelude::SendError::Full(post)) => {
                let _receiver_is_here = post.answer.send(Err(Error::Busy));
                Some(waiting)
            }
            // It stays in the directory for its supervisor, or the next one, to find what it was.
            Err(actix::prelude::SendError::Closed(_)) => None,
        }
    }

    fn check_posting_rate(&self, scope: &Scope) -> Result<(), Error> {
        let too_many = |until: governor::NotUntil<_>| Error::TooMany {
            retry_after_s: u32::try_from(wait_s(&until)).unwrap_or(u32::MAX),
        };
        self.posts_of_person.check_key(&(scope.tenant, scope.user)).map_err(too_many)?;
        self.posts_of_tenant.check_key(&scope.tenant).map_err(too_many)
    }

    /// Sends a message and answers with it as stored.
    ///
    /// # Errors
    /// Why it was refused.
    pub async fn post(
        self: &Arc<Self>,
        scope: &Scope,
        room: RoomId,
        client_id: Uuid,
        text: MessageText,
        reply_to: Option<MessageId>,
    ) -> Result<Posted, Error> {
        // Whoever may not read gets the same answer as for a room that is not there, before anything is started for it.
        self.reader(scope, room).await?;
        self.start_post(scope, room, client_id, text, reply_to).await
    }

    /// See [`verbs::edit`].
    ///
    /// # Errors
    /// As there.
    pub async fn edit(&self, scope: &Scope, room: RoomId, message: MessageId, text: MessageText) -> Result<u64, Error> {
        let ready = self.prepare(scope, room, message).await?;
        self.db.run(async move { verbs::edit(&ready.pg, ready.acting(), text).await }).await
    }

    /// See [`verbs::remove`].
    ///
    /// # Errors
    /// As there.
    pub async fn remove(
        &self,
        scope: &Scope,
        room: RoomId,
        message: MessageId,
        reason: Option<String>,
    ) -> Result<u64, Error> {
        let ready = self.prepare(scope, room, message).await?;
        let reason =
            reason.map(|text| text.trim().chars().take(REASON_MAX).collect::<String>()).filter(|text| !text.is_empty());
        self.db.run(async move { verbs::remove(&ready.pg, ready.acting(), reason.as_deref()).await }).await
    }

    /// See [`verbs::react`].
    ///
    /// # Errors
    /// As there.
    pub async fn react(
        &self,
        scope: &Scope,
        room: RoomId,
        message: MessageId,
        emoji: Emoji,
        add: bool,
    ) -> Result<(), Error> {
        let ready = self.prepare(scope, room, message).await?;
        self.db.run(async move { verbs::react(&ready.pg, ready.acting(), &emoji, add).await }).await
    }

    /// See [`verbs::pin`].
    ///
    /// # Errors
    /// As there.
    pub async fn pin(&self, scope: &Scope, room: RoomId, message: MessageId, pinned: bool) -> Result<(), Error> {
        let ready = self.prepare(scope, room, message).await?;
        self.db.run(async move { verbs::pin(&ready.pg, ready.acting(), pinned).await }).await
    }

    /// See [`verbs::mark_read`].
    ///
    /// # Errors
    /// As there.
    pub async fn mark_read(&self, scope: &Scope, room: RoomId, offset: u64) -> Result<(), Error> {
        self.reader(scope, room).await?;
        let (pg, scope, at) = (self.db.pg().clone(), scope.clone(), self.clock.now());
        self.db.run(async move { verbs::mark_read(&pg, &scope, room, offset, at).await }).await
    }

    /// See [`verbs::set_muted`].
    ///
    /// # Errors
    /// As there.
    pub async fn set_muted(&self, scope: &Scope, room: RoomId, muted: bool) -> Result<(), Error> {
        self.reader(scope, room).await?;
        let (pg, scope, at) = (self.db.pg().clone(), scope.clone(), self.clock.now());
        self.db.run(async move { verbs::set_muted(&pg, &scope, room, muted, at).await }).await
    }

    /// Tells whoever looks that the caller types. Over the rate it is silently dropped: it is only a hint.
    ///
    /// # Errors
    /// [`Error::NotFound`], or what keeps the caller from posting.
    pub async fn typing(&self, scope: &Scope, room: RoomId) -> Result<(), Error> {
        self.reader(scope, room).await?.post?;
        if self.typing_of_person.check_key(&(scope.tenant, scope.user)).is_ok() {
            let body =
                json!({"user": {"id": scope.user, "handle": &*scope.handle, "display_name": &*scope.display_name}});
            let body = body.to_string().into();
            self.db.pg().bus().publish(News::Typing { tenant: scope.tenant, room, body });
        }
        Ok(())
    }

    /// A page of messages.
    ///
    /// # Errors
    /// [`Error::NotFound`], and those of the database.
    pub async fn list_messages(
        &self,
        scope: &Scope,
        room: RoomId,
        window: Window,
        limit: u32,
    ) -> Result<MessagePage, Error> {
        self.reader(scope, room).await?;
        let (pg, scope) = (self.db.pg().clone(), scope.clone());
        self.db.run(async move { history::list(&pg, &scope, room, window, limit).await }).await
    }

    /// One message.
    ///
    /// # Errors
    /// [`Error::NotFound`], and those of the database.
    pub async fn get_message(&self, scope: &Scope, room: RoomId, message: MessageId) -> Result<MessageView, Error> {
        self.reader(scope, room).await?;
        let (pg, scope) = (self.db.pg().clone(), scope.clone());
        self.db.run(async move { history::get(&pg, &scope, room, message).await }).await
    }

    /// The earlier texts of a message.
    ///
    /// # Errors
    /// [`Error::NotFound`], and those of the database.
    pub async fn list_edits(&self, scope: &Scope, room: RoomId, message: MessageId) -> Result<Vec<EditView>, Error> {
        self.reader(scope, room).await?;
        let (pg, scope) = (self.db.pg().clone(), scope.clone());
        self.db.run(async move { history::list_edits(&pg, &scope, room, message).await }).await
    }

    /// The pinned messages of a room.
    ///
    /// # Errors
    /// [`Error::NotFound`], and those of the database.
    pub async fn list_pins(&self, scope: &Scope, room: RoomId) -> Result<Vec<MessageView>, Error> {
        self.reader(scope, room).await?;
        let (pg, scope) = (self.db.pg().clone(), scope.clone());
        self.db.run(async move { history::list_pins(&pg, &scope, room).await }).await
    }

    /// Raw events of a stream. The caller has checked who may read it.
    ///
    /// # Errors
    /// [`Error::NotFound`], and those of the database.
    pub async fn list_events(
        &self,
        tenant: TenantId,
        stream: StreamId,
        range: (u64, u64),
        limit: u32,
        newest_first: bool,
    ) -> Result<EventPage, Error> {
        let pg = self.db.pg().clone();
        self.db.run(async move { history::list_events(&pg, tenant, stream, range, limit, newest_first).await }).await
    }

    /// What a client missed since `offset`, from the store: everything up to `top`, or `None` when that is more than one recovery
    /// serves (R3: 1,000 events, 1 MiB, 2 s; configurable).
    ///
    /// # Errors
    /// [`Refused::Unavailable`] when the store can not be asked.
    pub async fn recover_from_store(
        &self,
        feed: &super::feed::Feed,
        offset: u64,
        top: u64,
    ) -> Result<Option<Vec<crate::protocol::Publication>>, Refused> {
        let ring = &self.config.limits.ring;
        let (Some(stream), missed) = (feed.key.stored(), top - offset) else { return Ok(None) };
        if missed > u64::from(ring.recover_events) {
            self.counters.recoveries_refused.increment();
            return Ok(None);
        }
        let reading = self.list_events(feed.key.tenant, stream, (offset + 1, top), ring.recover_events, false);
        let Ok(page) = tokio::time::timeout(ring.recover_within.duration(), reading).await else {
            self.counters.recoveries_refused.increment();
            return Ok(None);
        };
        let events = page?.events;
        self.counters.recoveries_store.increment();
        let bytes: usize = events.iter().map(|event| event.body.len()).sum();
        // R3: all of it, in order, or nothing.
        let whole =
            events.len() as u64 == missed && events.iter().zip(offset + 1..).all(|(event, due)| event.offset == due);
        if whole && bytes <= ring.recover.as_usize() {
            return Ok(Some(events.iter().map(super::feed::publication).collect()));
        }
        self.counters.recoveries_refused.increment();
        Ok(None)
    }
}
