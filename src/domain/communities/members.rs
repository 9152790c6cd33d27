//! Members: who they are, what they may do, and how they go.
//!
//! One acts only on those who weigh less (see [`Rank`]), and a community is never without an owner.

use chrono::{DateTime, Utc};
use serde_json::json;

use super::entry::{Entered, enter, enter_as, enter_to_change, person_of, target, tell_rooms};
use super::names::Query;
use super::rules::{Rank, RoleChange, change_role};
use super::store::members::Target;
use super::views::{MemberView, Person};
use super::{Error, store, told, trail};
use crate::infra::bus::News;
use crate::infra::pg::TenantTx;
use crate::kernel::page::Page;
use crate::kernel::{CommunityId, CommunityRole, Scope, UserId};

/// Which part of the list: after whom, how many.
#[derive(Debug, Clone, Copy)]
pub struct Window<'a> {
    /// A handle.
    pub after: Option<&'a str>,
    pub limit: u32,
}

/// Members by handle, those whose handle or name contains `q`; for members and staff.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`] for outsiders.
pub async fn list(
    tx: &mut TenantTx,
    scope: &Scope,
    community: CommunityId,
    q: &Query,
    window: Window<'_>,
) -> Result<Page<MemberView>, Error> {
    enter(tx, scope, community).await?.require(Rank::Member, "only members see who is in the community")?;
    page(tx, community, "active", q.as_str(), window).await
}

/// Who may not come back; for moderators.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`].
pub async fn list_bans(
    tx: &mut TenantTx,
    scope: &Scope,
    community: CommunityId,
    window: Window<'_>,
) -> Result<Page<MemberView>, Error> {
    enter(tx, scope, community).await?.require(Rank::Moderator, "only moderators see who is banned")?;
    page(tx, community, "banned", "", window).await
}

async fn page(
    tx: &mut TenantTx,
    community: CommunityId,
    state: &str,
    q: &str,
    window: Window<'_>,
) -> Result<Page<MemberView>, Error> {
    let items = store::members::list(tx, community, state, q, window.after, window.limit).await?;
    Ok(Page::cut(items, window.limit, |member| member.user.handle.clone()))
}

/// Gives a member a role below the caller's own; an owner may hand the community over and becomes its admin.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`], [`Error::LastOwner`].
pub async fn set_role(
    tx: &mut TenantTx,
    scope: &Scope,
    now: DateTime<Utc>,
    community: CommunityId,
    (user, role): (UserId, CommunityRole),
) -> Result<(), Error> {
    let here = enter_to_change(tx, scope, community).await?;
    let (who, rank) = target(tx, community, user).await?;
    let was = who.role.ok_or(Error::NotFound)?;
    let change = change_role(here.rank, rank, role);
    if change == RoleChange::Refused {
        return Err(Error::Forbidden("roles are given to people, and up to a role, below one's own"));
    }
    if was == role {
        return Ok(());
    }
    if was == CommunityRole::Owner && !store::members::has_another_owner(tx, community, user).await? {
        return Err(Error::LastOwner);
    }
    let detail = json!({"user": user, "from": was.as_str(), "to": role.as_str()});
    trail::record(tx, scope, now, ("member.role_changed", format!("community:{community}")), detail).await?;
    let mut changed = vec![(user, role)];
    if change == RoleChange::Transfer {
        changed.push((scope.user, CommunityRole::Admin));
        changed.sort_unstable_by_key(|(user, _)| *user);
    }
    for (user, role) in changed {
        store::members::set_role(tx, community, user, role).await?;
        let mut notice = here.notice("role");
        notice["role"] = json!(role);
        told::person(tx, scope, now, (user, "community.changed"), notice).await?;
        tx.announce(News::GrantsChanged { tenant: scope.tenant, user });
    }
    tx.announce(News::CommunityChanged { tenant: scope.tenant, community });
    Ok(())
}

/// The community and somebody in it or outside whom the caller may moderate.
async fn enter_to_moderate(
    tx: &mut TenantTx,
    scope: &Scope,
    community: CommunityId,
    user: UserId,
) -> Result<(Entered, Target), Error> {
    let door = (Rank::Moderator, "only moderators do this");
    let here = enter_as(tx, scope, community, door).await?;
    let (target, rank) = target(tx, community, user).await?;
    if rank >= here.rank {
        return Err(Error::Forbidden("only people with a lower role can be moderated"));
    }
    Ok((here, target))
}

