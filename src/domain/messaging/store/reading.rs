//! SQL of reading back: pages, pins, earlier texts.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::domain::messaging::history::{Author, Deletion, EditView, MessageView, ReactionView, ReplyView};
use crate::infra::pg::{PgError, TenantTx};
use crate::kernel::{MessageId, RoomId, UserId};

/// Messages of a room with offsets in `from..=to`, at most `limit`; ascending, or descending when `newest_first`.
pub(in crate::domain::messaging) async fn list_messages(
    tx: &mut TenantTx,
    room: RoomId,
    reader: UserId,
    (from, to): (u64, u64),
    limit: u32,
    newest_first: bool,
) -> Result<Vec<MessageView>, PgError> {
    let bound = |offset: u64| offset.min(i64::MAX as u64).cast_signed();
    let sign = if newest_first { -1 } else { 1 };
    let rows = sqlx::query_as!(
        MessageRow,
        r#"WITH page AS (
               SELECT * FROM messages
                WHERE tenant_id = $1 AND room_id = $2 AND event_offset BETWEEN $3 AND $4
                ORDER BY event_offset * $5 LIMIT $6)
           SELECT m.id, m.room_id, m.event_offset, m.client_id, m.author_id, u.handle, u.display_name, m.text, m.created_at, m.edited_at,
                  m.deleted_at, m.deleted_by, m.deletion_reason, m.pinned_at, m.mentioned,
                  q.id AS "reply_id?", q.event_offset AS "reply_offset?", q.text AS "reply_text?",
                  qu.id AS "reply_author?", qu.handle AS "reply_handle?", qu.display_name AS "reply_display_name?",
                  x.emoji AS "emoji!", x.counts AS "counts!", x.mine AS "mine!"
             FROM page m
             JOIN users u ON u.tenant_id = $1 AND u.id = m.author_id
             LEFT JOIN messages q ON q.tenant_id = $1 AND q.id = m.reply_to
             LEFT JOIN users qu ON qu.tenant_id = $1 AND qu.id = q.author_id
             CROSS JOIN LATERAL (
                  SELECT coalesce(array_agg(g.emoji ORDER BY g.first_at, g.emoji), '{}') AS emoji,
                         coalesce(array_agg(g.count ORDER BY g.first_at, g.emoji), '{}') AS counts,
                         coalesce(array_agg(g.mine ORDER BY g.first_at, g.emoji), '{}') AS mine
                    FROM (SELECT emoji, count(*) AS count, bool_or(user_id = $7) AS mine, min(at) AS first_at
                            FROM reactions WHERE tenant_id = $1 AND message_id = m.id GROUP BY emoji) g) x
            ORDER BY m.event_offset * $5"#,
        tx.tenant().uuid(), room.uuid(), bound(from), bound(to), sign, i64::from(limit), reader.uuid()
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(MessageView::from).collect())
}

/// The offset of a message in its room's stream.
pub(in crate::domain::messaging) async fn find_offset(
    tx: &mut TenantTx,
    room: RoomId,
    id: MessageId,
) -> Result<Option<u64>, PgError> {
    let offset = sqlx::query_scalar!(
        "SELECT event_offset FROM messages WHERE tenant_id = $1 AND id = $2 AND room_id = $3",
        tx.tenant().uuid(),
        id.uuid(),
        room.uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(offset.map(i64::cast_unsigned))
}

/// Offsets of the pinned messages of a room, latest pin first.
pub(in crate::domain::messaging) async fn list_pinned(
    tx: &mut TenantTx,
    room: RoomId,
    limit: u32,
) -> Result<Vec<u64>, PgError> {
    let offsets = sqlx::query_scalar!(
        "SELECT event_offset FROM messages WHERE tenant_id = $1 AND room_id = $2 AND pinned_at IS NOT NULL ORDER BY pinned_at DESC LIMIT $3",
        tx.tenant().uuid(), room.uuid(), i64::from(limit)
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(offsets.into_iter().map(i64::cast_unsigned).collect())
}

/// Earlier texts of a message, oldest first.
pub(in crate::domain::messaging) async fn list_edits(
    tx: &mut TenantTx,
    id: MessageId,
) -> Result<Vec<EditView>, PgError> {
    let rows = sqlx::query_as!(
        EditView,
        "SELECT text, written_at AS at FROM message_edits WHERE tenant_id = $1 AND message_id = $2 ORDER BY version",
        tx.tenant().uuid(),
        id.uuid()
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows)
}

struct MessageRow {
    id: Uuid,
    room_id: Uuid,
    event_offset: i64,
    client_id: Uuid,
    author_id: Uuid,
    handle: String,
    display_name: String,
    text: String,
    created_at: DateTime<Utc>,
    edited_at: Option<DateTime<Utc>>,
    deleted_at: Option<DateTime<Utc>>,
    deleted_by: Option<Uuid>,
    deletion_reason: Option<String>,
    pinned_at: Option<DateTime<Utc>>,
    mentioned: Vec<Uuid>,
    reply_id: Option<Uuid>,
    reply_offset: Option<i64>,
    reply_text: Option<String>,
    reply_author: Option<Uuid>,
    reply_handle: Option<String>,
    reply_display_name: Option<String>,
    emoji: Vec<String>,
    counts: Vec<i64>,
    mine: Vec<bool>,
}

impl From<MessageRow> for MessageView {
    fn from(row: MessageRow) -> Self {
        let reply_to = match (row.reply_id, row.reply_author) {
            (Some(id), Some(author)) => Some(ReplyView {
                id: id.into(),
                offset: row.reply_offset.unwrap_or_default().cast_unsigned(),
                author: Author {
                    id: author.into(),
                    handle: row.reply_handle.unwrap_or_default(),
                    display_name: row.reply_display_name.unwrap_or_default(),
                },
                excerpt: row.reply_text.unwrap_or_default().chars().take(ReplyView::EXCERPT_CHARS).collect(),
            }),
            _ => None,
        };
        let reactions = row
            .emoji
            .into_iter()
            .zip(row.counts)
            .zip(row.mine)
            .map(|((emoji, count), me)| ReactionView { emoji, count, me })
            .collect();
        Self {
            id: row.id.into(),
            room_id: row.room_id.into(),
            offset: row.event_offset.cast_unsigned(),
            client_id: row.client_id,
            author: Author { id: row.author_id.into(), handle: row.handle, display_name: row.display_name },
            text: row.text,
            at: row.created_at,
            edited_at: row.edited_at,
            deletion: row
                .deleted_at
                .map(|_| Deletion { by_moderator: row.deleted_by != Some(row.author_id), reason: row.deletion_reason }),
            deleted_at: row.deleted_at,
            reply_to,
            reactions,
            pinned_at: row.pinned_at,
            mentions: row.mentioned.into_iter().map(UserId::from).collect(),
        }
    }
}
