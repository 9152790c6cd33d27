//! Version 1 of the API. One module per resource; each has `routes` and describes itself for OpenAPI.

pub mod communities;
pub mod invites;
pub mod messages;
pub mod rooms;

use actix_web::web::ServiceConfig;

/// Everything below `/v1`.
pub fn routes(v1: &mut ServiceConfig) {
    v1.configure(communities::routes);
    v1.configure(invites::routes);
    v1.configure(rooms::routes);
    v1.configure(messages::routes);
}
