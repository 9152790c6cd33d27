//! The commands of an open session other than connecting and subscribing.

use std::rc::Rc;

use serde::Deserialize;
use uuid::Uuid;

use super::{Client, POSTS_MAX};
use crate::actors::live::Refused;
use crate::domain::messaging::{self, MessageText, Posted};
use crate::infra::bus::StreamId;
use crate::kernel::{Coded, MessageId, RoomId};
use crate::protocol::{
    Answer, Channel, Disconnect, ErrorBody, ErrorCode, HistoryRequest, HistoryResult, PresenceRequest, PresenceResult,
    PresenceStatsRequest, PresenceStatsResult, PublishRequest, Reply, Request, RpcRequest, RpcResult,
};

/// Publications of one history page.
const HISTORY_MAX: u32 = 1_000;
const HISTORY_DEFAULT: u32 = 100;

/// What a client publishes to a room; also the arguments of `message.create` but for the room.
#[derive(Deserialize)]
pub(super) struct NewMessage {
    pub client_id: Uuid,
    pub text: String,
    pub reply_to: Option<MessageId>,
}

impl From<messaging::Error> for ErrorBody {
    fn from(error: messaging::Error) -> Self {
        use messaging::Error;
        let code = match &error {
            Error::NotFound
            | Error::Banned
            | Error::TenantSuspended
            | Error::Archived
            | Error::Muted
            | Error::ReadOnly => ErrorCode::PermissionDenied,
            Error::NotAuthor | Error::NotModerator => ErrorCode::PermissionDenied,
            Error::SlowMode { .. } | Error::TooMany { .. } | Error::Busy => ErrorCode::TooManyRequests,
            Error::Db(_) => ErrorCode::Internal,
            Error::Removed
            | Error::ReplyNotFound
            | Error::TextEmpty
            | Error::TextTooLong { .. }
            | Error::BadEmoji
            | Error::TooManyReactions { .. } => ErrorCode::BadRequest,
        };
        // Internals of the store are nobody's business; everything else says what happened.
        if matches!(error, Error::Db(_)) {
            code.into()
        } else {
            Self::saying(code, format!("{}: {error}", error.code()))
        }
    }
}

impl From<Refused> for messaging::Error {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::NotFound => Self::NotFound,
            Refused::TenantSuspended | Refused::TenantTerminated => Self::TenantSuspended,
            Refused::Unavailable => Self::Busy,
        }
    }
}

/// The caller's JSON as a type; what is wrong with it is said in words.
pub(super) fn parse<'a, T: Deserialize<'a>>(data: &'a [u8]) -> Result<T, ErrorBody> {
    serde_json::from_slice(data)
        .map_err(|error| ErrorBody::saying(ErrorCode::BadRequest, format!("bad request: {error}")))
}

impl Client {
    pub(super) async fn handle(self: &Rc<Self>, id: u32, request: Request) {
        let connected = self.identity.borrow().is_some();
        if !connected && !matches!(request, Request::Connect(_) | Request::Pong) {
            // The SDK sends its subscribes behind the connect; one that was refused makes them meaningless.
            if !self.over.get() {
                self.refuse_or_close(id);
            }
            return;
        }
        let outcome = match request {
            Request::Connect(request) => return self.connect(id, request).await,
            Request::Refresh(request) => return self.refresh(id, request).await,
            Request::Subscribe(request) => return self.subscribe(id, request).await,
            Request::Unsubscribe(request) => return self.unsubscribe(id, &request),
            Request::Publish(request) => self.publish(id, &request).await,
            Request::Rpc(request) => self.rpc(id, request).await,
            Request::History(request) => self.history(&request).await.map(Some),
            Request::Presence(request) => self.presence(&request).await.map(Some),
            Request::PresenceStats(request) => self.presence_stats(&request).await.map(Some),
            Request::Ping(_) => Ok(Some(Answer::Ping)),
            Request::SubRefresh(_) => Err(ErrorCode::NotAvailable.into()),
            Request::Send(_) => Ok(None),
            Request::Pong => {
                self.pong_due.set(false);
                Ok(None)
            }
        };
        match outcome {
            Ok(Some(answer)) => self.send(&Reply::answer(id, answer)),
            Ok(None) => {}
            Err(error) if id != 0 => self.refuse(id, error),
            Err(_) => {}
        }
    }

    /// Nothing but `connect` can open a session.
    fn refuse_or_close(self: &Rc<Self>, id: u32) {
        if id == 0 { self.close(Disconnect::BadRequest) } else { self.refuse(id, ErrorCode::Unauthorized) }
    }

    /// `publish`: a message to a room, for those who know no RPC; or typing.
    async fn publish(self: &Rc<Self>, id: u32, request: &PublishRequest) -> Result<Option<Answer>, ErrorBody> {
        let identity = self.identity()?;
        match Channel::parse(&request.channel).map_err(|_| ErrorCode::UnknownChannel)? {
            Channel::Room(room) => {
                let message: NewMessage = parse(&request.data)?;
                self.start_post(id, room.into(), message, |_| Answer::Publish)
            }
            Channel::Typing(room) => {
                self.hub.live.typing(&identity.scope(), room.into()).await?;
                Ok(Some(Answer::Publish))
            }
            Channel::User(_) | Channel::Unread(_) | Channel::Presence(_) => Err(ErrorCode::PermissionDenied.into()),
        }
    }

