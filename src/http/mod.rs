//! The edge: the route table, who may call, and errors as problems. Handlers translate; they do not decide.

pub mod auth;
pub mod connection;
mod cross_tenant;
pub mod health;
pub mod input;
pub mod problem;
pub mod tenant;
pub mod v1;
pub mod work;

use std::sync::Arc;

use actix_web::middleware::from_fn;
use actix_web::web;

pub use auth::{Caller, Member, PlatformAdmin, SignedIn, TenantAdmin, TenantModerator};
pub use input::{Json, Path, Query};
pub use problem::Problem;
pub use tenant::Tenant;
pub use work::{Once, within};

use crate::actors::live::Live;
use crate::config::Config;
use crate::domain::identity::{Directory, Hasher, Keys};
use crate::domain::tenancy::Tenants;
use crate::infra::pg::Db;
use crate::kernel::Clock;

/// What handlers work with: one per process, as actix `Data`.
pub struct Edge {
    pub config: Arc<Config>,
    pub clock: Clock,
    pub db: Db,
    pub keys: Arc<Keys>,
    pub hasher: Hasher,
    pub directory: Directory,
    pub tenants: Tenants,
    pub live: Arc<Live>,
}

/// The route table. Each resource adds its own with one line; paths stand in full at the handlers.
pub fn routes(app: &mut web::ServiceConfig) {
    app.configure(health::routes).configure(connection::routes);
    app.default_service(web::to(|| async { Err::<String, _>(Problem::not_found()) }));
    // Its empty prefix takes every path that is left: nothing can be registered behind it.
    app.service(web::scope("").wrap(from_fn(cross_tenant::watch)).configure(v1::routes));
}
