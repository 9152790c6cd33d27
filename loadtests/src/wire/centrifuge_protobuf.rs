//! The Protobuf form of the Centrifuge client protocol: each command and reply behind its varint length, several a frame.
//!
//! Written out by hand because a generator needs six messages of it and reads deliveries without allocating.
//! Field numbers are those of the protocol's `client.proto`.

use super::{Answer, Heard, Subscribed};

mod field {
    pub const ID: u64 = 1;
    pub const COMMAND_CONNECT: u64 = 4;
    pub const COMMAND_SUBSCRIBE: u64 = 5;
    pub const COMMAND_PUBLISH: u64 = 7;
    pub const COMMAND_RPC: u64 = 13;
    pub const REPLY_ERROR: u64 = 2;
    pub const REPLY_PUSH: u64 = 4;
    pub const REPLY_SUBSCRIBE: u64 = 6;
    pub const REPLY_RPC: u64 = 13;
    pub const PUSH_CHANNEL: u64 = 2;
    pub const PUSH_PUB: u64 = 4;
    pub const PUSH_UNSUBSCRIBE: u64 = 7;
    pub const PUSH_DISCONNECT: u64 = 11;
    pub const PUBLICATION_DATA: u64 = 4;
    pub const PUBLICATION_OFFSET: u64 = 6;
}

pub fn connect(id: u32, token: &str) -> Vec<u8> {
    let mut request = Vec::new();
    put_bytes(&mut request, 1, token.as_bytes());
    put_bytes(&mut request, 4, b"loadtests");
    command(id, field::COMMAND_CONNECT, &request)
}

pub fn subscribe(id: u32, channel: &str, position: Option<(&str, u64)>) -> Vec<u8> {
    let mut request = Vec::new();
    put_bytes(&mut request, 1, channel.as_bytes());
    if let Some((epoch, offset)) = position {
        put_number(&mut request, 3, 1);
        put_bytes(&mut request, 6, epoch.as_bytes());
        put_number(&mut request, 7, offset);
    } else {
        put_number(&mut request, 9, 1);
        put_number(&mut request, 10, 1);
    }
    command(id, field::COMMAND_SUBSCRIBE, &request)
}

pub fn publish(id: u32, channel: &str, data: &str) -> Vec<u8> {
    let mut request = Vec::new();
    put_bytes(&mut request, 1, channel.as_bytes());
    put_bytes(&mut request, 2, data.as_bytes());
    command(id, field::COMMAND_PUBLISH, &request)
}

pub fn rpc(id: u32, method: &str, data: &str) -> Vec<u8> {
    let mut request = Vec::new();
    put_bytes(&mut request, 1, data.as_bytes());
    put_bytes(&mut request, 2, method.as_bytes());
    command(id, field::COMMAND_RPC, &request)
}

fn command(id: u32, kind: u64, request: &[u8]) -> Vec<u8> {
    let mut command = Vec::new();
    put_number(&mut command, field::ID, u64::from(id));
    put_bytes(&mut command, kind, request);
    let mut framed = Vec::with_capacity(command.len() + 5);
    put_varint(&mut framed, command.len() as u64);
    framed.extend_from_slice(&command);
    framed
}

fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn put_number(out: &mut Vec<u8>, field: u64, value: u64) {
    put_varint(out, field << 3);
    put_varint(out, value);
}

fn put_bytes(out: &mut Vec<u8>, field: u64, value: &[u8]) {
    put_varint(out, field << 3 | 2);
    put_varint(out, value.len() as u64);
    out.extend_from_slice(value);
}

/// Walks the fields of a message: (number, value of a varint, bytes of a length-delimited one).
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn split(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = (u64, u64, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let key = self.varint()?;
        let (number, bytes): (u64, &[u8]) = match key & 7 {
            0 => (self.varint()?, &[]),
            1 => (0, self.split(8)?),
            2 => {
                let length = self.varint()?;
                (0, self.split(usize::try_from(length).ok()?)?)
            }
            5 => (0, self.split(4)?),
            _ => return None,
        };
        Some((key >> 3, number, bytes))
    }
}

