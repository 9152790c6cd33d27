//! POST /v1/auth/verify, /v1/auth/verify/resend

use actix_web::web::Data;
use actix_web::{HttpResponse, post};
use serde::Deserialize;

use crate::http::{Caller, Edge, Json, Problem, Tenant};

#[derive(Deserialize, utoipa::ToSchema)]
pub struct Verify {
    /// From the mailed link.
    token: String,
}

/// Proves an e-mail address by a mailed link.
#[utoipa::path(tag = "auth", request_body = Verify, responses(
    (status = 204, description = "proven"),
    (status = 422, description = "spent or expired", body = Problem),
))]
#[post("/v1/auth/verify")]
pub async fn verify(edge: Data<Edge>, tenant: Tenant, body: Json<Verify>) -> Result<HttpResponse, Problem> {
    let accounts = edge.accounts.clone();
    edge.db.run(async move { accounts.verify_email(&tenant.0, &body.0.token).await }).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Mails the link again, unless the address is proven.
#[utoipa::path(tag = "auth", security(("bearer" = [])), responses(
    (status = 202, description = "a mail is on its way"),
    (status = 401, description = "not signed in", body = Problem),
    (status = 429, description = "too many", body = Problem),
))]
#[post("/v1/auth/verify/resend")]
pub async fn resend(edge: Data<Edge>, tenant: Tenant, caller: Caller) -> Result<HttpResponse, Problem> {
    let accounts = edge.accounts.clone();
    edge.db.run(async move { accounts.resend_verification(&tenant.0, &caller.0).await }).await?;
    Ok(HttpResponse::Accepted().finish())
}
