//! The languages that the servers under test speak, behind one vocabulary: open, subscribe, post, and what is heard.
//!
//! Rialto and Centrifugo speak the Centrifuge client protocol (JSON or Protobuf), the Node peers Socket.IO or bare
//! WebSocket text. All of them carry the same text, whose marker (`~0000001234~`) tells one post from another.

mod centrifuge_json;
mod centrifuge_protobuf;

use serde::{Deserialize, Serialize};

use crate::ws::Frame;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Wire {
    /// Centrifuge client protocol, JSON.
    Json,
    /// Centrifuge client protocol, Protobuf.
    Protobuf,
    /// Socket.IO 4 over its WebSocket transport.
    SocketIo,
    /// WebSocket text frames, broadcast as they are.
    Plain,
}

/// The id under which Socket.IO's namespace answer is reported, since it has none of its own.
pub const HELLO_ID: u32 = 1;

/// What a server said, as far as a load test cares.
pub enum Heard<'a> {
    Replied {
        id: u32,
        answer: Answer,
    },
    Publication {
        channel: &'a [u8],
        offset: u64,
        body: &'a [u8],
    },
    Ping,
    /// The server ended the connection or a subscription.
    Lost(String),
    Other,
}

#[derive(Debug)]
pub enum Answer {
    Done,
    /// A Rialto post tells its place in the room.
    Posted {
        offset: u64,
    },
    Subscribed(Subscribed),
    Refused {
        code: u32,
        message: String,
    },
}

#[derive(Debug, Default)]
pub struct Subscribed {
    pub epoch: String,
    pub offset: u64,
    pub recovered: bool,
    /// Recovered publications: (offset, body).
    pub publications: Vec<(u64, Vec<u8>)>,
}

impl Wire {
    pub fn path(self, room: &str) -> String {
        match self {
            Self::Json | Self::Protobuf => "/connection/websocket".to_owned(),
            Self::SocketIo => format!("/socket.io/?EIO=4&transport=websocket&room={room}"),
            Self::Plain => format!("/?room={room}"),
        }
    }

    pub fn subprotocol(self) -> Option<&'static str> {
        (self == Self::Protobuf).then_some("centrifuge-protobuf")
    }

    /// Whether commands have ids that replies echo. Without, a post counts as done when its author hears it.
    pub fn replies(self) -> bool {
        matches!(self, Self::Json | Self::Protobuf)
    }

    pub fn connect(self, id: u32, token: &str) -> Option<Vec<u8>> {
        match self {
            Self::Json => Some(centrifuge_json::connect(id, token)),
            Self::Protobuf => Some(centrifuge_protobuf::connect(id, token)),
            Self::SocketIo => Some(b"40".to_vec()),
            Self::Plain => None,
        }
    }

    /// `position`: (epoch, offset) of the last publication that the client has, to recover from there.
    pub fn subscribe(self, id: u32, channel: &str, position: Option<(&str, u64)>) -> Option<Vec<u8>> {
        match self {
            Self::Json => Some(centrifuge_json::subscribe(id, channel, position)),
            Self::Protobuf => Some(centrifuge_protobuf::subscribe(id, channel, position)),
            Self::SocketIo | Self::Plain => None,
        }
    }

    /// `data` is JSON on the Centrifuge wires, the bare text elsewhere.
    pub fn publish(self, id: u32, channel: &str, data: &str) -> Vec<u8> {
        match self {
            Self::Json => centrifuge_json::publish(id, channel, data),
            Self::Protobuf => centrifuge_protobuf::publish(id, channel, data),
            Self::SocketIo => format!("42[\"message\",\"{data}\"]").into_bytes(),
            Self::Plain => data.as_bytes().to_vec(),
        }
    }

    pub fn rpc(self, id: u32, method: &str, data: &str) -> Vec<u8> {
        match self {
            Self::Protobuf => centrifuge_protobuf::rpc(id, method, data),
            _ => centrifuge_json::rpc(id, method, data),
        }
    }

    /// The answer to a ping of the server.
    pub fn pong(self) -> &'static [u8] {
        match self {
            Self::Json => b"{}",
            Self::Protobuf => &[0],
            Self::SocketIo => b"3",
            Self::Plain => b"",
        }
    }

    pub fn hear(self, frame: &Frame<'_>, each: &mut dyn FnMut(Heard<'_>)) {
        match (self, frame) {
            (Self::Json, Frame::Text(bytes)) => centrifuge_json::hear(bytes, each),
            (Self::Protobuf, Frame::Binary(bytes)) => centrifuge_protobuf::hear(bytes, each),
            (Self::SocketIo, Frame::Text(bytes)) => hear_socketio(bytes, each),
            (Self::Plain, Frame::Text(body)) => each(Heard::Publication { channel: b"", offset: 0, body }),
            (_, Frame::Close(code, reason)) => each(Heard::Lost(format!("closed with {code} {reason}"))),
            _ => each(Heard::Other),
        }
    }
}

fn hear_socketio(bytes: &[u8], each: &mut dyn FnMut(Heard<'_>)) {
    match bytes {
        [b'4', b'2', body @ ..] => each(Heard::Publication { channel: b"", offset: 0, body }),
        [b'4', b'0', ..] => each(Heard::Replied { id: HELLO_ID, answer: Answer::Done }),
        [b'2', ..] => each(Heard::Ping),
        [b'1', ..] | [b'4', b'1' | b'4', ..] => each(Heard::Lost(String::from_utf8_lossy(bytes).into_owned())),
        _ => each(Heard::Other),
    }
}

/// A text of `bytes` bytes that carries `marker` in front.
pub fn marked_text(marker: u64, bytes: usize) -> String {
    let mut text = format!("~{marker:010}~ ");
    text.extend(std::iter::repeat_n("lorem ipsum ", bytes / 12 + 1));
    text.truncate(bytes.max(12));
    text
}

/// The marker in a body, whatever is wrapped around it.
pub fn marker_of(body: &[u8]) -> Option<u64> {
    let at = memchr::memchr(b'~', body)?;
    let digits = body.get(at + 1..at + 11)?;
    digits
        .iter()
        .try_fold(0, |number: u64, digit| digit.is_ascii_digit().then(|| number * 10 + u64::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_is_found_in_any_wrapping() {
        let text = marked_text(42, 100);
        assert_eq!(text.len(), 100);
        assert_eq!(marker_of(format!("{{\"data\":{{\"text\":\"{text}\"}}}}").as_bytes()), Some(42));
        assert_eq!(marker_of(b"nothing here"), None);
    }
}
