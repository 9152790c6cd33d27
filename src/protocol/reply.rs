//! What the server sends: one [`Reply`], which answers a command (`id`) or pushes something (`push`); the empty one is a ping.
//!
//! Field names and numbers are those of the Centrifuge client protocol. A default is left out of the JSON, so an absent
//! `phase` is 0 and an absent `recovered` is false, as the official SDKs expect.

use std::collections::BTreeMap;

use bytes::Bytes;
use prost::Message;
use serde::{Deserialize, Serialize};

use super::codes::{Disconnect, ErrorCode, Unsubscribe};
use super::json::messages;

messages! {
    /// An answer or a push.
    Reply {
        /// Id of the command that this answers; 0 for a push and a ping.
        [uint32, tag = 1] id: u32,
        /// Why there is no result.
        [message, optional, tag = 2] error: Option<ErrorBody>,
        /// Something that nobody asked for.
        [message, optional, tag = 4] push: Option<Push>,
        /// Result of `connect`.
        [message, optional, tag = 5] connect: Option<ConnectResult>,
        /// Result of `subscribe`.
        [message, optional, tag = 6] subscribe: Option<SubscribeResult>,
        /// Result of `unsubscribe`.
        [message, optional, tag = 7] unsubscribe: Option<UnsubscribeResult>,
        /// Result of `publish`.
        [message, optional, tag = 8] publish: Option<PublishResult>,
        /// Result of `presence`.
        [message, optional, tag = 9] presence: Option<PresenceResult>,
        /// Result of `presence_stats`.
        [message, optional, tag = 10] presence_stats: Option<PresenceStatsResult>,
        /// Result of `history`.
        [message, optional, tag = 11] history: Option<HistoryResult>,
        /// Result of `ping`.
        [message, optional, tag = 12] ping: Option<PingResult>,
        /// Result of `rpc`.
        [message, optional, tag = 13] rpc: Option<RpcResult>,
        /// Result of `refresh`.
        [message, optional, tag = 14] refresh: Option<RefreshResult>,
        /// Result of `sub_refresh`.
        [message, optional, tag = 15] sub_refresh: Option<SubRefreshResult>,
    }

    /// Why a command failed.
    ErrorBody {
        /// See [`ErrorCode`].
        [uint32, tag = 1] code: u32,
        /// For people.
        [string, tag = 2] message: String,
        /// Whether trying again may work.
        [bool, tag = 3] temporary: bool,
    }

    /// Something that nobody asked for; exactly one of the kinds is set.
    Push {
        /// The channel; empty for what concerns the connection.
        [string, tag = 2] channel: String,
        /// A publication.
        [message, optional, tag = 4] r#pub: Option<Publication>,
        /// Somebody came.
        [message, optional, tag = 5] join: Option<Join>,
        /// Somebody left.
        [message, optional, tag = 6] leave: Option<Leave>,
        /// The server ended a subscription.
        [message, optional, tag = 7] unsubscribe: Option<UnsubscribePush>,
        /// A message to this connection.
        [message, optional, tag = 8] message: Option<MessagePush>,
        /// The server subscribed the client.
        [message, optional, tag = 9] subscribe: Option<SubscribePush>,
        /// The connection is about to be closed; streams that have no close code say it this way.
        [message, optional, tag = 11] disconnect: Option<DisconnectPush>,
        /// New lifetime of the connection.
        [message, optional, tag = 12] refresh: Option<RefreshPush>,
    }

    /// Who a client is.
    ClientInfo {
        /// User id.
        [string, tag = 1] user: String,
        /// Connection id.
        [string, tag = 2] client: String,
        /// What the connection says of itself.
        [bytes = "bytes", tag = 3] conn_info: Bytes,
        /// What the subscription says of itself.
        [bytes = "bytes", tag = 4] chan_info: Bytes,
    }

    /// What flows through a channel.
    Publication {
        /// Its content: JSON from us, whatever the format; empty for a removal.
        [bytes = "bytes", tag = 4] data: Bytes,
        /// Who published it.
        [message, optional, tag = 5] info: Option<ClientInfo>,
        /// Its place in the stream; 0 in a channel without positions.
        [uint64, tag = 6] offset: u64,
        /// Labels.
        [btree_map = "string, string", tag = 7] tags: BTreeMap<String, String>,
        /// When, in Unix milliseconds.
        [int64, tag = 9] time: i64,
        /// Entry of a map that this sets or removes.
        [string, tag = 11] key: String,
        /// The entry of a map is gone.
        [bool, tag = 12] removed: bool,
        /// Rank of a map's entry.
        [sint64, tag = 13] score: i64,
        /// Epoch of a channel that had none when it was subscribed.
        [string, tag = 14] epoch: String,
    }

    /// Somebody came.
    Join {
        /// Who.
        [message, optional, tag = 1] info: Option<ClientInfo>,
    }

    /// Somebody left.
    Leave {
        /// Who.
        [message, optional, tag = 1] info: Option<ClientInfo>,
    }

    /// The server ended a subscription.
    UnsubscribePush {
        /// See [`Unsubscribe`].
        [uint32, tag = 2] code: u32,
        /// For people.
        [string, tag = 3] reason: String,
    }

    /// A message to this connection.
    MessagePush {
        /// Its content.
        [bytes = "bytes", tag = 1] data: Bytes,
    }

    /// The server subscribed the client.
    SubscribePush {
        /// Whether the client may recover.
        [bool, tag = 1] recoverable: bool,
        /// Epoch of the stream.
        [string, tag = 4] epoch: String,
        /// Top of the stream.
        [uint64, tag = 5] offset: u64,
        /// Whether the position means something.
        [bool, tag = 6] positioned: bool,
        /// Whatever the application adds.
        [bytes = "bytes", tag = 7] data: Bytes,
    }

    /// The connection is about to be closed.
    DisconnectPush {
        /// See [`Disconnect`].
        [uint32, tag = 1] code: u32,
        /// For people.
        [string, tag = 2] reason: String,
    }

    /// New lifetime of the connection.
    RefreshPush {
        /// Whether it ends at all.
        [bool, tag = 1] expires: bool,
        /// Seconds that are left.
        [uint32, tag = 2] ttl: u32,
    }

    /// The session is open.
    ConnectResult {
        /// Connection id.
        [string, tag = 1] client: String,
        /// Version of the server.
        [string, tag = 2] version: String,
        /// Whether the token ends.
        [bool, tag = 3] expires: bool,
        /// Seconds until then.
        [uint32, tag = 4] ttl: u32,
        /// Whatever the application adds.
        [bytes = "bytes", tag = 5] data: Bytes,
        /// Subscriptions that the server made.
        [btree_map = "string, message", tag = 6] subs: BTreeMap<String, SubscribeResult>,
        /// Seconds between pings of the server; the SDK reconnects when they stay away.
        [uint32, tag = 7] ping: u32,
        /// Whether the server waits for pongs.
        [bool, tag = 8] pong: bool,
        /// Emulation session (HTTP-stream and SSE).
        [string, tag = 9] session: String,
        /// Node that holds the emulation session.
        [string, tag = 10] node: String,
        /// Clock of the server, in Unix milliseconds.
        [int64, tag = 11] time: i64,
    }

    /// The channel is subscribed, or a page of a map.
    SubscribeResult {
        /// Whether the subscription ends.
        [bool, tag = 1] expires: bool,
        /// Seconds until then.
        [uint32, tag = 2] ttl: u32,
        /// Whether the client may recover after a reconnect.
        [bool, tag = 3] recoverable: bool,
        /// Epoch of the stream.
        [string, tag = 6] epoch: String,
        /// What the client missed, ascending; for a map the catch-up of its stream.
        [message, repeated, tag = 7] publications: Vec<Publication>,
        /// Whether `publications` close the gap.
        [bool, tag = 8] recovered: bool,
        /// Stream: the request's offset after a recovery, else the top. Map: state pages the frozen position, stream pages their last entry, live the top.
        [uint64, tag = 9] offset: u64,
        /// Whether the position means something.
        [bool, tag = 10] positioned: bool,
        /// Whatever the application adds.
        [bytes = "bytes", tag = 11] data: Bytes,
        /// Whether the request asked for a recovery.
        [bool, tag = 12] was_recovering: bool,
        /// Whether deltas will be sent; never by us.
        [bool, tag = 13] delta: bool,
        /// The request's type.
        [int32, tag = 15] r#type: i32,
        /// See [`super::subscription::MapPhase`].
        [int32, tag = 16] phase: i32,
        /// Where the next page of a map's state begins; empty at the last.
        [string, tag = 17] cursor: String,
        /// A page of a map's state.
        [message, repeated, tag = 18] state: Vec<Publication>,
    }

    /// The channel is left.
    UnsubscribeResult {}

    /// The publication was taken. It says nothing more, so authors know theirs by `client_id`.
    PublishResult {}

    /// Publications of the past.
    HistoryResult {
        /// In the order that was asked for.
        [message, repeated, tag = 1] publications: Vec<Publication>,
        /// Epoch of the stream.
        [string, tag = 2] epoch: String,
        /// Top of the stream.
        [uint64, tag = 3] offset: u64,
    }

    /// Answer to a `ping`.
    PingResult {}

    /// What a call returned.
    RpcResult {
        /// Its result.
        [bytes = "bytes", tag = 1] data: Bytes,
    }

    /// The new token was taken.
    RefreshResult {
        /// Connection id.
        [string, tag = 1] client: String,
        /// Version of the server.
        [string, tag = 2] version: String,
        /// Whether the token ends.
        [bool, tag = 3] expires: bool,
        /// Seconds until then.
        [uint32, tag = 4] ttl: u32,
    }

    /// The new subscription token was taken.
    SubRefreshResult {
        /// Whether the subscription ends.
        [bool, tag = 1] expires: bool,
        /// Seconds until then.
        [uint32, tag = 2] ttl: u32,
    }
}

