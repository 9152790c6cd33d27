//! What verbs beside a server need to work on tenants and people: a runtime, the pools, the accounts.

use std::sync::Arc;

use secrecy::ExposeSecret;

use super::Failure;
use crate::config::{Config, StoreUrls};
use crate::domain::identity::{Accounts, Hasher, Keys, MasterKey};
use crate::infra::bus::Bus;
use crate::infra::pg::Pg;
use crate::kernel::Clock;

/// Runs `work` with accounts on a runtime of its own. News reaches nobody here: a running server notices changes of tenants by itself.
pub fn with_accounts<T>(
    config: &Config,
    urls: &StoreUrls,
    work: impl AsyncFnOnce(Accounts, Pg) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let config = Arc::new(config.clone());
        let clock = Clock::System;
        let pg = Pg::open(urls, &config.store, Bus::local())?;
        let master = match &config.auth.master_key {
            Some(text) => MasterKey::parse(text.expose_secret())?,
            None => MasterKey::of_data_dir(&config.server.data_dir)?,
        };
        let keys = Keys::open(&pg, &clock, &config.auth, config.server.public_url(), master).await?;
        let hasher = Hasher::new(&config.auth, 1, 64).map_err(|error| format!("argon2 refuses its cost: {error}"))?;
        let accounts = Accounts::new(pg.clone(), clock, config, hasher, Arc::new(keys));
        let outcome = work(accounts, pg.clone()).await;
        pg.close().await;
        outcome
    })
}
