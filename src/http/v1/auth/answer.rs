//! What signing in answers, and the cookie that keeps a browser signed in.

use std::sync::Arc;

use actix_web::cookie::time::Duration as CookieAge;
use actix_web::cookie::{Cookie, SameSite};
use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;

use crate::config::Config;
use crate::domain::identity::{Account, Session};
use crate::domain::tenancy;
use crate::kernel::TenantId;

/// Tokens, who they are for and where.
#[derive(Serialize, utoipa::ToSchema)]
pub struct SignedInAnswer {
    access_token: String,
    /// Always `Bearer`.
    #[schema(value_type = String)]
    token_type: &'static str,
    /// Seconds.
    expires_in: u64,
    /// For applications; browsers have it as a cookie that scripts can not read.
    refresh_token: String,
    user: Account,
    tenant: TenantAnswer,
}

/// A tenant as its people see it.
#[derive(Serialize, utoipa::ToSchema)]
pub struct TenantAnswer {
    id: TenantId,
    #[schema(value_type = String)]
    slug: Arc<str>,
    #[schema(value_type = String)]
    name: Arc<str>,
    #[schema(value_type = String)]
    plan: Arc<str>,
}

impl From<&tenancy::Tenant> for TenantAnswer {
    fn from(tenant: &tenancy::Tenant) -> Self {
        let [slug, name, plan] = [&tenant.slug, &tenant.name, &tenant.plan].map(Arc::clone);
        Self { id: tenant.id, slug, name, plan }
    }
}

/// The body and the cookie of a fresh or continued session.
pub fn signed_in(config: &Config, status: StatusCode, session: Session) -> HttpResponse {
    let cookie = Cookie::build(cookie_name(config), session.refresh_token.clone())
        .max_age(CookieAge::seconds(i64::try_from(session.refresh_expires_in.as_secs()).unwrap_or(i64::MAX)));
    let body = SignedInAnswer {
        access_token: session.access_token,
        token_type: "Bearer",
        expires_in: session.expires_in.as_secs(),
        refresh_token: session.refresh_token,
        tenant: TenantAnswer::from(&*session.tenant),
        user: session.account,
    };
    HttpResponse::build(status).cookie(finish(config, cookie)).insert_header(("Cache-Control", "no-store")).json(body)
}

/// Nothing, and the cookie taken away.
pub fn signed_out(config: &Config) -> HttpResponse {
    let cookie = Cookie::build(cookie_name(config), "").max_age(CookieAge::ZERO);
    HttpResponse::NoContent().cookie(finish(config, cookie)).finish()
}

/// The refresh token of a browser.
pub fn cookie_of(req: &HttpRequest, config: &Config) -> Option<String> {
    req.cookie(cookie_name(config)).map(|cookie| cookie.value().to_owned()).filter(|value| !value.is_empty())
}

/// `__Host-`: the browser takes it from this very host over https only, so that a sister tenant can not plant one.
fn cookie_name(config: &Config) -> &'static str {
    if config.server.is_https() { "__Host-rialto_refresh" } else { "rialto_refresh" }
}

fn finish<'c>(config: &Config, cookie: actix_web::cookie::CookieBuilder<'c>) -> Cookie<'c> {
    cookie.path("/").http_only(true).same_site(SameSite::Strict).secure(config.server.is_https()).finish()
}
