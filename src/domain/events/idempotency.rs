//! Writes that are done once however often they are sent: the answer is kept in the transaction of its effect.
//!
//! The row is inserted before the work, so that the same key sent twice at once waits for the first and gets its answer; a refusal
//! rolls the row back, and the key is free again.

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::store;
use crate::infra::pg::{PgError, TenantTx};
use crate::kernel::UserId;

/// Longest key that is kept.
const KEY_BYTES_MAX: usize = 255;

/// A client's name for one intent: visible ASCII, at most 255 characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key(String);

impl Key {
    /// Accepts a key, or nothing.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let fits = (1..=KEY_BYTES_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        fits.then(|| Self(text.to_owned()))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A request under its key, in the words of who sent it.
#[derive(Debug, Clone)]
pub struct Intent {
    pub user: UserId,
    pub key: Key,
    /// Digest of what is asked for: the same key with another digest is a mistake.
    pub digest: Vec<u8>,
}

/// What was answered the first time.
#[derive(Debug, Clone, PartialEq)]
pub struct Kept {
    pub status: u16,
    pub answer: Value,
}

/// Whether the work is still to be done.
#[derive(Debug, Clone, PartialEq)]
pub enum Begun {
    Fresh,
    Done(Kept),
    /// The key belongs to another request.
    Reused,
}

/// Takes the key; waits while another transaction holds it.
///
/// # Errors
/// Those of the database.
pub async fn begin(tx: &mut TenantTx, intent: &Intent, now: DateTime<Utc>) -> Result<Begun, PgError> {
    if store::insert_key(tx, intent, now).await? {
        return Ok(Begun::Fresh);
    }
    match store::find_key(tx, intent).await? {
        Some((digest, _)) if digest != intent.digest => Ok(Begun::Reused),
        Some((_, kept)) => Ok(Begun::Done(kept)),
        // Removed between the two statements.
        None => Ok(Begun::Reused),
    }
}

/// Keeps the answer of the work that [`begin`] let through, in the same transaction.
///
/// # Errors
/// Those of the database.
pub async fn keep(tx: &mut TenantTx, intent: &Intent, kept: &Kept) -> Result<(), PgError> {
    store::update_key(tx, intent, kept).await
}
