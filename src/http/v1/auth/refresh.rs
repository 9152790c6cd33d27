//! POST /v1/auth/refresh

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, post};
use serde::Deserialize;

use super::answer;
use crate::domain::identity::IdentityError;
use crate::http::address::Client;
use crate::http::{Edge, Json, Problem, Tenant, origin};

#[derive(Deserialize, utoipa::ToSchema)]
pub struct Refresh {
    /// Applications send it here, browsers as their cookie.
    refresh_token: Option<String>,
}

/// Exchanges a refresh token for the next pair; each can be used once.
#[utoipa::path(tag = "auth", request_body = Refresh, responses(
    (status = 200, description = "signed in", body = answer::SignedInAnswer),
    (status = 401, description = "spent, expired or revoked", body = Problem),
    (status = 403, description = "not from this origin", body = Problem),
))]
#[post("/v1/auth/refresh")]
pub async fn refresh(
    edge: Data<Edge>,
    tenant: Tenant,
    client: Client,
    req: HttpRequest,
    body: Json<Refresh>,
) -> Result<HttpResponse, Problem> {
    let token = take_token(&req, &edge, body.0.refresh_token)?.ok_or(IdentityError::Unauthorized)?;
    let accounts = edge.accounts.clone();
    let session = edge.db.run(async move { accounts.refresh(&tenant.0, &token, &client.0).await }).await?;
    Ok(answer::signed_in(&edge.config, StatusCode::OK, session))
}

/// The token of the body, else of the cookie; the latter for the own page only.
pub(super) fn take_token(req: &HttpRequest, edge: &Edge, sent: Option<String>) -> Result<Option<String>, Problem> {
    if sent.is_some() {
        return Ok(sent);
    }
    let cookie = answer::cookie_of(req, &edge.config);
    if cookie.is_some() {
        origin::require_own(req, &edge.config)?;
    }
    Ok(cookie)
}
