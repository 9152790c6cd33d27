//! The audit rows of this module: who did what to whom, in the transaction of the deed.

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::Error;
use crate::domain::tenancy::audit::{self, Entry};
use crate::infra::pg::TenantTx;
use crate::kernel::Scope;

pub(super) async fn record(
    tx: &mut TenantTx,
    scope: &Scope,
    now: DateTime<Utc>,
    (action, target): (&'static str, String),
    detail: Value,
) -> Result<(), Error> {
    Ok(audit::record(tx, now, Entry { actor: Some(scope.user), action, target, detail }).await?)
}
