//! Mail to people: written in the transaction of its cause, sent afterwards ([`super::postman`]).
//!
//! Links point to the tenant's stored host, never to one that a request named. Nothing here is ever logged.

use chrono::{DateTime, Utc};

use super::store;
use super::words::Email;
use crate::config::Config;
use crate::domain::tenancy::Tenant;
use crate::infra::pg::{PgError, TenantTx};

/// One mail, plain text.
pub struct Mail {
    pub recipient: String,
    pub subject: String,
    pub body: String,
}

/// Puts mail into the queue, in the caller's transaction.
///
/// # Errors
/// Those of the database.
pub(super) async fn queue(tx: &mut TenantTx, mail: &Mail, at: DateTime<Utc>) -> Result<(), PgError> {
    let id = store::mail::insert(tx, mail, at).await?;
    tracing::info!(tenant.id = %tx.tenant(), mail.id = %id, "mail was queued");
    Ok(())
}

pub(super) fn verification(config: &Config, tenant: &Tenant, to: &Email, token: &str) -> Mail {
    let link = link(config, tenant, "verify", token);
    let text = format!("Welcome to {}.\n\nConfirm that this is your address:\n{link}\n", tenant.name);
    compose(to, format!("Confirm your address for {}", tenant.name), &text)
}

pub(super) fn reset(config: &Config, tenant: &Tenant, to: &Email, token: &str) -> Mail {
    let link = link(config, tenant, "reset", token);
    let text = format!("Somebody, probably you, asked for a new password at {}.\n\nChoose one here:\n{link}\n", tenant.name);
    compose(to, format!("A new password for {}", tenant.name), &text)
}

pub(super) fn invitation_of_admin(config: &Config, tenant: &Tenant, to: &Email, token: &str) -> Mail {
    let link = link(config, tenant, "reset", token);
    let text = format!("{} is ready and you are its admin.\n\nChoose your password here:\n{link}\n", tenant.name);
    compose(to, format!("{} is ready", tenant.name), &text)
}

fn compose(to: &Email, subject: String, text: &str) -> Mail {
    let body = format!("{text}\nIf this was not you, you need not do anything.\n");
    Mail { recipient: to.as_str().to_owned(), subject, body }
}

/// A page of the application. The token stands behind `#`, so that it reaches no server log and no referrer.
fn link(config: &Config, tenant: &Tenant, page: &str, token: &str) -> String {
    format!("{}/{page}#token={token}", origin(config, tenant))
}

/// The tenant's own address: its host under the deployment's scheme and port, else the deployment's address.
#[must_use]
pub fn origin(config: &Config, tenant: &Tenant) -> String {
    let own = config.server.public_url();
    let under_base = config.server.base_domain.as_ref().map(|base| format!("{}.{base}", tenant.slug));
    let Some(host) = tenant.host.as_deref().map(str::to_owned).or(under_base) else { return own };
    let (scheme, authority) = own.split_once("://").unwrap_or(("http", &own));
    let port = authority.rsplit_once(':').filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit()));
    match port {
        Some((_, port)) => format!("{scheme}://{host}:{port}"),
        None => format!("{scheme}://{host}"),
    }
}
