//! POST /v1/auth/password/forgot, /reset, /change

use actix_web::web::Data;
use actix_web::{HttpResponse, post};
use serde::Deserialize;

use crate::domain::identity::{Email, Password};
use crate::http::address::Client;
use crate::http::{Edge, Json, Problem, SignedIn, Tenant};

#[derive(Deserialize, utoipa::ToSchema)]
pub struct Forgot {
    email: String,
}

/// Mails a link for a new password, if there is such an account; the answer is the same if not.
#[utoipa::path(tag = "auth", request_body = Forgot, responses(
    (status = 202, description = "a mail is on its way, if the account exists"),
    (status = 422, description = "not an address", body = Problem),
    (status = 429, description = "too many", body = Problem),
))]
#[post("/v1/auth/password/forgot")]
pub async fn forgot(
    edge: Data<Edge>,
    tenant: Tenant,
    client: Client,
    body: Json<Forgot>,
) -> Result<HttpResponse, Problem> {
    let email = Email::parse(&body.0.email)?;
    edge.accounts.admit_mail_request(&client.0.address)?;
    let (accounts, db) = (edge.accounts.clone(), edge.db.clone());
    // Answered before the work: its time would tell whether the account exists.
    edge.db.runtime().spawn(async move {
        if let Err(error) = db.run(async move { accounts.forgot(&tenant.0, &email).await }).await {
            tracing::warn!(%error, "a reset mail could not be queued");
        }
    });
    Ok(HttpResponse::Accepted().finish())
}

#[derive(Deserialize, utoipa::ToSchema)]
pub struct Reset {
    /// From the mailed link.
    token: String,
    password: String,
}

/// Sets a new password by a mailed link; all sessions end.
#[utoipa::path(tag = "auth", request_body = Reset, responses(
    (status = 204, description = "changed"),
    (status = 422, description = "spent or expired link, or too short a password", body = Problem),
))]
#[post("/v1/auth/password/reset")]
pub async fn reset(edge: Data<Edge>, tenant: Tenant, body: Json<Reset>) -> Result<HttpResponse, Problem> {
    let Json(Reset { token, password }) = body;
    let password = Password::parse("password", &password, edge.config.auth.password_min_chars)?;
    let accounts = edge.accounts.clone();
    edge.db.run(async move { accounts.reset(&tenant.0, &token, &password).await }).await?;
    Ok(HttpResponse::NoContent().finish())
}

#[derive(Deserialize, utoipa::ToSchema)]
pub struct Change {
    current_password: String,
    new_password: String,
}

/// Sets a new password; the other sessions end, and this one's access token has to be refreshed.
#[utoipa::path(tag = "auth", request_body = Change, security(("bearer" = [])), responses(
    (status = 204, description = "changed"),
    (status = 401, description = "not signed in", body = Problem),
    (status = 422, description = "wrong or too short a password", body = Problem),
    (status = 429, description = "too many failures", body = Problem),
))]
#[post("/v1/auth/password/change")]
pub async fn change(edge: Data<Edge>, signed_in: SignedIn, body: Json<Change>) -> Result<HttpResponse, Problem> {
    let current = Password::to_compare(&body.0.current_password);
    let new = Password::parse("new_password", &body.0.new_password, edge.config.auth.password_min_chars)?;
    let accounts = edge.accounts.clone();
    edge.db.run(async move { accounts.change_password(&signed_in.token, &current, &new).await }).await?;
    Ok(HttpResponse::NoContent().finish())
}
