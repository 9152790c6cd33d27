//! SQL of the audit log.

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::infra::pg::{PgError, TenantTx};
use crate::kernel::UserId;
use crate::kernel::ids::AuditId;

pub async fn insert(
    tx: &mut TenantTx,
    actor: UserId,
    (action, target): (&str, &str),
    detail: &Value,
    now: DateTime<Utc>,
) -> Result<(), PgError> {
    sqlx::query!(
        "INSERT INTO audit (tenant_id, id, at, actor_id, action, target, detail) VALUES ($1, $2, $3, $4, $5, $6, $7)",
        tx.tenant().uuid(),
        AuditId::generate().uuid(),
        now,
        actor.uuid(),
        action,
        target,
        detail,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}
