//! `rialto serve`: store, schema, server; and all of it down again within its bound.

use super::ready::{self, Part};
use super::{Failure, demo, migrate, say};
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
    if config.server.demo {
        let seeded = demo::seed(&config, &urls)?;
        demo::show(&config, &seeded);
    }
    let outcome = crate::app::serve(&config, &urls, |edge| {
        if let Some(token) = &edge.mail_page_token {
            say(format!(
                "  Mail that this demo does not send: {}/dev/mail?token={token}\n",
                config.server.public_url()
            ));
        }
    });
    // Also after a failure: the cluster must not outlive us.
    store.stop();
    outcome
}
