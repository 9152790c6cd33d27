//! SQL of streams as messages see them: the lock, the position, the events.

use uuid::Uuid;

use crate::infra::bus::{StreamEvent, StreamId};
use crate::infra::pg::{PgError, TenantTx};
use crate::kernel::UserId;

/// Takes a stream's lock until the end of the transaction; answers its epoch and last offset.
pub(in crate::domain::messaging) async fn lock_stream(
    tx: &mut TenantTx,
    stream: StreamId,
) -> Result<Option<(String, u64)>, PgError> {
    let row = sqlx::query!(
        "SELECT epoch, last_offset FROM streams WHERE tenant_id = $1 AND id = $2 FOR UPDATE",
        tx.tenant().uuid(),
        stream.uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(|r| (r.epoch, r.last_offset.cast_unsigned())))
}

/// A stream's epoch and last offset.
pub(in crate::domain::messaging) async fn position(
    tx: &mut TenantTx,
    stream: StreamId,
) -> Result<Option<(String, u64)>, PgError> {
    let row = sqlx::query!(
        "SELECT epoch, last_offset FROM streams WHERE tenant_id = $1 AND id = $2",
        tx.tenant().uuid(),
        stream.uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(|r| (r.epoch, r.last_offset.cast_unsigned())))
}

/// Events of a stream with offsets in `from..=to`, ascending (or descending), at most `limit`.
pub(in crate::domain::messaging) async fn list_events(
    tx: &mut TenantTx,
    stream: StreamId,
    (from, to): (u64, u64),
    limit: u32,
    newest_first: bool,
) -> Result<Vec<StreamEvent>, PgError> {
    let (tenant, id) = (tx.tenant().uuid(), stream.uuid());
    let (from, to, limit) =
        (from.min(i64::MAX as u64).cast_signed(), to.min(i64::MAX as u64).cast_signed(), i64::from(limit));
    let event = |offset: i64, kind: String, actor: Option<Uuid>, body: String| StreamEvent {
        offset: offset.cast_unsigned(),
        kind: kind.into(),
        body: body.into(),
        actor: actor.map(UserId::from),
        calls: [].into(),
    };
    if newest_first {
        let rows = sqlx::query!(
            "SELECT event_offset, kind, actor_id, body FROM events
              WHERE tenant_id = $1 AND stream_id = $2 AND event_offset BETWEEN $3 AND $4 ORDER BY event_offset DESC LIMIT $5",
            tenant, id, from, to, limit
        )
        .fetch_all(tx.conn())
        .await?;
        return Ok(rows.into_iter().map(|r| event(r.event_offset, r.kind, r.actor_id, r.body)).collect());
    }
    let rows = sqlx::query!(
        "SELECT event_offset, kind, actor_id, body FROM events
          WHERE tenant_id = $1 AND stream_id = $2 AND event_offset BETWEEN $3 AND $4 ORDER BY event_offset LIMIT $5",
        tenant,
        id,
        from,
        to,
        limit
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(|r| event(r.event_offset, r.kind, r.actor_id, r.body)).collect())
}
