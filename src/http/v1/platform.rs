//! Tenants, for the people who run the deployment: `/v1/platform/…`, in the reserved tenant only.

use actix_web::web::{Data, ServiceConfig};
use actix_web::{HttpResponse, get, post};
use serde::Deserialize;
use utoipa::{IntoParams, OpenApi, ToSchema};

use crate::domain::identity::Wanted;
use crate::domain::tenancy::verbs::{self, By};
use crate::domain::tenancy::{self, State};
use crate::http::{Edge, Json, Path, PlatformAdmin, Problem, Query};
use crate::kernel::TenantId;
use crate::kernel::page::{self, Page};

/// This resource's part of the description.
#[derive(OpenApi)]
#[openapi(paths(list, provision, show, suspend, resume, terminate))]
pub struct Docs;

pub fn routes(app: &mut ServiceConfig) {
    app.service(list).service(provision).service(show).service(suspend).service(resume).service(terminate);
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Cursor {
    cursor: Option<String>,
    limit: Option<u32>,
}

/// All tenants.
#[utoipa::path(tag = "platform", security(("bearer" = [])), responses(
    (status = 200, description = "a page of tenants", body = Page<tenancy::Tenant>),
    (status = 403, description = "not permitted", body = Problem),
))]
#[get("/v1/platform/tenants")]
pub async fn list(edge: Data<Edge>, _caller: PlatformAdmin, query: Query<Cursor>) -> Result<HttpResponse, Problem> {
    let (pg, Query(Cursor { cursor, limit })) = (edge.db.pg().clone(), query);
    let after = cursor.unwrap_or_default();
    let tenants = edge.db.run(async move { verbs::list(&pg, &after, page::limit(limit)).await }).await?;
    Ok(HttpResponse::Ok().json(tenants))
}

/// Makes a tenant with its first admin, or finishes one left half made.
#[utoipa::path(tag = "platform", request_body = Wanted, security(("bearer" = [])), responses(
    (status = 201, description = "the tenant", body = tenancy::Tenant),
    (status = 403, description = "not permitted", body = Problem),
    (status = 409, description = "the slug is taken", body = Problem),
    (status = 422, description = "a field is not acceptable", body = Problem),
))]
#[post("/v1/platform/tenants")]
pub async fn provision(edge: Data<Edge>, caller: PlatformAdmin, body: Json<Wanted>) -> Result<HttpResponse, Problem> {
    let by = By { actor: Some(caller.0.user), at: edge.clock.now() };
    let accounts = edge.accounts.clone();
    let made = edge.db.run(async move { accounts.provision(&body.0, by).await }).await?;
    Ok(HttpResponse::Created().json(made.tenant))
}

/// One tenant.
#[utoipa::path(tag = "platform", params(("id" = TenantId, Path)), security(("bearer" = [])), responses(
    (status = 200, description = "the tenant", body = tenancy::Tenant),
    (status = 403, description = "not permitted", body = Problem),
    (status = 404, description = "there is none", body = Problem),
))]
#[get("/v1/platform/tenants/{id}")]
pub async fn show(edge: Data<Edge>, _caller: PlatformAdmin, id: Path<TenantId>) -> Result<HttpResponse, Problem> {
    let pg = edge.db.pg().clone();
    let tenant = edge.db.run(async move { verbs::get(&pg, &id.0.to_string()).await }).await?;
    Ok(HttpResponse::Ok().json(tenant))
}

#[derive(Deserialize, ToSchema)]
pub struct Reasoned {
    /// For the audit log.
    reason: Option<String>,
}

async fn move_to(
    edge: &Edge,
    caller: &PlatformAdmin,
    id: TenantId,
    to: State,
    reason: Option<String>,
) -> Result<HttpResponse, Problem> {
    let by = By { actor: Some(caller.0.user), at: edge.clock.now() };
    let pg = edge.db.pg().clone();
    let reason = reason.map(|reason| reason.replace('\0', ""));
    let work = async move {
        verbs::change_state(&pg, id, to, reason.as_deref(), by).await?;
        verbs::get(&pg, &id.to_string()).await
    };
    Ok(HttpResponse::Ok().json(edge.db.run(work).await?))
}

/// Closes a tenant to everybody until it is resumed; its sockets end within a second.
#[utoipa::path(tag = "platform", params(("id" = TenantId, Path)), request_body = Reasoned, security(("bearer" = [])), responses(
    (status = 200, description = "the tenant", body = tenancy::Tenant),
    (status = 403, description = "not permitted", body = Problem),
    (status = 404, description = "there is none", body = Problem),
    (status = 409, description = "not possible in its state", body = Problem),
))]
#[post("/v1/platform/tenants/{id}/suspend")]
pub async fn suspend(
    edge: Data<Edge>,
    caller: PlatformAdmin,
    id: Path<TenantId>,
    body: Json<Reasoned>,
) -> Result<HttpResponse, Problem> {
    move_to(&edge, &caller, id.0, State::Suspended, body.0.reason).await
}

/// Opens a suspended tenant again.
#[utoipa::path(tag = "platform", params(("id" = TenantId, Path)), security(("bearer" = [])), responses(
    (status = 200, description = "the tenant", body = tenancy::Tenant),
    (status = 403, description = "not permitted", body = Problem),
    (status = 404, description = "there is none", body = Problem),
    (status = 409, description = "not possible in its state", body = Problem),
))]
#[post("/v1/platform/tenants/{id}/resume")]
pub async fn resume(edge: Data<Edge>, caller: PlatformAdmin, id: Path<TenantId>) -> Result<HttpResponse, Problem> {
    move_to(&edge, &caller, id.0, State::Active, None).await
}

/// Ends a tenant for good.
#[utoipa::path(tag = "platform", params(("id" = TenantId, Path)), request_body = Reasoned, security(("bearer" = [])), responses(
    (status = 200, description = "the tenant", body = tenancy::Tenant),
    (status = 403, description = "not permitted", body = Problem),
    (status = 404, description = "there is none", body = Problem),
    (status = 409, description = "not possible in its state", body = Problem),
))]
#[post("/v1/platform/tenants/{id}/terminate")]
pub async fn terminate(
    edge: Data<Edge>,
    caller: PlatformAdmin,
    id: Path<TenantId>,
    body: Json<Reasoned>,
) -> Result<HttpResponse, Problem> {
    move_to(&edge, &caller, id.0, State::Terminated, body.0.reason).await
}
