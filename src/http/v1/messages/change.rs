//! Writing: post, edit, remove, react, pin, read, mute, type.

use actix_web::HttpResponse;
use actix_web::web::Data;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{MessagePath, ReactionPath, RoomPath};
use crate::domain::messaging::history::{self, MessageView};
use crate::domain::messaging::{Emoji, MessageText};
use crate::http::{Caller, Edge, Json, Member, Path, Problem};
use crate::kernel::MessageId;

/// A new message.
#[derive(Debug, Deserialize, ToSchema)]
pub struct NewMessage {
    /// Made by the client; sending again with the same one stores once.
    client_id: Uuid,
    /// Markdown subset, at most 8,000 characters.
    text: String,
    reply_to: Option<MessageId>,
}

/// A stored message.
#[derive(Debug, Serialize, ToSchema)]
pub struct PostedMessage {
    id: MessageId,
    offset: u64,
    /// It had been stored by an earlier send of the same client id.
    duplicate: bool,
    message: MessageView,
}

/// Sends a message.
#[utoipa::path(post, path = "/v1/rooms/{room}/messages", tag = "messages", params(("room" = String, Path)),
    request_body = NewMessage, responses((status = 201, body = PostedMessage)))]
pub async fn post(
    who: Member,
    at: Path<RoomPath>,
    body: Json<NewMessage>,
    edge: Data<Edge>,
) -> Result<HttpResponse, Problem> {
    let NewMessage { client_id, text, reply_to } = body.0;
    let posted = edge.live.post(&who.0, at.0.room, client_id, MessageText::parse(&text)?, reply_to).await?;
    let message = edge.live.get_message(&who.0, at.0.room, posted.id).await?;
    Ok(HttpResponse::Created().json(PostedMessage {
        id: posted.id,
        offset: posted.offset,
        duplicate: posted.duplicate,
        message,
    }))
}

/// A changed text.
#[derive(Debug, Deserialize, ToSchema)]
pub struct EditMessage {
    text: String,
}

/// Replaces the text of one's own message.
#[utoipa::path(patch, path = "/v1/rooms/{room}/messages/{message}", tag = "messages",
    params(("room" = String, Path), ("message" = String, Path)), request_body = EditMessage, responses((status = 200, body = MessageView)))]
pub async fn edit(
    who: Member,
    at: Path<MessagePath>,
    body: Json<EditMessage>,
    edge: Data<Edge>,
) -> Result<HttpResponse, Problem> {
    edge.live.edit(&who.0, at.0.room, at.0.message, MessageText::parse(&body.0.text)?).await?;
    Ok(HttpResponse::Ok().json(edge.live.get_message(&who.0, at.0.room, at.0.message).await?))
}

/// Why a message is removed.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub struct RemoveMessage {
    #[serde(default)]
    reason: Option<String>,
}

/// Removes a message: its author may, and moderators. Its text is gone everywhere.
#[utoipa::path(delete, path = "/v1/rooms/{room}/messages/{message}", tag = "messages",
    params(("room" = String, Path), ("message" = String, Path)), request_body(content = Option<RemoveMessage>), responses((status = 204)))]
pub async fn remove(
    who: Member,
    at: Path<MessagePath>,
    body: Json<RemoveMessage>,
    edge: Data<Edge>,
) -> Result<HttpResponse, Problem> {
    edge.live.remove(&who.0, at.0.room, at.0.message, body.0.reason).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Adds a reaction; doing it again changes nothing.
#[utoipa::path(put, path = "/v1/rooms/{room}/messages/{message}/reactions/{emoji}", tag = "messages",
    params(("room" = String, Path), ("message" = String, Path), ("emoji" = String, Path)), responses((status = 204)))]
pub async fn react(who: Member, at: Path<ReactionPath>, edge: Data<Edge>) -> Result<HttpResponse, Problem> {
    set_reaction(&who, &at.0, &edge, true).await
}

