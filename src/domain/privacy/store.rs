//! SQL of retention: the one place that deletes what is over, whichever module wrote it.

use super::retention::{Before, Swept};
use crate::domain::identity::postman::ATTEMPTS_MAX;
use crate::infra::pg::{PgError, PlatformTx, TenantTx};
use crate::kernel::TenantId;

/// Tenants that the oldest of these rows belong to, `limit` rows of each kind.
pub(super) async fn list_tenants_due(
    tx: &mut PlatformTx,
    before: &Before,
    limit: i64,
) -> Result<Vec<TenantId>, PgError> {
    Ok(sqlx::query_file_scalar!(
        "src/domain/privacy/tenants_due.sql",
        before.keys,
        before.mails,
        before.tokens,
        limit,
        ATTEMPTS_MAX,
        before.waiting_mails,
    )
    .fetch_all(tx.conn())
    .await?)
}

/// Deletes the oldest, `limit` rows of each kind. Rows that somebody else holds are left for later.
pub(super) async fn sweep(tx: &mut TenantTx, before: &Before, limit: i64) -> Result<Swept, PgError> {
    let tenant = tx.tenant().uuid();
    Ok(sqlx::query_file_as!(
        Swept,
        "src/domain/privacy/sweep.sql",
        tenant,
        before.keys,
        before.mails,
        before.tokens,
        limit,
        ATTEMPTS_MAX,
        before.waiting_mails,
    )
    .fetch_one(tx.conn())
    .await?)
}
