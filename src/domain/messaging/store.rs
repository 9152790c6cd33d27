//! SQL of messages. No rules here beyond what must hold under the stream's lock.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::history::{Author, Deletion, EditView, MessageView, ReactionView, ReplyView, UnreadRow};
use super::{Draft, Posted};
use crate::infra::bus::{StreamEvent, StreamId};
use crate::infra::pg::{PgError, TenantTx};
use crate::kernel::{MessageId, RoomId, TenantId, UserId};

/// What `post_messages()` appends to a head when nobody is called and nothing answered.
pub(super) const EMPTY_TAIL: &str = r#","mentions":[],"reply_to":null}}"#;

/// A batch of drafts as the columns that the function takes.
#[derive(Default)]
pub(super) struct PostColumns {
    ids: Vec<Uuid>,
    rooms: Vec<Uuid>,
    authors: Vec<Uuid>,
    client_ids: Vec<Uuid>,
    texts: Vec<String>,
    heads: Vec<String>,
    reply_tos: Vec<Option<Uuid>>,
    handles: Vec<String>,
    groups: Vec<String>,
}

impl PostColumns {
    pub(super) fn with_capacity(rows: usize) -> Self {
        Self {
            ids: Vec::with_capacity(rows),
            texts: Vec::with_capacity(rows),
            heads: Vec::with_capacity(rows),
            ..Self::default()
        }
    }

    pub(super) fn push(&mut self, id: MessageId, draft: &Draft, head: String, handles: String, groups: String) {
        self.ids.push(id.uuid());
        self.rooms.push(draft.room.uuid());
        self.authors.push(draft.author.uuid());
        self.client_ids.push(draft.client_id);
        self.texts.push(draft.text.as_str().to_owned());
        self.heads.push(head);
        self.reply_tos.push(draft.reply_to.map(MessageId::uuid));
        self.handles.push(handles);
        self.groups.push(groups);
    }

    pub(super) fn head(&self, row: usize) -> &str {
        &self.heads[row]
    }

    pub(super) fn groups(&self, row: usize) -> &str {
        &self.groups[row]
    }
}

/// One row of `post_messages()`.
pub(super) enum PostRow {
    Stored { ord: usize, posted: Posted, tail: Option<String> },
    Refused { code: String, retry_after_s: Option<i32> },
    Personal { recipient: UserId, offset: u64, kind: String, body: String },
}

