//! A community's rooms: making, finding, changing them; and everything that one person reads.

use chrono::{DateTime, Utc};
use serde_json::json;

use super::entry::{EnteredRoom, enter, enter_as, enter_room, enter_room_to_change, refuse_guests, taken};
use super::names::{RoomName, Topic};
use super::rules::{Rank, RoomKind};
use super::store::{
    self,
    rooms::{NewRoom, Seen},
};
use super::views::{MyRoom, RoomView};
use super::{Error, told, trail};
use crate::domain::events;
use crate::infra::bus::{News, StreamId};
use crate::infra::pg::TenantTx;
use crate::kernel::page::Page;
use crate::kernel::{CommunityId, RoomId, Scope};

/// Rooms of one community, archived ones too.
const PER_COMMUNITY_MAX: u32 = 500;
/// Rooms in the list of one person; a connection holds 1,024 channels.
const MINE_MAX: u32 = 1_000;
/// The slowest slow mode: six hours between two posts.
const SLOW_MODE_S_MAX: u32 = 21_600;

/// A room about to be made.
#[derive(Debug, Clone)]
pub struct NewCommunityRoom {
    pub name: RoomName,
    pub kind: RoomKind,
    pub topic: Topic,
}

/// Makes a room in a community; moderators do. Who makes a private room is in it.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`], [`Error::NameTaken`], [`Error::TooMany`], [`Error::Invalid`] for kinds of no community.
pub async fn create(
    tx: &mut TenantTx,
    scope: &Scope,
    now: DateTime<Utc>,
    community: CommunityId,
    new: &NewCommunityRoom,
) -> Result<RoomView, Error> {
    if matches!(new.kind, RoomKind::Direct | RoomKind::Group) {
        return Err(Error::invalid("kind", "a community's room is public, private or announcement"));
    }
    enter_as(tx, scope, community, (Rank::Moderator, "only moderators make rooms")).await?;
    if store::rooms::count(tx, community).await? >= u64::from(PER_COMMUNITY_MAX) {
        return Err(Error::TooMany { what: "rooms in a community", max: PER_COMMUNITY_MAX });
    }
    let id = RoomId::generate();
    let room = NewRoom {
        id,
        community: Some(community),
        kind: new.kind,
        name: new.name.as_str(),
        topic: new.topic.as_str(),
        people_key: None,
    };
    store::rooms::insert(tx, scope.user, &room, now).await.map_err(taken)?;
    events::store::open(tx, StreamId::Room(id)).await?;
    if new.kind == RoomKind::Private {
        store::room_members::insert(tx, id, &[scope.user], now).await?;
        tx.announce(News::GrantsChanged { tenant: scope.tenant, user: scope.user });
    }
    let seen = enter_room(tx, scope, id, now).await?.seen;
    told::person(tx, scope, now, (scope.user, "room.added"), told::room_notice(&seen, scope.user)).await?;
    tx.announce(News::RoomChanged { tenant: scope.tenant, room: id });
    tx.announce(News::CommunityChanged { tenant: scope.tenant, community });
    Ok(seen.view)
}

/// The room as the caller meets it.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn get(tx: &mut TenantTx, scope: &Scope, now: DateTime<Utc>, room: RoomId) -> Result<RoomView, Error> {
    Ok(enter_room(tx, scope, room, now).await?.seen.view)
}

/// A community's rooms that the caller reads, oldest first; admins see all. Outsiders of a community that they know see none.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn list(
    tx: &mut TenantTx,
    scope: &Scope,
    now: DateTime<Utc>,
    community: CommunityId,
    (after, limit): (Option<RoomId>, u32),
) -> Result<Page<RoomView>, Error> {
    let admin = enter(tx, scope, community).await?.rank >= Rank::Admin;
    let ids = store::rooms::list_ids(tx, community, scope.user, admin, after, limit).await?;
    let seen = store::rooms::find_many(tx, scope, &ids, now).await?;
    let items = seen.into_iter().map(|seen| seen.view).collect();
    Ok(Page::cut(items, limit, |room| room.id.to_string()))
}

/// Every room that the caller reads, with what waits there.
///
/// # Errors
/// Those of the database.
pub async fn list_mine(tx: &mut TenantTx, scope: &Scope, now: DateTime<Utc>) -> Result<Page<MyRoom>, Error> {
    let items = store::my_rooms::list(tx, scope, MINE_MAX, now).await?;
    Ok(Page { items, next_cursor: None })
}

/// What changes in a room; `None` stays.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    pub name: Option<RoomName>,
    pub topic: Option<Topic>,
    pub archived: Option<bool>,
    pub slow_mode_s: Option<u32>,
}

impl Changes {
    fn is_empty(&self) -> bool {
        self.name.is_none() && self.topic.is_none() && !self.is_of_moderators()
    }

    const fn is_of_moderators(&self) -> bool {
        self.archived.is_some() || self.slow_mode_s.is_some()
    }
}

/// Renames, changes the topic, archives, slows down. In a community moderators do; a group's people name it themselves.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`], [`Error::NameTaken`], [`Error::Invalid`].
pub async fn update(
    tx: &mut TenantTx,
    scope: &Scope,
    now: DateTime<Utc>,
    room: RoomId,
    changes: &Changes,
) -> Result<RoomView, Error> {
    if changes.slow_mode_s.is_some_and(|seconds| seconds > SLOW_MODE_S_MAX) {
        return Err(Error::invalid("slow_mode_s", format!("it is at most {SLOW_MODE_S_MAX} seconds")));
    }
    let here = enter_room_to_change(tx, scope, room, now).await?;
    may_update(scope, &here, changes)?;
    if changes.is_empty() {
        return Ok(here.seen.view);
    }
    let stored = store::rooms::Changes {
        name: changes.name.as_ref().map(RoomName::as_str),
        topic: changes.topic.as_ref().map(Topic::as_str),
        archived: changes.archived,
        slow_mode_s: changes.slow_mode_s.map(u32::cast_signed),
    };
    store::rooms::update(tx, room, &stored, now).await.map_err(taken)?;
    let seen = enter_room(tx, scope, room, now).await?.seen;
    tell_update(tx, scope, now, &seen).await?;
    // The event has moved the room's last offset.
    get(tx, scope, now, room).await
}

fn may_update(scope: &Scope, here: &EnteredRoom, changes: &Changes) -> Result<(), Error> {
    refuse_guests(scope)?;
    let allowed = match here.seen.view.kind {
        RoomKind::Direct => false,
        RoomKind::Group => !changes.is_of_moderators(),
        RoomKind::Public | RoomKind::Private | RoomKind::Announcement => here.rank >= Rank::Moderator,
    };
    if allowed { Ok(()) } else { Err(Error::Forbidden("only moderators change this room")) }
}

async fn tell_update(tx: &mut TenantTx, scope: &Scope, now: DateTime<Utc>, seen: &Seen) -> Result<(), Error> {
    let view = &seen.view;
    let state = json!({
        "name": seen.given_name, "topic": view.topic, "archived": view.archived, "slow_mode_s": view.slow_mode_s,
    });
    told::room(tx, scope, now, (view.id, "room.updated"), json!({"room": state})).await?;
    if let Some(community) = view.community_id {
        let detail = json!({"archived": view.archived, "slow_mode_s": view.slow_mode_s});
        trail::record(tx, scope, now, ("room.updated", format!("room:{}", view.id)), detail).await?;
        tx.announce(News::CommunityChanged { tenant: scope.tenant, community });
    }
    tx.announce(News::RoomChanged { tenant: scope.tenant, room: view.id });
    Ok(())
}
