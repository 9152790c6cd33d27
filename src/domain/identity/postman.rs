//! Sends the mail that verbs have queued: into the development page (nothing leaves), or by SMTP with retries.
//!
//! Any number of nodes may run it: an attempt is claimed first, and the next one is due before this one is made, so a crash in between
//! costs its delay. A mail may then arrive twice, under the same `Message-ID`.
//! R6: [`ATTEMPTS_MAX`] attempts over half a day, then the mail stays unsent with its last error, until retention deletes it. While the
//! SMTP server is away one mail at a time finds out; nobody who caused a mail waits for any of this.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;

use super::store::mail::{self as store, Waiting};
use crate::config::{Config, Transport};
use crate::infra::mail::Sender;
use crate::infra::pg::{Pg, PgError};
use crate::kernel::Clock;

pub use store::Shown;

/// How often waiting mail is looked for.
const EVERY: Duration = Duration::from_millis(500);
/// After an error of the database, and the first time that the SMTP server is away.
const AFTER_TROUBLE: Duration = Duration::from_secs(5);
/// The longest pause while the SMTP server is away.
const AWAY_MAX: Duration = Duration::from_secs(60);
/// Mail of one look.
const BATCH: i64 = 50;
/// Mail that had so many is given up.
pub const ATTEMPTS_MAX: i32 = 8;

/// Works for as long as the process lives.
pub async fn run(pg: Pg, clock: Clock, config: Arc<Config>) {
    let sender = match Sender::open(&config.mail) {
        Ok(sender) => sender,
        Err(error) => {
            tracing::error!(reason = error.reason(), "mail can not be sent and stays queued");
            return;
        }
    };
    let postman = Postman { pg, clock, sender, keep_text: config.mail.transport == Transport::Sink };
    let mut after_away = AFTER_TROUBLE;
    loop {
        let pause = match postman.round().await {
            Ok(Outlook::Clear) => {
                after_away = AFTER_TROUBLE;
                EVERY
            }
            Ok(Outlook::ServerAway) => {
                let pause = after_away;
                after_away = AWAY_MAX.min(after_away * 2);
                pause
            }
            Ok(Outlook::NothingDue) => EVERY,
            Err(error) => {
                tracing::warn!(%error, "waiting mail could not be looked for");
                AFTER_TROUBLE
            }
        };
        tokio::time::sleep(pause).await;
    }
}

struct Postman {
    pg: Pg,
    clock: Clock,
    sender: Sender,
    keep_text: bool,
}

/// What a round says about the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outlook {
    NothingDue,
    Clear,
    /// The SMTP server can not be talked to: other mail would only use its attempts up.
    ServerAway,
}

impl Postman {
    async fn round(&self) -> Result<Outlook, PgError> {
        let mut tx = self.pg.platform().await?;
        let due = store::list_due(&mut tx, self.clock.now(), ATTEMPTS_MAX, BATCH).await?;
        tx.commit().await?;
        let mut outlook = Outlook::NothingDue;
        for mail in due {
            outlook = self.attempt(&mail).await?;
            if outlook == Outlook::ServerAway {
                break;
            }
        }
        Ok(outlook)
    }

    async fn attempt(&self, waiting: &Waiting) -> Result<Outlook, PgError> {
        let next_at = delay(waiting.attempts + 1).map(|delay| self.clock.now() + delay);
        let mut tx = self.pg.tenant(waiting.tenant).await?;
        let claimed = store::claim(&mut tx, waiting.id, waiting.attempts, next_at).await?;
        tx.commit().await?;
        let Some(mail) = claimed else { return Ok(Outlook::Clear) };
        let outcome = self.sender.send(&waiting.id.to_string(), &mail.recipient, mail.subject, mail.body).await;
        let mut tx = self.pg.tenant(waiting.tenant).await?;
        let outlook = match outcome {
            Ok(()) => {
                store::set_sent(&mut tx, waiting.id, self.clock.now(), self.keep_text).await?;
                Outlook::Clear
            }
            Err(error) => {
                let (attempts, reason) = (waiting.attempts + 1, error.reason());
                if error.is_final() || next_at.is_none() {
                    tracing::error!(mail.id = %waiting.id, attempts, reason, "mail was given up");
                } else {
                    tracing::warn!(mail.id = %waiting.id, attempts, reason, "mail could not be sent and is tried again");
                }
                // The server's own words stay beside the mail: they may name the recipient.
                store::set_failed(&mut tx, waiting.id, &error.to_string(), error.is_final()).await?;
                if error.is_server_away() { Outlook::ServerAway } else { Outlook::Clear }
            }
        };
        tx.commit().await?;
        Ok(outlook)
    }
}

/// After how long the attempt behind this many is made: 10 s, 40 s, 3, 11, 43 min, 3, 11 h; `None` when there were enough.
fn delay(attempts: i32) -> Option<TimeDelta> {
    let made = u32::try_from(attempts.max(1)).ok()?;
    (attempts < ATTEMPTS_MAX).then(|| TimeDelta::seconds(10 * 4_i64.saturating_pow(made - 1)))
}

/// The newest mail of a tenant, for the development page.
///
/// # Errors
/// Those of the database.
pub async fn list(pg: &Pg, tenant: crate::kernel::TenantId, limit: i64) -> Result<Vec<Shown>, PgError> {
    let mut tx = pg.tenant(tenant).await?;
    let mails = store::list(&mut tx, limit).await?;
    tx.commit().await?;
    Ok(mails)
}