/// Who is in a channel. Written even when it is nobody: applications count what the SDK hands them, without asking if it is there.
#[derive(Clone, PartialEq, Message, Serialize, Deserialize)]
#[serde(default)]
pub struct PresenceResult {
    /// By connection id.
    #[prost(btree_map = "string, message", tag = 1)]
    pub presence: BTreeMap<String, ClientInfo>,
}

/// How many are in a channel. Written even when it is zero, as above.
#[derive(Clone, PartialEq, Message, Serialize, Deserialize)]
#[serde(default)]
pub struct PresenceStatsResult {
    /// Connections.
    #[prost(uint32, tag = 1)]
    pub num_clients: u32,
    /// People.
    #[prost(uint32, tag = 2)]
    pub num_users: u32,
}

/// The result of one command.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// See [`ConnectResult`].
    Connect(ConnectResult),
    /// See [`SubscribeResult`].
    Subscribe(SubscribeResult),
    /// The channel is left.
    Unsubscribe,
    /// The publication was taken.
    Publish,
    /// See [`PresenceResult`].
    Presence(PresenceResult),
    /// See [`PresenceStatsResult`].
    PresenceStats(PresenceStatsResult),
    /// See [`HistoryResult`].
    History(HistoryResult),
    /// The answer to a `ping`.
    Ping,
    /// See [`RpcResult`].
    Rpc(RpcResult),
    /// See [`RefreshResult`].
    Refresh(RefreshResult),
    /// See [`SubRefreshResult`].
    SubRefresh(SubRefreshResult),
}

