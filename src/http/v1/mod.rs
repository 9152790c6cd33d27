//! Version 1 of the API. One module per resource; each has `routes` and describes itself for OpenAPI.

pub mod auth;
pub mod communities;
pub mod demo;
pub mod invites;
pub mod me;
pub mod messages;
pub mod platform;
pub mod rooms;
pub mod users;

use actix_web::web::ServiceConfig;
use utoipa::OpenApi;
use utoipa::openapi::OpenApi as Description;

/// Everything below `/v1`.
pub fn routes(v1: &mut ServiceConfig) {
    v1.configure(auth::routes);
    v1.configure(communities::routes);
    v1.configure(demo::routes);
    v1.configure(invites::routes);
    v1.configure(me::routes);
    v1.configure(messages::routes);
    v1.configure(platform::routes);
    v1.configure(rooms::routes);
    v1.configure(users::routes);
}

/// Every resource's part of the description.
pub fn docs() -> Vec<Description> {
    vec![
        auth::Docs::openapi(),
        communities::Docs::openapi(),
        demo::Docs::openapi(),
        invites::Docs::openapi(),
        me::Docs::openapi(),
        messages::Docs::openapi(),
        platform::Docs::openapi(),
        rooms::Docs::openapi(),
        users::Docs::openapi(),
    ]
}
