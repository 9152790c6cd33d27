//! Retention: what has had its effect is deleted after a time (`retention.*`): answers kept under idempotency keys, mails, and the tokens
//! of sessions and mailed links that are over.
//!
//! R6: what every request adds a row to is bounded by time. R5: which tenants have something is seen across tenants, and no more than
//! that; each deletion is a transaction of one tenant. Any number of nodes may sweep at once: a row is taken by one of them.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::store;
use crate::config::{Config, Retention};
use crate::infra::pg::{Pg, PgError};
use crate::kernel::Clock;

/// Rows of each kind that one transaction deletes, so that none holds its locks for long.
pub const BATCH: i64 = 1_000;
/// Between two rounds while there is something to delete: requests come first.
const BREATH: Duration = Duration::from_millis(100);
/// How long mail waits at most for a postman or a mail server; what retention keeps for longer waits for as long.
pub const MAIL_WAITS_MAX: TimeDelta = TimeDelta::days(90);

/// Instants before which rows are over.
pub(super) struct Before {
    pub(super) keys: DateTime<Utc>,
    pub(super) mails: DateTime<Utc>,
    pub(super) waiting_mails: DateTime<Utc>,
    pub(super) tokens: DateTime<Utc>,
}

/// Rows that were deleted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    pub idempotency_keys: i64,
    /// Sent or given up.
    pub mails: i64,
    /// Neither: nobody sends mail.
    pub waiting_mails: i64,
    pub mail_tokens: i64,
    pub ended_sessions: i64,
    pub refresh_tokens: i64,
}

impl std::ops::AddAssign for Swept {
    fn add_assign(&mut self, other: Self) {
        self.idempotency_keys += other.idempotency_keys;
        self.mails += other.mails;
        self.waiting_mails += other.waiting_mails;
        self.mail_tokens += other.mail_tokens;
        self.ended_sessions += other.ended_sessions;
        self.refresh_tokens += other.refresh_tokens;
    }
}

/// Sweeps for as long as the process lives.
pub async fn run(pg: Pg, clock: Clock, config: Arc<Config>) {
    let mut swept = Swept::default();
    loop {
        let round = match round(&pg, &config.retention, clock.now()).await {
            Ok(round) => round,
            Err(error) => {
                tracing::warn!(%error, "what is over could not be deleted");
                Swept::default()
            }
        };
        if round.waiting_mails > 0 {
            tracing::error!(mails = round.waiting_mails, "mail that nobody had sent in all that time was deleted");
        }
        swept += round;
        if round != Swept::default() {
            tokio::time::sleep(BREATH).await;
            continue;
        }
        if swept != Swept::default() {
            let rows = std::mem::take(&mut swept);
            tracing::info!(?rows, "what is over was deleted");
        }
        tokio::time::sleep(config.retention.every.duration()).await;
    }
}

/// Deletes at most [`BATCH`] rows of each kind in each tenant that has the oldest; nothing is left when it deletes nothing.
///
/// # Errors
/// Those of the database; what was deleted before stays deleted.
pub async fn round(pg: &Pg, keep: &Retention, now: DateTime<Utc>) -> Result<Swept, PgError> {
    let mails = now - keep.mails.duration();
    let before = Before {
        keys: now - keep.idempotency_keys.duration(),
        mails,
        waiting_mails: mails.min(now - MAIL_WAITS_MAX),
        tokens: now - keep.tokens.duration(),
    };
    let mut tx = pg.platform().await?;
    let tenants = store::list_tenants_due(&mut tx, &before, BATCH).await?;
    tx.commit().await?;
    let mut swept = Swept::default();
    for tenant in tenants {
        let mut tx = pg.tenant(tenant).await?;
        swept += store::sweep(&mut tx, &before, BATCH).await?;
        tx.commit().await?;
    }
    Ok(swept)
}
