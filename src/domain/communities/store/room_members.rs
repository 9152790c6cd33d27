//! SQL of who is in a private, direct or group room.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::super::views::{MemberView, Person};
use crate::infra::pg::{PgError, TenantTx};
use crate::kernel::{CommunityId, CommunityRole, RoomId, UserId};

/// Puts people into a room. True when at least one was not there before.
pub async fn insert(tx: &mut TenantTx, room: RoomId, users: &[UserId], now: DateTime<Utc>) -> Result<bool, PgError> {
    let users: Vec<Uuid> = users.iter().map(|user| user.uuid()).collect();
    let done = sqlx::query!(
        "INSERT INTO room_members (tenant_id, room_id, user_id, joined_at)
         SELECT $1, $2, u, $4 FROM unnest($3::uuid[]) AS u ON CONFLICT DO NOTHING",
        tx.tenant().uuid(),
        room.uuid(),
        &users,
        now,
    )
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Takes somebody out of a room. False when they were not in it.
pub async fn delete(tx: &mut TenantTx, room: RoomId, user: UserId) -> Result<bool, PgError> {
    let done = sqlx::query!(
        "DELETE FROM room_members WHERE tenant_id = $1 AND room_id = $2 AND user_id = $3",
        tx.tenant().uuid(),
        room.uuid(),
        user.uuid(),
    )
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Takes somebody out of all private rooms of a community; says which.
pub async fn delete_of_community(
    tx: &mut TenantTx,
    community: CommunityId,
    user: UserId,
) -> Result<Vec<RoomId>, PgError> {
    sqlx::query_scalar!(
        r#"DELETE FROM room_members x USING rooms r
            WHERE x.tenant_id = $1 AND x.user_id = $3
              AND r.tenant_id = $1 AND r.id = x.room_id AND r.community_id = $2
           RETURNING r.id AS "id: RoomId""#,
        tx.tenant().uuid(),
        community.uuid(),
        user.uuid(),
    )
    .fetch_all(tx.conn())
    .await
    .map_err(PgError::from)
}

pub async fn count(tx: &mut TenantTx, room: RoomId) -> Result<u64, PgError> {
    let count = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM room_members WHERE tenant_id = $1 AND room_id = $2"#,
        tx.tenant().uuid(),
        room.uuid(),
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(count.cast_unsigned())
}

/// A room whose people have changed is no more the room of the people it was made for.
pub async fn forget_people_key(tx: &mut TenantTx, room: RoomId) -> Result<(), PgError> {
    sqlx::query!(
        "UPDATE rooms SET people_key = NULL WHERE tenant_id = $1 AND id = $2",
        tx.tenant().uuid(),
        room.uuid()
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// How many of these people can be written to.
pub async fn count_active(tx: &mut TenantTx, users: &[UserId]) -> Result<usize, PgError> {
    let users: Vec<Uuid> = users.iter().map(|user| user.uuid()).collect();
    let count = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM users WHERE tenant_id = $1 AND id = ANY ($2) AND state = 'active'"#,
        tx.tenant().uuid(),
        &users,
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(usize::try_from(count).unwrap_or(0))
}

/// The people of a room by handle. One more than `limit`.
pub async fn list(
    tx: &mut TenantTx,
    room: RoomId,
    community: Option<CommunityId>,
    after: Option<&str>,
    limit: u32,
) -> Result<Vec<MemberView>, PgError> {
    let rows = sqlx::query!(
        r#"SELECT u.id AS "id: UserId", u.handle, u.display_name, x.joined_at, m.role AS "role?", m.muted_until AS "muted_until?"
             FROM room_members x
             JOIN users u ON u.tenant_id = $1 AND u.id = x.user_id
             LEFT JOIN community_members m ON m.tenant_id = $1 AND m.community_id = $3 AND m.user_id = x.user_id
            WHERE x.tenant_id = $1 AND x.room_id = $2 AND u.state <> 'deleted' AND ($4::text IS NULL OR u.handle > $4)
            ORDER BY u.handle LIMIT $5"#,
        tx.tenant().uuid(),
        room.uuid(),
        community.map(CommunityId::uuid),
        after,
        i64::from(limit) + 1,
    )
    .fetch_all(tx.conn())
    .await?;
    let view = rows.into_iter().map(|row| MemberView {
        user: Person { id: row.id, handle: row.handle, display_name: row.display_name },
        role: row.role.as_deref().and_then(CommunityRole::parse),
        joined_at: row.joined_at,
        muted_until: row.muted_until,
    });
    Ok(view.collect())
}

/// Whoever enters a room begins to read at its end: what was said before does not count as unread.
pub async fn start_reading(
    tx: &mut TenantTx,
    user: UserId,
    rooms: &[RoomId],
    now: DateTime<Utc>,
) -> Result<(), PgError> {
    let rooms: Vec<Uuid> = rooms.iter().map(|room| room.uuid()).collect();
    sqlx::query!(
        "INSERT INTO read_states (tenant_id, user_id, room_id, read_offset, updated_at)
         SELECT $1, $2, s.id, s.last_offset, $4 FROM streams s WHERE s.tenant_id = $1 AND s.id = ANY ($3)
         ON CONFLICT ON CONSTRAINT read_states_pkey
         DO UPDATE SET read_offset = greatest(read_states.read_offset, excluded.read_offset), updated_at = excluded.updated_at",
        tx.tenant().uuid(),
        user.uuid(),
        &rooms,
        now,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}
