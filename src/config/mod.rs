//! Configuration: read once, checked whole, never changed afterwards.
//!
//! Sources, later ones win: built-in defaults, the YAML file (`--config`, `RIALTO_CONFIG`), the environment (`RIALTO_SERVER__LISTEN` is
//! `server.listen`; the plain names `DATABASE_URL`, `DATABASE_PLATFORM_URL`, `DATABASE_OWNER_URL`, `REDIS_URL`, `KAFKA_BROKERS`), flags.
//! A key that nobody knows and values that contradict each other stop the start with a message that names them: a
//! misspelt limit must not silently be no limit. Secrets are `SecretString`, which Debug does not show.

mod auth;
mod limits;
mod load;
mod log;
mod mail;
mod plans;
mod retention;
mod server;
mod store;
mod tenancy;
mod units;

#[cfg(test)]
mod tests;

use serde::Deserialize;

pub use auth::Auth;
pub use limits::{Admission, Attempts, Limits, Posting, Rate, Ring, SigningIn, SocketLimits};
pub use load::{ConfigError, Overrides};
pub use log::{Log, Shape};
pub use mail::{Mail, Smtp, Tls, Transport};
pub use plans::{ApiRate, Feature, Plan, Plans, Quota};
pub use retention::Retention;
pub use server::Server;
pub use store::{Store, StoreUrls};
pub use tenancy::{Isolation, Tenancy};
pub use units::{ByteSize, Span};

/// Everything that an operator can decide.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    pub server: Server,
    pub store: Store,
    pub tenancy: Tenancy,
    pub plans: Plans,
    pub limits: Limits,
    pub auth: Auth,
    pub mail: Mail,
    pub retention: Retention,
    pub log: Log,
}

impl Config {
    /// All contradictions at once, so that one start shows them all.
    fn check(&self) -> Vec<String> {
        let mut refusals = Vec::new();
        self.server.check(&mut refusals);
        self.store.check(&mut refusals);
        self.tenancy.check(&mut refusals);
        self.plans.check(&self.tenancy.default_plan, &mut refusals);
        self.limits.check(&mut refusals);
        self.auth.check(&mut refusals);
        self.mail.check(&mut refusals);
        self.retention.check(&mut refusals);
        refusals
    }
}