/// Stores and commits a batch: the statement is its own transaction and names its tenant itself.
pub(super) async fn post_messages(
    conn: &mut PgConnection,
    tenant: TenantId,
    at: DateTime<Utc>,
    columns: &PostColumns,
) -> Result<Vec<PostRow>, PgError> {
    let rows = sqlx::query!(
        r#"SELECT ord AS "ord!", refusal, retry_after_s, message_id, event_offset, duplicate, tail, recipient, body
             FROM post_messages($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"#,
        tenant.uuid(),
        at,
        &columns.ids,
        &columns.rooms,
        &columns.authors,
        &columns.client_ids,
        &columns.texts,
        &columns.heads,
        &columns.reply_tos as &[Option<Uuid>],
        &columns.handles,
        &columns.groups,
    )
    .fetch_all(conn)
    .await?;
    let offset = |offset: Option<i64>| offset.unwrap_or_default().cast_unsigned();
    Ok(rows
        .into_iter()
        .map(|row| match (row.recipient, row.refusal, row.message_id) {
            (Some(recipient), _, _) => PostRow::Personal {
                recipient: recipient.into(),
                offset: offset(row.event_offset),
                kind: row.tail.unwrap_or_default(),
                body: row.body.unwrap_or_default(),
            },
            (None, None, Some(id)) => PostRow::Stored {
                ord: usize::try_from(row.ord - 1).unwrap_or_default(),
                posted: Posted {
                    id: id.into(),
                    offset: offset(row.event_offset),
                    duplicate: row.duplicate.unwrap_or_default(),
                },
                tail: row.tail,
            },
            (None, refusal, _) => PostRow::Refused {
                code: refusal.unwrap_or_else(|| "not_found".to_owned()),
                retry_after_s: row.retry_after_s,
            },
        })
        .collect())
}

/// Takes a stream's lock until the end of the transaction; answers its epoch and last offset.
pub(super) async fn lock_stream(tx: &mut TenantTx, stream: StreamId) -> Result<Option<(String, u64)>, PgError> {
    let row = sqlx::query!(
        "SELECT epoch, last_offset FROM streams WHERE tenant_id = $1 AND id = $2 FOR UPDATE",
        tx.tenant().uuid(),
        stream.uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(|r| (r.epoch, r.last_offset.cast_unsigned())))
}

/// A stream's epoch and last offset.
pub(super) async fn position(tx: &mut TenantTx, stream: StreamId) -> Result<Option<(String, u64)>, PgError> {
    let row = sqlx::query!(
        "SELECT epoch, last_offset FROM streams WHERE tenant_id = $1 AND id = $2",
        tx.tenant().uuid(),
        stream.uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(|r| (r.epoch, r.last_offset.cast_unsigned())))
}

/// Events of a stream with offsets in `from..=to`, ascending (or descending), at most `limit`.
pub(super) async fn list_events(
    tx: &mut TenantTx,
    stream: StreamId,
    (from, to): (u64, u64),
    limit: u32,
    newest_first: bool,
) -> Result<Vec<StreamEvent>, PgError> {
    let (tenant, id) = (tx.tenant().uuid(), stream.uuid());
    let (from, to, limit) =
        (from.min(i64::MAX as u64).cast_signed(), to.min(i64::MAX as u64).cast_signed(), i64::from(limit));
    let event = |offset: i64, kind: String, actor: Option<Uuid>, body: String| StreamEvent {
        offset: offset.cast_unsigned(),
        kind: kind.into(),
        body: body.into(),
        actor: actor.map(UserId::from),
        calls: [].into(),
    };
    if newest_first {
        let rows = sqlx::query!(
            "SELECT event_offset, kind, actor_id, body FROM events
              WHERE tenant_id = $1 AND stream_id = $2 AND event_offset BETWEEN $3 AND $4 ORDER BY event_offset DESC LIMIT $5",
            tenant, id, from, to, limit
        )
        .fetch_all(tx.conn())
        .await?;
        return Ok(rows.into_iter().map(|r| event(r.event_offset, r.kind, r.actor_id, r.body)).collect());
    }
    let rows = sqlx::query!(
        "SELECT event_offset, kind, actor_id, body FROM events
          WHERE tenant_id = $1 AND stream_id = $2 AND event_offset BETWEEN $3 AND $4 ORDER BY event_offset LIMIT $5",
        tenant,
        id,
        from,
        to,
        limit
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(|r| event(r.event_offset, r.kind, r.actor_id, r.body)).collect())
}

/// A message as the verbs need it.
pub(super) struct Stored {
    pub author: UserId,
    pub text: String,
    pub created_at: DateTime<Utc>,
    pub edited_at: Option<DateTime<Utc>>,
    pub removed: bool,
    pub pinned: bool,
}

/// Reads a message of a room; the stream's lock must be held by whoever goes on to change it.
pub(super) async fn find_message(tx: &mut TenantTx, room: RoomId, id: MessageId) -> Result<Option<Stored>, PgError> {
    let row = sqlx::query!(
        "SELECT author_id, text, created_at, edited_at, deleted_at, pinned_at FROM messages WHERE tenant_id = $1 AND id = $2 AND room_id = $3",
        tx.tenant().uuid(), id.uuid(), room.uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(|r| Stored {
        author: r.author_id.into(),
        text: r.text,
        created_at: r.created_at,
        edited_at: r.edited_at,
        removed: r.deleted_at.is_some(),
        pinned: r.pinned_at.is_some(),
    }))
}

/// The people behind handles who may read the room, i.e. whom a text there can call.
pub(super) async fn find_callable(tx: &mut TenantTx, room: RoomId, handles: &[String]) -> Result<Vec<Uuid>, PgError> {
    let ids = sqlx::query_scalar!(
        "SELECT u.id FROM users u JOIN rooms r ON r.tenant_id = u.tenant_id AND r.id = $2
          WHERE u.tenant_id = $1 AND u.handle = ANY ($3) AND u.state = 'active'
            AND CASE WHEN r.kind IN ('public', 'announcement')
                     THEN EXISTS (SELECT 1 FROM community_members c WHERE c.tenant_id = $1 AND c.community_id = r.community_id
                                     AND c.user_id = u.id AND c.state = 'active')
                     ELSE EXISTS (SELECT 1 FROM room_members m WHERE m.tenant_id = $1 AND m.room_id = r.id AND m.user_id = u.id) END
          ORDER BY u.id",
        tx.tenant().uuid(), room.uuid(), handles
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(ids)
}

/// Replaces a message's text, keeping the one before.
pub(super) async fn replace_text(
    tx: &mut TenantTx,
    id: MessageId,
    before: &Stored,
    text: &str,
    mentioned: &[Uuid],
    at: DateTime<Utc>,
) -> Result<(), PgError> {
    let tenant = tx.tenant().uuid();
    sqlx::query!(
        "INSERT INTO message_edits (tenant_id, message_id, version, text, written_at)
         SELECT $1, $2, count(*) + 1, $3, $4 FROM message_edits WHERE tenant_id = $1 AND message_id = $2",
        tenant,
        id.uuid(),
        before.text,
        before.edited_at.unwrap_or(before.created_at)
    )
    .execute(tx.conn())
    .await?;
    sqlx::query!(
        "UPDATE messages SET text = $3, edited_at = $4, mentioned = $5 WHERE tenant_id = $1 AND id = $2",
        tenant,
        id.uuid(),
        text,
        at,
        mentioned
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Empties a message, its earlier versions and the bodies of its earlier events; answers the emptied events of the room's stream.
pub(super) async fn blank(
    tx: &mut TenantTx,
    room: RoomId,
    id: MessageId,
    by: UserId,
    reason: Option<&str>,
    at: DateTime<Utc>,
) -> Result<Vec<(u64, String)>, PgError> {
    let tenant = tx.tenant().uuid();
    sqlx::query!(
        "UPDATE messages SET text = '', mentioned = '{}', deleted_at = $3, deleted_by = $4, deletion_reason = $5, pinned_at = NULL, pinned_by = NULL
          WHERE tenant_id = $1 AND id = $2",
        tenant, id.uuid(), at, by.uuid(), reason
    )
    .execute(tx.conn())
    .await?;
    sqlx::query!("DELETE FROM message_edits WHERE tenant_id = $1 AND message_id = $2", tenant, id.uuid())
        .execute(tx.conn())
        .await?;
    sqlx::query!("DELETE FROM reactions WHERE tenant_id = $1 AND message_id = $2", tenant, id.uuid())
        .execute(tx.conn())
        .await?;
    sqlx::query!(
        "DELETE FROM mentions WHERE tenant_id = $1 AND room_id = $2
            AND event_offset = (SELECT event_offset FROM messages WHERE tenant_id = $1 AND id = $3)",
        tenant,
        room.uuid(),
        id.uuid()
    )
    .execute(tx.conn())
    .await?;
    let rows = sqlx::query!(
        r#"UPDATE events SET body = '{"v":1,"type":"' || kind || '","room_id":"' || stream_id || '","blanked":true,"message":{"id":"' || message_id || '"}}'
            WHERE tenant_id = $1 AND message_id = $2 AND stream_id = $3
        RETURNING event_offset, body"#,
        tenant, id.uuid(), room.uuid()
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(|r| (r.event_offset.cast_unsigned(), r.body)).collect())
}

/// Adds a reaction unless it is there; answers whether it is new.
pub(super) async fn add_reaction(
    tx: &mut TenantTx,
    id: MessageId,
    emoji: &str,
    user: UserId,
    at: DateTime<Utc>,
) -> Result<bool, PgError> {
    let done = sqlx::query!(
        "INSERT INTO reactions (tenant_id, message_id, emoji, user_id, at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
        tx.tenant().uuid(), id.uuid(), emoji, user.uuid(), at
    )
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Takes a reaction back; answers whether it was there.
pub(super) async fn remove_reaction(
    tx: &mut TenantTx,
    id: MessageId,
    emoji: &str,
    user: UserId,
) -> Result<bool, PgError> {
    let done = sqlx::query!(
        "DELETE FROM reactions WHERE tenant_id = $1 AND message_id = $2 AND emoji = $3 AND user_id = $4",
        tx.tenant().uuid(),
        id.uuid(),
        emoji,
        user.uuid()
    )
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() > 0)
}

/// How many different emoji other than `emoji` a message carries.
pub(super) async fn count_other_emoji(tx: &mut TenantTx, id: MessageId, emoji: &str) -> Result<i64, PgError> {
    let count = sqlx::query_scalar!(
        r#"SELECT count(DISTINCT emoji) AS "count!" FROM reactions WHERE tenant_id = $1 AND message_id = $2 AND emoji <> $3"#,
        tx.tenant().uuid(), id.uuid(), emoji
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(count)
}

/// Pins or unpins a message.
pub(super) async fn set_pin(
    tx: &mut TenantTx,
    id: MessageId,
    pin: Option<(UserId, DateTime<Utc>)>,
) -> Result<(), PgError> {
    sqlx::query!(
        "UPDATE messages SET pinned_by = $3, pinned_at = $4 WHERE tenant_id = $1 AND id = $2",
        tx.tenant().uuid(),
        id.uuid(),
        pin.map(|(user, _)| user.uuid()) as Option<Uuid>,
        pin.map(|(_, at)| at)
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Moves a person's watermark forward, never back and never past the stream.
pub(super) async fn move_read(
    tx: &mut TenantTx,
    room: RoomId,
    user: UserId,
    offset: u64,
    at: DateTime<Utc>,
) -> Result<(), PgError> {
    sqlx::query!(
        "INSERT INTO read_states (tenant_id, user_id, room_id, read_offset, updated_at)
         SELECT $1, $2, $3, least($4, s.last_offset), $5 FROM streams s WHERE s.tenant_id = $1 AND s.id = $3
         ON CONFLICT ON CONSTRAINT read_states_pkey
         DO UPDATE SET read_offset = greatest(read_states.read_offset, excluded.read_offset), updated_at = excluded.updated_at",
        tx.tenant().uuid(), user.uuid(), room.uuid(), offset.min(i64::MAX as u64).cast_signed(), at
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Mutes or unmutes a room for one person.
pub(super) async fn set_muted(
    tx: &mut TenantTx,
    room: RoomId,
    user: UserId,
    muted: bool,
    at: DateTime<Utc>,
) -> Result<(), PgError> {
    sqlx::query!(
        "INSERT INTO read_states (tenant_id, user_id, room_id, muted, updated_at) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT ON CONSTRAINT read_states_pkey DO UPDATE SET muted = excluded.muted, updated_at = excluded.updated_at",
        tx.tenant().uuid(), user.uuid(), room.uuid(), muted, at
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Messages of a room with offsets in `from..=to`, at most `limit`; ascending, or descending when `newest_first`.
pub(super) async fn list_messages(
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
pub(super) async fn find_offset(tx: &mut TenantTx, room: RoomId, id: MessageId) -> Result<Option<u64>, PgError> {
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
pub(super) async fn list_pinned(tx: &mut TenantTx, room: RoomId, limit: u32) -> Result<Vec<u64>, PgError> {
    let offsets = sqlx::query_scalar!(
        "SELECT event_offset FROM messages WHERE tenant_id = $1 AND room_id = $2 AND pinned_at IS NOT NULL ORDER BY pinned_at DESC LIMIT $3",
        tx.tenant().uuid(), room.uuid(), i64::from(limit)
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(offsets.into_iter().map(i64::cast_unsigned).collect())
}

/// Earlier texts of a message, oldest first.
pub(super) async fn list_edits(tx: &mut TenantTx, id: MessageId) -> Result<Vec<EditView>, PgError> {
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

/// What is unread in the rooms that a person may read, or in one of them.
pub(super) async fn list_unread(
    tx: &mut TenantTx,
    user: UserId,
    room: Option<RoomId>,
) -> Result<Vec<UnreadRow>, PgError> {
    let rows = sqlx::query!(
        r#"SELECT r.id, s.last_offset, coalesce(w.read_offset, 0) AS "read_offset!", coalesce(w.muted, false) AS "muted!",
                  u.count AS "unread!", m.count AS "mentions!"
             FROM rooms r
             JOIN streams s ON s.tenant_id = $1 AND s.id = r.id
             LEFT JOIN community_members c
               ON c.tenant_id = $1 AND c.community_id = r.community_id AND c.user_id = $2 AND c.state = 'active'
             LEFT JOIN room_members rm ON rm.tenant_id = $1 AND rm.room_id = r.id AND rm.user_id = $2
             LEFT JOIN read_states w ON w.tenant_id = $1 AND w.user_id = $2 AND w.room_id = r.id
            CROSS JOIN LATERAL (
                  SELECT count(*) FROM (
                      SELECT 1 FROM messages x
                       WHERE x.tenant_id = $1 AND x.room_id = r.id AND x.event_offset > coalesce(w.read_offset, 0)
                         AND x.author_id <> $2 AND x.deleted_at IS NULL
                       LIMIT $4) y) u
            CROSS JOIN LATERAL (
                  SELECT count(*) FROM (
                      SELECT 1 FROM mentions x
                       WHERE x.tenant_id = $1 AND x.room_id = r.id AND x.event_offset > coalesce(w.read_offset, 0)
                         AND x.target IN ('user:' || $2::uuid, 'here', 'role:' || coalesce(c.role, 'member'))
                       LIMIT $4) y) m
            WHERE r.tenant_id = $1 AND ($3::uuid IS NULL OR r.id = $3)
              AND CASE WHEN r.kind IN ('public', 'announcement') THEN c.user_id IS NOT NULL
                       WHEN r.kind = 'private' THEN c.user_id IS NOT NULL AND rm.user_id IS NOT NULL
                       ELSE rm.user_id IS NOT NULL END"#,
        tx.tenant().uuid(), user.uuid(), room.map(RoomId::uuid) as Option<Uuid>, UnreadRow::COUNT_MAX
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows
        .into_iter()
        .map(|r| UnreadRow {
            room_id: r.id.into(),
            last_offset: r.last_offset.cast_unsigned(),
            read_offset: r.read_offset.cast_unsigned(),
            unread: r.unread.cast_unsigned(),
            mentions: r.mentions.cast_unsigned(),
            muted: r.muted,
        })
        .collect())
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
