//! People of the tenant: finding them; roles and suspensions for those who may.

use actix_web::web::{Data, ServiceConfig};
use actix_web::{HttpResponse, get, post, put};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, OpenApi, ToSchema};

use crate::domain::identity::{Account, State};
use crate::http::{Caller, Edge, Json, Member, Path, Problem, Query, Tenant, TenantAdmin, TenantModerator};
use crate::kernel::page::{self, Page};
use crate::kernel::{Scope, TenantRole, UserId};

/// This resource's part of the description.
#[derive(OpenApi)]
#[openapi(paths(list, show, set_role, suspend, resume))]
pub struct Docs;

pub fn routes(app: &mut ServiceConfig) {
    app.service(list).service(show).service(set_role).service(suspend).service(resume);
}

/// Somebody as others see them; address and state for moderators only.
#[derive(Serialize, ToSchema)]
pub struct User {
    id: UserId,
    handle: String,
    display_name: String,
    bio: String,
    role: TenantRole,
    #[serde(serialize_with = "crate::kernel::clock::rfc3339")]
    created_at: DateTime<Utc>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<State>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
}

impl User {
    fn seen_by(scope: &Scope, account: Account) -> Self {
        let moderates = scope.role.moderates();
        Self {
            id: account.id,
            handle: account.handle,
            display_name: account.display_name,
            bio: account.bio,
            role: account.role,
            created_at: account.created_at,
            state: moderates.then_some(account.state),
            email: moderates.then_some(account.email),
        }
    }
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Search {
    /// What handle or name begin with.
    q: Option<String>,
    cursor: Option<String>,
    limit: Option<u32>,
}

/// People by the beginning of their handle or name.
#[utoipa::path(tag = "users", security(("bearer" = [])), responses(
    (status = 200, description = "a page of people", body = Page<User>),
    (status = 401, description = "not signed in", body = Problem),
))]
#[get("/v1/users")]
pub async fn list(edge: Data<Edge>, caller: Member, search: Query<Search>) -> Result<HttpResponse, Problem> {
    let Query(Search { q, cursor, limit }) = search;
    let (accounts, scope) = (edge.accounts.clone(), caller.0.clone());
    let (q, after) = (q.unwrap_or_default(), cursor.unwrap_or_default());
    let work = async move { accounts.list(&scope, &q, &after, page::limit(limit)).await };
    let found = edge.db.run(work).await?;
    let items = found.items.into_iter().map(|account| User::seen_by(&caller.0, account)).collect();
    Ok(HttpResponse::Ok().json(Page { items, next_cursor: found.next_cursor }))
}

/// One person.
#[utoipa::path(tag = "users", params(("id" = UserId, Path)), security(("bearer" = [])), responses(
    (status = 200, description = "the person", body = User),
    (status = 401, description = "not signed in", body = Problem),
    (status = 404, description = "nobody of this tenant", body = Problem),
))]
#[get("/v1/users/{id}")]
pub async fn show(edge: Data<Edge>, caller: Caller, id: Path<UserId>) -> Result<HttpResponse, Problem> {
    let (accounts, scope) = (edge.accounts.clone(), caller.0.clone());
    let account = edge.db.run(async move { accounts.get(&scope, id.0).await }).await?;
    Ok(HttpResponse::Ok().json(User::seen_by(&caller.0, account)))
}

#[derive(Deserialize, ToSchema)]
pub struct SetRole {
    role: TenantRole,
}

/// Gives somebody another role. For tenant admins.
#[utoipa::path(tag = "users", params(("id" = UserId, Path)), request_body = SetRole, security(("bearer" = [])), responses(
    (status = 200, description = "the person as they are now", body = User),
    (status = 403, description = "not permitted", body = Problem),
    (status = 404, description = "nobody of this tenant", body = Problem),
    (status = 409, description = "the last admin", body = Problem),
    (status = 429, description = "the plan has no seat left", body = Problem),
))]
#[put("/v1/users/{id}/role")]
pub async fn set_role(
    edge: Data<Edge>,
    tenant: Tenant,
    caller: TenantAdmin,
    id: Path<UserId>,
    body: Json<SetRole>,
) -> Result<HttpResponse, Problem> {
    let (accounts, scope) = (edge.accounts.clone(), caller.0.clone());
    let work = async move { accounts.set_role(&scope, &tenant.0, id.0, body.0.role).await };
    let account = edge.db.run(work).await?;
    Ok(HttpResponse::Ok().json(User::seen_by(&caller.0, account)))
}

/// Longest reason that is kept.
const REASON_CHARS_MAX: usize = 500;

#[derive(Deserialize, ToSchema)]
pub struct Suspend {
    reason: Option<String>,
}

/// Keeps somebody out; their connections end within a second. For moderators of the tenant.
#[utoipa::path(tag = "users", params(("id" = UserId, Path)), request_body = Suspend, security(("bearer" = [])), responses(
    (status = 200, description = "the person as they are now", body = User),
    (status = 403, description = "not permitted", body = Problem),
    (status = 404, description = "nobody of this tenant", body = Problem),
    (status = 409, description = "oneself", body = Problem),
))]
#[post("/v1/users/{id}/suspend")]
pub async fn suspend(
    edge: Data<Edge>,
    caller: TenantModerator,
    id: Path<UserId>,
    body: Json<Suspend>,
) -> Result<HttpResponse, Problem> {
    let (accounts, scope) = (edge.accounts.clone(), caller.0.clone());
    let reason =
        body.0.reason.map(|reason| reason.chars().filter(|c| *c != '\0').take(REASON_CHARS_MAX).collect::<String>());
    let work = async move { accounts.suspend(&scope, id.0, reason.as_deref()).await };
    let account = edge.db.run(work).await?;
    Ok(HttpResponse::Ok().json(User::seen_by(&caller.0, account)))
}

/// Lets somebody in again. For moderators of the tenant.
#[utoipa::path(tag = "users", params(("id" = UserId, Path)), security(("bearer" = [])), responses(
    (status = 200, description = "the person as they are now", body = User),
    (status = 403, description = "not permitted", body = Problem),
    (status = 404, description = "nobody of this tenant", body = Problem),
    (status = 409, description = "oneself", body = Problem),
))]
#[post("/v1/users/{id}/resume")]
pub async fn resume(edge: Data<Edge>, caller: TenantModerator, id: Path<UserId>) -> Result<HttpResponse, Problem> {
    let (accounts, scope) = (edge.accounts.clone(), caller.0.clone());
    let account = edge.db.run(async move { accounts.resume(&scope, id.0).await }).await?;
    Ok(HttpResponse::Ok().json(User::seen_by(&caller.0, account)))
}
