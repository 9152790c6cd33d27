//! What a client sends: one [`Command`] with an id and exactly one method.
//!
//! Field names and numbers are those of the Centrifuge client protocol; fields that no feature of ours reads are left out, and
//! both formats skip what they do not know. Debug output never shows a token or a payload.

use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;
use thiserror::Error;

use super::json::messages;

messages! {
    /// One command; at most one of the methods is set.
    Command {
        /// Answered by the reply with the same id; 0 for `send` and for a pong.
        [uint32, tag = 1] id: u32,
        /// Opens the session.
        [message, optional, tag = 4] connect: Option<ConnectRequest>,
        /// Subscribes to a channel, or asks for the next page of a map.
        [message, optional, tag = 5] subscribe: Option<SubscribeRequest>,
        /// Leaves a channel.
        [message, optional, tag = 6] unsubscribe: Option<UnsubscribeRequest>,
        /// Publishes to a channel.
        [message, optional, tag = 7] publish: Option<PublishRequest>,
        /// Asks who is in a channel.
        [message, optional, tag = 8] presence: Option<PresenceRequest>,
        /// Asks how many are in a channel.
        [message, optional, tag = 9] presence_stats: Option<PresenceStatsRequest>,
        /// Asks for publications of the past.
        [message, optional, tag = 10] history: Option<HistoryRequest>,
        /// A ping that wants a reply (old clients; the server pings nowadays).
        [message, optional, tag = 11] ping: Option<PingRequest>,
        /// A message that wants no reply.
        [message, optional, tag = 12] send: Option<SendRequest>,
        /// A call that wants a reply.
        [message, optional, tag = 13] rpc: Option<RpcRequest>,
        /// Brings a new connection token.
        [message, optional, tag = 14] refresh: Option<RefreshRequest>,
        /// Brings a new subscription token.
        [message, optional, tag = 15] sub_refresh: Option<SubRefreshRequest>,
    }

    /// Opens the session.
    #[prost(skip_debug)]
    ConnectRequest {
        /// The access token.
        [string, tag = 1] token: String,
        /// Whatever the application adds.
        [bytes = "bytes", tag = 2] data: Bytes,
        /// Positions of the server-side subscriptions that the client had, to recover from.
        [btree_map = "string, message", tag = 3] subs: BTreeMap<String, SubscribeRequest>,
        /// Name of the client, such as `js`.
        [string, tag = 4] name: String,
        /// Version of the client.
        [string, tag = 5] version: String,
    }

    /// Subscribes to a channel; for a map, asks for one page of it.
    #[prost(skip_debug)]
    SubscribeRequest {
        /// The channel.
        [string, tag = 1] channel: String,
        /// A subscription token, which we never need.
        [string, tag = 2] token: String,
        /// Whether `offset` and `epoch` are a position to recover from.
        [bool, tag = 3] recover: bool,
        /// Epoch of the position.
        [string, tag = 6] epoch: String,
        /// Offset of the position.
        [uint64, tag = 7] offset: u64,
        /// Whatever the application adds.
        [bytes = "bytes", tag = 8] data: Bytes,
        /// The client wants positions.
        [bool, tag = 9] positioned: bool,
        /// The client wants recovery.
        [bool, tag = 10] recoverable: bool,
        /// The client wants join and leave pushes.
        [bool, tag = 11] join_leave: bool,
        /// Delta format that the client understands; not answering it declines.
        [string, tag = 12] delta: String,
        /// A filter by tags, if there is one. Not supported: ignoring it would deliver what was not asked for.
        [message, optional, tag = 13] tf: Option<TagsFilter>,
        /// Bits: see [`super::subscription::FLAG_REJECT_UNRECOVERED`].
        [int64, tag = 14] flag: i64,
        /// See [`super::subscription::SubscriptionType`].
        [int32, tag = 15] r#type: i32,
        /// See [`super::subscription::MapPhase`].
        [int32, tag = 16] phase: i32,
        /// Where the next page of a map's state begins; empty for the first.
        [string, tag = 17] cursor: String,
        /// Page size of a map; 0 leaves it to the server.
        [int32, tag = 18] limit: i32,
        /// Ascending order by score.
        [bool, tag = 19] asc: bool,
    }

    /// Marks that a filter was there; what it says is not read.
    TagsFilter {}

    /// Leaves a channel.
    UnsubscribeRequest {
        /// The channel.
        [string, tag = 1] channel: String,
    }

    /// Publishes to a channel.
    #[prost(skip_debug)]
    PublishRequest {
        /// The channel.
        [string, tag = 1] channel: String,
        /// What to publish.
        [bytes = "bytes", tag = 2] data: Bytes,
        /// 1 for a map, where `key` names the entry.
        [int32, tag = 3] r#type: i32,
        /// Key of a map's entry.
        [string, tag = 4] key: String,
        /// Removes the entry.
        [bool, tag = 5] removed: bool,
    }

    /// Asks who is in a channel.
    PresenceRequest {
        /// The channel.
        [string, tag = 1] channel: String,
    }

    /// Asks how many are in a channel.
    PresenceStatsRequest {
        /// The channel.
        [string, tag = 1] channel: String,
    }

    /// A place in a stream.
    StreamPosition {
        /// Offset of the last publication that the client has.
        [uint64, tag = 1] offset: u64,
        /// Epoch that the offset belongs to.
        [string, tag = 2] epoch: String,
    }

    /// Asks for publications of the past.
    HistoryRequest {
        /// The channel.
        [string, tag = 1] channel: String,
        /// How many; 0 asks for the position alone, a negative number leaves it to the server.
        [int32, tag = 7] limit: i32,
        /// Only those after this position (before it, if `reverse`).
        [message, optional, tag = 8] since: Option<StreamPosition>,
        /// Newest first.
        [bool, tag = 9] reverse: bool,
    }

    /// A ping that wants a reply.
    PingRequest {}

    /// A message that wants no reply.
    #[prost(skip_debug)]
    SendRequest {
        /// The message.
        [bytes = "bytes", tag = 1] data: Bytes,
    }

    /// A call that wants a reply.
    #[prost(skip_debug)]
    RpcRequest {
        /// Its arguments.
        [bytes = "bytes", tag = 1] data: Bytes,
        /// Its name.
        [string, tag = 2] method: String,
    }

    /// Brings a new connection token.
    #[prost(skip_debug)]
    RefreshRequest {
        /// The access token.
        [string, tag = 1] token: String,
    }

    /// Brings a new subscription token.
    #[prost(skip_debug)]
    SubRefreshRequest {
        /// The channel.
        [string, tag = 1] channel: String,
        /// The token.
        [string, tag = 2] token: String,
        /// See [`super::subscription::SubscriptionType`].
        [int32, tag = 3] r#type: i32,
    }
}

