//! `rialto tenant …`: the operator's hand on tenants. Answers are JSON on stdout, so that scripts can read them.

use std::path::PathBuf;
use std::time::Instant;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::accounts::with_accounts;
use super::ready::{self, Part};
use super::{Failure, absolute, say};
use crate::config::{Config, StoreUrls};
use crate::domain::identity::{Accounts, Email, Password, Wanted};
use crate::domain::tenancy::verbs::{self, By};
use crate::domain::tenancy::{Slug, State};
use crate::infra::pg::Pg;
use crate::kernel::{Clock, page, rng};

#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Make a tenant, or finish one that was left half made
    Provision(Provision),
    /// List all tenants
    List,
    /// Show one tenant: state, plan, counts
    Status(Named),
    /// Close a tenant to everybody until it is resumed; its people's sockets end within a second
    Suspend(Reasoned),
    /// Open a suspended tenant again
    Resume(Named),
    /// End a tenant for good
    Terminate(Reasoned),
    /// Make somebody an operator, who manages tenants over HTTP (`Rialto-Tenant: platform`), or give one a new password
    Operator(Operator),
}

#[derive(Debug, Args)]
pub struct Provision {
    /// YAML file with name, slug, plan, admin_email, admin_name, settings; flags win over it
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Name as people see it
    #[arg(long)]
    pub name: Option<String>,
    /// Short name in hosts and links: lower-case letters, digits, hyphens
    #[arg(long)]
    pub slug: Option<String>,
    /// Plan from the configuration [default: tenancy.default_plan]
    #[arg(long)]
    pub plan: Option<String>,
    /// Address of the first admin, who gets a mail with a link to set a password
    #[arg(long, value_name = "ADDRESS")]
    pub admin_email: Option<String>,
    /// The admin's name as others see it [default: made of the address]
    #[arg(long, value_name = "NAME")]
    pub admin_name: Option<String>,
    /// The admin's password; other users of this machine can see it in the list of processes: prefer the file, or the mailed link
    #[arg(long, value_name = "PASSWORD")]
    pub admin_password: Option<String>,
    /// Makes this many, <slug>-1, <slug>-2, …, one after the other
    #[arg(long)]
    pub count: Option<u32>,
    /// Text of the file, once read
    #[arg(skip)]
    pub config_text: Option<String>,
}

#[derive(Debug, Args)]
pub struct Operator {
    /// Address that they sign in with
    #[arg(long, value_name = "ADDRESS")]
    pub email: String,
    /// A random one is made and shown when not given
    #[arg(long)]
    pub password: Option<String>,
}

#[derive(Debug, Args)]
pub struct Named {
    /// Slug or id
    pub tenant: String,
}

#[derive(Debug, Args)]
pub struct Reasoned {
    /// Slug or id
    pub tenant: String,
    /// Why, for the audit log
    #[arg(long)]
    pub reason: Option<String>,
}

impl Verb {
    /// Reads the files that it names, while the process still has its caller's rights.
    pub fn read(self) -> Result<Self, Failure> {
        let Self::Provision(mut provision) = self else { return Ok(self) };
        if let Some(path) = &provision.config {
            let path = absolute(path)?;
            let text = std::fs::read_to_string(&path);
            provision.config_text = Some(text.map_err(|error| format!("cannot read {}: {error}", path.display()))?);
        }
        Ok(Self::Provision(provision))
    }
}

pub fn run(config: Config, verb: Verb) -> Result<(), Failure> {
    let (config, store) = ready::open(config, Part::Beside)?;
    let urls = store.urls();
    let outcome = store.migrate_if_alone().and_then(|()| perform(&config, &urls, &verb));
    store.stop();
    say(serde_json::to_string_pretty(&outcome?)?);
    Ok(())
}

fn perform(config: &Config, urls: &StoreUrls, verb: &Verb) -> Result<Value, Failure> {
    with_accounts(config, urls, async |accounts, pg| {
        let by = By { actor: None, at: Clock::System.now() };
        match verb {
            Verb::Provision(asked) => provision(&accounts, asked, by).await,
            Verb::List => list(&pg).await,
            Verb::Status(named) => status(&pg, &named.tenant).await,
            Verb::Suspend(asked) => change(&pg, &asked.tenant, State::Suspended, asked.reason.as_deref(), by).await,
            Verb::Resume(named) => change(&pg, &named.tenant, State::Active, None, by).await,
            Verb::Operator(asked) => operator(&accounts, asked).await,
            Verb::Terminate(asked) => change(&pg, &asked.tenant, State::Terminated, asked.reason.as_deref(), by).await,
        }
    })
}

/// One tenant, or `--count` of them numbered from 1 in this one process.
async fn provision(accounts: &Accounts, asked: &Provision, by: By) -> Result<Value, Failure> {
    let mut wanted: Wanted = match &asked.config_text {
        Some(text) => serde_saphyr::from_str(text)?,
        None => Wanted::default(),
    };
    wanted.name = asked.name.clone().unwrap_or(wanted.name);
    wanted.slug = asked.slug.clone().or(wanted.slug);
    wanted.plan = asked.plan.clone().or(wanted.plan);
    wanted.admin_email = asked.admin_email.clone().unwrap_or(wanted.admin_email);
    wanted.admin_name = asked.admin_name.clone().or(wanted.admin_name);
    wanted.admin_password = asked.admin_password.clone().or(wanted.admin_password);
    let Some(count) = asked.count else { return Ok(json!(accounts.provision(&wanted, by).await?)) };
    let slug = wanted.slug.clone().ok_or("--count needs --slug: the tenants are <slug>-1, <slug>-2, …")?;
    let (name, started) = (wanted.name.clone(), Instant::now());
    for number in 1..=count {
        wanted.slug = Some(format!("{slug}-{number}"));
        wanted.name = format!("{name} {number}");
        accounts.provision(&wanted, by).await?;
    }
    let ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    Ok(json!({ "provisioned": count, "duration_ms": ms }))
}

async fn operator(accounts: &Accounts, asked: &Operator) -> Result<Value, Failure> {
    let made = if asked.password.is_some() { None } else { Some(rng::token::<15>()) };
    let text = asked.password.as_deref().or(made.as_deref()).unwrap_or_default();
    accounts.make_platform_admin(&Email::parse(&asked.email)?, &Password::parse("password", text, 8)?).await?;
    Ok(json!({ "email": asked.email, "password": made, "tenant": Slug::PLATFORM }))
}

async fn list(pg: &Pg) -> Result<Value, Failure> {
    let mut items = Vec::new();
    let mut after = String::new();
    loop {
        let page = verbs::list(pg, &after, page::LIMIT_MAX).await?;
        items.extend(page.items);
        match page.next_cursor {
            Some(cursor) => after = cursor,
            None => return Ok(json!({ "items": items })),
        }
    }
}

async fn status(pg: &Pg, named: &str) -> Result<Value, Failure> {
    let tenant = verbs::get(pg, named).await?;
    let counts = verbs::counts(pg, tenant.id).await?;
    Ok(json!({ "tenant": tenant, "counts": counts }))
}

async fn change(pg: &Pg, named: &str, to: State, reason: Option<&str>, by: By) -> Result<Value, Failure> {
    let tenant = verbs::get(pg, named).await?;
    verbs::change_state(pg, tenant.id, to, reason, by).await?;
    status(pg, named).await
}
