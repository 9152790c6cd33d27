//! GET /v1/demo: whether this is a demo, and who can be tried out in it.

use actix_web::web::{Data, ServiceConfig};
use actix_web::{HttpResponse, get};
use serde::Serialize;
use utoipa::{OpenApi, ToSchema};

use crate::domain::identity::demo;
use crate::http::{Edge, Problem, Tenant};
use crate::kernel::TenantRole;

/// This resource's part of the description.
#[derive(OpenApi)]
#[openapi(paths(show))]
pub struct Docs;

pub fn routes(v1: &mut ServiceConfig) {
    v1.service(show);
}

/// The demo's people.
#[derive(Serialize, ToSchema)]
pub struct Demo {
    accounts: Vec<DemoAccount>,
}

/// One of them.
#[derive(Serialize, ToSchema)]
pub struct DemoAccount {
    email: String,
    #[schema(value_type = String)]
    display_name: &'static str,
    role: TenantRole,
    /// The well-known one, on an address that only this machine reaches.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    password: Option<&'static str>,
}

/// Who can be tried out; 404 where this is no demo.
#[utoipa::path(tag = "demo", responses(
    (status = 200, description = "a demo", body = Demo),
    (status = 404, description = "not a demo", body = Problem),
))]
#[get("/v1/demo")]
pub async fn show(edge: Data<Edge>, tenant: Tenant) -> Result<HttpResponse, Problem> {
    let server = &edge.config.server;
    if !server.demo || *tenant.0.slug != *demo::SLUG {
        return Err(Problem::not_found());
    }
    let password = server.listen.ip().is_loopback().then_some(demo::WELL_KNOWN_PASSWORD);
    let account = |(handle, display_name, role): &(&str, &'static str, TenantRole)| DemoAccount {
        email: format!("{handle}@{}.example", demo::SLUG),
        display_name,
        role: *role,
        password,
    };
    Ok(HttpResponse::Ok().json(Demo { accounts: demo::PEOPLE.iter().map(account).collect() }))
}