/// Debug output without what is secret or personal.
macro_rules! quiet_debug {
    ($($name:ident { $($field:ident),* })+) => { $(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name))$(.field(stringify!($field), &self.$field))*.finish_non_exhaustive()
            }
        }
    )+ };
}

quiet_debug! {
    ConnectRequest { subs, name, version }
    SubscribeRequest { channel, recover, epoch, offset, r#type, phase, cursor, limit }
    PublishRequest { channel, r#type, key, removed }
    SendRequest {}
    RpcRequest { method }
    RefreshRequest {}
    SubRefreshRequest { channel }
}

/// A command that has been understood.
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    /// See [`ConnectRequest`].
    Connect(ConnectRequest),
    /// See [`SubscribeRequest`].
    Subscribe(SubscribeRequest),
    /// See [`UnsubscribeRequest`].
    Unsubscribe(UnsubscribeRequest),
    /// See [`PublishRequest`].
    Publish(PublishRequest),
    /// See [`PresenceRequest`].
    Presence(PresenceRequest),
    /// See [`PresenceStatsRequest`].
    PresenceStats(PresenceStatsRequest),
    /// See [`HistoryRequest`].
    History(HistoryRequest),
    /// See [`PingRequest`].
    Ping(PingRequest),
    /// See [`SendRequest`]; the only request with id 0.
    Send(SendRequest),
    /// See [`RpcRequest`].
    Rpc(RpcRequest),
    /// See [`RefreshRequest`].
    Refresh(RefreshRequest),
    /// See [`SubRefreshRequest`].
    SubRefresh(SubRefreshRequest),
    /// The empty command: the answer to our ping.
    Pong,
}

/// A command that decodes but makes no sense. With an id it is answered by error 107, without one the connection is closed (3501).
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("a command needs exactly one method, and an id unless it is a send")]
pub struct UnclearCommand {
    /// The command's id.
    pub id: u32,
}

impl Command {
    /// The one request that this command makes.
    ///
    /// # Errors
    /// When it has no method or several, or needs an id and has none.
    pub fn into_request(self) -> Result<Request, UnclearCommand> {
        let id = self.id;
        let mut requests = [
            self.connect.map(Request::Connect),
            self.subscribe.map(Request::Subscribe),
            self.unsubscribe.map(Request::Unsubscribe),
            self.publish.map(Request::Publish),
            self.presence.map(Request::Presence),
            self.presence_stats.map(Request::PresenceStats),
            self.history.map(Request::History),
            self.ping.map(Request::Ping),
            self.send.map(Request::Send),
            self.rpc.map(Request::Rpc),
            self.refresh.map(Request::Refresh),
            self.sub_refresh.map(Request::SubRefresh),
        ]
        .into_iter()
        .flatten();
        match (requests.next(), requests.next()) {
            (None, _) if id == 0 => Ok(Request::Pong),
            (Some(request), None) if id != 0 || matches!(request, Request::Send(_)) => Ok(request),
            _ => Err(UnclearCommand { id }),
        }
    }
}

impl From<(u32, Request)> for Command {
    /// The command that makes a request; for clients (load generators and tests).
    fn from((id, request): (u32, Request)) -> Self {
        let mut command = Self { id, ..Self::default() };
        match request {
            Request::Connect(request) => command.connect = Some(request),
            Request::Subscribe(request) => command.subscribe = Some(request),
            Request::Unsubscribe(request) => command.unsubscribe = Some(request),
            Request::Publish(request) => command.publish = Some(request),
            Request::Presence(request) => command.presence = Some(request),
            Request::PresenceStats(request) => command.presence_stats = Some(request),
            Request::History(request) => command.history = Some(request),
            Request::Ping(request) => command.ping = Some(request),
            Request::Send(request) => command.send = Some(request),
            Request::Rpc(request) => command.rpc = Some(request),
            Request::Refresh(request) => command.refresh = Some(request),
            Request::SubRefresh(request) => command.sub_refresh = Some(request),
            Request::Pong => {}
        }
        command
    }
}
