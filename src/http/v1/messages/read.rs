//! Reading: pages, one message, its earlier texts, pins, raw events, who is here.

use actix_web::HttpResponse;
use actix_web::web::Data;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::{IntoParams, ToSchema};

use super::{MessagePath, RoomPath};
use crate::actors::presence::Present;
use crate::actors::session::window;
use crate::domain::messaging::history::{EditView, MessagePage, MessageView};
use crate::http::{Caller, Edge, Path, Problem, Query};
use crate::infra::bus::StreamId;
use crate::kernel::page::{self, Page};

/// Which part of a room to read. At most one of the first three.
#[derive(Debug, Deserialize, IntoParams)]
pub struct WindowQuery {
    /// Messages before this offset.
    before: Option<u64>,
    /// Messages after this offset.
    after: Option<u64>,
    /// Messages on both sides of this offset.
    around: Option<u64>,
    /// 1 to 100; 50 unless said.
    limit: Option<u32>,
}

/// A page of messages, ascending by offset; the latest ones unless a place is named.
#[utoipa::path(get, path = "/v1/rooms/{room}/messages", tag = "messages", params(("room" = String, Path), WindowQuery),
    responses((status = 200, body = MessagePage)))]
pub async fn list(
    who: Caller,
    at: Path<RoomPath>,
    query: Query<WindowQuery>,
    edge: Data<Edge>,
) -> Result<HttpResponse, Problem> {
    let WindowQuery { before, after, around, limit } = query.0;
    let window = window(before, after, around);
    let found = edge.live.list_messages(&who.0, at.0.room, window, page::limit(limit)).await?;
    Ok(HttpResponse::Ok().json(found))
}

/// One message.
#[utoipa::path(get, path = "/v1/rooms/{room}/messages/{message}", tag = "messages",
    params(("room" = String, Path), ("message" = String, Path)), responses((status = 200, body = MessageView)))]
pub async fn get(who: Caller, at: Path<MessagePath>, edge: Data<Edge>) -> Result<HttpResponse, Problem> {
    Ok(HttpResponse::Ok().json(edge.live.get_message(&who.0, at.0.room, at.0.message).await?))
}

/// The earlier texts of a message, oldest first.
#[utoipa::path(get, path = "/v1/rooms/{room}/messages/{message}/edits", tag = "messages",
    params(("room" = String, Path), ("message" = String, Path)), responses((status = 200, body = Page<EditView>)))]
pub async fn edits(who: Caller, at: Path<MessagePath>, edge: Data<Edge>) -> Result<HttpResponse, Problem> {
    let items = edge.live.list_edits(&who.0, at.0.room, at.0.message).await?;
    Ok(HttpResponse::Ok().json(Page { items, next_cursor: None }))
}

/// The pinned messages, latest pin first.
#[utoipa::path(get, path = "/v1/rooms/{room}/pins", tag = "messages", params(("room" = String, Path)),
    responses((status = 200, body = Page<MessageView>)))]
pub async fn pins(who: Caller, at: Path<RoomPath>, edge: Data<Edge>) -> Result<HttpResponse, Problem> {
    let items = edge.live.list_pins(&who.0, at.0.room).await?;
    Ok(HttpResponse::Ok().json(Page { items, next_cursor: None }))
}

/// Which events to read.
#[derive(Debug, Deserialize, IntoParams)]
pub struct EventsQuery {
    /// Events after this offset; from the beginning unless said.
    after: Option<u64>,
    /// 1 to 100; 50 unless said.
    limit: Option<u32>,
}

/// One event of a room's stream.
#[derive(Debug, Serialize, ToSchema)]
pub struct EventView {
    offset: u64,
    /// Payload v1.
    #[schema(value_type = Object)]
    event: Box<RawValue>,
}

/// Events of a room.
#[derive(Debug, Serialize, ToSchema)]
pub struct Events {
    items: Vec<EventView>,
    /// `after` of the next page; null at the end.
    next_cursor: Option<String>,
    epoch: String,
    last_offset: u64,
}

/// The raw events of a room, for those who keep a copy: what the socket publishes, from any offset.
#[utoipa::path(get, path = "/v1/rooms/{room}/events", tag = "messages", params(("room" = String, Path), EventsQuery),
    responses((status = 200, body = Events)))]
pub async fn events(
    who: Caller,
    at: Path<RoomPath>,
    query: Query<EventsQuery>,
    edge: Data<Edge>,
) -> Result<HttpResponse, Problem> {
    edge.live.reader(&who.0, at.0.room).await?;
    let from = query.0.after.unwrap_or(0).saturating_add(1);
    let found = edge
        .live
        .list_events(who.0.tenant, StreamId::Room(at.0.room), (from, u64::MAX), page::limit(query.0.limit), false)
        .await?;
    let last = found.events.last().map(|event| event.offset);
    let next_cursor = last.filter(|offset| *offset < found.position.last_offset).map(|offset| offset.to_string());
    let view = |event: crate::infra::bus::StreamEvent| {
        RawValue::from_string(event.body.to_string()).ok().map(|body| EventView { offset: event.offset, event: body })
    };
    Ok(HttpResponse::Ok().json(Events {
        items: found.events.into_iter().filter_map(view).collect(),
        next_cursor,
        epoch: found.position.epoch,
        last_offset: found.position.last_offset,
    }))
}

/// The people with the room open now.
#[utoipa::path(get, path = "/v1/rooms/{room}/presence", tag = "messages", params(("room" = String, Path)),
    responses((status = 200, body = Page<Present>)))]
pub async fn presence(who: Caller, at: Path<RoomPath>, edge: Data<Edge>) -> Result<HttpResponse, Problem> {
    edge.live.reader(&who.0, at.0.room).await?;
    Ok(HttpResponse::Ok().json(Page { items: edge.live.presence.people(who.0.tenant, at.0.room), next_cursor: None }))
}