impl ErrorBody {
    /// The code's own words.
    pub fn new(code: ErrorCode) -> Self {
        Self::saying(code, code.message())
    }

    /// The code with words that say more, for people.
    pub fn saying(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code: code.code(), message: message.into(), temporary: code.is_temporary() }
    }
}

impl From<ErrorCode> for ErrorBody {
    fn from(code: ErrorCode) -> Self {
        Self::new(code)
    }
}

impl Reply {
    /// The answer to the command `id`.
    pub fn answer(id: u32, answer: Answer) -> Self {
        let mut reply = Self { id, ..Self::default() };
        match answer {
            Answer::Connect(result) => reply.connect = Some(result),
            Answer::Subscribe(result) => reply.subscribe = Some(result),
            Answer::Unsubscribe => reply.unsubscribe = Some(UnsubscribeResult {}),
            Answer::Publish => reply.publish = Some(PublishResult {}),
            Answer::Presence(result) => reply.presence = Some(result),
            Answer::PresenceStats(result) => reply.presence_stats = Some(result),
            Answer::History(result) => reply.history = Some(result),
            Answer::Ping => reply.ping = Some(PingResult {}),
            Answer::Rpc(result) => reply.rpc = Some(result),
            Answer::Refresh(result) => reply.refresh = Some(result),
            Answer::SubRefresh(result) => reply.sub_refresh = Some(result),
        }
        reply
    }

    /// The refusal of the command `id`.
    pub fn refusal(id: u32, error: impl Into<ErrorBody>) -> Self {
        Self { id, error: Some(error.into()), ..Self::default() }
    }

    /// A publication on a channel.
    pub fn publication(channel: impl Into<String>, publication: Publication) -> Self {
        Self::push(Push { channel: channel.into(), r#pub: Some(publication), ..Push::default() })
    }

    /// The end of a subscription by the server.
    pub fn unsubscribed(channel: impl Into<String>, why: Unsubscribe) -> Self {
        let unsubscribe = UnsubscribePush { code: why.code(), reason: why.reason().to_owned() };
        Self::push(Push { channel: channel.into(), unsubscribe: Some(unsubscribe), ..Push::default() })
    }

    /// The last words on a stream that has no close code; a WebSocket is closed with the code instead.
    pub fn disconnected(why: Disconnect) -> Self {
        let disconnect = DisconnectPush { code: why.code().into(), reason: why.reason().to_owned() };
        Self::push(Push { disconnect: Some(disconnect), ..Push::default() })
    }

    /// Any push.
    pub fn push(push: Push) -> Self {
        Self { push: Some(push), ..Self::default() }
    }
}
