//! SQL of tenants, their hosts and the audit log.

use chrono::{DateTime, Utc};

use super::audit::Entry;
use super::{State, Tenant};
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
