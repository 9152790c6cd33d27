//! SQL of streams and their events.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::NewEvent;
use super::idempotency::{Intent, Kept};
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

/// Locks a page of the tenant's streams of one kind behind `after`, in id order.
pub(super) async fn lock_page(tx: &mut TenantTx, kind: &str, after: Uuid, limit: i64) -> Result<Vec<Uuid>, PgError> {
    Ok(sqlx::query_scalar!(
        "SELECT id FROM streams WHERE tenant_id = $1 AND kind = $2 AND id > $3 ORDER BY id LIMIT $4 FOR UPDATE",
        tx.tenant().uuid(),
        kind,
        after,
        limit
    )
    .fetch_all(tx.conn())
    .await?)
}

/// Gives streams other epochs.
pub(super) async fn set_epochs(tx: &mut TenantTx, ids: &[Uuid], epochs: &[String]) -> Result<(), PgError> {
    sqlx::query!(
        "UPDATE streams s SET epoch = n.epoch
           FROM unnest($2::uuid[], $3::text[]) AS n (id, epoch) WHERE s.tenant_id = $1 AND s.id = n.id",
        tx.tenant().uuid(),
        ids,
        epochs
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Takes an idempotency key. False when it is taken; waits for the transaction that may be taking it.
pub(super) async fn insert_key(tx: &mut TenantTx, intent: &Intent, now: DateTime<Utc>) -> Result<bool, PgError> {
    let done = sqlx::query!(
        "INSERT INTO idempotency_keys (tenant_id, user_id, key, body_hash, status, answer, created_at)
         VALUES ($1, $2, $3, $4, 0, 'null', $5) ON CONFLICT ON CONSTRAINT idempotency_keys_pkey DO NOTHING",
        tx.tenant().uuid(),
        intent.user.uuid(),
        intent.key.as_str(),
        intent.digest,
        now,
    )
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() > 0)
}

/// The digest under a key, and what was answered.
pub(super) async fn find_key(tx: &mut TenantTx, intent: &Intent) -> Result<Option<(Vec<u8>, Kept)>, PgError> {
    let row = sqlx::query!(
        "SELECT body_hash, status, answer FROM idempotency_keys WHERE tenant_id = $1 AND user_id = $2 AND key = $3",
        tx.tenant().uuid(),
        intent.user.uuid(),
        intent.key.as_str(),
    )
    .fetch_optional(tx.conn())
    .await?;
    let status = |status: i32| u16::try_from(status).unwrap_or(0);
    Ok(row.map(|row| (row.body_hash, Kept { status: status(row.status), answer: row.answer })))
}

pub(super) async fn update_key(tx: &mut TenantTx, intent: &Intent, kept: &Kept) -> Result<(), PgError> {
    sqlx::query!(
        "UPDATE idempotency_keys SET status = $4, answer = $5 WHERE tenant_id = $1 AND user_id = $2 AND key = $3",
        tx.tenant().uuid(),
        intent.user.uuid(),
        intent.key.as_str(),
        i32::from(kept.status),
        kept.answer,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}
