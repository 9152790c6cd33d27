//! SQL of refresh tokens and of one-time links. Only hashes are stored.

use chrono::{DateTime, Utc};

use crate::infra::pg::{PgError, TenantTx};
use crate::kernel::UserId;
use crate::kernel::ids::TokenId;

/// A refresh token's row.
pub struct Refresh {
    pub id: TokenId,
    pub user: UserId,
    pub family: TokenId,
    pub expires_at: DateTime<Utc>,
    pub used_at: Option<DateTime<Utc>>,
    pub revoked_at: Option<DateTime<Utc>>,
}

/// A refresh token about to be stored.
pub struct NewRefresh<'a> {
    pub user: UserId,
    pub family: TokenId,
    pub hash: &'a [u8],
    pub user_agent: &'a str,
    pub at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
}

pub async fn insert_refresh(tx: &mut TenantTx, new: &NewRefresh<'_>) -> Result<(), PgError> {
    sqlx::query!(
        "INSERT INTO refresh_tokens (tenant_id, id, user_id, family_id, token_hash, user_agent, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        tx.tenant().uuid(),
        TokenId::generate().uuid(),
        new.user.uuid(),
        new.family.uuid(),
        new.hash,
        new.user_agent,
        new.at,
        new.expires_at,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Waits for the turn at a person's sessions, and keeps it until the end of the transaction. Who ends sessions and waited only for the row
/// of a token that is being exchanged would not see its successor, which would live on. Take it before any row of theirs is locked.
pub async fn take_turn(tx: &mut TenantTx, user: UserId) -> Result<(), PgError> {
    let whose = format!("sessions:{} {user}", tx.tenant());
    sqlx::query!("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", whose).execute(tx.conn()).await?;
    Ok(())
}

/// Takes the turn at its owner's sessions and locks the token's row, so that of two uses at one moment one is the second.
pub async fn lock_refresh(tx: &mut TenantTx, hash: &[u8]) -> Result<Option<Refresh>, PgError> {
    let tenant = tx.tenant().uuid();
    let owner = sqlx::query_scalar!(
        r#"SELECT user_id AS "id: UserId" FROM refresh_tokens WHERE tenant_id = $1 AND token_hash = $2"#,
        tenant,
        hash,
    )
    .fetch_optional(tx.conn())
    .await?;
    let Some(owner) = owner else { return Ok(None) };
    take_turn(tx, owner).await?;
    // A statement of its own: it sees what was done in the turns before.
    Ok(sqlx::query_as!(
        Refresh,
        r#"SELECT id AS "id: TokenId", user_id AS "user: UserId", family_id AS "family: TokenId", expires_at, used_at, revoked_at
             FROM refresh_tokens WHERE tenant_id = $1 AND token_hash = $2 FOR UPDATE"#,
        tenant,
        hash,
    )
    .fetch_optional(tx.conn())
    .await?)
}

/// Whether any token that a session got since `at` has been used.
pub async fn successor_was_used(tx: &mut TenantTx, family: TokenId, at: DateTime<Utc>) -> Result<bool, PgError> {
    let used = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT 1 FROM refresh_tokens
            WHERE tenant_id = $1 AND family_id = $2 AND created_at >= $3 AND used_at IS NOT NULL) AS "used!""#,
        tx.tenant().uuid(),
        family.uuid(),
        at,
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(used)
}

pub async fn spend_refresh(tx: &mut TenantTx, id: TokenId, at: DateTime<Utc>) -> Result<(), PgError> {
    let tenant = tx.tenant().uuid();
    sqlx::query!(
        "UPDATE refresh_tokens SET used_at = coalesce(used_at, $3) WHERE tenant_id = $1 AND id = $2",
        tenant,
        id.uuid(),
        at
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Ends one session.
pub async fn revoke_family(tx: &mut TenantTx, family: TokenId, at: DateTime<Utc>) -> Result<(), PgError> {
    sqlx::query!(
        "UPDATE refresh_tokens SET revoked_at = $3 WHERE tenant_id = $1 AND family_id = $2 AND revoked_at IS NULL",
        tx.tenant().uuid(),
        family.uuid(),
        at,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Remembers that a session ended, for as long as tokens of it may be about. How many of that person's are remembered.
pub async fn insert_ended(
    tx: &mut TenantTx,
    user: UserId,
    session: TokenId,
    (at, expires_at): (DateTime<Utc>, DateTime<Utc>),
) -> Result<i64, PgError> {
    let tenant = tx.tenant().uuid();
    sqlx::query!(
        "INSERT INTO ended_sessions (tenant_id, user_id, session_id, expires_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
        tenant,
        user.uuid(),
        session.uuid(),
        expires_at,
    )
    .execute(tx.conn())
    .await?;
    let count = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM ended_sessions WHERE tenant_id = $1 AND user_id = $2 AND expires_at > $3"#,
        tenant,
        user.uuid(),
        at,
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(count)
}

/// Forgets which sessions of somebody ended one by one: all their tokens are void.
pub async fn delete_ended(tx: &mut TenantTx, user: UserId) -> Result<(), PgError> {
    let tenant = tx.tenant().uuid();
    sqlx::query!("DELETE FROM ended_sessions WHERE tenant_id = $1 AND user_id = $2", tenant, user.uuid())
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Ends all sessions of somebody, or all but one.
pub async fn revoke_user(
    tx: &mut TenantTx,
    user: UserId,
    but: Option<TokenId>,
    at: DateTime<Utc>,
) -> Result<(), PgError> {
    sqlx::query!(
        "UPDATE refresh_tokens SET revoked_at = $3
          WHERE tenant_id = $1 AND user_id = $2 AND revoked_at IS NULL AND family_id IS DISTINCT FROM $4",
        tx.tenant().uuid(),
        user.uuid(),
        at,
        but.map(TokenId::uuid),
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Removes what can never be used again, and the oldest sessions beyond `keep`: the table is bounded per person.
pub async fn prune_refresh(tx: &mut TenantTx, user: UserId, keep: i64, at: DateTime<Utc>) -> Result<(), PgError> {
    sqlx::query!(
        "DELETE FROM refresh_tokens
          WHERE tenant_id = $1 AND user_id = $2
            AND (expires_at <= $3 OR revoked_at IS NOT NULL
                 OR family_id IN (SELECT f.family_id FROM refresh_tokens f
                                   WHERE f.tenant_id = $1 AND f.user_id = $2 AND f.revoked_at IS NULL
                                   GROUP BY f.family_id ORDER BY max(f.created_at) DESC OFFSET $4))",
        tx.tenant().uuid(),
        user.uuid(),
        at,
        keep,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// What a one-time link is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    VerifyEmail,
    ResetPassword,
}

impl Purpose {
    const fn as_str(self) -> &'static str {
        match self {
            Self::VerifyEmail => "verify_email",
            Self::ResetPassword => "reset_password",
        }
    }
}

/// Stores a link; earlier ones of the same purpose end.
pub async fn insert_link(
    tx: &mut TenantTx,
    user: UserId,
    purpose: Purpose,
    hash: &[u8],
    (at, expires_at): (DateTime<Utc>, DateTime<Utc>),
) -> Result<(), PgError> {
    let tenant = tx.tenant().uuid();
    sqlx::query!(
        "DELETE FROM mail_tokens WHERE tenant_id = $1 AND user_id = $2 AND purpose = $3",
        tenant,
        user.uuid(),
        purpose.as_str()
    )
    .execute(tx.conn())
    .await?;
    sqlx::query!(
        "INSERT INTO mail_tokens (tenant_id, id, user_id, purpose, token_hash, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        tenant,
        TokenId::generate().uuid(),
        user.uuid(),
        purpose.as_str(),
        hash,
        at,
        expires_at,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Whose link this is, if it still opens something.
pub async fn find_link(
    tx: &mut TenantTx,
    purpose: Purpose,
    hash: &[u8],
    now: DateTime<Utc>,
) -> Result<Option<UserId>, PgError> {
    let tenant = tx.tenant().uuid();
    Ok(sqlx::query_scalar!(
        r#"SELECT user_id AS "id: UserId" FROM mail_tokens
            WHERE tenant_id = $1 AND token_hash = $2 AND purpose = $3 AND used_at IS NULL AND expires_at > $4"#,
        tenant,
        hash,
        purpose.as_str(),
        now,
    )
    .fetch_optional(tx.conn())
    .await?)
}

/// Spends a link; of two uses at one moment one finds nothing.
pub async fn spend_link(
    tx: &mut TenantTx,
    purpose: Purpose,
    hash: &[u8],
    now: DateTime<Utc>,
) -> Result<Option<UserId>, PgError> {
    let tenant = tx.tenant().uuid();
    Ok(sqlx::query_scalar!(
        r#"UPDATE mail_tokens SET used_at = $4
            WHERE tenant_id = $1 AND token_hash = $2 AND purpose = $3 AND used_at IS NULL AND expires_at > $4
        RETURNING user_id AS "id: UserId""#,
        tenant,
        hash,
        purpose.as_str(),
        now,
    )
    .fetch_optional(tx.conn())
    .await?)
}
