//! Accounts: how long tokens live and how much work a password hash is.

use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::units::{ByteSize, Span};

/// Lifetimes and the cost of argon2id.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Auth {
    /// Access tokens; short, since what they permit is read anew on each request anyway.
    pub access_token: Span,
    /// Refresh tokens; each use starts it anew.
    pub refresh_token: Span,
    /// Links in password-reset mails.
    pub reset_link: Span,
    /// Links in verification mails.
    pub verify_link: Span,
    /// A signing key is replaced after this and published for one access token's life longer.
    pub signing_key: Span,
    /// The shortest password.
    pub password_min_chars: u32,
    /// argon2id, memory of one hash.
    pub hash_memory: ByteSize,
    /// argon2id, passes over the memory.
    pub hash_passes: u32,
    /// 32 bytes in base64 that seal the signing keys at rest; unset: `master.key` in the data directory, made at the first start.
    /// Nodes that share a database share it.
    #[serde(skip_serializing)]
    pub master_key: Option<SecretString>,
}

impl Default for Auth {
    fn default() -> Self {
        Self {
            access_token: Span::from_secs(600),
            refresh_token: Span::from_days(30),
            reset_link: Span::from_secs(3_600),
            verify_link: Span::from_days(3),
            signing_key: Span::from_days(30),
            password_min_chars: 8,
            // OWASP's first choice for argon2id with one lane.
            hash_memory: ByteSize::mib(19),
            hash_passes: 2,
            master_key: None,
        }
    }
}

impl Auth {
    pub(super) fn check(&self, refusals: &mut Vec<String>) {
        if self.access_token >= self.refresh_token {
            refusals.push(format!(
                "auth.access_token: {} outlives auth.refresh_token, {}",
                self.access_token, self.refresh_token
            ));
        }
        if self.hash_memory < ByteSize::mib(7) || self.hash_memory > ByteSize::mib(1_024) {
            refusals.push(format!("auth.hash_memory: {} is not within 7 MiB and 1 GiB", self.hash_memory));
        }
        if self.hash_passes == 0 || self.hash_passes > 16 {
            refusals.push(format!("auth.hash_passes: {} is not within 1 and 16", self.hash_passes));
        }
        if self.password_min_chars < 8 {
            refusals.push(format!("auth.password_min_chars: {} is less than 8", self.password_min_chars));
        }
    }
}
