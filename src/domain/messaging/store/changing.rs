//! SQL of the verbs on stored messages. Whoever calls holds the stream's lock.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::infra::pg::{PgError, TenantTx};
use crate::kernel::{MessageId, RoomId, UserId};

/// A message as the verbs need it.
pub(in crate::domain::messaging) struct Stored {
    pub author: UserId,
    pub text: String,
    pub created_at: DateTime<Utc>,
    pub edited_at: Option<DateTime<Utc>>,
    pub removed: bool,
    pub pinned: bool,
}

/// Reads a message of a room; the stream's lock must be held by whoever goes on to change it.
pub(in crate::domain::messaging) async fn find_message(
    tx: &mut TenantTx,
    room: RoomId,
    id: MessageId,
) -> Result<Option<Stored>, PgError> {
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
pub(in crate::domain::messaging) async fn find_callable(
    tx: &mut TenantTx,
    room: RoomId,
    handles: &[String],
) -> Result<Vec<Uuid>, PgError> {
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
pub(in crate::domain::messaging) async fn replace_text(
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
pub(in crate::domain::messaging) async fn blank(
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
    // Looked for first, so that the update is a look-up by key however long the room's history is.
    let offsets = sqlx::query_scalar!(
        r#"SELECT event_offset AS "event_offset!" FROM messages WHERE tenant_id = $1 AND id = $2
            UNION
           SELECT event_offset FROM events WHERE tenant_id = $1 AND message_id = $2 AND stream_id = $3 AND kind <> 'message.created'"#,
        tenant, id.uuid(), room.uuid()
    )
    .fetch_all(tx.conn())
    .await?;
    let rows = sqlx::query!(
        r#"UPDATE events SET body = '{"v":1,"type":"' || kind || '","room_id":"' || stream_id || '","blanked":true,"message":{"id":"' || message_id || '"}}'
            WHERE tenant_id = $1 AND stream_id = $2 AND event_offset = ANY ($3)
        RETURNING event_offset, body"#,
        tenant, room.uuid(), &offsets
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(|r| (r.event_offset.cast_unsigned(), r.body)).collect())
}

/// Adds a reaction unless it is there; answers whether it is new.
pub(in crate::domain::messaging) async fn add_reaction(
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
pub(in crate::domain::messaging) async fn remove_reaction(
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
pub(in crate::domain::messaging) async fn count_other_emoji(
    tx: &mut TenantTx,
    id: MessageId,
    emoji: &str,
) -> Result<i64, PgError> {
    let count = sqlx::query_scalar!(
        r#"SELECT count(DISTINCT emoji) AS "count!" FROM reactions WHERE tenant_id = $1 AND message_id = $2 AND emoji <> $3"#,
        tx.tenant().uuid(), id.uuid(), emoji
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(count)
}

/// Pins or unpins a message.
pub(in crate::domain::messaging) async fn set_pin(
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
pub(in crate::domain::messaging) async fn move_read(
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
pub(in crate::domain::messaging) async fn set_muted(
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