/// Takes a reaction back; doing it again changes nothing.
#[utoipa::path(delete, path = "/v1/rooms/{room}/messages/{message}/reactions/{emoji}", tag = "messages",
    params(("room" = String, Path), ("message" = String, Path), ("emoji" = String, Path)), responses((status = 204)))]
pub async fn unreact(who: Member, at: Path<ReactionPath>, edge: Data<Edge>) -> Result<HttpResponse, Problem> {
    set_reaction(&who, &at.0, &edge, false).await
}

async fn set_reaction(who: &Member, at: &ReactionPath, edge: &Edge, add: bool) -> Result<HttpResponse, Problem> {
    edge.live.react(&who.0, at.room, at.message, Emoji::parse(&at.emoji)?, add).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Pins a message; moderators, and anybody in direct and group rooms.
#[utoipa::path(put, path = "/v1/rooms/{room}/messages/{message}/pin", tag = "messages",
    params(("room" = String, Path), ("message" = String, Path)), responses((status = 204)))]
pub async fn pin(who: Member, at: Path<MessagePath>, edge: Data<Edge>) -> Result<HttpResponse, Problem> {
    edge.live.pin(&who.0, at.0.room, at.0.message, true).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Unpins a message.
#[utoipa::path(delete, path = "/v1/rooms/{room}/messages/{message}/pin", tag = "messages",
    params(("room" = String, Path), ("message" = String, Path)), responses((status = 204)))]
pub async fn unpin(who: Member, at: Path<MessagePath>, edge: Data<Edge>) -> Result<HttpResponse, Problem> {
    edge.live.pin(&who.0, at.0.room, at.0.message, false).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// How far somebody has read.
#[derive(Debug, Deserialize, ToSchema)]
pub struct MarkRead {
    offset: u64,
}

/// What is left to read.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReadState {
    read_offset: u64,
    /// Messages of others past the watermark, counted up to 100.
    unread: u64,
    mentions: u64,
}

/// Moves the caller's watermark forward; never back, never past the room's last event.
#[utoipa::path(put, path = "/v1/rooms/{room}/read", tag = "messages", params(("room" = String, Path)),
    request_body = MarkRead, responses((status = 200, body = ReadState)))]
pub async fn mark_read(
    who: Caller,
    at: Path<RoomPath>,
    body: Json<MarkRead>,
    edge: Data<Edge>,
) -> Result<HttpResponse, Problem> {
    edge.live.mark_read(&who.0, at.0.room, body.0.offset).await?;
    let (pg, scope, room) = (edge.db.pg().clone(), who.0, at.0.room);
    let row = edge.db.run(async move { history::get_unread(&pg, &scope, room).await }).await?;
    Ok(HttpResponse::Ok().json(ReadState { read_offset: row.read_offset, unread: row.unread, mentions: row.mentions }))
}

/// Whether a room may call for attention.
#[derive(Debug, Deserialize, ToSchema)]
pub struct Notifications {
    muted: bool,
}

/// Mutes a room for the caller, or hears it again.
#[utoipa::path(put, path = "/v1/rooms/{room}/notifications", tag = "messages", params(("room" = String, Path)),
    request_body = Notifications, responses((status = 204)))]
pub async fn notifications(
    who: Caller,
    at: Path<RoomPath>,
    body: Json<Notifications>,
    edge: Data<Edge>,
) -> Result<HttpResponse, Problem> {
    edge.live.set_muted(&who.0, at.0.room, body.0.muted).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Tells whoever looks that the caller types.
#[utoipa::path(post, path = "/v1/rooms/{room}/typing", tag = "messages", params(("room" = String, Path)), responses((status = 204)))]
pub async fn typing(who: Member, at: Path<RoomPath>, edge: Data<Edge>) -> Result<HttpResponse, Problem> {
    edge.live.typing(&who.0, at.0.room).await?;
    Ok(HttpResponse::NoContent().finish())
}
