//! Tenants: who they are, which state they are in, and how a host or slug finds one.
//!
//! R5: nothing outside this module and `infra::pg` decides which tenant a transaction sees. R9: [`mod@watch`] tells every node within a
//! second that a tenant was suspended.

pub mod audit;
mod error;
pub mod lookup;
pub mod rules;
mod slug;
mod store;
pub mod verbs;
pub mod watch;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::Serialize;

pub use error::TenancyError;
pub use lookup::{Name, Tenants};
pub use rules::{State, move_to};
pub use slug::Slug;

use crate::kernel::TenantId;

/// A tenant as the rest of the program sees it.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct Tenant {
    pub id: TenantId,
    #[schema(value_type = String)]
    pub slug: Arc<str>,
    #[schema(value_type = String)]
    pub name: Arc<str>,
    #[schema(value_type = String)]
    pub plan: Arc<str>,
    pub state: State,
    /// The host that links point to; none: the deployment's own address.
    #[schema(value_type = Option<String>)]
    pub host: Option<Arc<str>>,
    #[schema(value_type = String)]
    pub admin_email: Arc<str>,
    pub state_reason: Option<String>,
    #[serde(serialize_with = "crate::kernel::clock::rfc3339")]
    pub created_at: DateTime<Utc>,
    #[serde(serialize_with = "crate::kernel::clock::rfc3339")]
    pub updated_at: DateTime<Utc>,
}
