//! `rialto doctor`: looks at everything that a start depends on, and says what is wrong; `doctor restore-done` after a backup was
//! restored.

use std::time::Instant;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::accounts::with_accounts;
use super::ready::{self, Part};
use super::{Failure, say};
use crate::config::Config;
use crate::domain::tenancy::verbs;
use crate::infra::pg::Pg;
use crate::infra::privileges;
use crate::kernel::{Clock, TenantId, page};

#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Say that a backup was restored or the end of history lost: clients read anew instead of going on from where they were
    RestoreDone(RestoreDone),
}

#[derive(Debug, Args)]
pub struct RestoreDone {
    /// Only this tenant, by slug or id [default: all]
    #[arg(long)]
    tenant: Option<String>,
}

pub fn run(config: Config, verb: Option<Verb>) -> Result<(), Failure> {
    match verb {
        Some(Verb::RestoreDone(asked)) => restore_done(config, &asked),
        None => look(config),
    }
}

fn look(config: Config) -> Result<(), Failure> {
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

fn restore_done(config: Config, asked: &RestoreDone) -> Result<(), Failure> {
    let (config, store) = ready::open(config, Part::Beside)?;
    let urls = store.urls();
    let work = || with_accounts(&config, &urls, async |_, pg| cut_histories(&pg, asked.tenant.as_deref()).await);
    let outcome = store.migrate_if_alone().and_then(|()| work());
    store.stop();
    say(serde_json::to_string_pretty(&outcome?)?);
    Ok(())
}

/// One tenant after the other, so that a run that was cut off has finished some and can be repeated.
async fn cut_histories(pg: &Pg, named: Option<&str>) -> Result<Value, Failure> {
    let started = Instant::now();
    let (mut tenants, mut streams) = (0, 0);
    let mut cut = async |tenant| -> Result<(), Failure> {
        streams += verbs::restored(pg, tenant, &Clock::System).await?;
        tenants += 1;
        Ok(())
    };
    if let Some(named) = named {
        cut(verbs::get(pg, named).await?.id).await?;
    } else {
        cut(TenantId::PLATFORM).await?;
        let mut after = Some(String::new());
        while let Some(slug) = after {
            let page = verbs::list(pg, &slug, page::LIMIT_MAX).await?;
            for tenant in page.items {
                cut(tenant.id).await?;
            }
            after = page.next_cursor;
        }
    }
    let ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    Ok(json!({ "tenants": tenants, "streams": streams, "duration_ms": ms }))
}
