//! Streams of durable events. Rooms and people each have one; an event gets its offset under the stream's lock (R2).

pub mod idempotency;
pub mod store;

use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::infra::bus::{News, StreamEvent, StreamId};
use uuid::Uuid;

use crate::infra::pg::{Pg, PgError, TenantTx};
use crate::kernel::{MessageId, TenantId, UserId, rng};

/// Streams that get another epoch in one transaction; posts to them wait for it.
const EPOCHS_PAGE: u16 = 500;

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

/// Gives every stream of a tenant another epoch, a page at a time; answers how many there are. Doing it again does no harm.
///
/// # Errors
/// Those of the database; the pages before are done then.
pub async fn renew_epochs(pg: &Pg, tenant: TenantId) -> Result<u64, PgError> {
    let mut renewed = 0;
    // Rooms before people, as everybody locks them.
    for kind in ["room", "user"] {
        let mut after = Uuid::nil();
        loop {
            let mut tx = pg.tenant(tenant).await?;
            let ids = store::lock_page(&mut tx, kind, after, i64::from(EPOCHS_PAGE)).await?;
            let epochs: Vec<String> = ids.iter().map(|_| rng::epoch()).collect();
            store::set_epochs(&mut tx, &ids, &epochs).await?;
            tx.commit().await?;
            renewed += ids.len() as u64;
            match ids.last() {
                Some(last) if ids.len() == usize::from(EPOCHS_PAGE) => after = *last,
                _ => break,
            }
        }
    }
    Ok(renewed)
}
