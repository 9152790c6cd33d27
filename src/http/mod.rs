//! The edge: the route table, who may call, and errors as problems. Handlers translate; they do not decide.

pub mod address;
pub mod auth;
pub mod connection;
mod cross_tenant;
mod dev_mail;
pub mod health;
pub mod input;
mod jwks;
mod methods;
pub mod openapi;
pub mod origin;
pub mod problem;
pub mod requests;
mod static_files;
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
use crate::domain::identity::{Accounts, Directory, Hasher, Keys, postman};
use crate::domain::privacy::retention;
use crate::domain::tenancy::{self, Tenants};
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
    pub accounts: Accounts,
    pub live: Arc<Live>,
    /// Opens the page of unsent mail; none where there is no such page.
    pub mail_page_token: Option<String>,
}

impl Edge {
    /// Starts what keeps a node current for as long as it lives: keys that rotate, tenants that change, mail that goes out,
    /// rows that are over.
    pub fn start(&self) {
        let (runtime, pg, clock) = (self.db.runtime(), self.db.pg(), &self.clock);
        runtime.spawn(Arc::clone(&self.keys).keep_turning(pg.clone(), clock.clone()));
        runtime.spawn(tenancy::watch::run(pg.clone()));
        runtime.spawn(postman::run(pg.clone(), clock.clone(), Arc::clone(&self.config)));
        runtime.spawn(retention::run(pg.clone(), clock.clone(), Arc::clone(&self.config)));
    }
}

/// The route table. Each resource adds its own with one line; paths stand in full at the handlers.
pub fn routes(app: &mut web::ServiceConfig) {
    app.configure(health::routes).configure(openapi::routes).service(jwks::jwks).configure(connection::routes);
    app.configure(static_files::routes).default_service(web::to(static_files::otherwise));
    // Its empty prefix takes every path that is left: nothing can be registered behind it.
    let rest =
        web::scope("").wrap(from_fn(cross_tenant::watch)).wrap(from_fn(methods::watch)).wrap(static_files::headers());
    let rest = rest.configure(v1::routes).configure(dev_mail::routes);
    app.service(rest.default_service(web::to(static_files::otherwise)));
}
