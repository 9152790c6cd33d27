//! SQL of what is left to read in one room. All rooms at once: `communities::rooms::list_mine`, which counts alike.

use crate::domain::messaging::history::UnreadRow;
use crate::infra::pg::{PgError, TenantTx};
use crate::kernel::{RoomId, Scope};

/// What is unread in a room. Two statements, since under row-level security a watermark that is computed in the comparison would keep it
/// out of the index.
pub(in crate::domain::messaging) async fn find_unread(
    tx: &mut TenantTx,
    scope: &Scope,
    room: RoomId,
) -> Result<Option<UnreadRow>, PgError> {
    let (tenant, user) = (tx.tenant().uuid(), scope.user.uuid());
    let row = sqlx::query!(
        r#"SELECT s.last_offset, coalesce(w.read_offset, 0) AS "read_offset!", coalesce(w.muted, false) AS "muted!",
                  (SELECT m.role FROM community_members m JOIN rooms r ON r.tenant_id = $1 AND r.id = $3
                    WHERE m.tenant_id = $1 AND m.community_id = r.community_id AND m.user_id = $2 AND m.state = 'active') AS role
             FROM streams s
             LEFT JOIN read_states w ON w.tenant_id = $1 AND w.user_id = $2 AND w.room_id = $3
            WHERE s.tenant_id = $1 AND s.id = $3"#,
        tenant,
        user,
        room.uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    let Some(row) = row else { return Ok(None) };
    let mut called = vec![format!("user:{}", scope.user), "here".to_owned(), format!("role:{}", scope.role.as_str())];
    called.extend(row.role.map(|role| format!("role:{role}")));
    let counts = sqlx::query!(
        r#"SELECT (SELECT count(*) FROM (SELECT 1 FROM messages t
                    WHERE t.tenant_id = $1 AND t.room_id = $3 AND t.event_offset > $4 AND t.author_id <> $2 AND t.deleted_at IS NULL
                    ORDER BY t.event_offset LIMIT $6) x) AS "unread!",
                  (SELECT count(DISTINCT k.event_offset) FROM mentions k
                     JOIN messages t ON t.tenant_id = $1 AND t.room_id = $3 AND t.event_offset = k.event_offset
                    WHERE k.tenant_id = $1 AND k.room_id = $3 AND k.target = ANY ($5) AND k.event_offset > $4
                      AND t.author_id <> $2 AND t.deleted_at IS NULL) AS "mentions!""#,
        tenant,
        user,
        room.uuid(),
        row.read_offset,
        &called,
        UnreadRow::COUNT_MAX
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(Some(UnreadRow {
        read_offset: row.read_offset.cast_unsigned(),
        unread: counts.unread.cast_unsigned(),
        mentions: counts.mentions.min(UnreadRow::COUNT_MAX).cast_unsigned(),
    }))
}
