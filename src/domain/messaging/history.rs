//! Reading back: messages by page, around one, pinned; raw events for those who keep a copy.

use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::Uuid;

use super::{Error, store};
use crate::infra::bus::{StreamEvent, StreamId};
use crate::infra::pg::Pg;
use crate::kernel::{MessageId, RoomId, Scope, TenantId, UserId};

/// Who wrote something.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct Author {
    pub id: UserId,
    pub handle: String,
    pub display_name: String,
}

/// What a message answers.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct ReplyView {
    pub id: MessageId,
    pub offset: u64,
    pub author: Author,
    /// The start of its text; empty when it has been removed.
    pub excerpt: String,
}

impl ReplyView {
    /// Characters of an excerpt.
    pub const EXCERPT_CHARS: usize = 140;
}

/// One emoji under a message.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct ReactionView {
    pub emoji: String,
    pub count: i64,
    /// The reader is among them.
    pub me: bool,
}

/// How a message went.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct Deletion {
    pub by_moderator: bool,
    pub reason: Option<String>,
}

/// A message as its readers see it now.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct MessageView {
    pub id: MessageId,
    pub room_id: RoomId,
    /// Its place in the room's stream.
    pub offset: u64,
    pub client_id: Uuid,
    pub author: Author,
    /// Empty when removed.
    pub text: String,
    #[serde(serialize_with = "crate::kernel::clock::rfc3339")]
    pub at: DateTime<Utc>,
    pub edited_at: Option<DateTime<Utc>>,
    pub deleted_at: Option<DateTime<Utc>>,
    pub deletion: Option<Deletion>,
    pub reply_to: Option<ReplyView>,
    pub reactions: Vec<ReactionView>,
    pub pinned_at: Option<DateTime<Utc>>,
    pub mentions: Vec<UserId>,
}

/// An earlier text of a message.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct EditView {
    pub text: String,
    #[serde(serialize_with = "crate::kernel::clock::rfc3339")]
    pub at: DateTime<Utc>,
}

/// Messages of a room, ascending by offset.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct MessagePage {
    pub items: Vec<MessageView>,
    /// The same request with this as `before` (or `after`) goes on where this page ends.
    pub next_cursor: Option<String>,
    pub has_before: bool,
    pub has_after: bool,
}

/// Where a stream stands.
#[derive(Debug, Clone)]
pub struct Position {
    pub epoch: String,
    pub last_offset: u64,
}

/// Events of a stream and where it stands.
#[derive(Debug, Clone)]
pub struct EventPage {
    pub position: Position,
    pub events: Vec<StreamEvent>,
}

/// Which part of a room to read; offsets are exclusive but for `Around`.
#[derive(Debug, Clone, Copy)]
pub enum Window {
    Latest,
    Before(u64),
    After(u64),
    Around(u64),
}

/// A page of messages. The caller has checked that the reader may read the room.
///
/// # Errors
/// Those of the database.
pub async fn list(pg: &Pg, scope: &Scope, room: RoomId, window: Window, limit: u32) -> Result<MessagePage, Error> {
    let mut tx = pg.tenant(scope.tenant).await?;
    let mut read = async |range, limit, newest_first| {
        store::list_messages(&mut tx, room, scope.user, range, limit, newest_first).await
    };
    let cut = |items: &mut Vec<MessageView>, limit: u32| {
        let more = items.len() > limit as usize;
        items.truncate(limit as usize);
        more
    };
    let page = match window {
        Window::Latest | Window::Before(_) => {
            let end = if let Window::Before(offset) = window { offset.saturating_sub(1) } else { u64::MAX };
            let mut items = read((0, end), limit + 1, true).await?;
            let has_before = cut(&mut items, limit);
            items.reverse();
            let next_cursor = items.first().filter(|_| has_before).map(|m| m.offset.to_string());
            MessagePage { items, next_cursor, has_before, has_after: matches!(window, Window::Before(_)) }
        }
        Window::After(offset) => {
            let mut items = read((offset.saturating_add(1), u64::MAX), limit + 1, false).await?;
            let has_after = cut(&mut items, limit);
            let next_cursor = items.last().filter(|_| has_after).map(|m| m.offset.to_string());
            MessagePage { items, next_cursor, has_before: offset > 0, has_after }
        }
        Window::Around(offset) => {
            let half = limit.div_ceil(2);
            let mut before = read((0, offset.saturating_sub(1)), half + 1, true).await?;
            let has_before = cut(&mut before, half);
            let mut items = read((offset, u64::MAX), half + 1, false).await?;
            let has_after = cut(&mut items, half);
            before.reverse();
            before.append(&mut items);
            MessagePage { items: before, next_cursor: None, has_before, has_after }
        }
    };
    tx.commit().await?;
    Ok(page)
}

