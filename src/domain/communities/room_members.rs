//! Who is in a room: added to and taken from private and group rooms, listed for all.

use chrono::{DateTime, Utc};

use super::entry::{EnteredRoom, enter_room, enter_room_to_change, refuse_guests, tell_rooms};
use super::members::Window;
use super::rules::{Rank, RoomKind, rank};
use super::store::members::Target;
use super::views::MemberView;
use super::{Error, direct, store, told};
use crate::infra::bus::News;
use crate::infra::pg::TenantTx;
use crate::kernel::page::Page;
use crate::kernel::{RoomId, Scope, UserId};

/// The people of a room by handle: those put into it, or the community's members where all of them read it.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn list(
    tx: &mut TenantTx,
    scope: &Scope,
    now: DateTime<Utc>,
    room: RoomId,
    window: Window<'_>,
) -> Result<Page<MemberView>, Error> {
    let view = enter_room(tx, scope, room, now).await?.seen.view;
    let Window { after, limit } = window;
    let items = match view.community_id {
        Some(community) if !view.kind.has_own_members() => {
            store::members::list(tx, community, "active", "", after, limit).await?
        }
        community => store::room_members::list(tx, room, community, after, limit).await?,
    };
    Ok(Page::cut(items, limit, |member| member.user.handle.clone()))
}

/// Puts somebody into a private room (moderators, members of the community) or a group (its people, anybody). Again is nothing.
///
/// # Errors
/// [`Error::NotFound`] for a room or person that is not there for the caller, [`Error::Forbidden`], [`Error::TooMany`].
pub async fn add(
    tx: &mut TenantTx,
    scope: &Scope,
    now: DateTime<Utc>,
    room: RoomId,
    user: UserId,
) -> Result<(), Error> {
    refuse_guests(scope)?;
    let here = enter_room_to_change(tx, scope, room, now).await?;
    let community = here.seen.view.community_id;
    match here.seen.view.kind {
        RoomKind::Group => {}
        RoomKind::Private if here.rank >= Rank::Moderator => {}
        RoomKind::Private => return Err(Error::Forbidden("only moderators add people to a private room")),
        _ => return Err(Error::Forbidden("people can not be added to this room")),
    }
    let who = store::members::find_target(tx, community, user).await?.ok_or(Error::NotFound)?;
    if !who.active || (community.is_some() && who.role.is_none()) {
        return Err(Error::NotFound);
    }
    if !store::room_members::insert(tx, room, &[user], now).await? {
        return Ok(());
    }
    if here.seen.view.kind == RoomKind::Group {
        if store::room_members::count(tx, room).await? > u64::from(direct::PEOPLE_MAX) {
            return Err(Error::TooMany { what: "people in a group", max: direct::PEOPLE_MAX });
        }
        store::room_members::forget_people_key(tx, room).await?;
    }
    store::room_members::start_reading(tx, user, &[room], now).await?;
    tell(tx, scope, now, (&here, &who), ("member.joined", "room.added")).await
}

/// Takes somebody out of a private room (moderators, those below them) or a group (who made it); everybody may go by themselves.
///
/// # Errors
/// [`Error::NotFound`] also when they are not in it, [`Error::Forbidden`].
pub async fn remove(
    tx: &mut TenantTx,
    scope: &Scope,
    now: DateTime<Utc>,
    room: RoomId,
    user: UserId,
) -> Result<(), Error> {
    let here = enter_room_to_change(tx, scope, room, now).await?;
    let community = here.seen.view.community_id;
    let who = store::members::find_target(tx, community, user).await?.ok_or(Error::NotFound)?;
    let allowed = match here.seen.view.kind {
        RoomKind::Private => here.rank >= Rank::Moderator && rank(who.tenant_role, who.role) < here.rank,
        RoomKind::Group => here.seen.created_by == scope.user,
        _ => return Err(Error::Forbidden("people can not be taken out of this room")),
    };
    if user != scope.user && !allowed {
        return Err(Error::Forbidden("this person can not be taken out by you"));
    }
    if !store::room_members::delete(tx, room, user).await? {
        return Err(Error::NotFound);
    }
    if here.seen.view.kind == RoomKind::Group {
        store::room_members::forget_people_key(tx, room).await?;
    }
    tell(tx, scope, now, (&here, &who), ("member.left", "room.removed")).await
}

async fn tell(
    tx: &mut TenantTx,
    scope: &Scope,
    now: DateTime<Utc>,
    (here, who): (&EnteredRoom, &Target),
    (event, notice): (&'static str, &'static str),
) -> Result<(), Error> {
    let view = &here.seen.view;
    tell_rooms(tx, scope, now, (vec![view.id], event), &who.person).await?;
    told::person(tx, scope, now, (who.person.id, notice), told::room_notice(&here.seen, who.person.id)).await?;
    tx.announce(News::GrantsChanged { tenant: scope.tenant, user: who.person.id });
    tx.announce(News::RoomChanged { tenant: scope.tenant, room: view.id });
    Ok(())
}
