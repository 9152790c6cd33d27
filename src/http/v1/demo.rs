//! `GET /v1/demo`: who can sign in to look around. Only with `--demo` on a loopback address, where only this machine can use it.

use actix_web::HttpResponse;
use actix_web::web::{self, Data, ServiceConfig};
use serde_json::json;

use crate::http::{Edge, Problem};

/// The route of this resource.
pub fn routes(v1: &mut ServiceConfig) {
    v1.route("/v1/demo", web::get().to(accounts));
}

/// The demo's accounts; 404 where there is no demo.
#[utoipa::path(get, path = "/v1/demo", tag = "demo", responses((status = 200, description = "accounts"), (status = 404, description = "no demo here")))]
pub async fn accounts(edge: Data<Edge>) -> Result<HttpResponse, Problem> {
    let server = &edge.config.server;
    if !server.demo || !server.listen.ip().is_loopback() {
        return Err(Problem::not_found());
    }
    let accounts: Vec<_> = DEMO_PEOPLE
        .iter()
        .map(|(handle, name)| json!({"email": format!("{handle}@demo.example"), "password": DEMO_PASSWORD, "display_name": name}))
        .collect();
    Ok(HttpResponse::Ok().json(json!({ "accounts": accounts })))
}

/// The password of everybody in a demo on a loopback address.
pub const DEMO_PASSWORD: &str = "rialto-demo";

/// Handle and name of those whom the sign-in page offers.
pub const DEMO_PEOPLE: &[(&str, &str)] =
    &[("ada", "Ada"), ("bo", "Bo"), ("cy", "Cy"), ("mo", "Mo"), ("vera", "Vera"), ("tam", "Tam")];

/// This resource's part of the description.
#[derive(utoipa::OpenApi)]
#[openapi(paths(accounts))]
pub struct Docs;
