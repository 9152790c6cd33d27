//! `rialto doctor`: looks at everything that a start depends on, and says what is wrong.

use super::ready::{self, Part};
use super::{Failure, say};
use crate::config::Config;
use crate::infra::privileges;

pub fn run(config: Config) -> Result<(), Failure> {
    say("configuration   ok");
    let descriptors = privileges::raise_descriptor_limit();
    let connections = config.limits.admission.node_connections(descriptors);
    say(format!("descriptors     {descriptors} files, {connections} sockets"));
    let (config, store) = ready::open(config, Part::Beside)?;
    say(format!("data directory  {}", config.server.data_dir.display()));
    let kind = match &store {
        ready::Store::Embedded(embedded) => format!("embedded; {}", embedded.psql_hint()),
        ready::Store::External(..) => "external".to_owned(),
    };
    say(format!("store           {kind}"));
    let outcome = examine(&store);
    store.stop();
    outcome
}

fn examine(store: &ready::Store) -> Result<(), Failure> {
    store.migrate_if_alone()?;
    say("schema          up to date");
    store.check()?;
    say("promises        durable; tenants kept apart by roles and row-level security");
    Ok(())
}
