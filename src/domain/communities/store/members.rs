//! SQL of who is in a community and as what.

use chrono::{DateTime, Utc};

use super::super::views::{MemberView, Person, RequestView};
use crate::infra::pg::{PgError, TenantTx};
use crate::kernel::{CommunityId, CommunityRole, TenantRole, UserId};

/// Somebody whom a verb is about.
#[derive(Debug, Clone)]
pub struct Target {
    pub person: Person,
    pub tenant_role: TenantRole,
    /// Not suspended, not deleted.
    pub active: bool,
    /// In the community asked about; none for the banned.
    pub role: Option<CommunityRole>,
}

/// The person with this id, and what they are to the community.
pub async fn find_target(
    tx: &mut TenantTx,
    community: Option<CommunityId>,
    user: UserId,
) -> Result<Option<Target>, PgError> {
    let row = sqlx::query!(
        r#"SELECT u.handle, u.display_name, u.role AS tenant_role, u.state AS user_state, m.role AS "role?", m.state AS "state?"
             FROM users u
             LEFT JOIN community_members m ON m.tenant_id = $1 AND m.community_id = $2 AND m.user_id = u.id
            WHERE u.tenant_id = $1 AND u.id = $3"#,
        tx.tenant().uuid(),
        community.map(CommunityId::uuid),
        user.uuid(),
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(|row| {
        let member = row.state.as_deref() == Some("active");
        Target {
            person: Person { id: user, handle: row.handle, display_name: row.display_name },
            tenant_role: TenantRole::parse(&row.tenant_role).unwrap_or(TenantRole::Guest),
            active: row.user_state == "active",
            role: row.role.as_deref().filter(|_| member).and_then(CommunityRole::parse),
        }
    }))
}

