//! What verbs beside a server need to work on tenants and people: a runtime, the pools, the accounts.

use std::sync::Arc;

use super::Failure;
use crate::app;
use crate::config::{Config, StoreUrls};
use crate::domain::identity::Accounts;
use crate::infra::pg::Pg;
use crate::kernel::Clock;

/// Runs `work` with accounts on a runtime of its own. News reaches nobody here: a running server notices changes of tenants by itself.
pub fn with_accounts<T>(
    config: &Config,
    urls: &StoreUrls,
    work: impl AsyncFnOnce(Accounts, Pg) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let config = Arc::new(config.clone());
    let db = app::open_store(&runtime, &config, urls)?;
    runtime.block_on(async {
        let accounts = app::open_accounts(&config, &Clock::System, &db).await?;
        let outcome = work(accounts, db.pg().clone()).await;
        db.pg().close().await;
        outcome
    })
}