/// Keeps a member from posting until then; `None` ends it.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`], [`Error::Invalid`] for an instant that is over.
pub async fn mute(
    tx: &mut TenantTx,
    scope: &Scope,
    now: DateTime<Utc>,
    community: CommunityId,
    (user, until): (UserId, Option<DateTime<Utc>>),
) -> Result<(), Error> {
    if until.is_some_and(|until| until <= now) {
        return Err(Error::invalid("until", "it has to lie in the future"));
    }
    let (here, who) = enter_to_moderate(tx, scope, community, user).await?;
    who.role.ok_or(Error::NotFound)?;
    store::members::set_mute(tx, community, user, until).await?;
    let (action, change) = match until {
        Some(_) => ("member.muted", "muted"),
        None => ("member.unmuted", "unmuted"),
    };
    let until = until.map(told::time);
    let detail = json!({"user": user, "until": until});
    trail::record(tx, scope, now, (action, format!("community:{community}")), detail).await?;
    let mut notice = here.notice(change);
    notice["muted_until"] = json!(until);
    told::person(tx, scope, now, (user, "community.changed"), notice).await?;
    tx.announce(News::GrantsChanged { tenant: scope.tenant, user });
    Ok(())
}

/// Puts a member out; with `ban` they can not come back, and somebody who is no member can be banned beforehand.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`], [`Error::LastOwner`].
pub async fn remove(
    tx: &mut TenantTx,
    scope: &Scope,
    now: DateTime<Utc>,
    community: CommunityId,
    (user, ban): (UserId, bool),
) -> Result<(), Error> {
    let (here, who) = enter_to_moderate(tx, scope, community, user).await?;
    if who.role.is_none() && !ban {
        return Err(Error::NotFound);
    }
    let (action, change) = if ban { ("member.banned", "banned") } else { ("member.removed", "removed") };
    if let Some(role) = who.role {
        depart(tx, scope, now, (&here, role, change), &who.person).await?;
    }
    if ban {
        store::members::insert_ban(tx, community, user, now).await?;
    }
    trail::record(tx, scope, now, (action, format!("community:{community}")), json!({"user": user})).await
}

/// Lets somebody who was banned come back, by the way that everybody comes in.
///
/// # Errors
/// [`Error::NotFound`] when they are not banned, [`Error::Forbidden`].
pub async fn unban(
    tx: &mut TenantTx,
    scope: &Scope,
    now: DateTime<Utc>,
    community: CommunityId,
    user: UserId,
) -> Result<(), Error> {
    enter_to_moderate(tx, scope, community, user).await?;
    if !store::members::delete_ban(tx, community, user).await? {
        return Err(Error::NotFound);
    }
    trail::record(tx, scope, now, ("member.unbanned", format!("community:{community}")), json!({"user": user})).await
}

/// Goes by oneself.
///
/// # Errors
/// [`Error::NotFound`] for those who are not in it, [`Error::LastOwner`].
pub async fn leave(tx: &mut TenantTx, scope: &Scope, now: DateTime<Utc>, community: CommunityId) -> Result<(), Error> {
    let here = enter_to_change(tx, scope, community).await?;
    let role = here.view.role.ok_or(Error::NotFound)?;
    depart(tx, scope, now, (&here, role, "left"), &person_of(scope)).await
}

/// Takes a member out of the community and its private rooms, and tells everybody concerned.
async fn depart(
    tx: &mut TenantTx,
    scope: &Scope,
    now: DateTime<Utc>,
    (here, role, change): (&Entered, CommunityRole, &'static str),
    who: &Person,
) -> Result<(), Error> {
    let community = here.id();
    if role == CommunityRole::Owner && !store::members::has_another_owner(tx, community, who.id).await? {
        return Err(Error::LastOwner);
    }
    store::members::delete(tx, community, who.id).await?;
    let mut rooms = store::room_members::delete_of_community(tx, community, who.id).await?;
    rooms.extend(store::rooms::find_default(tx, community).await?);
    tell_rooms(tx, scope, now, (rooms, "member.left"), who).await?;
    told::person(tx, scope, now, (who.id, "community.changed"), here.notice(change)).await?;
    tx.announce(News::GrantsChanged { tenant: scope.tenant, user: who.id });
    tx.announce(News::CommunityChanged { tenant: scope.tenant, community });
    Ok(())
}
