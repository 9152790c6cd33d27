//! The audit log: who did what to whom. Rows are only ever added (the role has no right to change them).

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::store;
use crate::infra::pg::{PgError, TenantTx};
use crate::kernel::UserId;

/// One entry. `action` is `<noun>.<past participle>`, `target` `<kind>:<id>`; no personal data in `detail`.
#[derive(Debug, Clone)]
pub struct Entry {
    pub actor: Option<UserId>,
    pub action: &'static str,
    pub target: String,
    pub detail: Value,
}

/// Writes the entry in the transaction of what it tells.
///
/// # Errors
/// Those of the database.
pub async fn record(tx: &mut TenantTx, at: DateTime<Utc>, entry: Entry) -> Result<(), PgError> {
    store::insert_audit(tx, at, &entry).await
}
