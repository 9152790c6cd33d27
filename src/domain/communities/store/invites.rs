//! SQL of invites. Whether one is still good is decided by the database, in the statement that uses it.

use chrono::{DateTime, Utc};

use super::super::views::{InvitePreview, InviteView};
use crate::infra::pg::{PgError, TenantTx};
use crate::kernel::{CommunityId, InviteId, UserId};

/// An invite about to be written.
#[derive(Debug, Clone)]
pub struct NewInvite {
    pub id: InviteId,
    pub code: String,
    pub expires_at: Option<DateTime<Utc>>,
    pub max_uses: Option<i32>,
}

pub async fn insert(
    tx: &mut TenantTx,
    community: CommunityId,
    creator: UserId,
    invite: &NewInvite,
    now: DateTime<Utc>,
) -> Result<(), PgError> {
    sqlx::query!(
        "INSERT INTO invites (tenant_id, id, community_id, code, created_by, created_at, expires_at, max_uses)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        tx.tenant().uuid(),
        invite.id.uuid(),
        community.uuid(),
        invite.code,
        creator.uuid(),
        now,
        invite.expires_at,
        invite.max_uses,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Uses an invite once, if it can still be used: one statement, so that no two people take its last use.
pub async fn use_once(
    tx: &mut TenantTx,
    community: CommunityId,
    code: &str,
    now: DateTime<Utc>,
) -> Result<bool, PgError> {
    let done = sqlx::query!(
        "UPDATE invites SET uses = uses + 1
          WHERE tenant_id = $1 AND community_id = $2 AND code = $3 AND revoked_at IS NULL
            AND (expires_at IS NULL OR expires_at > $4) AND (max_uses IS NULL OR uses < max_uses)",
        tx.tenant().uuid(),
        community.uuid(),
        code,
        now,
    )
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Invites that can still be used, newest first; there are never more than a community may have.
pub async fn list(tx: &mut TenantTx, community: CommunityId, now: DateTime<Utc>) -> Result<Vec<InviteView>, PgError> {
    let rows = sqlx::query!(
        r#"SELECT id AS "id: InviteId", code, expires_at, max_uses, uses, created_at FROM invites
            WHERE tenant_id = $1 AND community_id = $2 AND revoked_at IS NULL
              AND (expires_at IS NULL OR expires_at > $3) AND (max_uses IS NULL OR uses < max_uses)
            ORDER BY id DESC"#,
        tx.tenant().uuid(),
        community.uuid(),
        now,
    )
    .fetch_all(tx.conn())
    .await?;
    let view = rows.into_iter().map(|row| InviteView {
        id: row.id,
        url: InviteView::url_of(&row.code),
        code: row.code,
        expires_at: row.expires_at,
        max_uses: row.max_uses,
        uses: row.uses,
        created_at: row.created_at,
    });
    Ok(view.collect())
}

/// Revokes. False when the community has no such invite, or not any more.
pub async fn revoke(
    tx: &mut TenantTx,
    community: CommunityId,
    invite: InviteId,
    now: DateTime<Utc>,
) -> Result<bool, PgError> {
    let done = sqlx::query!(
        "UPDATE invites SET revoked_at = $4 WHERE tenant_id = $1 AND community_id = $2 AND id = $3 AND revoked_at IS NULL",
        tx.tenant().uuid(),
        community.uuid(),
        invite.uuid(),
        now,
    )
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() > 0)
}

/// What the holder of a code may know. Nothing for somebody who is banned there.
pub async fn find_preview(
    tx: &mut TenantTx,
    code: &str,
    reader: Option<UserId>,
    now: DateTime<Utc>,
) -> Result<Option<InvitePreview>, PgError> {
    let row = sqlx::query!(
        r#"SELECT i.code, c.id AS "id: CommunityId", c.name, c.description, c.guidelines, c.member_count,
                  (i.revoked_at IS NOT NULL OR coalesce(i.expires_at <= $4, false) OR coalesce(i.uses >= i.max_uses, false)) AS "expired!"
             FROM invites i JOIN communities c ON c.tenant_id = $1 AND c.id = i.community_id
            WHERE i.tenant_id = $1 AND i.code = $2
              AND NOT EXISTS (SELECT 1 FROM community_members m WHERE m.tenant_id = $1 AND m.community_id = c.id
                                 AND m.user_id = $3 AND m.state = 'banned')"#,
        tx.tenant().uuid(),
        code,
        reader.map(UserId::uuid),
        now,
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(|row| InvitePreview {
        code: row.code,
        community_id: row.id,
        name: row.name,
        description: row.description,
        guidelines: row.guidelines,
        member_count: row.member_count,
        expired: row.expired,
    }))
}