pub fn hear(frame: &[u8], each: &mut dyn FnMut(Heard<'_>)) {
    let mut rest = Fields(frame);
    while let Some(length) = rest.varint() {
        let Some(reply) = usize::try_from(length).ok().and_then(|length| rest.split(length)) else {
            return;
        };
        each(if reply.is_empty() { Heard::Ping } else { one(reply) });
    }
}

fn one(reply: &[u8]) -> Heard<'_> {
    let mut id = 0;
    let mut answer = Answer::Done;
    for (field, number, bytes) in Fields(reply) {
        match field {
            field::ID => id = number as u32,
            field::REPLY_PUSH => return push(bytes),
            field::REPLY_ERROR => {
                let mut code = 0;
                let mut message = String::new();
                for (field, number, bytes) in Fields(bytes) {
                    match field {
                        1 => code = number as u32,
                        2 => message = String::from_utf8_lossy(bytes).into_owned(),
                        _ => {}
                    }
                }
                answer = Answer::Refused { code, message };
            }
            field::REPLY_SUBSCRIBE => answer = Answer::Subscribed(subscribed(bytes)),
            field::REPLY_RPC => answer = posted(bytes),
            _ => {}
        }
    }
    Heard::Replied { id, answer }
}

fn push(bytes: &[u8]) -> Heard<'_> {
    let mut channel: &[u8] = b"";
    for (field, _, bytes) in Fields(bytes) {
        match field {
            field::PUSH_CHANNEL => channel = bytes,
            field::PUSH_PUB => {
                let (offset, body) = publication(bytes);
                return Heard::Publication { channel, offset, body };
            }
            field::PUSH_UNSUBSCRIBE | field::PUSH_DISCONNECT => {
                return Heard::Lost(format!("push {field}: {}", String::from_utf8_lossy(bytes)));
            }
            _ => {}
        }
    }
    Heard::Other
}

fn publication(bytes: &[u8]) -> (u64, &[u8]) {
    let mut found: (u64, &[u8]) = (0, b"");
    for (field, number, bytes) in Fields(bytes) {
        match field {
            field::PUBLICATION_DATA => found.1 = bytes,
            field::PUBLICATION_OFFSET => found.0 = number,
            _ => {}
        }
    }
    found
}

fn subscribed(bytes: &[u8]) -> Subscribed {
    let mut result = Subscribed::default();
    for (field, number, bytes) in Fields(bytes) {
        match field {
            6 => result.epoch = String::from_utf8_lossy(bytes).into_owned(),
            7 => {
                let (offset, body) = publication(bytes);
                result.publications.push((offset, body.to_vec()));
            }
            8 => result.recovered = number == 1,
            9 => result.offset = number,
            _ => {}
        }
    }
    result
}

fn posted(bytes: &[u8]) -> Answer {
    #[derive(serde::Deserialize)]
    struct Posted {
        offset: u64,
    }
    let data = Fields(bytes).find(|(field, ..)| *field == 1).map_or(&[][..], |(.., bytes)| bytes);
    serde_json::from_slice::<Posted>(data).map_or(Answer::Done, |posted| Answer::Posted { offset: posted.offset })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_push_is_heard_with_its_channel_and_offset() {
        let mut publication = Vec::new();
        put_bytes(&mut publication, field::PUBLICATION_DATA, b"{}");
        put_number(&mut publication, field::PUBLICATION_OFFSET, 300);
        let mut push = Vec::new();
        put_bytes(&mut push, field::PUSH_CHANNEL, b"room:1");
        put_bytes(&mut push, field::PUSH_PUB, &publication);
        let mut reply = Vec::new();
        put_bytes(&mut reply, field::REPLY_PUSH, &push);
        let mut frame = Vec::new();
        put_varint(&mut frame, reply.len() as u64);
        frame.extend_from_slice(&reply);
        frame.push(0);
        let mut all = Vec::new();
        hear(&frame, &mut |heard| {
            all.push(match heard {
                Heard::Publication { channel, offset, body } => (channel.to_vec(), offset, body.to_vec()),
                _ => (Vec::new(), 0, Vec::new()),
            });
        });
        assert_eq!(all, [(b"room:1".to_vec(), 300, b"{}".to_vec()), (Vec::new(), 0, Vec::new())]);
    }
}
