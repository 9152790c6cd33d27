//! POST /v1/auth/login

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpResponse, post};
use serde::Deserialize;

use super::answer;
use crate::domain::identity::{Email, IdentityError, Password};
use crate::http::address::Client;
use crate::http::{Edge, Json, Problem, Tenant};

#[derive(Deserialize, utoipa::ToSchema)]
pub struct Login {
    email: String,
    password: String,
}

/// Signs in.
#[utoipa::path(tag = "auth", request_body = Login, responses(
    (status = 200, description = "signed in", body = answer::SignedInAnswer),
    (status = 401, description = "address or password is wrong", body = Problem),
    (status = 403, description = "the account is suspended", body = Problem),
    (status = 429, description = "too many failures", body = Problem),
))]
#[post("/v1/auth/login")]
pub async fn login(
    edge: Data<Edge>,
    tenant: Tenant,
    client: Client,
    body: Json<Login>,
) -> Result<HttpResponse, Problem> {
    // What can not be an address has no account.
    let email = Email::parse(&body.0.email).map_err(|_| IdentityError::WrongCredentials)?;
    let password = Password::to_compare(&body.0.password);
    let accounts = edge.accounts.clone();
    let work = async move { accounts.login(&tenant.0, &email, &password, &client.0).await };
    let session = edge.db.run(work).await?;
    Ok(answer::signed_in(&edge.config, StatusCode::OK, session))
}
