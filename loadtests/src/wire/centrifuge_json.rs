//! The JSON form of the Centrifuge client protocol: commands and replies, one per line, several lines a frame.
//!
//! A delivery is what a run sees a million times a second, so a publication is never deserialised: its channel is read from
//! the front of the line and its offset from the end. Replies are rare and go through serde.

use memchr::memmem;
use serde::Deserialize;
use serde_json::{json, value::RawValue};

use super::{Answer, Heard, Subscribed};

pub fn connect(id: u32, token: &str) -> Vec<u8> {
    json!({"id": id, "connect": {"token": token, "name": "loadtests"}}).to_string().into_bytes()
}

pub fn subscribe(id: u32, channel: &str, position: Option<(&str, u64)>) -> Vec<u8> {
    let request = match position {
        Some((epoch, offset)) => {
            json!({"channel": channel, "recover": true, "epoch": epoch, "offset": offset})
        }
        None => json!({"channel": channel, "recoverable": true, "positioned": true}),
    };
    json!({"id": id, "subscribe": request}).to_string().into_bytes()
}

pub fn publish(id: u32, channel: &str, data: &str) -> Vec<u8> {
    format!(r#"{{"id":{id},"publish":{{"channel":"{channel}","data":{data}}}}}"#).into_bytes()
}

pub fn rpc(id: u32, method: &str, data: &str) -> Vec<u8> {
    format!(r#"{{"id":{id},"rpc":{{"method":"{method}","data":{data}}}}}"#).into_bytes()
}

pub fn hear(frame: &[u8], each: &mut dyn FnMut(Heard<'_>)) {
    let mut start = 0;
    for end in memchr::memchr_iter(b'\n', frame).chain([frame.len()]) {
        let line = frame.get(start..end).unwrap_or_default();
        start = end + 1;
        if line.is_empty() {
            continue;
        }
        if line == b"{}" {
            each(Heard::Ping);
        } else if line.starts_with(b"{\"push\"") {
            match publication(line) {
                Some(heard) => each(heard),
                None => each(other_push(line)),
            }
        } else {
            each(reply(line));
        }
    }
}

/// `{"push":{"channel":"…","pub":{… "offset":12 …}}}` without deserialising it.
fn publication(line: &[u8]) -> Option<Heard<'_>> {
    const CHANNEL: &[u8] = b"\"channel\":\"";
    let head = line.get(..40.min(line.len()))?;
    let from = memmem::find(head, CHANNEL)? + CHANNEL.len();
    let to = from + memchr::memchr(b'"', line.get(from..)?)?;
    if !line.get(to..)?.starts_with(b"\",\"pub\":{") {
        return None;
    }
    Some(Heard::Publication { channel: line.get(from..to)?, offset: offset_of(line)?, body: line })
}

/// The publication's own offset: behind the data in both servers' frames, so the last one of the line.
fn offset_of(line: &[u8]) -> Option<u64> {
    const OFFSET: &[u8] = b"\"offset\":";
    let tail_start = line.len().saturating_sub(40);
    let tail = line.get(tail_start..)?;
    let at = match memmem::rfind(tail, OFFSET) {
        Some(at) => tail_start + at,
        None => memmem::rfind(line, OFFSET)?,
    };
    let digits = line.get(at + OFFSET.len()..)?;
    let number = digits.iter().take_while(|byte| byte.is_ascii_digit());
    Some(number.fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0')))
}

fn other_push(line: &[u8]) -> Heard<'static> {
    let ends = [&b"\"unsubscribe\":"[..], b"\"disconnect\":"];
    if ends.iter().any(|end| memmem::find(line, end).is_some()) {
        return Heard::Lost(String::from_utf8_lossy(line).into_owned());
    }
    Heard::Other
}

#[derive(Deserialize)]
struct Reply<'a> {
    #[serde(default)]
    id: u32,
    error: Option<ReplyError>,
    #[serde(borrow)]
    subscribe: Option<SubscribeResult<'a>>,
    rpc: Option<RpcResult>,
}

#[derive(Deserialize)]
struct ReplyError {
    code: u32,
    #[serde(default)]
    message: String,
}

#[derive(Deserialize)]
struct SubscribeResult<'a> {
    #[serde(default)]
    epoch: String,
    #[serde(default)]
    offset: u64,
    #[serde(default)]
    recovered: bool,
    #[serde(default, borrow)]
    publications: Vec<Publication<'a>>,
}

#[derive(Deserialize)]
struct Publication<'a> {
    #[serde(borrow)]
    data: &'a RawValue,
    #[serde(default)]
    offset: u64,
}

#[derive(Deserialize)]
struct RpcResult {
    data: Option<Posted>,
}

#[derive(Deserialize)]
struct Posted {
    offset: Option<u64>,
}

fn reply(line: &[u8]) -> Heard<'static> {
    let Ok(reply) = serde_json::from_slice::<Reply<'_>>(line) else {
        return Heard::Other;
    };
    let answer = if let Some(error) = reply.error {
        Answer::Refused { code: error.code, message: error.message }
    } else if let Some(result) = reply.subscribe {
        let body = |publication: Publication<'_>| (publication.offset, publication.data.get().as_bytes().to_vec());
        Answer::Subscribed(Subscribed {
            epoch: result.epoch,
            offset: result.offset,
            recovered: result.recovered,
            publications: result.publications.into_iter().map(body).collect(),
        })
    } else if let Some(offset) = reply.rpc.and_then(|rpc| rpc.data).and_then(|posted| posted.offset) {
        Answer::Posted { offset }
    } else {
        Answer::Done
    };
    Heard::Replied { id: reply.id, answer }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(frame: &str) -> Vec<String> {
        let mut all = Vec::new();
        hear(frame.as_bytes(), &mut |heard| {
            all.push(match heard {
                Heard::Publication { channel, offset, .. } => format!("{}@{offset}", String::from_utf8_lossy(channel)),
                Heard::Replied { id, answer } => format!("{id} {answer:?}"),
                Heard::Ping => "ping".to_owned(),
                Heard::Lost(_) => "lost".to_owned(),
                Heard::Other => "other".to_owned(),
            });
        });
        all
    }

    #[test]
    fn a_frame_of_several_lines_is_heard_in_order() {
        let frame = concat!(
            r#"{"push":{"channel":"room:1","pub":{"data":{"offset":3,"text":"a"},"offset":7}}}"#,
            "\n{}\n",
            r#"{"id":4,"error":{"code":103,"message":"permission denied"}}"#,
            "\n",
            r#"{"push":{"channel":"room:1","unsubscribe":{"code":2000}}}"#,
        );
        assert_eq!(
            heard(frame),
            ["room:1@7", "ping", r#"4 Refused { code: 103, message: "permission denied" }"#, "lost"]
        );
    }

    #[test]
    fn a_recovery_reply_carries_its_publications() {
        let frame = r#"{"id":2,"subscribe":{"recovered":true,"epoch":"e","offset":1,"publications":[{"data":{"a":1},"offset":2}]}}"#;
        let mut offsets = Vec::new();
        hear(frame.as_bytes(), &mut |heard| {
            if let Heard::Replied { answer: Answer::Subscribed(subscribed), .. } = heard {
                offsets.extend(subscribed.publications.into_iter().map(|(offset, body)| (offset, body.len())));
            }
        });
        assert_eq!(offsets, [(2, 7)]);
    }
}
