//! Who may do what in communities and rooms. Pure: what is known goes in, the answer comes out.
//!
//! Invariant: [`access`] and the append function `post_messages()` judge alike. The function decides, under the stream's lock; this
//! copy answers what needs no lock (reading, subscribing, a button's state) and refuses early. A test feeds both the same cases.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::kernel::{CommunityId, CommunityRole, RoomId, TenantRole};

/// What one person may do, as far as rooms are concerned. Cached by the live part, dropped on `News::GrantsChanged`.
#[derive(Debug, Clone)]
pub struct Grants {
    pub role: TenantRole,
    /// False for a suspended or deleted person: everything is refused then.
    pub active: bool,
    pub handle: Arc<str>,
    pub display_name: Arc<str>,
    /// Active memberships only.
    pub communities: HashMap<CommunityId, CommunityGrant>,
    /// Private, direct and group rooms that the person was put into.
    pub rooms: HashSet<RoomId>,
}

/// An active membership.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CommunityGrant {
    pub role: CommunityRole,
    pub muted_until: Option<DateTime<Utc>>,
}

/// Who reads and writes a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RoomKind {
    /// Every member of the community reads and writes.
    Public,
    /// Members of the community who were put into the room.
    Private,
    /// Every member of the community reads, moderators write.
    Announcement,
    /// Two people.
    Direct,
    /// A few people.
    Group,
}

impl RoomKind {
    /// Every kind; tests enumerate it.
    pub const ALL: &'static [Self] = &[Self::Public, Self::Private, Self::Announcement, Self::Direct, Self::Group];

    /// The name on the wire and in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Private => "private",
            Self::Announcement => "announcement",
            Self::Direct => "direct",
            Self::Group => "group",
        }
    }

    /// Reads the name back; `None` for a word that is not one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.as_str() == text)
    }

    /// Whether membership is kept per room (`room_members`), not per community alone.
    #[must_use]
    pub const fn has_own_members(self) -> bool {
        matches!(self, Self::Private | Self::Direct | Self::Group)
    }
}

/// What is known of one room. Cached by the live part, dropped on `News::RoomChanged`.
#[derive(Debug, Clone)]
pub struct RoomFacts {
    pub id: RoomId,
    /// None for direct and group rooms.
    pub community: Option<CommunityId>,
    pub kind: RoomKind,
    pub name: Arc<str>,
    pub topic: Arc<str>,
    pub slow_mode_s: u32,
    pub archived: bool,
}

/// What one person may do in one room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Access {
    pub read: bool,
    /// Slow mode is not considered: it is decided when the post arrives.
    pub post: Result<(), PostRefusal>,
    /// Delete others' messages, pin, call groups; exempt from slow mode.
    pub moderate: bool,
}

impl Access {
    /// Nothing at all: the room does not exist for this person.
    pub const NONE: Self = Self { read: false, post: Err(PostRefusal::ReadOnly), moderate: false };
}

/// Why a reader may not post.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PostRefusal {
    Archived,
    Muted { until: DateTime<Utc> },
    ReadOnly,
}

/// What one person is to one room: the part of [`Grants`] that [`judge`] needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    pub role: TenantRole,
    pub active: bool,
    /// Active membership of the room's community.
    pub membership: Option<CommunityGrant>,
    /// Put into this very room.
    pub in_room: bool,
}

/// What a person may do in a room now.
#[must_use]
pub fn access(room: &RoomFacts, grants: &Grants, now: DateTime<Utc>) -> Access {
    let standing = Standing {
        role: grants.role,
        active: grants.active,
        membership: room.community.and_then(|community| grants.communities.get(&community).copied()),
        in_room: grants.rooms.contains(&room.id),
    };
    judge(room.kind, room.archived, &standing, now)
}

/// The rule of [`access`] for one known standing.
#[must_use]
pub fn judge(kind: RoomKind, archived: bool, standing: &Standing, now: DateTime<Utc>) -> Access {
    if !standing.active || !may_read(kind, standing) {
        return Access::NONE;
    }
    let moderate = standing.role.moderates() || standing.membership.is_some_and(|member| member.role.moderates());
    let muted = standing.membership.and_then(|member| member.muted_until).filter(|until| *until > now);
    let post = if archived {
        Err(PostRefusal::Archived)
    } else if let Some(until) = muted {
        Err(PostRefusal::Muted { until })
    } else if standing.role == TenantRole::Guest || (kind == RoomKind::Announcement && !moderate) {
        Err(PostRefusal::ReadOnly)
    } else {
        Ok(())
    };
    // A guest with a role in a community still only reads.
    Access { read: true, post, moderate: moderate && standing.role != TenantRole::Guest }
}

const fn may_read(kind: RoomKind, standing: &Standing) -> bool {
    match kind {
        RoomKind::Public | RoomKind::Announcement => standing.membership.is_some(),
        RoomKind::Private => standing.membership.is_some() && standing.in_room,
        RoomKind::Direct | RoomKind::Group => standing.in_room,
    }
}

/// How much a person weighs in a community: higher acts on lower, never on equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    /// Neither a member nor staff.
    Outsider,
    Member,
    Moderator,
    Admin,
    Owner,
    /// A tenant's admin stands above each community's owner.
    Tenant,
}

impl From<CommunityRole> for Rank {
    fn from(role: CommunityRole) -> Self {
        match role {
            CommunityRole::Member => Self::Member,
            CommunityRole::Moderator => Self::Moderator,
            CommunityRole::Admin => Self::Admin,
            CommunityRole::Owner => Self::Owner,
        }
    }
}

/// The rank that comes from the role in the tenant and the one in the community, whichever weighs more.
#[must_use]
pub fn rank(tenant: TenantRole, community: Option<CommunityRole>) -> Rank {
    let inside = community.map_or(Rank::Outsider, Rank::from);
    match tenant {
        // Reads only, whatever the community made of them.
        TenantRole::Guest => inside.min(Rank::Member),
        TenantRole::TenantAdmin => Rank::Tenant,
        TenantRole::Moderator => inside.max(Rank::Moderator),
        _ => inside,
    }
}

/// What giving somebody a role in a community amounts to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoleChange {
    Refused,
    Set,
    /// An owner hands the community over and becomes its admin.
    Transfer,
}

/// Whether `actor` may give `target` the role: both what the target is and what it becomes must lie below the actor's own level;
/// an owner may also hand over.
#[must_use]
pub fn change_role(actor: Rank, target: Rank, to: CommunityRole) -> RoleChange {
    if actor < Rank::Admin || target >= actor {
        RoleChange::Refused
    } else if Rank::from(to) < actor {
        RoleChange::Set
    } else if actor == Rank::Owner && to == CommunityRole::Owner {
        RoleChange::Transfer
    } else {
        RoleChange::Refused
    }
}

#[cfg(test)]
mod tests;
