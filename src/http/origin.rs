//! Where a browser's request comes from. Cookies travel between a deployment's subdomains, which are one site to a browser but different
//! tenants: so what a cookie authorises needs the own `Origin`.

use actix_web::HttpRequest;
use actix_web::http::header::{HOST, ORIGIN};

use super::Problem;
use crate::config::Config;

/// Refuses a request of another page, or one that does not say which page it is of.
///
/// # Errors
/// `foreign_origin`.
pub fn require_own(req: &HttpRequest, config: &Config) -> Result<(), Problem> {
    let header = |name| req.headers().get(name).and_then(|value| value.to_str().ok());
    let origin = header(ORIGIN).unwrap_or_default();
    if is_own(origin, header(HOST).unwrap_or_default(), config) {
        return Ok(());
    }
    Err(Problem::new("foreign_origin", "this needs the Origin header of the application's own page"))
}

/// Whether an origin is that of the host that was asked, or one that the operator allows.
#[must_use]
pub fn is_own(origin: &str, host: &str, config: &Config) -> bool {
    let scheme = if config.server.is_https() { "https" } else { "http" };
    let own = origin.split_once("://").is_some_and(|(given, rest)| {
        given.eq_ignore_ascii_case(scheme) && !rest.is_empty() && rest.eq_ignore_ascii_case(host)
    });
    own || config
        .server
        .allowed_origins
        .iter()
        .any(|allowed| allowed.trim_end_matches('/').eq_ignore_ascii_case(origin))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sister_tenants_page_is_not_the_own_one() {
        let mut config = Config::default();
        config.server.base_url = Some("https://example.org".into());
        config.server.allowed_origins = vec!["https://app.test".into()];
        assert!(is_own("https://acme.example.org", "acme.example.org", &config));
        assert!(is_own("https://app.test", "acme.example.org", &config));
        for origin in ["https://evil.example.org", "http://acme.example.org", "null", ""] {
            assert!(!is_own(origin, "acme.example.org", &config), "{origin}");
        }
    }
}
