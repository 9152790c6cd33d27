//! What every verb needs before its own work: a log, no root's rights, a data directory, a store.

use std::path::PathBuf;
use std::time::Instant;

use super::{Failure, logging, migrate, say};
use crate::config::{Config, StoreUrls};
use crate::infra::boot_check;
use crate::infra::data_dir::DataDir;
use crate::infra::embedded::Embedded;
use crate::infra::privileges;

/// The store that a verb works with.
#[derive(Debug)]
pub enum Store {
    Embedded(Embedded),
    /// A database elsewhere; the lock still keeps a second server off keys and files.
    External(StoreUrls, #[expect(dead_code, reason = "held, not read")] Option<DataDir>),
}

/// Whether the verb is the server, or does something beside a server that may be running.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    Server,
    Beside,
}

impl Store {
    /// URLs of the three roles.
    pub fn urls(&self) -> StoreUrls {
        match self {
            Self::Embedded(embedded) => embedded.urls(),
            Self::External(urls, _) => urls.clone(),
        }
    }

    /// Brings the schema up to date where nobody else does it: beside a running server its policies would be replaced under load, and
    /// an external database is migrated by `serve` and `migrate` alone.
    pub fn migrate_if_alone(&self) -> Result<(), Failure> {
        match self {
            Self::Embedded(embedded) if !embedded.is_joined() => migrate::apply(&embedded.urls().owner),
            _ => Ok(()),
        }
    }

    /// Refuses a database that cannot keep the server's promises.
    pub fn check(&self) -> Result<(), Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(runtime.block_on(boot_check::check(&self.urls()))?)
    }

    /// Stops what is ours.
    pub fn stop(self) {
        if let Self::Embedded(embedded) = self {
            embedded.stop();
        }
    }
}

/// Prepares the process and opens the store. Call it before any thread starts.
///
/// The configuration comes back with the data directory that is really used.
pub fn open(config: Config, part: Part) -> Result<(Config, Store), Failure> {
    logging::start(&config.log)?;
    let mut config = config;
    config.server.data_dir = settle(&config, part)?;
    let store = match config.store.external_urls() {
        Some(urls) => {
            let lock = if part == Part::Server { Some(DataDir::lock(&config.server.data_dir)?) } else { None };
            Store::External(urls, lock)
        }
        None => Store::Embedded(open_embedded(&config, part)?),
    };
    Ok((config, store))
}

fn settle(config: &Config, part: Part) -> Result<PathBuf, Failure> {
    let settled = privileges::settle(&config.server.data_dir)?;
    for note in &settled.notes {
        match part {
            Part::Server => say(note),
            // The answers of the other verbs may be read by programs.
            Part::Beside => tracing::info!("{note}"),
        }
    }
    Ok(settled.data_dir)
}

fn open_embedded(config: &Config, part: Part) -> Result<Embedded, Failure> {
    let started = Instant::now();
    let embedded = match part {
        Part::Server => Embedded::start(&config.server.data_dir)?,
        Part::Beside => Embedded::start_or_join(&config.server.data_dir)?,
    };
    let ms = started.elapsed().as_millis();
    tracing::info!(adopted = embedded.was_adopted(), duration_ms = %ms, "the embedded store is ready");
    Ok(embedded)
}
