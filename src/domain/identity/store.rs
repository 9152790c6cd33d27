//! SQL of people's standing and of signing keys. Accounts and their tokens are in `store/`.

pub mod accounts;
pub mod mail;
pub mod tokens;

use chrono::{DateTime, Utc};

use super::{Person, State};
use crate::infra::pg::{PgError, PlatformTx, TenantTx};
use crate::kernel::ids::TokenId;
use crate::kernel::{Scope, TenantRole, UserId};

/// A signing key as it rests: the private half sealed.
pub(super) struct StoredKey {
    pub kid: String,
    pub public_key: Vec<u8>,
    pub sealed_key: Vec<u8>,
    pub created_at: DateTime<Utc>,
}

/// Makes nodes that want to rotate at the same moment wait for each other. Any number does; it names this lock.
pub(super) async fn lock_keys(tx: &mut PlatformTx) -> Result<(), PgError> {
    sqlx::query!("SELECT pg_advisory_xact_lock(7421001)").execute(tx.conn()).await?;
    Ok(())
}

pub(super) async fn list_keys(tx: &mut PlatformTx) -> Result<Vec<StoredKey>, PgError> {
    Ok(sqlx::query_as!(
        StoredKey,
        "SELECT kid, public_key, sealed_key, created_at FROM signing_keys ORDER BY created_at"
    )
    .fetch_all(tx.conn())
    .await?)
}

pub(super) async fn insert_key(tx: &mut PlatformTx, key: &StoredKey) -> Result<(), PgError> {
    sqlx::query!(
        "INSERT INTO signing_keys (kid, public_key, sealed_key, created_at) VALUES ($1, $2, $3, $4)",
        key.kid,
        key.public_key,
        key.sealed_key,
        key.created_at,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

pub(super) async fn delete_keys_before(tx: &mut PlatformTx, at: DateTime<Utc>) -> Result<(), PgError> {
    sqlx::query!("DELETE FROM signing_keys WHERE created_at < $1", at).execute(tx.conn()).await?;
    Ok(())
}

/// Somebody's standing, for a token issued `at`: what had expired by then is over for every token, as no other still counts that is as old.
pub(super) async fn find_person(tx: &mut TenantTx, user: UserId, at: DateTime<Utc>) -> Result<Option<Person>, PgError> {
    let tenant = tx.tenant();
    let row = sqlx::query!(
        r#"SELECT handle, display_name, role, state, tokens_valid_from, email_verified_at IS NOT NULL AS "verified!",
                  ARRAY(SELECT e.session_id FROM ended_sessions e
                         WHERE e.tenant_id = $1 AND e.user_id = $2 AND e.expires_at > $3) AS "ended!: Vec<TokenId>"
             FROM users WHERE tenant_id = $1 AND id = $2"#,
        tenant.uuid(),
        user.uuid(),
        at,
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(|row| Person {
        scope: Scope {
            tenant,
            user,
            role: TenantRole::parse(&row.role).unwrap_or(TenantRole::Guest),
            handle: row.handle.into(),
            display_name: row.display_name.into(),
        },
        state: State::parse(&row.state),
        tokens_valid_from: row.tokens_valid_from,
        ended_sessions: row.ended,
        email_verified: row.verified,
    }))
}
