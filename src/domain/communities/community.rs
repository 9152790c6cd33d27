//! Making, finding and changing communities.

use chrono::{DateTime, Utc};

use super::entry::{enter, enter_as, refuse_guests, taken};
use super::joining::ensure_room_for_one_more;
use super::names::{CommunityName, Description, Guidelines};
use super::rules::{Rank, RoomKind};
use super::store::{self, communities::Fields, rooms::NewRoom};
use super::views::{CommunityView, JoinPolicy};
use super::{Error, trail};
use crate::config::Plans;
use crate::domain::events;
use crate::infra::bus::{News, StreamId};
use crate::infra::pg::TenantTx;
use crate::kernel::page::Page;
use crate::kernel::{CommunityId, CommunityRole, RoomId, Scope};

/// The room that every community begins with, so that it is never empty.
const FIRST_ROOM: &str = "general";

/// A community about to be made.
#[derive(Debug, Clone)]
pub struct NewCommunity {
    pub name: CommunityName,
    pub description: Description,
    pub guidelines: Guidelines,
    pub join_policy: JoinPolicy,
}

/// Makes a community with its first room; who makes it owns it.
///
/// # Errors
/// [`Error::NameTaken`], [`Error::PlanLimit`], [`Error::TooMany`], [`Error::Forbidden`] for guests.
pub async fn create(
    tx: &mut TenantTx,
    scope: &Scope,
    now: DateTime<Utc>,
    plans: &Plans,
    new: &NewCommunity,
) -> Result<CommunityView, Error> {
    refuse_guests(scope)?;
    let id = CommunityId::generate();
    let fields = Fields {
        name: new.name.as_str(),
        description: new.description.as_str(),
        guidelines: new.guidelines.as_str(),
        policy: new.join_policy,
    };
    ensure_room_for_one_more(tx, plans, scope.user).await?;
    store::communities::insert(tx, id, scope.user, fields, now).await.map_err(taken)?;
    store::members::insert(tx, id, scope.user, CommunityRole::Owner, now).await?;
    open_first_room(tx, scope, now, id).await?;
    trail::record(tx, scope, now, ("community.created", format!("community:{id}")), serde_json::json!({})).await?;
    tx.announce(News::CommunityChanged { tenant: scope.tenant, community: id });
    tx.announce(News::GrantsChanged { tenant: scope.tenant, user: scope.user });
    Ok(enter(tx, scope, id).await?.view)
}

async fn open_first_room(
    tx: &mut TenantTx,
    scope: &Scope,
    now: DateTime<Utc>,
    community: CommunityId,
) -> Result<(), Error> {
    let id = RoomId::generate();
    let room = NewRoom {
        id,
        community: Some(community),
        kind: RoomKind::Public,
        name: FIRST_ROOM,
        topic: "",
        people_key: None,
    };
    store::rooms::insert(tx, scope.user, &room, now).await?;
    events::store::open(tx, StreamId::Room(id)).await?;
    tx.announce(News::RoomChanged { tenant: scope.tenant, room: id });
    Ok(())
}

/// The community as the caller sees it.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn get(tx: &mut TenantTx, scope: &Scope, community: CommunityId) -> Result<CommunityView, Error> {
    Ok(enter(tx, scope, community).await?.view)
}

/// Communities that the caller may know of, oldest first.
///
/// # Errors
/// Those of the database.
pub async fn list(
    tx: &mut TenantTx,
    scope: &Scope,
    after: Option<CommunityId>,
    limit: u32,
) -> Result<Page<CommunityView>, Error> {
    let items = store::communities::list(tx, scope.user, scope.role.moderates(), after, limit).await?;
    Ok(Page::cut(items, limit, |community| community.id.to_string()))
}

/// What changes in a community; `None` stays.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    pub name: Option<CommunityName>,
    pub description: Option<Description>,
    pub guidelines: Option<Guidelines>,
    pub join_policy: Option<JoinPolicy>,
}

/// Changes name, description, guidelines or policy; admins do.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`], [`Error::NameTaken`].
pub async fn update(
    tx: &mut TenantTx,
    scope: &Scope,
    now: DateTime<Utc>,
    community: CommunityId,
    changes: Changes,
) -> Result<CommunityView, Error> {
    let door = (Rank::Admin, "only admins of the community change it");
    let was = enter_as(tx, scope, community, door).await?.view;
    let fields = Fields {
        name: changes.name.as_ref().map_or(&was.name, |name| name.as_str()),
        description: changes.description.as_ref().map_or(&was.description, |text| text.as_str()),
        guidelines: changes.guidelines.as_ref().map_or(&was.guidelines, |text| text.as_str()),
        policy: changes.join_policy.unwrap_or(was.join_policy),
    };
    store::communities::update(tx, community, fields, now).await.map_err(taken)?;
    let detail = serde_json::json!({"join_policy": fields.policy.as_str()});
    trail::record(tx, scope, now, ("community.changed", format!("community:{community}")), detail).await?;
    tx.announce(News::CommunityChanged { tenant: scope.tenant, community });
    Ok(enter(tx, scope, community).await?.view)
}
