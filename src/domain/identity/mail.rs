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

/// Where a mail's links lead, and what the place is called.
pub(super) struct Place {
    origin: String,
    name: String,
}

impl Place {
    pub(super) fn of(config: &Config, slug: &str, host: Option<&String>, name: &str) -> Self {
        Self { origin: origin(config, slug, host.map(String::as_str)), name: name.to_owned() }
    }

    pub(super) fn of_tenant(config: &Config, tenant: &Tenant) -> Self {
        Self { origin: origin(config, &tenant.slug, tenant.host.as_deref()), name: tenant.name.to_string() }
    }

    /// A page of the application. Pages send no referrer, and queries are not logged.
    fn link(&self, page: &str, token: &str) -> String {
        format!("{}/{page}?token={token}", self.origin)
    }
}

pub(super) fn verification(place: &Place, to: &Email, token: &str) -> Mail {
    let (name, link) = (&place.name, place.link("verify", token));
    let text = format!("Welcome to {name}.\n\nConfirm that this is your address:\n{link}\n");
    compose(to, format!("Confirm your address for {name}"), &text)
}

pub(super) fn reset(place: &Place, to: &Email, token: &str) -> Mail {
    let (name, link) = (&place.name, place.link("reset", token));
    let text = format!("Somebody, probably you, asked for a new password at {name}.\n\nChoose one here:\n{link}\n");
    compose(to, format!("A new password for {name}"), &text)
}

pub(super) fn invitation_of_admin(place: &Place, to: &Email, token: &str) -> Mail {
    let (name, link) = (&place.name, place.link("reset", token));
    let text = format!("{name} is ready and you are its admin.\n\nChoose your password here:\n{link}\n");
    compose(to, format!("{name} is ready"), &text)
}

fn compose(to: &Email, subject: String, text: &str) -> Mail {
    let body = format!("{text}\nIf this was not you, you need not do anything.\n");
    Mail { recipient: to.as_str().to_owned(), subject, body }
}

/// The tenant's own address: its host under the deployment's scheme and port, else the deployment's address.
#[must_use]
pub fn origin(config: &Config, slug: &str, host: Option<&str>) -> String {
    let own = config.server.public_url();
    let under_base = config.server.base_domain.as_ref().map(|base| format!("{slug}.{base}"));
    let Some(host) = host.map(str::to_owned).or(under_base) else { return own };
    let (scheme, authority) = own.split_once("://").unwrap_or(("http", &own));
    let port = authority.rsplit_once(':').filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit()));
    port.map_or_else(|| format!("{scheme}://{host}"), |(_, port)| format!("{scheme}://{host}:{port}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lead_to_the_stored_host_under_the_deployments_scheme_and_port() {
        let mut config = Config::default();
        assert_eq!(origin(&config, "acme", None), "http://127.0.0.1:8080");
        config.server.base_url = Some("https://chat.test:8443".into());
        config.server.base_domain = Some("example.org".into());
        assert_eq!(origin(&config, "acme", None), "https://acme.example.org:8443");
        assert_eq!(origin(&config, "acme", Some("acme.com")), "https://acme.com:8443");
    }
}
