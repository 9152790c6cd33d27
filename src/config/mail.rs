//! How mail leaves: into the development sink (a page, nothing is sent) or to an SMTP server.

use secrecy::SecretString;
use serde::{Deserialize, Serialize};

/// The way out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Transport {
    /// Kept for the page `/dev/mail`; the log says only that mail was queued.
    #[default]
    Sink,
    Smtp,
}

/// Encryption between this server and the SMTP server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tls {
    /// TLS from the first byte (port 465).
    Implicit,
    /// Must upgrade (port 587).
    #[default]
    Starttls,
    /// Only for a server on this machine.
    None,
}

/// Mail.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Mail {
    pub transport: Transport,
    /// Sender, as in `Rialto <no-reply@example.org>`.
    pub from: String,
    pub smtp: Option<Smtp>,
}

/// An SMTP server.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Smtp {
    pub host: String,
    #[serde(default = "submission_port")]
    pub port: u16,
    #[serde(default)]
    pub tls: Tls,
    pub username: Option<String>,
    pub password: Option<SecretString>,
}

fn submission_port() -> u16 {
    587
}

impl Default for Mail {
    fn default() -> Self {
        Self { transport: Transport::Sink, from: "Rialto <no-reply@localhost>".into(), smtp: None }
    }
}

impl Mail {
    pub(super) fn check(&self, refusals: &mut Vec<String>) {
        match (self.transport, &self.smtp) {
            (Transport::Smtp, None) => refusals.push("mail.smtp: needed with mail.transport `smtp`".into()),
            (Transport::Sink, Some(_)) => refusals.push("mail.smtp: set, but mail.transport is `sink`".into()),
            (Transport::Smtp, Some(smtp)) => smtp.check(refusals),
            (Transport::Sink, None) => {}
        }
        if !self.from.contains('@') {
            refusals.push(format!("mail.from: `{}` is not an address", self.from));
        }
    }
}

impl Smtp {
    fn check(&self, refusals: &mut Vec<String>) {
        if self.username.is_some() != self.password.is_some() {
            refusals.push("mail.smtp: username and password belong together".into());
        }
        if self.tls == Tls::None
            && self.password.is_some()
            && !["localhost", "127.0.0.1", "::1"].contains(&self.host.as_str())
        {
            refusals.push(format!("mail.smtp.tls: `none` would send the password to {} in the clear", self.host));
        }
    }
}
