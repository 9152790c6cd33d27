//! POST /v1/auth/register

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpResponse, post};
use serde::Deserialize;

use super::answer;
use crate::domain::identity::{DisplayName, Email, Handle, NewAccount, Password};
use crate::http::address::Client;
use crate::http::{Edge, Json, Problem, Tenant};

#[derive(Deserialize, utoipa::ToSchema)]
pub struct Register {
    email: String,
    password: String,
    display_name: Option<String>,
    /// What others mention you by; made of the name when not given.
    handle: Option<String>,
}

/// Makes an account and signs it in.
#[utoipa::path(tag = "auth", request_body = Register, responses(
    (status = 201, description = "signed in", body = answer::SignedInAnswer),
    (status = 409, description = "address or handle taken", body = Problem),
    (status = 422, description = "a field is not acceptable", body = Problem),
    (status = 429, description = "too many new accounts", body = Problem),
))]
#[post("/v1/auth/register")]
pub async fn register(
    edge: Data<Edge>,
    tenant: Tenant,
    client: Client,
    body: Json<Register>,
) -> Result<HttpResponse, Problem> {
    let Json(body) = body;
    let new = NewAccount {
        email: Email::parse(&body.email)?,
        password: Some(Password::parse("password", &body.password, edge.config.auth.password_min_chars)?),
        display_name: body.display_name.as_deref().map(DisplayName::parse).transpose()?,
        handle: body.handle.as_deref().map(Handle::parse).transpose()?,
    };
    let accounts = edge.accounts.clone();
    let session = edge.db.run(async move { accounts.register(&tenant.0, new, &client.0).await }).await?;
    Ok(answer::signed_in(&edge.config, StatusCode::CREATED, session))
}