/// One message.
///
/// # Errors
/// [`Error::NotFound`] when the room has no such message.
pub async fn get(pg: &Pg, scope: &Scope, room: RoomId, id: MessageId) -> Result<MessageView, Error> {
    let mut tx = pg.tenant(scope.tenant).await?;
    let offset = store::find_offset(&mut tx, room, id).await?.ok_or(Error::NotFound)?;
    let found = store::list_messages(&mut tx, room, scope.user, (offset, offset), 1, false).await?;
    tx.commit().await?;
    found.into_iter().next().ok_or(Error::NotFound)
}

/// The pinned messages of a room, latest pin first, at most 50.
///
/// # Errors
/// Those of the database.
pub async fn list_pins(pg: &Pg, scope: &Scope, room: RoomId) -> Result<Vec<MessageView>, Error> {
    const PINS_MAX: u32 = 50;
    let mut tx = pg.tenant(scope.tenant).await?;
    let mut pins = Vec::new();
    for offset in store::list_pinned(&mut tx, room, PINS_MAX).await? {
        pins.extend(store::list_messages(&mut tx, room, scope.user, (offset, offset), 1, false).await?);
    }
    tx.commit().await?;
    Ok(pins)
}

/// The earlier texts of a message.
///
/// # Errors
/// [`Error::NotFound`] when the room has no such message.
pub async fn list_edits(pg: &Pg, scope: &Scope, room: RoomId, id: MessageId) -> Result<Vec<EditView>, Error> {
    let mut tx = pg.tenant(scope.tenant).await?;
    store::find_message(&mut tx, room, id).await?.ok_or(Error::NotFound)?;
    let edits = store::list_edits(&mut tx, id).await?;
    tx.commit().await?;
    Ok(edits)
}

/// Where a stream stands; `None` when the tenant has no such stream.
///
/// # Errors
/// Those of the database.
pub async fn find_position(pg: &Pg, tenant: TenantId, stream: StreamId) -> Result<Option<Position>, Error> {
    let mut tx = pg.tenant(tenant).await?;
    let position = store::position(&mut tx, stream).await?;
    tx.commit().await?;
    Ok(position.map(|(epoch, last_offset)| Position { epoch, last_offset }))
}

/// Events of a stream with offsets in `from..=to`, and where the stream stood before they were read.
///
/// # Errors
/// [`Error::NotFound`] when the tenant has no such stream.
pub async fn list_events(
    pg: &Pg,
    tenant: TenantId,
    stream: StreamId,
    range: (u64, u64),
    limit: u32,
    newest_first: bool,
) -> Result<EventPage, Error> {
    let mut tx = pg.tenant(tenant).await?;
    let (epoch, last_offset) = store::position(&mut tx, stream).await?.ok_or(Error::NotFound)?;
    let events = store::list_events(&mut tx, stream, range, limit, newest_first).await?;
    tx.commit().await?;
    Ok(EventPage { position: Position { epoch, last_offset }, events })
}

/// What is unread in one room.
#[derive(Debug, Clone)]
pub struct UnreadRow {
    pub read_offset: u64,
    /// Messages of others past the watermark, at most [`UnreadRow::COUNT_MAX`].
    pub unread: u64,
    /// Those among them that call the reader.
    pub mentions: u64,
}

impl UnreadRow {
    /// Counting stops here: a badge says "99+" anyway.
    pub const COUNT_MAX: i64 = 100;
}

/// What is unread in one room. The caller has checked that the reader may read it.
///
/// # Errors
/// [`Error::NotFound`] when there is no such room.
pub async fn get_unread(pg: &Pg, scope: &Scope, room: RoomId) -> Result<UnreadRow, Error> {
    let mut tx = pg.tenant(scope.tenant).await?;
    let row = store::find_unread(&mut tx, scope, room).await?;
    tx.commit().await?;
    row.ok_or(Error::NotFound)
}
