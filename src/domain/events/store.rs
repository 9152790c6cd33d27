//! SQL of streams and their events.

use uuid::Uuid;

use super::NewEvent;
use crate::infra::bus::StreamId;
use crate::infra::pg::{PgError, TenantTx};
use crate::kernel::rng;

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
