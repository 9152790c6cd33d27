//! The door that every verb goes through: is the community there for this caller, and what are they in it?

use super::rules::{Rank, rank};
use super::store::{self, members::Target, rooms::Seen};
use super::views::{CommunityView, JoinPolicy, Person};
use super::{Error, told};
use crate::infra::pg::{PgError, TenantTx};
use crate::kernel::{CommunityId, RoomId, Scope, TenantRole, UserId};

use chrono::{DateTime, Utc};

/// A community that the caller may know of.
#[derive(Debug, Clone)]
pub(super) struct Entered {
    pub view: CommunityView,
    pub rank: Rank,
}

impl Entered {
    pub(super) const fn id(&self) -> CommunityId {
        self.view.id
    }

    /// Refuses those who weigh less.
    pub(super) fn require(&self, least: Rank, why: &'static str) -> Result<(), Error> {
        if self.rank >= least { Ok(()) } else { Err(Error::Forbidden(why)) }
    }

    /// What somebody hears of the community.
    pub(super) fn notice(&self, change: &'static str) -> serde_json::Value {
        serde_json::json!({
            "community": {"id": self.view.id, "name": self.view.name},
            "community_id": self.view.id,
            "change": change,
        })
    }
}

/// Reads the community. Banned people and, where only invites lead in, outsiders do not find it.
pub(super) async fn enter(tx: &mut TenantTx, scope: &Scope, community: CommunityId) -> Result<Entered, Error> {
    let seen = store::communities::find(tx, community, scope.user).await?.ok_or(Error::NotFound)?;
    let rank = rank(scope.role, seen.view.role);
    let hidden = seen.view.join_policy == JoinPolicy::Invite && rank == Rank::Outsider;
    if seen.banned && !scope.role.moderates() || hidden {
        return Err(Error::NotFound);
    }
    Ok(Entered { view: seen.view, rank })
}

/// Takes the community's lock, then reads it: what is found stays true until the commit.
pub(super) async fn enter_to_change(
    tx: &mut TenantTx,
    scope: &Scope,
    community: CommunityId,
) -> Result<Entered, Error> {
    store::communities::lock(tx, community).await?;
    enter(tx, scope, community).await
}

/// As [`enter_to_change`], for members of at least this rank; outsiders are told the same as of a community that is not there.
pub(super) async fn enter_as(
    tx: &mut TenantTx,
    scope: &Scope,
    community: CommunityId,
    (least, why): (Rank, &'static str),
) -> Result<Entered, Error> {
    let entered = enter_to_change(tx, scope, community).await?;
    entered.require(least, why)?;
    Ok(entered)
}

/// The person whom a verb is about, and how much they weigh here.
pub(super) async fn target(tx: &mut TenantTx, community: CommunityId, user: UserId) -> Result<(Target, Rank), Error> {
    let target = store::members::find_target(tx, Some(community), user).await?.ok_or(Error::NotFound)?;
    let rank = rank(target.tenant_role, target.role);
    Ok((target, rank))
}

/// A room that the caller reads, or administers from outside.
pub(super) struct EnteredRoom {
    pub seen: Seen,
    pub rank: Rank,
}

/// Reads the room.
pub(super) async fn enter_room(
    tx: &mut TenantTx,
    scope: &Scope,
    room: RoomId,
    now: DateTime<Utc>,
) -> Result<EnteredRoom, Error> {
    let seen = store::rooms::find_many(tx, scope, &[room], now).await?.pop().ok_or(Error::NotFound)?;
    let rank = match seen.view.community_id {
        Some(_) => rank(scope.role, seen.standing.membership.map(|member| member.role)),
        None => Rank::Outsider,
    };
    if !seen.access.read && rank < Rank::Admin {
        return Err(Error::NotFound);
    }
    Ok(EnteredRoom { seen, rank })
}

/// Takes the lock that the room's people and settings change behind, then reads it.
pub(super) async fn enter_room_to_change(
    tx: &mut TenantTx,
    scope: &Scope,
    room: RoomId,
    now: DateTime<Utc>,
) -> Result<EnteredRoom, Error> {
    match enter_room(tx, scope, room, now).await?.seen.view.community_id {
        Some(community) => store::communities::lock(tx, community).await?,
        None => store::rooms::lock(tx, room).await?,
    };
    enter_room(tx, scope, room, now).await
}

/// Guests read only.
pub(super) fn refuse_guests(scope: &Scope) -> Result<(), Error> {
    if scope.role == TenantRole::Guest { Err(Error::Forbidden("guests only read")) } else { Ok(()) }
}

/// The caller as others see them.
pub(super) fn person_of(scope: &Scope) -> Person {
    Person { id: scope.user, handle: scope.handle.to_string(), display_name: scope.display_name.to_string() }
}

/// Names a violated constraint by what it means here.
pub(super) fn taken(error: PgError) -> Error {
    match error.constraint() {
        Some("communities_name_key" | "rooms_name_key") => Error::NameTaken,
        _ => Error::Pg(error),
    }
}

/// Tells of one person's coming or going in these rooms, in the order of locks.
pub(super) async fn tell_rooms(
    tx: &mut TenantTx,
    scope: &Scope,
    now: DateTime<Utc>,
    (mut rooms, kind): (Vec<RoomId>, &'static str),
    who: &Person,
) -> Result<(), Error> {
    rooms.sort_unstable();
    rooms.dedup();
    for room in rooms {
        told::room(tx, scope, now, (room, kind), told::member(who)).await?;
    }
    Ok(())
}
