//! The rules against a table and against an oracle written the other way round.

use proptest::prelude::*;

use super::*;
use crate::kernel::Clock;

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp_millis(1_700_000_000_000).unwrap()
}

prop_compose! {
    fn standing()(
        role in prop::sample::select(TenantRole::ALL),
        active in any::<bool>(),
        in_room in any::<bool>(),
        membership in prop::option::of((prop::sample::select(CommunityRole::ALL), prop::option::of(-2i64..3))),
    ) -> Standing {
        let membership = membership.map(|(role, mute)| CommunityGrant {
            role,
            muted_until: mute.map(|seconds| now() + chrono::TimeDelta::seconds(seconds)),
        });
        Standing { role, active, membership, in_room }
    }
}

/// The rule as one reads it in the manual: a list of sentences, each asked by itself.
fn oracle(kind: RoomKind, archived: bool, who: &Standing) -> (bool, Option<&'static str>) {
    let member = who.membership.is_some();
    let in_a_direct_room = who.in_room && kind.as_str().len() < 7 && kind != RoomKind::Public;
    let in_a_private_room = kind == RoomKind::Private && member && who.in_room;
    let in_an_open_room = member && (kind == RoomKind::Public || kind == RoomKind::Announcement);
    let reads = who.active && (in_an_open_room || in_a_private_room || in_a_direct_room);
    let leads = ["moderator", "tenant_admin"].contains(&who.role.as_str())
        || who.membership.is_some_and(|m| m.role.as_str() != "member");
    let muted = who.membership.and_then(|m| m.muted_until).is_some_and(|until| until > now());
    let refusals = [
        (archived, "archived"),
        (muted, "muted"),
        (who.role.as_str() == "guest", "read_only"),
        (kind == RoomKind::Announcement && !leads, "read_only"),
    ];
    (reads, refusals.into_iter().find(|(holds, _)| *holds).map(|(_, name)| name))
}

const fn name(refusal: PostRefusal) -> &'static str {
    match refusal {
        PostRefusal::Archived => "archived",
        PostRefusal::Muted { .. } => "muted",
        PostRefusal::ReadOnly => "read_only",
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn access_agrees_with_the_manual(
        who in standing(), kind in prop::sample::select(RoomKind::ALL), archived in any::<bool>(),
    ) {
        let answer = judge(kind, archived, &who, now());
        let (reads, refusal) = oracle(kind, archived, &who);
        prop_assert_eq!(answer.read, reads);
        if reads {
            prop_assert_eq!(answer.post.err().map(name), refusal);
        } else {
            prop_assert_eq!(answer, Access::NONE);
        }
    }

    #[test]
    fn grants_and_standing_lead_to_the_same_answer(
        who in standing(), kind in prop::sample::select(RoomKind::ALL), archived in any::<bool>(),
    ) {
        let (community, room) = (CommunityId::generate(), RoomId::generate());
        let community_of_room = if matches!(kind, RoomKind::Direct | RoomKind::Group) { None } else { Some(community) };
        let facts = RoomFacts {
            id: room, community: community_of_room, kind, name: "n".into(), topic: "".into(), slow_mode_s: 0, archived,
        };
        let grants = Grants {
            role: who.role, active: who.active, handle: "h".into(), display_name: "d".into(),
            communities: who.membership.map(|m| (community, m)).into_iter().collect(),
            rooms: who.in_room.then_some(room).into_iter().collect(),
        };
        let standing = Standing { membership: who.membership.filter(|_| community_of_room.is_some()), ..who };
        prop_assert_eq!(access(&facts, &grants, now()), judge(kind, archived, &standing, now()));
    }

    #[test]
    fn nobody_lifts_anybody_to_or_acts_on_their_own_level(
        tenant in prop::sample::select(TenantRole::ALL), role in prop::option::of(prop::sample::select(CommunityRole::ALL)),
        target in prop::sample::select(CommunityRole::ALL), to in prop::sample::select(CommunityRole::ALL),
    ) {
        let actor = rank(tenant, role);
        match change_role(actor, Rank::from(target), to) {
            RoleChange::Set => prop_assert!(Rank::from(target) < actor && Rank::from(to) < actor && actor >= Rank::Admin),
            RoleChange::Transfer => prop_assert!(actor == Rank::Owner && target < CommunityRole::Owner),
            RoleChange::Refused => prop_assert!(
                actor < Rank::Admin || Rank::from(target) >= actor || (Rank::from(to) >= actor && actor != Rank::Owner)
            ),
        }
    }
}

#[test]
fn a_mute_ends_at_its_instant() {
    let clock = Clock::System.now();
    let muted = |until| Standing {
        role: TenantRole::Member,
        active: true,
        membership: Some(CommunityGrant { role: CommunityRole::Member, muted_until: Some(until) }),
        in_room: false,
    };
    assert_eq!(judge(RoomKind::Public, false, &muted(clock), clock).post, Ok(()));
    let later = clock + chrono::TimeDelta::milliseconds(1);
    assert_eq!(judge(RoomKind::Public, false, &muted(later), clock).post, Err(PostRefusal::Muted { until: later }));
}

#[test]
fn a_tenants_moderator_moderates_where_they_read_and_nowhere_else() {
    let who = Standing { role: TenantRole::Moderator, active: true, membership: None, in_room: false };
    assert_eq!(judge(RoomKind::Public, false, &who, now()), Access::NONE);
    let who = Standing { membership: Some(CommunityGrant { role: CommunityRole::Member, muted_until: None }), ..who };
    assert!(judge(RoomKind::Public, false, &who, now()).moderate);
}
