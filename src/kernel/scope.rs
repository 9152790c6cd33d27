//! Who asks: the tenant, the person and their role, as of now (never as of when a token was signed).

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::ids::{TenantId, UserId};

/// What a person may do in the whole tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TenantRole {
    Guest,
    Member,
    Vendor,
    Support,
    Moderator,
    TenantAdmin,
    PlatformAdmin,
}

/// What a person may do in one community.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CommunityRole {
    Member,
    Moderator,
    Admin,
    Owner,
}

macro_rules! as_text {
    ($type:ty { $($variant:ident = $text:literal),+ $(,)? }) => {
        impl $type {
            /// Every value, lowest first; tests enumerate it.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The name on the wire and in the database.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }

            /// Reads the name back; `None` for a word that is not one.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}

as_text!(TenantRole {
    Guest = "guest", Member = "member", Vendor = "vendor", Support = "support", Moderator = "moderator",
    TenantAdmin = "tenant_admin", PlatformAdmin = "platform_admin",
});
as_text!(CommunityRole { Member = "member", Moderator = "moderator", Admin = "admin", Owner = "owner" });

impl TenantRole {
    /// Whether this role moderates every community of the tenant.
    #[must_use]
    pub const fn moderates(self) -> bool {
        matches!(self, Self::Moderator | Self::TenantAdmin)
    }
}

impl CommunityRole {
    /// Whether this role moderates its community.
    #[must_use]
    pub fn moderates(self) -> bool {
        self >= Self::Moderator
    }
}

/// The caller of a verb: proof that somebody was signed in to this tenant when the request began.
#[derive(Debug, Clone)]
pub struct Scope {
    pub tenant: TenantId,
    pub user: UserId,
    pub role: TenantRole,
    pub handle: Arc<str>,
    pub display_name: Arc<str>,
}
