//! `rialto demo`: the demo tenant, for a server that runs already or is yet to start.

use super::Failure;
use super::ready::{self, Part};
use crate::config::Config;

pub fn run(config: Config) -> Result<(), Failure> {
    let (config, store) = ready::open(config, Part::Beside)?;
    let outcome = store.migrate_if_alone().and_then(|()| seed(&config));
    store.stop();
    outcome
}

fn seed(_config: &Config) -> Result<(), Failure> {
    Err("the demo's seed is not part of this build yet".into())
}
