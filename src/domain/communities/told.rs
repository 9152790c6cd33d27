//! What people see of a change: system events in rooms, notices in personal streams. Payload v1.
//!
//! Order of locks: rooms before people, each in id order; callers that tell several sort them.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

use super::Error;
use super::store::rooms::Seen;
use super::views::Person;
use crate::domain::events::{self, NewEvent};
use crate::infra::bus::StreamId;
use crate::infra::pg::TenantTx;
use crate::kernel::{RoomId, Scope, UserId};

/// Into a room: `member.joined`, `member.left`, `room.updated`.
pub(super) async fn room(
    tx: &mut TenantTx,
    scope: &Scope,
    now: DateTime<Utc>,
    (room, kind): (RoomId, &'static str),
    extra: Value,
) -> Result<(), Error> {
    let mut body = json!({
        "v": 1,
        "type": kind,
        "room_id": room,
        "at": time(now),
        "actor": {"id": scope.user, "handle": &*scope.handle, "display_name": &*scope.display_name},
    });
    append(tx, scope, now, (StreamId::Room(room), kind), merge(&mut body, extra)).await
}

/// Into somebody's own stream: `room.added`, `room.removed`, `community.changed`. Does not say who did it.
pub(super) async fn person(
    tx: &mut TenantTx,
    scope: &Scope,
    now: DateTime<Utc>,
    (user, kind): (UserId, &'static str),
    extra: Value,
) -> Result<(), Error> {
    let mut body = json!({"v": 1, "type": kind, "at": time(now)});
    append(tx, scope, now, (StreamId::User(user), kind), merge(&mut body, extra)).await
}

async fn append(
    tx: &mut TenantTx,
    scope: &Scope,
    at: DateTime<Utc>,
    (stream, kind): (StreamId, &'static str),
    body: Value,
) -> Result<(), Error> {
    let event = NewEvent { kind, actor: Some(scope.user), message: None, at, body };
    // A person without a stream has never been here: nobody to tell.
    events::append(tx, stream, event).await?;
    Ok(())
}

/// `member{id,handle,display_name}` of a coming or going.
pub(super) fn member(person: &Person) -> Value {
    json!({"member": person})
}

/// What `user` hears of a room that became theirs or ceased to be.
pub(super) fn room_notice(room: &Seen, user: UserId) -> Value {
    let view = &room.view;
    json!({
        "room_id": view.id,
        "room": {
            "id": view.id, "community_id": view.community_id, "kind": view.kind, "name": room.name_for(user),
            "channel": view.channel, "members": view.members,
        },
    })
}

pub(super) fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

fn merge(body: &mut Value, extra: Value) -> Value {
    if let (Some(body), Value::Object(extra)) = (body.as_object_mut(), extra) {
        body.extend(extra);
    }
    body.take()
}
