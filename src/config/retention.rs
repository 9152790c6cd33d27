//! Retention: how long what has had its effect is kept.

use serde::{Deserialize, Serialize};

use super::units::Span;

/// After which time rows are deleted.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Retention {
    /// Between two looks for what is over.
    pub every: Span,
    /// Answers kept under an `Idempotency-Key`; a key that comes again later is a new request.
    pub idempotency_keys: Span,
    /// Mails, sent or given up, since they were written. One that still waits is kept for 90 days.
    pub mails: Span,
    /// Refresh tokens and mailed links, since they expired or were revoked.
    pub tokens: Span,
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            every: Span::from_secs(600),
            idempotency_keys: Span::from_days(1),
            mails: Span::from_days(7),
            tokens: Span::from_days(1),
        }
    }
}

impl Retention {
    pub(super) fn check(&self, refusals: &mut Vec<String>) {
        if self.mails < Span::from_days(1) {
            refusals.push(format!("retention.mails: {} is less than 1d; sending is tried for half a day", self.mails));
        }
    }
}
