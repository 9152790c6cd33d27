//! The Centrifuge client protocol: frames, commands, replies, codes and channel names, in JSON and Protobuf, without any IO.
//!
//! Bytes go in, types come out, and back; sessions and transports decide what to do with them. A frame goes
//! [`decode_frame`] → [`Command::into_request`] → (a handler) → [`Reply::answer`] → [`encode_reply`] → [`join`].
//!
//! One struct serves both formats; `json.rs` says how they differ. A payload field is `Bytes`: compacted JSON text if it came in
//! a JSON frame, whatever the client sent if it came in a Protobuf one; what we send is JSON in both.
//!
//! Both directions are here, for load generators and tests speak the client's side with the same code; that this code reads the
//! protocol as others do is shown by golden frames from the official SDK's own codec.

mod channel;
mod codes;
mod command;
mod emulation;
mod encode;
mod frame;
mod json;
mod reply;
pub mod subscription;
#[cfg(test)]
mod tests;

pub use channel::{CHANNELS, Channel, ChannelKind, Shape, Subject, UnknownChannel};
pub use codes::{Disconnect, ErrorCode, Unsubscribe};
pub use command::{
    Command, ConnectRequest, HistoryRequest, PingRequest, PresenceRequest, PresenceStatsRequest, PublishRequest,
    RefreshRequest, Request, RpcRequest, SendRequest, StreamPosition, SubRefreshRequest, SubscribeRequest, TagsFilter,
    UnclearCommand, UnsubscribeRequest,
};
pub use emulation::EmulationRequest;
pub use encode::{encode_command, encode_publication_push, encode_reply, http_stream_chunk, join, ping, sse_event};
pub use frame::{
    COMMAND_LIMIT_BYTES, COMMANDS_PER_FRAME_LIMIT, FRAME_LIMIT_BYTES, FrameError, Limits, decode_frame, decode_replies,
};
pub use reply::{
    Answer, ClientInfo, ConnectResult, DisconnectPush, ErrorBody, HistoryResult, Join, Leave, MessagePush, PingResult,
    PresenceResult, PresenceStatsResult, Publication, PublishResult, Push, RefreshPush, RefreshResult, Reply,
    RpcResult, SubRefreshResult, SubscribePush, SubscribeResult, UnsubscribePush, UnsubscribeResult,
};

/// How messages are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// Text: one JSON object a line.
    Json,
    /// Binary: each message after its length.
    Protobuf,
}

impl Format {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Json, Self::Protobuf];
    /// The WebSocket subprotocol that asks for Protobuf.
    pub const PROTOBUF_SUBPROTOCOL: &str = "centrifuge-protobuf";
}
