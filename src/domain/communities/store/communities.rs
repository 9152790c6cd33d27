//! SQL of communities themselves.

use chrono::{DateTime, Utc};

use super::super::views::{CommunityView, JoinPolicy};
use crate::infra::pg::{PgError, TenantTx};
use crate::kernel::{CommunityId, CommunityRole, UserId};

/// A community and what the caller is to it.
#[derive(Debug, Clone)]
pub struct Seen {
    pub view: CommunityView,
    /// The caller's, also when it is a ban.
    pub banned: bool,
}

struct Row {
    id: CommunityId,
    name: String,
    description: String,
    guidelines: String,
    join_policy: String,
    member_count: i64,
    created_at: DateTime<Utc>,
    role: Option<String>,
    state: Option<String>,
    requested: bool,
}

impl From<Row> for Seen {
    fn from(row: Row) -> Self {
        let active = row.state.as_deref() == Some("active");
        let role = row.role.as_deref().filter(|_| active).and_then(CommunityRole::parse);
        Self {
            banned: row.state.is_some() && !active,
            view: CommunityView {
                id: row.id,
                name: row.name,
                description: row.description,
                join_policy: JoinPolicy::from_store(&row.join_policy),
                guidelines: row.guidelines,
                member_count: row.member_count,
                role,
                requested: row.requested,
                created_at: row.created_at,
            },
        }
    }
}

/// Takes the community's lock, behind which everything about its members and rooms changes. False when there is none.
pub async fn lock(tx: &mut TenantTx, community: CommunityId) -> Result<bool, PgError> {
    let found = sqlx::query_scalar!(
        "SELECT 1 FROM communities WHERE tenant_id = $1 AND id = $2 FOR NO KEY UPDATE",
        tx.tenant().uuid(),
        community.uuid(),
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(found.is_some())
}

/// The community as `user` meets it.
pub async fn find(tx: &mut TenantTx, community: CommunityId, user: UserId) -> Result<Option<Seen>, PgError> {
    let row = sqlx::query_as!(
        Row,
        r#"SELECT c.id AS "id: CommunityId", c.name, c.description, c.guidelines, c.join_policy, c.member_count, c.created_at,
                  m.role AS "role?", m.state AS "state?",
                  EXISTS (SELECT 1 FROM join_requests j
                           WHERE j.tenant_id = $1 AND j.community_id = c.id AND j.user_id = $3) AS "requested!"
             FROM communities c
             LEFT JOIN community_members m ON m.tenant_id = $1 AND m.community_id = c.id AND m.user_id = $3
            WHERE c.tenant_id = $1 AND c.id = $2"#,
        tx.tenant().uuid(),
        community.uuid(),
        user.uuid(),
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(Seen::from))
}

/// Communities that `user` may know of, by age; `staff` know all. One more than `limit`.
pub async fn list(
    tx: &mut TenantTx,
    user: UserId,
    staff: bool,
    after: Option<CommunityId>,
    limit: u32,
) -> Result<Vec<CommunityView>, PgError> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT c.id AS "id: CommunityId", c.name, c.description, c.guidelines, c.join_policy, c.member_count, c.created_at,
                  m.role AS "role?", m.state AS "state?",
                  EXISTS (SELECT 1 FROM join_requests j
                           WHERE j.tenant_id = $1 AND j.community_id = c.id AND j.user_id = $2) AS "requested!"
             FROM communities c
             LEFT JOIN community_members m ON m.tenant_id = $1 AND m.community_id = c.id AND m.user_id = $2
            WHERE c.tenant_id = $1 AND ($4::uuid IS NULL OR c.id > $4)
              AND (m.state = 'active' OR $3 OR (m.state IS NULL AND c.join_policy IN ('open', 'request')))
            ORDER BY c.id LIMIT $5"#,
        tx.tenant().uuid(),
        user.uuid(),
        staff,
        after.map(CommunityId::uuid),
        i64::from(limit) + 1,
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(|row| Seen::from(row).view).collect())
}

/// What a community is made of.
#[derive(Debug, Clone, Copy)]
pub struct Fields<'a> {
    pub name: &'a str,
    pub description: &'a str,
    pub guidelines: &'a str,
    pub policy: JoinPolicy,
}

pub async fn insert(
    tx: &mut TenantTx,
    id: CommunityId,
    creator: UserId,
    fields: Fields<'_>,
    now: DateTime<Utc>,
) -> Result<(), PgError> {
    sqlx::query!(
        "INSERT INTO communities (tenant_id, id, name, description, guidelines, join_policy, created_by, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8)",
        tx.tenant().uuid(),
        id.uuid(),
        fields.name,
        fields.description,
        fields.guidelines,
        fields.policy.as_str(),
        creator.uuid(),
        now,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

pub async fn update(tx: &mut TenantTx, id: CommunityId, fields: Fields<'_>, now: DateTime<Utc>) -> Result<(), PgError> {
    sqlx::query!(
        "UPDATE communities SET name = $3, description = $4, guidelines = $5, join_policy = $6, updated_at = $7
          WHERE tenant_id = $1 AND id = $2",
        tx.tenant().uuid(),
        id.uuid(),
        fields.name,
        fields.description,
        fields.guidelines,
        fields.policy.as_str(),
        now,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The tenant's plan, by its key.
pub async fn plan_of_tenant(tx: &mut TenantTx) -> Result<String, PgError> {
    Ok(sqlx::query_scalar!("SELECT plan FROM tenants WHERE id = $1", tx.tenant().uuid()).fetch_one(tx.conn()).await?)
}

/// How many people are in any community, without `joining`.
pub async fn count_other_people(tx: &mut TenantTx, joining: UserId) -> Result<u64, PgError> {
    let count = sqlx::query_scalar!(
        r#"SELECT count(DISTINCT user_id) AS "count!" FROM community_members
            WHERE tenant_id = $1 AND state = 'active' AND user_id <> $2"#,
        tx.tenant().uuid(),
        joining.uuid(),
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(count.cast_unsigned())
}

/// Communities that `user` is an active member of.
pub async fn count_of_user(tx: &mut TenantTx, user: UserId) -> Result<u64, PgError> {
    let count = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM community_members WHERE tenant_id = $1 AND user_id = $2 AND state = 'active'"#,
        tx.tenant().uuid(),
        user.uuid(),
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(count.cast_unsigned())
}
