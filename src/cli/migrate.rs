//! `rialto migrate`: the schema up to date, for deployments that do it before the new servers start.

use secrecy::SecretString;

use super::ready::{self, Part};
use super::{Failure, say};
use crate::config::Config;
use crate::infra::pg;

pub fn run(config: Config) -> Result<(), Failure> {
    let (_, store) = ready::open(config, Part::Beside)?;
    let outcome = apply(&store.urls().owner);
    store.stop();
    outcome?;
    say("The schema is up to date.");
    Ok(())
}

/// Applies what is missing; safe to call from several processes at once.
pub fn apply(owner: &SecretString) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(pg::migrate(owner))?)
}
