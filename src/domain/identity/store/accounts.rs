//! SQL of accounts.

use chrono::{DateTime, Utc};

use crate::domain::identity::{Account, Bio, DisplayName, Email, Handle, IdentityError, State};
use crate::infra::pg::{PgError, TenantTx};
use crate::kernel::{TenantRole, UserId};

struct Row {
    id: UserId,
    email: String,
    handle: String,
    display_name: String,
    bio: String,
    role: String,
    state: String,
    email_verified_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
}

impl From<Row> for Account {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            handle: row.handle,
            display_name: row.display_name,
            bio: row.bio,
            email: row.email,
            email_verified: row.email_verified_at.is_some(),
            role: TenantRole::parse(&row.role).unwrap_or(TenantRole::Guest),
            state: State::parse(&row.state),
            created_at: row.created_at,
        }
    }
}

/// A new row of `users`.
pub struct New<'a> {
    pub id: UserId,
    pub email: &'a Email,
    pub handle: &'a Handle,
    pub display_name: &'a DisplayName,
    pub password_hash: Option<&'a str>,
    pub role: TenantRole,
    pub verified_at: Option<DateTime<Utc>>,
    pub at: DateTime<Utc>,
}

/// Inserts somebody; false when the handle is taken (the transaction goes on).
///
/// # Errors
/// [`IdentityError::EmailTaken`], and those of the database.
pub async fn insert(tx: &mut TenantTx, new: &New<'_>) -> Result<bool, IdentityError> {
    let done = sqlx::query!(
        "INSERT INTO users (tenant_id, id, email, handle, display_name, password_hash, role, state, email_verified_at,
                            tokens_valid_from, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, 'active', $8, $9, $9, $9)
         ON CONFLICT ON CONSTRAINT users_handle_key DO NOTHING",
        tx.tenant().uuid(),
        new.id.uuid(),
        new.email.as_str(),
        new.handle.as_str(),
        new.display_name.as_str(),
        new.password_hash,
        new.role.as_str(),
        new.verified_at,
        new.at,
    )
    .execute(tx.conn())
    .await;
    match done.map_err(PgError::from) {
        Ok(done) => Ok(done.rows_affected() == 1),
        Err(error) if error.constraint() == Some("users_email_key") => Err(IdentityError::EmailTaken),
        Err(error) => Err(error.into()),
    }
}

/// Somebody by id.
pub async fn find(tx: &mut TenantTx, id: UserId) -> Result<Option<Account>, PgError> {
    let row = sqlx::query_as!(
        Row,
        r#"SELECT id AS "id: UserId", email, handle, display_name, bio, role, state, email_verified_at, created_at
             FROM users WHERE tenant_id = $1 AND id = $2 AND state <> 'deleted'"#,
        tx.tenant().uuid(),
        id.uuid(),
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(Account::from))
}

/// Somebody by address, with the stored password hash.
pub async fn find_by_email(tx: &mut TenantTx, email: &Email) -> Result<Option<(Account, Option<String>)>, PgError> {
    let tenant = tx.tenant().uuid();
    let id = sqlx::query!(
        r#"SELECT id AS "id: UserId", password_hash FROM users WHERE tenant_id = $1 AND email = $2 AND state <> 'deleted'"#,
        tenant,
        email.as_str(),
    )
    .fetch_optional(tx.conn())
    .await?;
    let Some(found) = id else { return Ok(None) };
    Ok(find(tx, found.id).await?.map(|account| (account, found.password_hash)))
}

/// The stored password hash.
pub async fn find_password(tx: &mut TenantTx, id: UserId) -> Result<Option<String>, PgError> {
    let tenant = tx.tenant().uuid();
    let found =
        sqlx::query_scalar!("SELECT password_hash FROM users WHERE tenant_id = $1 AND id = $2", tenant, id.uuid())
            .fetch_optional(tx.conn())
            .await?;
    Ok(found.flatten())
}

