//! Writing messages and putting them into frames.
//!
//! A message is encoded once to shared bytes and handed to every session that wants it; only then are the messages of one session
//! joined into a frame. An encoded JSON message is one line without its newline; a Protobuf one begins with its length.

use bytes::{BufMut, Bytes, BytesMut};
use prost::Message;
use serde::Serialize;

use super::{Command, Format, Publication, Reply};

/// A reply, ready to be joined and sent.
pub fn encode_reply(format: Format, reply: &Reply) -> Bytes {
    encode(format, reply)
}

/// A publication on a channel, encoded once for all who are subscribed.
pub fn encode_publication_push(format: Format, channel: &str, publication: Publication) -> Bytes {
    encode(format, &Reply::publication(channel, publication))
}

/// The server's ping: the empty reply.
pub fn ping(format: Format) -> Bytes {
    Bytes::from_static(match format {
        Format::Json => b"{}",
        Format::Protobuf => b"\0",
    })
}

/// A command, for clients (load generators and tests).
pub fn encode_command(format: Format, command: &Command) -> Bytes {
    encode(format, command)
}

/// Several encoded messages as one frame; a single one is not copied.
pub fn join(format: Format, messages: &[Bytes]) -> Bytes {
    if let [message] = messages {
        return message.clone();
    }
    let separator: &[u8] = match format {
        Format::Json => b"\n",
        Format::Protobuf => b"",
    };
    let size = messages.iter().map(|message| message.len() + separator.len()).sum();
    let mut frame = BytesMut::with_capacity(size);
    for (index, message) in messages.iter().enumerate() {
        if index > 0 {
            frame.put_slice(separator);
        }
        frame.put_slice(message);
    }
    frame.freeze()
}

/// A frame as a piece of an HTTP-stream body: JSON lines end with a newline, Protobuf needs nothing.
pub fn http_stream_chunk(format: Format, frame: &Bytes) -> Bytes {
    match format {
        Format::Json => [frame, &b"\n"[..]].concat().into(),
        Format::Protobuf => frame.clone(),
    }
}

/// A JSON frame as one server-sent event. Each line is a `data:` line, which the reader joins with newlines again.
pub fn sse_event(frame: &Bytes) -> Bytes {
    let mut event = BytesMut::with_capacity(frame.len() + 16);
    for line in frame.split(|&byte| byte == b'\n') {
        event.put_slice(b"data: ");
        event.put_slice(line);
        event.put_u8(b'\n');
    }
    event.put_u8(b'\n');
    event.freeze()
}

fn encode<M: Message + Serialize>(format: Format, message: &M) -> Bytes {
    match format {
        // Cannot fail: all map keys are strings, and a payload that is not JSON is written as a string. If it ever did, the empty
        // message is the one thing that no reader mistakes for something else.
        Format::Json => serde_json::to_vec(message).map_or_else(|_| ping(format), Bytes::from),
        Format::Protobuf => message.encode_length_delimited_to_vec().into(),
    }
}
