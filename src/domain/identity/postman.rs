//! Sends the mail that verbs have queued: into the development page (nothing leaves), or by SMTP with retries.
//!
//! Any number of nodes may run it: an attempt is claimed first. A crash between claim and sending costs one attempt's delay.
//! R6: [`ATTEMPTS_MAX`] attempts over half a day, then the mail stays unsent with its last error.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use lettre::message::Mailbox;

use super::mail::Mail;
use super::store::mail::{self as store, Waiting};
use crate::config::{Config, Transport};
use crate::infra::mail::{MailError, Sender};
use crate::infra::pg::{Pg, PgError};
use crate::kernel::Clock;

pub use store::Shown;

/// How often waiting mail is looked for.
const EVERY: Duration = Duration::from_millis(500);
/// After an error, or while there is nothing to send with.
const AFTER_TROUBLE: Duration = Duration::from_secs(5);
/// Mail of one look.
const BATCH: i64 = 50;
const ATTEMPTS_MAX: i32 = 8;

/// Works for as long as the process lives.
pub async fn run(pg: Pg, clock: Clock, config: Arc<Config>) {
    let sender = match Sender::open(&config.mail) {
        Ok(sender) => sender,
        Err(error) => {
            tracing::error!(%error, "mail can not be sent and stays queued");
            return;
        }
    };
    let postman = Postman { pg, clock, sender, keep_text: config.mail.transport == Transport::Sink };
    loop {
        let pause = match postman.round().await {
            Ok(()) => EVERY,
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

impl Postman {
    async fn round(&self) -> Result<(), PgError> {
        let mut tx = self.pg.platform().await?;
        let waiting = store::list_waiting(&mut tx, ATTEMPTS_MAX, BATCH).await?;
        tx.commit().await?;
        for mail in waiting {
            if mail.created_at + delay(mail.attempts) <= self.clock.now() {
                self.attempt(&mail).await?;
            }
        }
        Ok(())
    }

    async fn attempt(&self, waiting: &Waiting) -> Result<(), PgError> {
        let mut tx = self.pg.tenant(waiting.tenant).await?;
        let claimed = store::claim(&mut tx, waiting.id, waiting.attempts).await?;
        tx.commit().await?;
        let Some(mail) = claimed else { return Ok(()) };
        let outcome = self.send(mail).await;
        let mut tx = self.pg.tenant(waiting.tenant).await?;
        match outcome {
            Ok(()) => store::set_sent(&mut tx, waiting.id, self.clock.now(), self.keep_text).await?,
            Err(error) => {
                tracing::warn!(mail.id = %waiting.id, attempts = waiting.attempts + 1, "mail could not be sent");
                store::set_failed(&mut tx, waiting.id, &error.to_string()).await?;
            }
        }
        tx.commit().await
    }

    async fn send(&self, mail: Mail) -> Result<(), MailError> {
        let to: Mailbox = mail.recipient.parse()?;
        self.sender.send(to, mail.subject, mail.body).await
    }
}

/// When the attempt after this many is due, counted from when the mail was written: 0, 10 s, 40 s, 3, 11, 43 min, 3, 11 h.
fn delay(attempts: i32) -> TimeDelta {
    match u32::try_from(attempts) {
        Ok(attempts @ 1..) => TimeDelta::seconds(10 * 4_i64.saturating_pow(attempts - 1)),
        _ => TimeDelta::zero(),
    }
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