/// Sets the password and makes earlier access tokens void.
pub async fn set_password(tx: &mut TenantTx, id: UserId, hash: &str, valid_from: DateTime<Utc>) -> Result<(), PgError> {
    sqlx::query!(
        "UPDATE users SET password_hash = $3, tokens_valid_from = $4, updated_at = $4 WHERE tenant_id = $1 AND id = $2",
        tx.tenant().uuid(),
        id.uuid(),
        hash,
        valid_from,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Makes earlier access tokens void.
pub async fn set_tokens_valid_from(tx: &mut TenantTx, id: UserId, valid_from: DateTime<Utc>) -> Result<(), PgError> {
    sqlx::query!(
        "UPDATE users SET tokens_valid_from = $3, updated_at = $3 WHERE tenant_id = $1 AND id = $2",
        tx.tenant().uuid(),
        id.uuid(),
        valid_from,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Notes that the address is theirs.
pub async fn set_verified(tx: &mut TenantTx, id: UserId, at: DateTime<Utc>) -> Result<(), PgError> {
    sqlx::query!(
        "UPDATE users SET email_verified_at = coalesce(email_verified_at, $3), updated_at = $3 WHERE tenant_id = $1 AND id = $2",
        tx.tenant().uuid(),
        id.uuid(),
        at,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Changes what is given of a profile.
///
/// # Errors
/// [`IdentityError::HandleTaken`], and those of the database.
pub async fn update_profile(
    tx: &mut TenantTx,
    id: UserId,
    (name, handle, bio): (Option<&DisplayName>, Option<&Handle>, Option<&Bio>),
    at: DateTime<Utc>,
) -> Result<(), IdentityError> {
    let done = sqlx::query!(
        "UPDATE users SET display_name = coalesce($3, display_name), handle = coalesce($4, handle), bio = coalesce($5, bio),
                          updated_at = $6
          WHERE tenant_id = $1 AND id = $2",
        tx.tenant().uuid(),
        id.uuid(),
        name.map(DisplayName::as_str),
        handle.map(Handle::as_str),
        bio.map(Bio::as_str),
        at,
    )
    .execute(tx.conn())
    .await
    .map_err(PgError::from);
    match done {
        Ok(_) => Ok(()),
        Err(error) if error.constraint() == Some("users_handle_key") => Err(IdentityError::HandleTaken),
        Err(error) => Err(error.into()),
    }
}

/// Sets a role.
pub async fn set_role(tx: &mut TenantTx, id: UserId, role: TenantRole, at: DateTime<Utc>) -> Result<(), PgError> {
    sqlx::query!(
        "UPDATE users SET role = $3, updated_at = $4 WHERE tenant_id = $1 AND id = $2",
        tx.tenant().uuid(),
        id.uuid(),
        role.as_str(),
        at,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Suspends or resumes; earlier access tokens are void either way.
pub async fn set_state(
    tx: &mut TenantTx,
    id: UserId,
    state: State,
    reason: Option<&str>,
    at: DateTime<Utc>,
) -> Result<(), PgError> {
    sqlx::query!(
        "UPDATE users SET state = $3, state_reason = $4, tokens_valid_from = $5, updated_at = $5 WHERE tenant_id = $1 AND id = $2",
        tx.tenant().uuid(),
        id.uuid(),
        state.as_str(),
        reason,
        at,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Locks the tenant's active admins and tells who they are: two of them must not step down past each other.
/// What they write meanwhile refers to their rows (`KEY SHARE`) and is not in the way.
pub async fn lock_admins(tx: &mut TenantTx) -> Result<Vec<UserId>, PgError> {
    let tenant = tx.tenant().uuid();
    Ok(sqlx::query_scalar!(
        r#"SELECT id AS "id: UserId" FROM users
            WHERE tenant_id = $1 AND role = 'tenant_admin' AND state = 'active' ORDER BY id FOR NO KEY UPDATE"#,
        tenant,
    )
    .fetch_all(tx.conn())
    .await?)
}

/// How many people hold a staff seat (a role above member), or do not.
pub async fn count(tx: &mut TenantTx, staff: bool) -> Result<u64, PgError> {
    let tenant = tx.tenant().uuid();
    let count = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM users
            WHERE tenant_id = $1 AND state <> 'deleted' AND (role NOT IN ('guest', 'member')) = $2"#,
        tenant,
        staff,
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(count.cast_unsigned())
}

/// People whose handle or name begins with `prefix` (lower case), behind the handle `after`.
pub async fn list(tx: &mut TenantTx, prefix: &str, after: &str, limit: u32) -> Result<Vec<Account>, PgError> {
    let tenant = tx.tenant().uuid();
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT id AS "id: UserId", email, handle, display_name, bio, role, state, email_verified_at, created_at
             FROM users
            WHERE tenant_id = $1 AND state <> 'deleted' AND handle > $3
              AND (starts_with(handle, $2) OR starts_with(lower(display_name), $2))
            ORDER BY handle LIMIT $4"#,
        tenant,
        prefix,
        after,
        i64::from(limit),
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(Account::from).collect())
}
