//! GET and PATCH /v1/me

use actix_web::web::{Data, ServiceConfig};
use actix_web::{HttpResponse, get, patch};
use serde::Deserialize;
use utoipa::OpenApi;

use crate::domain::identity::{Account, Bio, DisplayName, Handle, ProfileChange};
use crate::http::{Caller, Edge, Json, Problem};

/// This resource's part of the description.
#[derive(OpenApi)]
#[openapi(paths(show, change))]
pub struct Docs;

pub fn routes(app: &mut ServiceConfig) {
    app.service(show).service(change);
}

/// The caller's own account.
#[utoipa::path(tag = "me", security(("bearer" = [])), responses(
    (status = 200, description = "the account", body = Account),
    (status = 401, description = "not signed in", body = Problem),
))]
#[get("/v1/me")]
pub async fn show(edge: Data<Edge>, caller: Caller) -> Result<HttpResponse, Problem> {
    let accounts = edge.accounts.clone();
    let account = edge.db.run(async move { accounts.get(&caller.0, caller.0.user).await }).await?;
    Ok(HttpResponse::Ok().json(account))
}

#[derive(Deserialize, utoipa::ToSchema)]
pub struct Change {
    display_name: Option<String>,
    handle: Option<String>,
    bio: Option<String>,
}

/// Changes what is given of the caller's profile.
#[utoipa::path(tag = "me", request_body = Change, security(("bearer" = [])), responses(
    (status = 200, description = "the account as it is now", body = Account),
    (status = 401, description = "not signed in", body = Problem),
    (status = 409, description = "the handle is taken", body = Problem),
    (status = 422, description = "a field is not acceptable", body = Problem),
))]
#[patch("/v1/me")]
pub async fn change(edge: Data<Edge>, caller: Caller, body: Json<Change>) -> Result<HttpResponse, Problem> {
    let Json(body) = body;
    let change = ProfileChange {
        display_name: body.display_name.as_deref().map(DisplayName::parse).transpose()?,
        handle: body.handle.as_deref().map(Handle::parse).transpose()?,
        bio: body.bio.as_deref().map(Bio::parse).transpose()?,
    };
    let accounts = edge.accounts.clone();
    let account = edge.db.run(async move { accounts.change_profile(&caller.0, &change).await }).await?;
    Ok(HttpResponse::Ok().json(account))
}