    /// Starts a post; its answer follows when it has been stored, so that many posts of one client share a commit.
    pub(super) fn start_post(
        self: &Rc<Self>,
        id: u32,
        room: RoomId,
        message: NewMessage,
        answer: impl FnOnce(Posted) -> Answer + 'static,
    ) -> Result<Option<Answer>, ErrorBody> {
        let identity = self.identity()?;
        let text = MessageText::parse(&message.text)?;
        if self.posting.get() >= POSTS_MAX {
            return Err(ErrorCode::TooManyRequests.into());
        }
        self.posting.set(self.posting.get() + 1);
        let waiting = self.hub.live.start_post(&identity.scope(), room, message.client_id, text, message.reply_to);
        let client = Rc::clone(self);
        self.spawn(async move {
            let outcome = waiting.await;
            client.posting.set(client.posting.get() - 1);
            match outcome {
                Ok(posted) => client.send(&Reply::answer(id, answer(posted))),
                Err(error) => client.refuse(id, error),
            }
        });
        Ok(None)
    }

    async fn rpc(self: &Rc<Self>, id: u32, request: RpcRequest) -> Result<Option<Answer>, ErrorBody> {
        let identity = self.identity()?;
        if request.method == "message.create" {
            #[derive(Deserialize)]
            struct Create {
                room_id: RoomId,
                #[serde(flatten)]
                message: NewMessage,
            }
            let Create { room_id, message } = parse(&request.data)?;
            return self.start_post(id, room_id, message, |posted| {
                Answer::Rpc(RpcResult { data: serde_json::to_vec(&posted).unwrap_or_default().into() })
            });
        }
        let result = super::rpc::call(self, &identity, &request.method, &request.data).await?;
        Ok(Some(Answer::Rpc(RpcResult { data: result.to_string().into() })))
    }

    async fn history(self: &Rc<Self>, request: &HistoryRequest) -> Result<Answer, ErrorBody> {
        let identity = self.identity()?;
        let channel = Channel::parse(&request.channel).map_err(|_| ErrorCode::UnknownChannel)?;
        let stream = match channel {
            Channel::Room(id) => StreamId::Room(id.into()),
            Channel::User(id) => StreamId::User(id.into()),
            Channel::Typing(_) | Channel::Unread(_) | Channel::Presence(_) => {
                return Err(ErrorCode::NotAvailable.into());
            }
        };
        self.may_hear(&identity, channel).await?;
        let limit = match request.limit {
            0 => 0,
            limit if limit < 0 => HISTORY_DEFAULT,
            limit => limit.unsigned_abs().min(HISTORY_MAX),
        };
        let since = request.since.as_ref().map(|position| position.offset);
        let range = match (since, request.reverse) {
            (None, _) => (1, u64::MAX),
            (Some(offset), false) => (offset.saturating_add(1), u64::MAX),
            (Some(offset), true) => (1, offset.saturating_sub(1)),
        };
        let page = self.hub.live.list_events(identity.tenant, stream, range, limit, request.reverse).await?;
        if let Some(asked) = request
            .since
            .as_ref()
            .filter(|position| !position.epoch.is_empty() && position.epoch != page.position.epoch)
        {
            tracing::debug!(channel = %channel, offset = asked.offset, "history from another epoch");
            return Err(ErrorCode::UnrecoverablePosition.into());
        }
        let publications = page.events.iter().map(crate::actors::feed::publication).collect();
        Ok(Answer::History(HistoryResult {
            publications,
            epoch: page.position.epoch,
            offset: page.position.last_offset,
        }))
    }

    async fn presence(self: &Rc<Self>, request: &PresenceRequest) -> Result<Answer, ErrorBody> {
        let (identity, room) = self.presence_room(&request.channel).await?;
        Ok(Answer::Presence(PresenceResult { presence: self.hub.live.presence.clients(identity.tenant, room) }))
    }

    async fn presence_stats(self: &Rc<Self>, request: &PresenceStatsRequest) -> Result<Answer, ErrorBody> {
        let (identity, room) = self.presence_room(&request.channel).await?;
        let (num_clients, num_users) = self.hub.live.presence.counts(identity.tenant, room);
        Ok(Answer::PresenceStats(PresenceStatsResult { num_clients, num_users }))
    }

    async fn presence_room(&self, channel: &str) -> Result<(super::Identity, RoomId), ErrorBody> {
        let identity = self.identity()?;
        let channel = Channel::parse(channel).map_err(|_| ErrorCode::UnknownChannel)?;
        let Channel::Room(room) = channel else { return Err(ErrorCode::NotAvailable.into()) };
        self.may_hear(&identity, channel).await?;
        Ok((identity, room.into()))
    }
}
