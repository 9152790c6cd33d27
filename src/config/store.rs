//! Which database this process talks to: its own (embedded, the default) or one named by URLs.

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::units::Span;

/// Connection URLs, one for each role that the server needs: no role can do another's work.
#[derive(Debug, Clone)]
pub struct StoreUrls {
    /// Neither owner nor superuser, under row-level security: all tenant work.
    pub app: SecretString,
    /// Reads the short list of tables that cross tenants.
    pub platform: SecretString,
    /// Owns the schema and migrates it.
    pub owner: SecretString,
}

/// The database, and how much of it this node may use.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Store {
    /// `DATABASE_URL`: role `rialto_app`. Not set means the embedded store.
    pub url: Option<SecretString>,
    /// `DATABASE_PLATFORM_URL`: role `rialto_platform`.
    pub platform_url: Option<SecretString>,
    /// `DATABASE_OWNER_URL`: role `rialto_owner`; needed by `migrate`, and by `serve` when it is to migrate.
    pub owner_url: Option<SecretString>,
    /// `REDIS_URL`. Not supported yet: setting it is refused rather than ignored.
    pub redis_url: Option<SecretString>,
    /// `KAFKA_BROKERS`. Not supported yet: setting it is refused rather than ignored.
    pub kafka_brokers: Option<String>,
    /// Connections for requests.
    pub connections: u32,
    /// Writers of messages, each with a connection of its own; 0 means one per two CPUs, at most four.
    pub writers: u16,
    /// How long a request waits for a connection before it is told that the server is busy.
    pub acquire_timeout: Span,
    /// The longest statement that a request may run.
    pub statement_timeout: Span,
    /// Work that may wait for the database runtime before callers are told that the server is busy.
    pub queue: usize,
}

impl Default for Store {
    fn default() -> Self {
        Self {
            url: None,
            platform_url: None,
            owner_url: None,
            redis_url: None,
            kafka_brokers: None,
            connections: 16,
            writers: 0,
            acquire_timeout: Span::from_secs(5),
            statement_timeout: Span::from_secs(15),
            queue: 4_096,
        }
    }
}

impl Store {
    /// Writers to start: as configured, else by CPUs. Where PostgreSQL has to share few CPUs with this program, more writers only make
    /// smaller batches, and each batch costs as much as ten posts.
    pub fn writer_count(&self) -> usize {
        if self.writers > 0 {
            return usize::from(self.writers);
        }
        (std::thread::available_parallelism().map_or(1, std::num::NonZero::get) / 2).clamp(1, 4)
    }

    /// Whether the store is this program's own cluster under the data directory.
    pub fn is_embedded(&self) -> bool {
        self.url.is_none()
    }

    /// The URLs of a store that is not embedded; `None` when it is. [`Store::check`] has made sure that all are there.
    pub fn external_urls(&self) -> Option<StoreUrls> {
        let app = self.url.clone()?;
        let platform = self.platform_url.clone()?;
        let owner = self.owner_url.clone()?;
        Some(StoreUrls { app, platform, owner })
    }

    pub(super) fn check(&self, refusals: &mut Vec<String>) {
        if self.redis_url.is_some() {
            refusals
                .push("store.redis_url (REDIS_URL): Redis is not supported yet; unset it, one node needs none".into());
        }
        if self.kafka_brokers.is_some() {
            refusals.push("store.kafka_brokers (KAFKA_BROKERS): Kafka is not supported yet; unset it".into());
        }
        self.check_urls(refusals);
        if self.connections == 0 {
            refusals.push("store.connections: at least 1 is needed".into());
        }
        if self.queue == 0 {
            refusals.push("store.queue: at least 1 is needed".into());
        }
    }

    fn check_urls(&self, refusals: &mut Vec<String>) {
        let urls = [
            ("store.url (DATABASE_URL)", &self.url),
            ("store.platform_url (DATABASE_PLATFORM_URL)", &self.platform_url),
            ("store.owner_url (DATABASE_OWNER_URL)", &self.owner_url),
        ];
        // The value is never repeated: it holds a password.
        for (name, url) in &urls {
            if let Some(url) = url
                && !is_postgres_url(url.expose_secret())
            {
                refusals.push(format!("{name}: not a `postgres://…` URL"));
            }
        }
        let given: Vec<_> = urls.iter().filter(|(_, url)| url.is_some()).map(|(name, _)| *name).collect();
        if !given.is_empty() && given.len() < urls.len() {
            let missing: Vec<_> = urls.iter().filter(|(_, url)| url.is_none()).map(|(name, _)| *name).collect();
            refusals.push(format!(
                "{} is set but {} is not: an external database needs the three roles' URLs, the embedded store none",
                given.join(", "),
                missing.join(", ")
            ));
        }
    }
}

fn is_postgres_url(url: &str) -> bool {
    url.starts_with("postgres://") || url.starts_with("postgresql://")
}
