//! `rialto serve`: store, schema, server; and all of it down again within its bound.

use super::ready::{self, Part};
use super::{Failure, migrate};
use crate::config::Config;
use crate::infra::privileges;

pub fn run(config: Config) -> Result<(), Failure> {
    let descriptors = privileges::raise_descriptor_limit();
    let (mut config, store) = ready::open(config, Part::Server)?;
    let admission = &mut config.limits.admission;
    admission.connections_per_node = Some(admission.node_connections(descriptors));
    let urls = store.urls();
    migrate::apply(&urls.owner)?;
    store.check()?;
    let outcome = wait_for_the_end(&config, &urls);
    // Also after a failure: the cluster must not outlive us.
    store.stop();
    outcome
}

/// Stands where the server will.
fn wait_for_the_end(config: &Config, _urls: &crate::config::StoreUrls) -> Result<(), Failure> {
    tracing::info!(listen = %config.server.listen, "store and schema are ready; no server in this build yet");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        tokio::select! {
            interrupted = tokio::signal::ctrl_c() => interrupted,
            _ = terminate.recv() => Ok(()),
        }
    })?;
    Ok(())
}
