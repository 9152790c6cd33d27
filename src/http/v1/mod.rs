//! Version 1 of the API. One module per resource; each has `routes` and describes itself for OpenAPI.

use actix_web::web::ServiceConfig;

/// Everything below `/v1`.
pub fn routes(_v1: &mut ServiceConfig) {}
