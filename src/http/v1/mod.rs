//! Version 1 of the API. One module per resource; each has `routes` and describes itself for OpenAPI.

mod auth;
mod me;
mod platform;
mod users;

use actix_web::web::ServiceConfig;
use utoipa::OpenApi;
use utoipa::openapi::OpenApi as Description;

/// Everything below `/v1`.
pub fn routes(app: &mut ServiceConfig) {
    app.configure(auth::routes).configure(me::routes).configure(users::routes).configure(platform::routes);
}

/// Every resource's part of the description.
pub fn docs() -> Vec<Description> {
    vec![auth::Docs::openapi(), me::Docs::openapi(), users::Docs::openapi(), platform::Docs::openapi()]
}