/// Adds an active member and counts them.
pub async fn insert(
    tx: &mut TenantTx,
    community: CommunityId,
    user: UserId,
    role: CommunityRole,
    now: DateTime<Utc>,
) -> Result<(), PgError> {
    sqlx::query!(
        "WITH added AS (
             INSERT INTO community_members (tenant_id, community_id, user_id, role, state, guidelines_accepted_at, joined_at)
             VALUES ($1, $2, $3, $4, 'active', $5, $5)
         ), answered AS (
             DELETE FROM join_requests WHERE tenant_id = $1 AND community_id = $2 AND user_id = $3
         )
         UPDATE communities SET member_count = member_count + 1 WHERE tenant_id = $1 AND id = $2",
        tx.tenant().uuid(),
        community.uuid(),
        user.uuid(),
        role.as_str(),
        now,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Takes an active member out and uncounts them. False when they were none.
pub async fn delete(tx: &mut TenantTx, community: CommunityId, user: UserId) -> Result<bool, PgError> {
    let done = sqlx::query!(
        "WITH gone AS (
             DELETE FROM community_members WHERE tenant_id = $1 AND community_id = $2 AND user_id = $3 AND state = 'active'
             RETURNING 1
         )
         UPDATE communities SET member_count = member_count - 1
          WHERE tenant_id = $1 AND id = $2 AND EXISTS (SELECT 1 FROM gone)",
        tx.tenant().uuid(),
        community.uuid(),
        user.uuid(),
    )
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Remembers that somebody who is no member may not become one.
pub async fn insert_ban(
    tx: &mut TenantTx,
    community: CommunityId,
    user: UserId,
    now: DateTime<Utc>,
) -> Result<(), PgError> {
    sqlx::query!(
        "WITH answered AS (
             DELETE FROM join_requests WHERE tenant_id = $1 AND community_id = $2 AND user_id = $3
         )
         INSERT INTO community_members (tenant_id, community_id, user_id, role, state, joined_at)
         VALUES ($1, $2, $3, 'member', 'banned', $4) ON CONFLICT ON CONSTRAINT community_members_pkey DO NOTHING",
        tx.tenant().uuid(),
        community.uuid(),
        user.uuid(),
        now,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Forgets a ban. False when there was none.
pub async fn delete_ban(tx: &mut TenantTx, community: CommunityId, user: UserId) -> Result<bool, PgError> {
    let done = sqlx::query!(
        "DELETE FROM community_members WHERE tenant_id = $1 AND community_id = $2 AND user_id = $3 AND state = 'banned'",
        tx.tenant().uuid(),
        community.uuid(),
        user.uuid(),
    )
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() > 0)
}

pub async fn set_role(
    tx: &mut TenantTx,
    community: CommunityId,
    user: UserId,
    role: CommunityRole,
) -> Result<(), PgError> {
    sqlx::query!(
        "UPDATE community_members SET role = $4 WHERE tenant_id = $1 AND community_id = $2 AND user_id = $3",
        tx.tenant().uuid(),
        community.uuid(),
        user.uuid(),
        role.as_str(),
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

pub async fn set_mute(
    tx: &mut TenantTx,
    community: CommunityId,
    user: UserId,
    until: Option<DateTime<Utc>>,
) -> Result<(), PgError> {
    sqlx::query!(
        "UPDATE community_members SET muted_until = $4 WHERE tenant_id = $1 AND community_id = $2 AND user_id = $3",
        tx.tenant().uuid(),
        community.uuid(),
        user.uuid(),
        until,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Whether somebody besides `user` owns the community.
pub async fn has_another_owner(tx: &mut TenantTx, community: CommunityId, user: UserId) -> Result<bool, PgError> {
    let found = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT 1 FROM community_members WHERE tenant_id = $1 AND community_id = $2 AND user_id <> $3
                             AND role = 'owner' AND state = 'active') AS "found!""#,
        tx.tenant().uuid(),
        community.uuid(),
        user.uuid(),
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(found)
}

/// Members or the banned by handle, those whose handle or name contains `q`. One more than `limit`.
pub async fn list(
    tx: &mut TenantTx,
    community: CommunityId,
    state: &str,
    q: &str,
    after: Option<&str>,
    limit: u32,
) -> Result<Vec<MemberView>, PgError> {
    let rows = sqlx::query!(
        r#"SELECT u.id AS "id: UserId", u.handle, u.display_name, m.role, m.joined_at, m.muted_until
             FROM community_members m JOIN users u ON u.tenant_id = $1 AND u.id = m.user_id
            WHERE m.tenant_id = $1 AND m.community_id = $2 AND m.state = $3 AND u.state <> 'deleted'
              AND ($4 = '' OR position(lower($4) IN u.handle) > 0 OR position(lower($4) IN lower(u.display_name)) > 0)
              AND ($5::text IS NULL OR u.handle > $5)
            ORDER BY u.handle LIMIT $6"#,
        tx.tenant().uuid(),
        community.uuid(),
        state,
        q,
        after,
        i64::from(limit) + 1,
    )
    .fetch_all(tx.conn())
    .await?;
    let view = rows.into_iter().map(|row| MemberView {
        user: Person { id: row.id, handle: row.handle, display_name: row.display_name },
        role: CommunityRole::parse(&row.role),
        joined_at: row.joined_at,
        muted_until: row.muted_until,
    });
    Ok(view.collect())
}

/// Asks to be let in; asking again changes nothing.
pub async fn insert_request(
    tx: &mut TenantTx,
    community: CommunityId,
    user: UserId,
    note: &str,
    now: DateTime<Utc>,
) -> Result<(), PgError> {
    sqlx::query!(
        "INSERT INTO join_requests (tenant_id, community_id, user_id, note, created_at) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT DO NOTHING",
        tx.tenant().uuid(),
        community.uuid(),
        user.uuid(),
        note,
        now,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Takes a request off the list. False when there was none.
pub async fn delete_request(tx: &mut TenantTx, community: CommunityId, user: UserId) -> Result<bool, PgError> {
    let done = sqlx::query!(
        "DELETE FROM join_requests WHERE tenant_id = $1 AND community_id = $2 AND user_id = $3",
        tx.tenant().uuid(),
        community.uuid(),
        user.uuid(),
    )
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Who waits to be let in, by handle. One more than `limit`.
pub async fn list_requests(
    tx: &mut TenantTx,
    community: CommunityId,
    after: Option<&str>,
    limit: u32,
) -> Result<Vec<RequestView>, PgError> {
    let rows = sqlx::query!(
        r#"SELECT u.id AS "id: UserId", u.handle, u.display_name, j.note, j.created_at
             FROM join_requests j JOIN users u ON u.tenant_id = $1 AND u.id = j.user_id
            WHERE j.tenant_id = $1 AND j.community_id = $2 AND u.state = 'active' AND ($3::text IS NULL OR u.handle > $3)
            ORDER BY u.handle LIMIT $4"#,
        tx.tenant().uuid(),
        community.uuid(),
        after,
        i64::from(limit) + 1,
    )
    .fetch_all(tx.conn())
    .await?;
    let view = rows.into_iter().map(|row| RequestView {
        user: Person { id: row.id, handle: row.handle, display_name: row.display_name },
        note: row.note,
        created_at: row.created_at,
    });
    Ok(view.collect())
}
