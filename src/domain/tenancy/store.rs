//! SQL of tenants, their hosts and the audit log.

use chrono::{DateTime, Utc};

use super::audit::Entry;
use super::{State, TenancyError, Tenant};
use crate::infra::pg::{PgError, PlatformTx, TenantTx};
use crate::kernel::TenantId;
use crate::kernel::ids::AuditId;

struct Row {
    id: TenantId,
    slug: String,
    name: String,
    plan: String,
    state: String,
    host: Option<String>,
    admin_email: String,
    state_reason: Option<String>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl From<Row> for Tenant {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            slug: row.slug.into(),
            name: row.name.into(),
            plan: row.plan.into(),
            // The column's check admits no other word.
            state: State::parse(&row.state).unwrap_or(State::Suspended),
            host: row.host.map(Into::into),
            admin_email: row.admin_email.into(),
            state_reason: row.state_reason,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

/// The tenant of that id.
pub(super) async fn find(tx: &mut PlatformTx, id: TenantId) -> Result<Option<Tenant>, PgError> {
    let row = sqlx::query_as!(
        Row,
        r#"SELECT t.id AS "id: TenantId", t.slug, t.name, t.plan, t.state, t.admin_email, t.state_reason, t.created_at, t.updated_at,
                  (SELECT min(h.host) FROM tenant_hosts h WHERE h.tenant_id = t.id) AS host
             FROM tenants t WHERE t.id = $1"#,
        id.uuid(),
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(Tenant::from))
}

/// Which tenant a slug means.
pub(super) async fn find_by_slug(tx: &mut PlatformTx, slug: &str) -> Result<Option<TenantId>, PgError> {
    Ok(sqlx::query_scalar!(r#"SELECT id AS "id: TenantId" FROM tenants WHERE slug = $1"#, slug)
        .fetch_optional(tx.conn())
        .await?)
}

/// Which tenant a host means.
pub(super) async fn find_by_host(tx: &mut PlatformTx, host: &str) -> Result<Option<TenantId>, PgError> {
    Ok(sqlx::query_scalar!(r#"SELECT tenant_id AS "id: TenantId" FROM tenant_hosts WHERE host = $1"#, host)
        .fetch_optional(tx.conn())
        .await?)
}

/// Whose room, person or community this is, whichever tenant it is of: for telling a foreign id from one that never was.
pub(super) async fn tenant_of(tx: &mut PlatformTx, id: uuid::Uuid) -> Result<Option<TenantId>, PgError> {
    Ok(sqlx::query_scalar!(
        r#"SELECT tenant_id AS "id!: TenantId" FROM streams WHERE id = $1
            UNION ALL SELECT tenant_id FROM communities WHERE id = $1 LIMIT 1"#,
        id,
    )
    .fetch_optional(tx.conn())
    .await?)
}

/// Adds to the audit log.
pub(super) async fn insert_audit(tx: &mut TenantTx, at: DateTime<Utc>, entry: &Entry) -> Result<(), PgError> {
    sqlx::query!(
        "INSERT INTO audit (tenant_id, id, at, actor_id, action, target, detail) VALUES ($1, $2, $3, $4, $5, $6, $7)",
        tx.tenant().uuid(),
        AuditId::generate().uuid(),
        at,
        entry.actor.map(|id| id.uuid()),
        entry.action,
        entry.target,
        entry.detail,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// A tenant about to be made.
pub struct New<'a> {
    pub id: TenantId,
    pub slug: &'a str,
    pub name: &'a str,
    pub plan: &'a str,
    pub admin_email: &'a str,
    pub settings: &'a serde_json::Value,
    pub at: DateTime<Utc>,
}

/// Writes a tenant in state `provisioning`.
///
/// # Errors
/// [`TenancyError::SlugTaken`], and those of the database.
pub(super) async fn insert(tx: &mut TenantTx, new: &New<'_>) -> Result<(), TenancyError> {
    let done = sqlx::query!(
        "INSERT INTO tenants (id, slug, name, plan, state, admin_email, settings, created_at, updated_at)
         VALUES ($1, $2, $3, $4, 'provisioning', $5, $6, $7, $7)",
        new.id.uuid(),
        new.slug,
        new.name,
        new.plan,
        new.admin_email,
        new.settings,
        new.at,
    )
    .execute(tx.conn())
    .await
    .map_err(PgError::from);
    match done {
        Ok(_) => Ok(()),
        Err(error) if error.constraint() == Some("tenants_slug_key") => Err(TenancyError::SlugTaken),
        Err(error) => Err(error.into()),
    }
}

/// Gives the tenant a host; does nothing when it has it.
///
/// # Errors
/// [`TenancyError::HostTaken`], and those of the database.
pub(super) async fn insert_host(tx: &mut TenantTx, host: &str) -> Result<(), TenancyError> {
    let tenant = tx.tenant().uuid();
    sqlx::query!("INSERT INTO tenant_hosts (host, tenant_id) VALUES ($1, $2) ON CONFLICT DO NOTHING", host, tenant)
        .execute(tx.conn())
        .await
        .map_err(PgError::from)?;
    // Another tenant's row stops the insert too, but is not seen.
    let own = sqlx::query_scalar!("SELECT 1 FROM tenant_hosts WHERE host = $1 AND tenant_id = $2", host, tenant)
        .fetch_optional(tx.conn())
        .await
        .map_err(PgError::from)?;
    own.map(|_| ()).ok_or(TenancyError::HostTaken)
}

/// Locks the transaction's tenant; its state and the last finished step of its provisioning.
pub(super) async fn lock(tx: &mut TenantTx) -> Result<Option<(State, String)>, PgError> {
    let tenant = tx.tenant().uuid();
    let row = sqlx::query!("SELECT state, provisioned_step FROM tenants WHERE id = $1 FOR UPDATE", tenant)
        .fetch_optional(tx.conn())
        .await?;
    Ok(row.map(|row| (State::parse(&row.state).unwrap_or(State::Suspended), row.provisioned_step)))
}

/// Notes a finished step of provisioning.
pub(super) async fn set_step(tx: &mut TenantTx, step: &str, at: DateTime<Utc>) -> Result<(), PgError> {
    let tenant = tx.tenant().uuid();
    sqlx::query!("UPDATE tenants SET provisioned_step = $2, updated_at = $3 WHERE id = $1", tenant, step, at)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Sets the state of the transaction's tenant.
pub(super) async fn set_state(
    tx: &mut TenantTx,
    state: State,
    reason: Option<&str>,
    at: DateTime<Utc>,
) -> Result<(), PgError> {
    sqlx::query!(
        "UPDATE tenants SET state = $2, state_reason = $3, updated_at = $4 WHERE id = $1",
        tx.tenant().uuid(),
        state.as_str(),
        reason,
        at,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// All tenants by slug, behind the slug `after`; not the platform's own.
pub(super) async fn list(tx: &mut PlatformTx, after: &str, limit: i64) -> Result<Vec<Tenant>, PgError> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT t.id AS "id: TenantId", t.slug, t.name, t.plan, t.state, t.admin_email, t.state_reason, t.created_at, t.updated_at,
                  (SELECT min(h.host) FROM tenant_hosts h WHERE h.tenant_id = t.id) AS host
             FROM tenants t WHERE t.slug > $1 AND t.id <> $3 ORDER BY t.slug LIMIT $2"#,
        after,
        limit,
        TenantId::PLATFORM.uuid(),
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(Tenant::from).collect())
}

/// How many tenants there are that are not terminated.
pub(super) async fn count(tx: &mut PlatformTx) -> Result<u64, PgError> {
    let count = sqlx::query_scalar!(r#"SELECT count(*) AS "count!" FROM tenants WHERE state <> 'terminated'"#)
        .fetch_one(tx.conn())
        .await?;
    Ok(count.cast_unsigned())
}

/// A tenant's last changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    pub tenant: TenantId,
    pub state: String,
    pub updated_at: DateTime<Utc>,
    pub restored_at: Option<DateTime<Utc>>,
}

/// Tenants changed since.
pub(super) async fn list_changed(tx: &mut PlatformTx, since: DateTime<Utc>) -> Result<Vec<Change>, PgError> {
    Ok(sqlx::query_as!(
        Change,
        r#"SELECT id AS "tenant: TenantId", state, updated_at, restored_at FROM tenants WHERE updated_at > $1"#,
        since
    )
    .fetch_all(tx.conn())
    .await?)
}

/// The tenant that changed last.
pub(super) async fn list_newest(tx: &mut PlatformTx) -> Result<Vec<Change>, PgError> {
    Ok(sqlx::query_as!(
        Change,
        r#"SELECT id AS "tenant: TenantId", state, updated_at, restored_at FROM tenants ORDER BY updated_at DESC LIMIT 1"#
    )
    .fetch_all(tx.conn())
    .await?)
}

/// Notes that the history of the transaction's tenant was cut.
pub(super) async fn set_restored(tx: &mut TenantTx, at: DateTime<Utc>) -> Result<(), PgError> {
    let tenant = tx.tenant().uuid();
    sqlx::query!(
        "UPDATE tenants SET restored_at = $2, updated_at = greatest(updated_at, $2) WHERE id = $1",
        tenant,
        at
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Waits for the tenant's turn at counting people, and keeps it until the end of the transaction.
pub(super) async fn take_turn(tx: &mut TenantTx) -> Result<(), PgError> {
    sqlx::query!("SELECT pg_advisory_xact_lock(hashtextextended('members:' || $1::text, 0))", tx.tenant().to_string())
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// What a tenant holds.
#[derive(Debug, serde::Serialize)]
pub struct Counts {
    pub users: i64,
    pub communities: i64,
    pub rooms: i64,
}

pub(super) async fn counts(tx: &mut TenantTx) -> Result<Counts, PgError> {
    let tenant = tx.tenant().uuid();
    Ok(sqlx::query_as!(
        Counts,
        r#"SELECT (SELECT count(*) FROM users WHERE tenant_id = $1) AS "users!",
                  (SELECT count(*) FROM communities WHERE tenant_id = $1) AS "communities!",
                  (SELECT count(*) FROM rooms WHERE tenant_id = $1) AS "rooms!""#,
        tenant,
    )
    .fetch_one(tx.conn())
    .await?)
}
