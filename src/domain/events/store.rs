//! SQL of streams and their events.

use uuid::Uuid;

use super::NewEvent;
use crate::infra::bus::StreamId;
use crate::infra::pg::{PgError, PlatformTx, TenantTx};
use crate::kernel::{TenantId, rng};

/// Opens a stream at offset 0 with a random epoch; does nothing when it is open.
///
/// # Errors
/// Those of the database.
pub async fn open(tx: &mut TenantTx, stream: StreamId) -> Result<(), PgError> {
    let kind = match stream {
        StreamId::Room(_) => "room",
        StreamId::User(_) => "user",
    };
    sqlx::query!(
        "INSERT INTO streams (tenant_id, id, kind, epoch) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
        tx.tenant().uuid(),
        stream.uuid(),
        kind,
        rng::epoch(),
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Writes one event under the stream's lock; see `append_event` in `migrations/replaceable/functions.sql`.
pub(super) async fn append(
    tx: &mut TenantTx,
    stream: StreamId,
    event: &NewEvent,
    body: &str,
) -> Result<Option<u64>, PgError> {
    let offset = sqlx::query_scalar!(
        "SELECT append_event($1, $2, $3, $4, $5, $6, $7)",
        tx.tenant().uuid(),
        stream.uuid(),
        event.kind,
        event.actor.map(|id| id.uuid()) as Option<Uuid>,
        event.message.map(|id| id.uuid()) as Option<Uuid>,
        event.at,
        body,
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(offset.map(i64::cast_unsigned))
}

/// Where these streams of any tenants stand.
pub(super) async fn list_positions(
    tx: &mut PlatformTx,
    keys: &[(TenantId, Uuid)],
) -> Result<Vec<(TenantId, Uuid, String, u64)>, PgError> {
    let tenants: Vec<Uuid> = keys.iter().map(|(tenant, _)| tenant.uuid()).collect();
    let ids: Vec<Uuid> = keys.iter().map(|(_, id)| *id).collect();
    let rows = sqlx::query!(
        "SELECT s.tenant_id, s.id, s.epoch, s.last_offset
           FROM unnest($1::uuid[], $2::uuid[]) AS k (tenant_id, id)
           JOIN streams s ON s.tenant_id = k.tenant_id AND s.id = k.id",
        &tenants,
        &ids
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(|r| (r.tenant_id.into(), r.id, r.epoch, r.last_offset.cast_unsigned())).collect())
}
