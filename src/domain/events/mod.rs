//! Streams of durable events. Rooms and people each have one; an event gets its offset under the stream's lock (R2).

pub mod idempotency;
pub mod store;

use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::infra::bus::{News, StreamEvent, StreamId};
use uuid::Uuid;

use crate::infra::pg::{Pg, PgError, TenantTx};
use crate::kernel::{MessageId, TenantId, UserId};

/// An event about to be written.
#[derive(Debug, Clone)]
pub struct NewEvent {
    /// `reaction.added`, `member.joined`, …
    pub kind: &'static str,
    pub actor: Option<UserId>,
    /// The message it is about; a removal finds what to blank by it.
    pub message: Option<MessageId>,
    pub at: DateTime<Utc>,
    /// Payload v1.
    pub body: serde_json::Value,
}

/// Appends an event to a stream and announces it. Returns its offset, or `None` when the tenant has no such stream.
///
/// Order: takes the stream's lock until the end of the transaction; lock rooms before people, each in id order.
///
/// # Errors
/// Those of the database.
pub async fn append(tx: &mut TenantTx, stream: StreamId, event: NewEvent) -> Result<Option<u64>, PgError> {
    let body = event.body.to_string();
    let Some(offset) = store::append(tx, stream, &event, &body).await? else { return Ok(None) };
    let told = StreamEvent {
        offset,
        kind: Arc::from(event.kind),
        body: Arc::from(body),
        actor: event.actor,
        calls: Arc::from([]),
    };
    tx.announce(News::Advanced { tenant: tx.tenant(), stream, event: told });
    Ok(Some(offset))
}

/// Where these streams, of any tenants, stand: `(tenant, stream, epoch, last offset)`; unknown ones are left out.
///
/// # Errors
/// Those of the database.
pub async fn list_positions(pg: &Pg, keys: &[(TenantId, Uuid)]) -> Result<Vec<(TenantId, Uuid, String, u64)>, PgError> {
    let mut tx = pg.platform().await?;
    let positions = store::list_positions(&mut tx, keys).await?;
    tx.commit().await?;
    Ok(positions)
}
