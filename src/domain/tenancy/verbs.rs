//! What is done to tenants. Making one whole (with its first admin) is `identity::provision`; here are the parts that need no people.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::audit::{self, Entry};
use super::{Slug, State, TenancyError, Tenant, rules, store};
use crate::domain::events;
use crate::infra::bus::News;
use crate::infra::pg::{Pg, PgError, TenantTx};
use crate::kernel::page::Page;
use crate::kernel::{Clock, TenantId, UserId};

pub use store::Counts;

/// A tenant's own words, checked.
#[derive(Debug)]
pub struct NewTenant {
    pub slug: Slug,
    pub name: String,
    pub plan: String,
    pub admin_email: String,
    pub settings: Value,
}

const NAME_CHARS_MAX: usize = 100;

/// Brings a name into shape.
///
/// # Errors
/// [`TenancyError::BadName`].
pub fn parse_name(text: &str) -> Result<String, TenancyError> {
    let name = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let fits = !name.is_empty() && name.chars().count() <= NAME_CHARS_MAX && !name.contains(char::is_control);
    if fits { Ok(name) } else { Err(TenancyError::BadName) }
}

/// Who did something, and when. `None`: the operator's command.
#[derive(Debug, Clone, Copy)]
pub struct By {
    pub actor: Option<UserId>,
    pub at: DateTime<Utc>,
}

/// Writes a new tenant's row, in state `provisioning`.
///
/// # Errors
/// [`TenancyError::SlugTaken`], [`TenancyError::Full`], and those of the database.
pub async fn create(pg: &Pg, new: &NewTenant, tenants_max: u32, by: By) -> Result<TenantId, TenancyError> {
    let mut tx = pg.platform().await?;
    let count = store::count(&mut tx).await?;
    tx.commit().await?;
    if count >= u64::from(tenants_max) {
        return Err(TenancyError::Full);
    }
    let id = TenantId::generate();
    insert(pg, id, new.slug.as_str(), new, by).await?;
    Ok(id)
}

async fn insert(pg: &Pg, id: TenantId, slug: &str, new: &NewTenant, by: By) -> Result<(), TenancyError> {
    let mut tx = pg.tenant(id).await?;
    let (name, plan, admin_email, settings) = (&new.name, &new.plan, &new.admin_email, &new.settings);
    store::insert(&mut tx, &store::New { id, slug, name, plan, admin_email, settings, at: by.at }).await?;
    note(&mut tx, by, "tenant.created", json!({ "plan": new.plan })).await?;
    tx.commit().await?;
    Ok(())
}

async fn note(tx: &mut TenantTx, by: By, action: &'static str, detail: Value) -> Result<(), TenancyError> {
    let target = format!("tenant:{}", tx.tenant());
    audit::record(tx, by.at, Entry { actor: by.actor, action, target, detail }).await?;
    Ok(())
}

/// Makes the reserved tenant of the people who run the deployment, where it is missing. Called at every start.
///
/// # Errors
/// Those of the database.
pub async fn ensure_platform(pg: &Pg, at: DateTime<Utc>) -> Result<(), TenancyError> {
    let mut tx = pg.tenant(TenantId::PLATFORM).await?;
    let there = store::lock(&mut tx).await?;
    tx.commit().await?;
    if there.is_some() {
        return Ok(());
    }
    let words = |text: &str| text.to_owned();
    let slug = Slug::parse("reserved").ok_or(TenancyError::BadSlug)?;
    let (name, plan, admin_email) = (words("Platform"), words("enterprise"), words("operator@localhost"));
    let new = NewTenant { slug, name, plan, admin_email, settings: json!({}) };
    let by = By { actor: None, at };
    match insert(pg, TenantId::PLATFORM, Slug::PLATFORM, &new, by).await {
        // Another node was faster.
        Err(TenancyError::SlugTaken) => return Ok(()),
        done => done?,
    }
    let mut tx = pg.tenant(TenantId::PLATFORM).await?;
    store::set_state(&mut tx, State::Active, None, at).await?;
    tx.commit().await?;
    Ok(())
}

/// The state of a tenant and the last finished step of its provisioning, locked until the transaction ends.
///
/// # Errors
/// [`TenancyError::NotFound`], and those of the database.
pub async fn lock(tx: &mut TenantTx) -> Result<(State, String), TenancyError> {
    store::lock(tx).await?.ok_or(TenancyError::NotFound)
}

