//! Which tenant a request is for. The host decides where it names one; only elsewhere is `Rialto-Tenant` read, then the default.

use std::net::IpAddr;
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::http::header::HOST;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;

use super::{Edge, Problem};
use crate::config::Config;
use crate::domain::tenancy::{self, Name, State, TenancyError};

/// The header that names a tenant by slug, on hosts that name none.
pub const HEADER: &str = "Rialto-Tenant";

/// The tenant that a request is for; active, or the request is refused.
#[derive(Debug, Clone)]
pub struct Tenant(pub Arc<tenancy::Tenant>);

impl FromRequest for Tenant {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let req = req.clone();
        async move {
            let tenant = resolve(&req).await?;
            match tenant.0.state {
                State::Active => Ok(tenant),
                State::Suspended => Err(TenancyError::Suspended.into()),
                State::Terminated => Err(TenancyError::Terminated.into()),
                State::Provisioning => Err(TenancyError::NotReady.into()),
            }
        }
        .boxed_local()
    }
}

/// The tenant whatever its state; found once per request.
pub(super) async fn resolve(req: &HttpRequest) -> Result<Tenant, Problem> {
    if let Some(known) = req.extensions().get::<Tenant>() {
        return Ok(known.clone());
    }
    let edge = req.app_data::<Data<Edge>>().ok_or_else(Problem::not_found)?;
    let header = req.headers().get(HEADER).map(|value| value.to_str().unwrap_or_default());
    let Some(name) = name_of(&edge.config, host_of(req), header) else { return Err(TenancyError::UnknownHost.into()) };
    let named_by_host = matches!(name, Name::Host(_)) || edge.config.server.base_domain.is_some() && header.is_none();
    let tenant = match edge.tenants.recall(&name) {
        Some(tenant) => tenant,
        None => {
            let (tenants, pg) = (edge.tenants.clone(), edge.db.pg().clone());
            let found = edge.db.run(async move { tenants.find(&pg, name).await }).await;
            found.map_err(|error| match error {
                TenancyError::NotFound if named_by_host => TenancyError::UnknownHost,
                error => error,
            })?
        }
    };
    let tenant = Tenant(tenant);
    req.extensions_mut().insert(tenant.clone());
    Ok(tenant)
}

/// The tenant that the host or the header names; `None` where neither does. A socket's token then says which one it is.
pub(super) async fn named_by(req: &HttpRequest) -> Result<Option<Tenant>, Problem> {
    let edge = req.app_data::<Data<Edge>>().ok_or_else(Problem::not_found)?;
    if names_none(&edge.config, host_of(req)) && !req.headers().contains_key(HEADER) {
        return Ok(None);
    }
    resolve(req).await.map(Some)
}

/// The host that the client meant, lower case and without port. Not from forwarding headers: anybody may write those.
pub(super) fn host_of(req: &HttpRequest) -> &str {
    let host = req.headers().get(HOST).and_then(|value| value.to_str().ok()).unwrap_or_default();
    without_port(host)
}

pub(super) fn without_port(host: &str) -> &str {
    match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    }
}

/// How the request names its tenant; `None` when it names none and there is no default.
fn name_of(config: &Config, host: &str, header: Option<&str>) -> Option<Name> {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    if let Some(base) = &config.server.base_domain
        && let Some(slug) = host.strip_suffix(base.as_str()).and_then(|rest| rest.strip_suffix('.'))
    {
        return Some(Name::Slug(slug.into()));
    }
    if !names_none(config, &host) {
        return Some(Name::Host(host.into()));
    }
    let slug = header.map(str::to_owned).or_else(|| default_of(config))?;
    Some(Name::Slug(slug.into()))
}

/// Hosts that belong to the deployment as a whole.
fn names_none(config: &Config, host: &str) -> bool {
    let own = config.server.public_url();
    let own = own.split("://").nth(1).map(without_port);
    host.is_empty()
        || host == "localhost"
        || host.parse::<IpAddr>().is_ok()
        || Some(host) == own
        || config.server.base_domain.as_deref() == Some(host)
}

/// The tenant that no name means; with `--demo` on loopback the demo's.
fn default_of(config: &Config) -> Option<String> {
    let demo = config.server.demo && config.server.listen.ip().is_loopback();
    config.tenancy.default_tenant.clone().or_else(|| demo.then(|| "demo".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(config: &Config, host: &str, header: Option<&str>) -> Option<String> {
        Some(match name_of(config, without_port(host), header)? {
            Name::Slug(slug) => format!("slug {slug}"),
            Name::Host(host) => format!("host {host}"),
        })
    }

    #[test]
    fn a_host_that_names_a_tenant_wins_over_the_header() {
        let mut config = Config::default();
        config.server.base_domain = Some("example.org".into());
        config.server.base_url = Some("https://chat.test:8443".into());

        assert_eq!(named(&config, "Acme.example.org:8080", Some("other")).unwrap(), "slug acme");
        assert_eq!(named(&config, "acme.com", Some("other")).unwrap(), "host acme.com");
        for host in ["example.org", "chat.test:8443", "127.0.0.1:80", "[::1]:80", "localhost", ""] {
            assert_eq!(named(&config, host, Some("other")).unwrap(), "slug other", "{host}");
        }
        assert_eq!(named(&config, "notexample.org", None).unwrap(), "host notexample.org");
    }

    #[test]
    fn the_default_is_asked_last_and_is_the_demos_on_loopback_only() {
        let mut config = Config::default();
        assert_eq!(named(&config, "localhost", None), None);
        config.server.demo = true;
        assert_eq!(named(&config, "localhost", None).unwrap(), "slug demo");
        config.server.listen = "0.0.0.0:80".parse().unwrap();
        assert_eq!(named(&config, "localhost", None), None);
        config.tenancy.default_tenant = Some("acme".into());
        assert_eq!(named(&config, "localhost", None).unwrap(), "slug acme");
    }
}
