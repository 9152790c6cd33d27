//! Communities, people and rooms as a caller sees them.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::rules::RoomKind;
use crate::kernel::{CommunityId, CommunityRole, InviteId, RoomId, UserId};

/// How people come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum JoinPolicy {
    /// Whoever wants.
    Open,
    /// Whoever a moderator lets in.
    Request,
    /// Whoever holds an invite; others do not know that the community exists.
    Invite,
}

impl JoinPolicy {
    /// The name on the wire and in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Request => "request",
            Self::Invite => "invite",
        }
    }

    /// Reads the name back. An unknown word is read as the narrowest policy.
    #[must_use]
    pub fn from_store(text: &str) -> Self {
        match text {
            "open" => Self::Open,
            "request" => Self::Request,
            _ => Self::Invite,
        }
    }
}

/// Somebody, as others see them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Person {
    pub id: UserId,
    pub handle: String,
    pub display_name: String,
}

#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct CommunityView {
    pub id: CommunityId,
    pub name: String,
    pub description: String,
    pub join_policy: JoinPolicy,
    /// Empty when there is nothing to accept.
    pub guidelines: String,
    pub member_count: i64,
    /// The caller's; null for an outsider.
    pub role: Option<CommunityRole>,
    /// The caller has asked to join and waits.
    pub requested: bool,
    pub created_at: DateTime<Utc>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum JoinStatus {
    Joined,
    Requested,
}

/// What became of an attempt to join.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct Joined {
    pub status: JoinStatus,
    pub community: CommunityView,
}

#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct MemberView {
    pub user: Person,
    /// Null in direct and group rooms.
    pub role: Option<CommunityRole>,
    pub joined_at: DateTime<Utc>,
    pub muted_until: Option<DateTime<Utc>>,
}

#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct RequestView {
    pub user: Person,
    pub note: String,
    pub created_at: DateTime<Utc>,
}

#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct InviteView {
    pub id: InviteId,
    pub code: String,
    /// Path of the page that opens the invite, on the tenant's host.
    pub url: String,
    pub expires_at: Option<DateTime<Utc>>,
    pub max_uses: Option<i32>,
    pub uses: i32,
    pub created_at: DateTime<Utc>,
}

/// What somebody who holds an invite may know before joining.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct InvitePreview {
    pub code: String,
    pub community_id: CommunityId,
    pub name: String,
    pub description: String,
    pub guidelines: String,
    pub member_count: i64,
    /// Too old, used up or revoked.
    pub expired: bool,
}

#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct RoomView {
    pub id: RoomId,
    /// Null for direct and group rooms.
    pub community_id: Option<CommunityId>,
    /// Of a direct or unnamed group room: the others in it.
    pub name: String,
    pub kind: RoomKind,
    pub topic: String,
    pub slow_mode_s: i32,
    pub archived: bool,
    /// What to subscribe to.
    pub channel: String,
    pub epoch: String,
    pub last_offset: i64,
    pub created_at: DateTime<Utc>,
    pub can_post: bool,
    /// The caller moderates here.
    pub can_moderate: bool,
    /// Who is in a direct or group room, the caller too; left out for other kinds.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<Person>,
}

/// A room of the caller's, with what waits there.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct MyRoom {
    #[serde(flatten)]
    pub room: RoomView,
    /// Messages of others past `read_offset`, counted up to 100.
    pub unread: i64,
    /// Those that call the caller, counted up to 100.
    pub mentions: i64,
    pub read_offset: i64,
    pub muted: bool,
}