/// Takes the tenant's turn at counting people, until the end of the transaction: of two who come at once for the last place one is
/// refused. Take it before rows of people are locked, and only where a plan has a bound.
///
/// # Errors
/// Those of the database.
pub async fn take_turn(tx: &mut TenantTx) -> Result<(), PgError> {
    store::take_turn(tx).await
}

/// Notes a finished step of provisioning, in the transaction of the step.
///
/// # Errors
/// Those of the database.
pub async fn finish_step(tx: &mut TenantTx, step: &str, at: DateTime<Utc>) -> Result<(), TenancyError> {
    Ok(store::set_step(tx, step, at).await?)
}

/// Gives the tenant a host.
///
/// # Errors
/// [`TenancyError::HostTaken`], and those of the database.
pub async fn add_host(tx: &mut TenantTx, host: &str) -> Result<(), TenancyError> {
    store::insert_host(tx, host).await
}

/// Moves a tenant to another state, where that is legal; nodes hear of it within a second.
///
/// # Errors
/// [`TenancyError::IllegalMove`], [`TenancyError::Reserved`], [`TenancyError::NotFound`], and those of the database.
pub async fn change_state(pg: &Pg, id: TenantId, to: State, reason: Option<&str>, by: By) -> Result<(), TenancyError> {
    if id == TenantId::PLATFORM {
        return Err(TenancyError::Reserved);
    }
    let mut tx = pg.tenant(id).await?;
    let (from, _) = lock(&mut tx).await?;
    rules::move_to(from, to)?;
    store::set_state(&mut tx, to, reason, by.at).await?;
    let action = match to {
        State::Active if from == State::Suspended => "tenant.resumed",
        State::Active => "tenant.activated",
        State::Suspended => "tenant.suspended",
        State::Terminated => "tenant.terminated",
        State::Provisioning => "tenant.created",
    };
    note(&mut tx, by, action, json!({ "reason": reason })).await?;
    tx.announce(News::TenantChanged { tenant: id });
    tx.commit().await?;
    Ok(())
}

/// Says that a tenant's history was cut: its streams get new epochs, so that no position from before is recovered from, and running
/// nodes begin anew with it. Answers how many streams there are. May be repeated.
///
/// # Errors
/// [`TenancyError::NotFound`], and those of the database.
pub async fn restored(pg: &Pg, id: TenantId, clock: &Clock) -> Result<u64, TenancyError> {
    let streams = events::renew_epochs(pg, id).await?;
    let mut tx = pg.tenant(id).await?;
    lock(&mut tx).await?;
    // Not from before the streams, which can take minutes: nodes look for what changed lately.
    let by = By { actor: None, at: clock.now() };
    store::set_restored(&mut tx, by.at).await?;
    note(&mut tx, by, "tenant.restored", json!({ "streams": streams })).await?;
    tx.announce(News::HistoryCut { tenant: id });
    tx.commit().await?;
    Ok(streams)
}

/// A tenant by slug or id.
///
/// # Errors
/// [`TenancyError::NotFound`], and those of the database.
pub async fn get(pg: &Pg, slug_or_id: &str) -> Result<Tenant, TenancyError> {
    let mut tx = pg.platform().await?;
    let id = match slug_or_id.parse() {
        Ok(id) => Some(id),
        Err(_) => store::find_by_slug(&mut tx, slug_or_id).await?,
    };
    let Some(id) = id else { return Err(TenancyError::NotFound) };
    let tenant = store::find(&mut tx, id).await?.ok_or(TenancyError::NotFound)?;
    tx.commit().await?;
    Ok(tenant)
}

/// What a tenant holds.
///
/// # Errors
/// Those of the database.
pub async fn counts(pg: &Pg, id: TenantId) -> Result<Counts, TenancyError> {
    let mut tx = pg.tenant(id).await?;
    let counts = store::counts(&mut tx).await?;
    tx.commit().await?;
    Ok(counts)
}

/// A page of all tenants, by slug; the cursor is a slug.
///
/// # Errors
/// Those of the database.
pub async fn list(pg: &Pg, after: &str, limit: u32) -> Result<Page<Tenant>, TenancyError> {
    let mut tx = pg.platform().await?;
    let items = store::list(&mut tx, &after.replace('\0', ""), i64::from(limit) + 1).await?;
    tx.commit().await?;
    Ok(Page::cut(items, limit, |tenant| tenant.slug.to_string()))
}
