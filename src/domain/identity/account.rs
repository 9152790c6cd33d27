//! An account as its owner sees it, and what a sign-in answers.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::State;
use crate::domain::tenancy::Tenant;
use crate::kernel::{TenantRole, UserId};

/// Somebody's account.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct Account {
    pub id: UserId,
    pub handle: String,
    pub display_name: String,
    pub bio: String,
    pub email: String,
    pub email_verified: bool,
    pub role: TenantRole,
    pub state: State,
    #[serde(serialize_with = "crate::kernel::clock::rfc3339")]
    pub created_at: DateTime<Utc>,
}

/// What signing in gives. Debug does not show the tokens.
pub struct Session {
    pub access_token: String,
    pub expires_in: Duration,
    pub refresh_token: String,
    pub refresh_expires_in: Duration,
    pub account: Account,
    pub tenant: Arc<Tenant>,
}
