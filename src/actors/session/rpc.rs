//! RPC: the verbs of HTTP, over the socket.

use std::rc::Rc;

use serde::Deserialize;
use serde_json::{Value, json};

use super::commands::parse;
use super::{Client, Identity};
use crate::actors::presence::Status;
use crate::domain::messaging::{Emoji, MessageText, Window};
use crate::kernel::{MessageId, RoomId, page};
use crate::protocol::{ErrorBody, ErrorCode};

/// Every method; a test holds it against the verbs of HTTP.
pub const METHODS: &[&str] = &[
    "message.create",
    "message.edit",
    "message.delete",
    "message.list",
    "reaction.add",
    "reaction.remove",
    "pin.add",
    "pin.remove",
    "room.read",
    "room.mute",
    "room.typing",
    "presence.set",
];

#[derive(Deserialize)]
struct OnRoom {
    room_id: RoomId,
}

#[derive(Deserialize)]
struct OnMessage {
    room_id: RoomId,
    id: MessageId,
}

#[derive(Deserialize)]
struct Edit {
    room_id: RoomId,
    id: MessageId,
    text: String,
}

#[derive(Deserialize)]
struct Delete {
    room_id: RoomId,
    id: MessageId,
    reason: Option<String>,
}

#[derive(Deserialize)]
struct React {
    room_id: RoomId,
    id: MessageId,
    emoji: String,
}

#[derive(Deserialize)]
struct List {
    room_id: RoomId,
    before: Option<u64>,
    after: Option<u64>,
    around: Option<u64>,
    limit: Option<u32>,
}

#[derive(Deserialize)]
struct Read {
    room_id: RoomId,
    offset: u64,
}

#[derive(Deserialize)]
struct Mute {
    room_id: RoomId,
    muted: bool,
}

#[derive(Deserialize)]
struct SetPresence {
    status: Status,
}

/// Which part of a room a caller names: the first of `before`, `after`, `around`, else the latest.
#[must_use]
pub fn window(before: Option<u64>, after: Option<u64>, around: Option<u64>) -> Window {
    match (before, after, around) {
        (Some(offset), _, _) => Window::Before(offset),
        (_, Some(offset), _) => Window::After(offset),
        (_, _, Some(offset)) => Window::Around(offset),
        _ => Window::Latest,
    }
}

/// Calls a method other than `message.create`, which has a road of its own.
pub(super) async fn call(
    client: &Rc<Client>,
    identity: &Identity,
    method: &str,
    data: &[u8],
) -> Result<Value, ErrorBody> {
    let (live, scope) = (&client.hub.live, identity.scope());
    match method {
        "message.edit" => {
            let Edit { room_id, id, text } = parse(data)?;
            let offset = live.edit(&scope, room_id, id, MessageText::parse(&text)?).await?;
            Ok(json!({"id": id, "offset": offset}))
        }
        "message.delete" => {
            let Delete { room_id, id, reason } = parse(data)?;
            let offset = live.remove(&scope, room_id, id, reason).await?;
            Ok(json!({"id": id, "offset": offset}))
        }
        "message.list" => {
            let List { room_id, before, after, around, limit } = parse(data)?;
            let found = live.list_messages(&scope, room_id, window(before, after, around), page::limit(limit)).await?;
            serde_json::to_value(found).map_err(|_| ErrorCode::Internal.into())
        }
        "reaction.add" | "reaction.remove" => {
            let React { room_id, id, emoji } = parse(data)?;
            live.react(&scope, room_id, id, Emoji::parse(&emoji)?, method == "reaction.add").await?;
            Ok(json!({}))
        }
        "pin.add" | "pin.remove" => {
            let OnMessage { room_id, id } = parse(data)?;
            live.pin(&scope, room_id, id, method == "pin.add").await?;
            Ok(json!({}))
        }
        "room.read" => {
            let Read { room_id, offset } = parse(data)?;
            live.mark_read(&scope, room_id, offset).await?;
            Ok(json!({}))
        }
        "room.mute" => {
            let Mute { room_id, muted } = parse(data)?;
            live.set_muted(&scope, room_id, muted).await?;
            Ok(json!({}))
        }
        "room.typing" => {
            let OnRoom { room_id } = parse(data)?;
            live.typing(&scope, room_id).await?;
            Ok(json!({}))
        }
        "presence.set" => {
            let SetPresence { status } = parse(data)?;
            live.presence.set_status(live, scope.tenant, scope.user, client.id, status);
            Ok(json!({}))
        }
        #[cfg(feature = "faults")]
        _ => super::faults::call(live, identity.tenant, method, data).await,
        #[cfg(not(feature = "faults"))]
        _ => Err(ErrorCode::MethodNotFound.into()),
    }
}
