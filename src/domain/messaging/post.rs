//! New messages, stored in batches: one statement, one round trip, one commit for many authors.

use std::fmt::Write as _;
use std::sync::Arc;

use chrono::{DateTime, SecondsFormat, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Error, MessageText, mentions, store};
use crate::infra::bus::{StreamEvent, StreamId};
use crate::infra::pg::PgError;
use crate::kernel::{MessageId, RoomId, TenantId, UserId};

/// A message that somebody wants to send.
#[derive(Debug, Clone)]
pub struct Draft {
    pub room: RoomId,
    pub author: UserId,
    pub handle: Arc<str>,
    pub display_name: Arc<str>,
    /// Made by the client, new for each message: sending twice with the same one stores once (R4).
    pub client_id: Uuid,
    pub text: MessageText,
    pub reply_to: Option<MessageId>,
}

/// A stored message's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Posted {
    pub id: MessageId,
    pub offset: u64,
    /// The message had been stored by an earlier send of the same client id.
    pub duplicate: bool,
}

/// What became of a batch.
pub struct Outcome {
    /// One per draft, in the same order; the event is there when this batch stored the message.
    pub answers: Vec<Result<(Posted, Option<StreamEvent>), Error>>,
    /// Events of people's own streams: mentions and direct messages.
    pub personal: Vec<(StreamId, StreamEvent)>,
}

/// Stores a batch of one tenant and commits it; `conn` must not be inside a transaction. Each draft gets its own answer; a bad one
/// fails nobody else.
///
/// Order: drafts of one room get ascending offsets in batch order. Idempotent by `(room, author, client_id)`.
///
/// # Errors
/// When the statement fails. If the connection broke, the batch may have been committed: senders repeat with the same client ids.
pub async fn post(
    conn: &mut PgConnection,
    tenant: TenantId,
    at: DateTime<Utc>,
    drafts: &[Arc<Draft>],
) -> Result<Outcome, PgError> {
    let mut columns = store::PostColumns::with_capacity(drafts.len());
    for draft in drafts {
        let id = MessageId::generate();
        let calls = mentions::find(draft.text.as_str());
        columns.push(id, draft, head(id, draft, at), calls.handles.join(","), calls.groups.join(","));
    }
    // Few posts are repeats, and the unique index finds them: only a batch that met one looks for all.
    let (answers, personal) = match store::post_messages(conn, tenant, at, false, &columns).await {
        Err(error) if store::is_repeated(&error) => store::post_messages(conn, tenant, at, true, &columns).await?,
        first => first?,
    };
    let answers = answers.into_iter().enumerate().map(|(ord, answer)| match answer {
        store::PostAnswer::Refused { code, retry_after_s } => Err(Error::from_refusal(&code, retry_after_s)),
        store::PostAnswer::Stored { posted, tail, calls } => {
            let groups = if calls { columns.groups(ord) } else { "" };
            let event = (!posted.duplicate).then(|| {
                let body = [columns.head(ord), tail.as_deref().unwrap_or(store::EMPTY_TAIL)].concat();
                event_of(&drafts[ord], posted.offset, body, groups, tail.as_deref())
            });
            Ok((posted, event))
        }
    });
    let personal = personal.into_iter().map(|event| {
        let stream = StreamEvent {
            offset: event.offset,
            kind: event.kind.into(),
            body: event.body.into(),
            actor: None,
            calls: Arc::from([]),
        };
        (StreamId::User(event.recipient), stream)
    });
    Ok(Outcome { answers: answers.collect(), personal: personal.collect() })
}

/// The event that the function stored. `groups` are those that the author may call, separated by commas.
fn event_of(draft: &Draft, offset: u64, body: String, groups: &str, tail: Option<&str>) -> StreamEvent {
    let mut calls: Vec<String> = groups.split(',').filter(|g| !g.is_empty()).map(ToOwned::to_owned).collect();
    calls.extend(tail.map(mentioned).unwrap_or_default());
    StreamEvent {
        offset,
        kind: Arc::from("message.created"),
        body: body.into(),
        actor: Some(draft.author),
        calls: calls.into(),
    }
}

/// The people named in a tail, as `user:<id>`.
fn mentioned(tail: &str) -> Vec<String> {
    #[derive(serde::Deserialize)]
    struct Body {
        message: Message,
    }
    #[derive(serde::Deserialize)]
    struct Message {
        mentions: Vec<Uuid>,
    }
    // A tail closes the message and the body, so that behind any head it makes valid JSON again.
    let body = [r#"{"message":{"head":0"#, tail].concat();
    serde_json::from_str::<Body>(&body)
        .map(|b| b.message.mentions.iter().map(|id| format!("user:{id}")).collect())
        .unwrap_or_default()
}

/// Payload v1 of a new message, up to and including its text; the store appends mentions and reply, which it alone can resolve.
fn head(id: MessageId, draft: &Draft, at: DateTime<Utc>) -> String {
    let text = draft.text.as_str();
    let mut out = String::with_capacity(320 + text.len());
    // Writing to a String can not fail, nor can turning a str into JSON.
    let quoted = |s: &str| serde_json::to_string(s).unwrap_or_default();
    let _infallible = write!(
        out,
        r#"{{"v":1,"type":"message.created","room_id":"{}","at":"{}","actor":{{"id":"{}","handle":{},"display_name":{}}},"message":{{"id":"{id}","client_id":"{}","text":{}"#,
        draft.room,
        at.to_rfc3339_opts(SecondsFormat::Millis, true),
        draft.author,
        quoted(&draft.handle),
        quoted(&draft.display_name),
        draft.client_id,
        quoted(text),
    );
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn head_and_tail_make_one_json_line() {
        let draft = Draft {
            room: RoomId::generate(),
            author: UserId::generate(),
            handle: "ada".into(),
            display_name: "Ada \"the\" first".into(),
            client_id: Uuid::nil(),
            text: MessageText::parse("line\nbreak \u{1F600} \"quoted\"").expect("a good text"),
            reply_to: None,
        };
        let body = head(MessageId::generate(), &draft, DateTime::<Utc>::default()) + store::EMPTY_TAIL;
        assert!(!body.contains('\n'));
        let value: serde_json::Value = serde_json::from_str(&body).expect("valid JSON");
        assert_eq!(value["message"]["text"], "line\nbreak \u{1F600} \"quoted\"");
        assert_eq!(value["at"], "1970-01-01T00:00:00.000Z");
    }

    #[test]
    fn people_called_are_read_back_from_the_tail() {
        let id = Uuid::nil();
        assert_eq!(mentioned(&format!(r#","mentions":["{id}"],"reply_to":null}}}}"#)), [format!("user:{id}")]);
        assert_eq!(
            mentioned(&format!(r#","mentions":["{id}"],"reply_to":{{"id":"{id}","offset":4}}}}}}"#)),
            [format!("user:{id}")]
        );
        assert!(mentioned(r#","mentions":[],"reply_to":{"id":"x","offset":4}}}"#).is_empty());
    }
}
