//! Coming in: by oneself, by request, by invite.

use chrono::{DateTime, Utc};

use super::entry::{Entered, enter, enter_as, person_of, target, tell_rooms};
use super::names::{Code, Note};
use super::rules::{Rank, rank};
use super::views::{JoinPolicy, JoinStatus, Joined, Person, RequestView};
use super::{Error, store, told, trail};
use crate::config::{Plans, Quota};
use crate::domain::tenancy;
use crate::infra::bus::News;
use crate::infra::pg::TenantTx;
use crate::kernel::page::Page;
use crate::kernel::{CommunityId, CommunityRole, RoomId, Scope, UserId};

/// Communities that one person may be in: bounds what is loaded with every connection.
const COMMUNITIES_PER_PERSON_MAX: u32 = 200;

/// An attempt to join.
#[derive(Debug, Clone)]
pub struct Join {
    pub invite: Option<Code>,
    pub accept_guidelines: bool,
    /// For those who decide on the request.
    pub note: Note,
}

/// Joins, or asks to. Joining again changes nothing.
///
/// # Errors
/// [`Error::NotFound`] also for the banned and, without an invite, where only invites lead in; [`Error::GuidelinesNotAccepted`];
/// [`Error::InviteInvalid`]; [`Error::PlanLimit`]; [`Error::TooMany`].
pub async fn join(
    tx: &mut TenantTx,
    scope: &Scope,
    now: DateTime<Utc>,
    plans: &Plans,
    (community, join): (CommunityId, &Join),
) -> Result<Joined, Error> {
    store::communities::lock(tx, community).await?;
    let seen = store::communities::find(tx, community, scope.user).await?.ok_or(Error::NotFound)?;
    if seen.banned {
        return Err(Error::NotFound);
    }
    let here = Entered { rank: rank(scope.role, seen.view.role), view: seen.view };
    if here.view.role.is_some() {
        return Ok(Joined { status: JoinStatus::Joined, community: here.view });
    }
    let status = match (here.view.join_policy, &join.invite) {
        (JoinPolicy::Open, _) => JoinStatus::Joined,
        _ if scope.role.moderates() => JoinStatus::Joined,
        (_, Some(_)) => JoinStatus::Joined,
        (JoinPolicy::Request, None) => JoinStatus::Requested,
        (JoinPolicy::Invite, None) => return Err(Error::NotFound),
    };
    enter_by(tx, scope, now, &here, join).await?;
    if status == JoinStatus::Joined {
        admit(tx, scope, now, plans, (&here, &person_of(scope))).await?;
    } else {
        store::members::insert_request(tx, community, scope.user, join.note.as_str(), now).await?;
        tx.announce(News::CommunityChanged { tenant: scope.tenant, community });
    }
    Ok(Joined { status, community: enter(tx, scope, community).await?.view })
}

/// Uses the invite where one is needed, then asks for the guidelines; a refusal rolls the use back.
async fn enter_by(
    tx: &mut TenantTx,
    scope: &Scope,
    now: DateTime<Utc>,
    here: &Entered,
    join: &Join,
) -> Result<(), Error> {
    if let Some(code) = &join.invite
        && here.view.join_policy != JoinPolicy::Open
        && !scope.role.moderates()
        && !store::invites::use_once(tx, here.id(), code.as_str(), now).await?
    {
        // Where only invites lead in, a wrong one says nothing about what it was tried on.
        let hidden = here.view.join_policy == JoinPolicy::Invite
            && store::invites::find_preview(tx, code.as_str(), Some(scope.user), now)
                .await?
                .is_none_or(|p| p.community_id != here.id());
        return Err(if hidden { Error::NotFound } else { Error::InviteInvalid });
    }
    if !here.view.guidelines.is_empty() && !join.accept_guidelines {
        return Err(Error::GuidelinesNotAccepted);
    }
    Ok(())
}

/// Makes somebody a member and tells everybody concerned. The caller holds the community's lock.
async fn admit(
    tx: &mut TenantTx,
    scope: &Scope,
    now: DateTime<Utc>,
    plans: &Plans,
    (here, person): (&Entered, &Person),
) -> Result<(), Error> {
    let community = here.id();
    ensure_room_for_one_more(tx, plans, person.id).await?;
    store::members::insert(tx, community, person.id, CommunityRole::Member, now).await?;
    let hall: Vec<RoomId> = store::rooms::find_default(tx, community).await?.into_iter().collect();
    tell_rooms(tx, scope, now, (hall, "member.joined"), person).await?;
    let rooms = store::rooms::list_open(tx, community).await?;
    store::room_members::start_reading(tx, person.id, &rooms, now).await?;
    told::person(tx, scope, now, (person.id, "community.changed"), here.notice("joined")).await?;
    tx.announce(News::GrantsChanged { tenant: scope.tenant, user: person.id });
    tx.announce(News::CommunityChanged { tenant: scope.tenant, community });
    Ok(())
}

/// Whether the plan, and the bound on one person's communities, leave room.
pub(super) async fn ensure_room_for_one_more(tx: &mut TenantTx, plans: &Plans, joining: UserId) -> Result<(), Error> {
    if store::communities::count_of_user(tx, joining).await? >= u64::from(COMMUNITIES_PER_PERSON_MAX) {
        return Err(Error::TooMany { what: "communities per person", max: COMMUNITIES_PER_PERSON_MAX });
    }
    let plan = store::communities::plan_of_tenant(tx).await?;
    let quota = plans.find(&plan).ok_or(Error::PlanLimit)?.members;
    if quota == Quota::Unlimited {
        return Ok(());
    }
    tenancy::verbs::take_turn(tx).await?;
    let others = store::communities::count_other_people(tx, joining).await?;
    if quota.admits(others) { Ok(()) } else { Err(Error::PlanLimit) }
}

/// Who waits to be let in; moderators see it.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`].
pub async fn list_requests(
    tx: &mut TenantTx,
    scope: &Scope,
    community: CommunityId,
    after: Option<&str>,
    limit: u32,
) -> Result<Page<RequestView>, Error> {
    enter(tx, scope, community).await?.require(Rank::Moderator, "only moderators see who wants to join")?;
    let items = store::members::list_requests(tx, community, after, limit).await?;
    Ok(Page::cut(items, limit, |request| request.user.handle.clone()))
}

/// Lets somebody in who asked, or not.
///
/// # Errors
/// [`Error::NotFound`] when nobody waits by that id, [`Error::Forbidden`], [`Error::PlanLimit`], [`Error::TooMany`].
pub async fn answer_request(
    tx: &mut TenantTx,
    scope: &Scope,
    now: DateTime<Utc>,
    plans: &Plans,
    (community, user, approve): (CommunityId, UserId, bool),
) -> Result<(), Error> {
    let door = (Rank::Moderator, "only moderators decide who joins");
    let here = enter_as(tx, scope, community, door).await?;
    let (target, _) = target(tx, community, user).await?;
    if !store::members::delete_request(tx, community, user).await? || !target.active {
        return Err(Error::NotFound);
    }
    let action = if approve { "join_request.approved" } else { "join_request.declined" };
    let detail = serde_json::json!({"user": user});
    trail::record(tx, scope, now, (action, format!("community:{community}")), detail).await?;
    if approve && target.role.is_none() {
        admit(tx, scope, now, plans, (&here, &target.person)).await
    } else {
        told::person(tx, scope, now, (user, "community.changed"), here.notice("declined")).await
    }
}
