//! Roles, mutes, going and being put out.

use chrono::TimeDelta;
use rialto::domain::communities::names::Query;
use rialto::domain::communities::views::JoinPolicy;
use rialto::domain::communities::{Error, RoomKind, load_grants, members, room_members};
use rialto::infra::bus::StreamId;
use rialto::kernel::{CommunityId, CommunityRole, Scope, TenantRole};

use crate::world::{World, now, tx};

async fn home_of(world: &World, owner: &Scope, others: &[&Scope]) -> CommunityId {
    let home = world.community(owner, JoinPolicy::Open, "").await.id;
    for who in others {
        world.join(who, home, None).await.unwrap();
    }
    home
}

async fn give(world: &World, actor: &Scope, home: CommunityId, to: &Scope, role: CommunityRole) -> Result<(), Error> {
    tx!(world, |tx| members::set_role(tx, actor, now(), home, (to.user, role)))
}

#[tokio::test]
async fn the_last_owner_stays_until_they_hand_over() {
    let world = World::new().await;
    let (ada, bo) = (world.member("ada").await, world.member("bo").await);
    let home = home_of(&world, &ada, &[&bo]).await;
    assert!(matches!(tx!(world, |tx| members::leave(tx, &ada, now(), home)), Err(Error::LastOwner)));

    give(&world, &ada, home, &bo, CommunityRole::Owner).await.unwrap();

    let grants = load_grants(&world.pg, world.tenant, ada.user).await.unwrap().unwrap();
    assert_eq!(grants.communities[&home].role, CommunityRole::Admin);
    assert!(matches!(tx!(world, |tx| members::leave(tx, &bo, now(), home)), Err(Error::LastOwner)));
    tx!(world, |tx| members::leave(tx, &ada, now(), home)).unwrap();
    assert!(matches!(tx!(world, |tx| members::leave(tx, &ada, now(), home)), Err(Error::NotFound)));
}

#[tokio::test]
async fn a_tenants_admin_can_not_leave_a_community_without_an_owner() {
    let world = World::new().await;
    let ada = world.member("ada").await;
    let tam = world.person("tam", TenantRole::TenantAdmin).await;
    let home = home_of(&world, &ada, &[]).await;
    assert!(matches!(give(&world, &tam, home, &ada, CommunityRole::Member).await, Err(Error::LastOwner)));
    let put_out = tx!(world, |tx| members::remove(tx, &tam, now(), home, (ada.user, true)));
    assert!(matches!(put_out, Err(Error::LastOwner)));
}

#[tokio::test]
async fn roles_are_given_below_ones_own() {
    let world = World::new().await;
    let (ada, bo, cy) = (world.member("ada").await, world.member("bo").await, world.member("cy").await);
    let home = home_of(&world, &ada, &[&bo, &cy]).await;
    give(&world, &ada, home, &bo, CommunityRole::Admin).await.unwrap();
    give(&world, &bo, home, &cy, CommunityRole::Moderator).await.unwrap();
    for refused in [
        give(&world, &bo, home, &cy, CommunityRole::Admin).await,
        give(&world, &bo, home, &cy, CommunityRole::Owner).await,
        give(&world, &bo, home, &ada, CommunityRole::Member).await,
        give(&world, &cy, home, &bo, CommunityRole::Member).await,
        give(&world, &bo, home, &bo, CommunityRole::Owner).await,
    ] {
        assert!(matches!(refused, Err(Error::Forbidden(_))), "{refused:?}");
    }
    let dee = world.member("dee").await;
    assert!(matches!(give(&world, &ada, home, &dee, CommunityRole::Moderator).await, Err(Error::NotFound)));
}

#[tokio::test]
async fn who_is_put_out_leaves_the_private_rooms_too_and_everybody_hears_of_it() {
    let world = World::new().await;
    let (ada, bo) = (world.member("ada").await, world.member("bo").await);
    let home = home_of(&world, &ada, &[&bo]).await;
    let hall = world.hall(&ada, home).await;
    let den = world.room(&ada, home, RoomKind::Private, "den").await.unwrap().id;
    tx!(world, |tx| room_members::add(tx, &ada, now(), den, bo.user)).unwrap();
    assert!(load_grants(&world.pg, world.tenant, bo.user).await.unwrap().unwrap().rooms.contains(&den));
    world.news();

    tx!(world, |tx| members::remove(tx, &ada, now(), home, (bo.user, false))).unwrap();

    assert_eq!(world.whose_grants_changed(), [bo.user]);
    let grants = load_grants(&world.pg, world.tenant, bo.user).await.unwrap().unwrap();
    assert!(grants.rooms.is_empty() && grants.communities.is_empty());
    for room in [hall, den] {
        let events = world.events(StreamId::Room(room)).await;
        let (kind, body) = events.last().unwrap();
        assert_eq!((kind.as_str(), &body["member"]["handle"]), ("member.left", &"bo".into()));
        assert_eq!(body["actor"]["handle"], "ada");
    }
    let told = world.events(StreamId::User(bo.user)).await;
    assert_eq!(told.last().unwrap().1["change"], "removed");
    assert!(told.last().unwrap().1.get("actor").is_none());
    let rows = format!("SELECT count(*) FROM audit WHERE tenant_id = '{}' AND action = 'member.removed'", world.tenant);
    assert_eq!(world.count(&rows).await, 1);
    assert_eq!(world.join(&bo, home, None).await.unwrap().community.member_count, 2);
}

#[tokio::test]
async fn a_mute_is_for_those_below_and_in_the_future() {
    let world = World::new().await;
    let (ada, bo, cy) = (world.member("ada").await, world.member("bo").await, world.member("cy").await);
    let mo = world.person("mo", TenantRole::Moderator).await;
    let home = home_of(&world, &ada, &[&bo, &cy]).await;
    let until = now() + TimeDelta::hours(1);
    let by_peer = tx!(world, |tx| members::mute(tx, &bo, now(), home, (cy.user, Some(until))));
    assert!(matches!(by_peer, Err(Error::Forbidden(_))));
    let of_owner = tx!(world, |tx| members::mute(tx, &mo, now(), home, (ada.user, Some(until))));
    assert!(matches!(of_owner, Err(Error::Forbidden(_))));
    let over = tx!(world, |tx| members::mute(tx, &mo, now(), home, (bo.user, Some(now()))));
    assert!(matches!(over, Err(Error::Invalid { field: "until", .. })));

    tx!(world, |tx| members::mute(tx, &mo, now(), home, (bo.user, Some(until)))).unwrap();
    assert!(!world.rooms(&bo, home).await[0].can_post);
    tx!(world, |tx| members::mute(tx, &mo, now(), home, (bo.user, None))).unwrap();
    assert!(world.rooms(&bo, home).await[0].can_post);
}

#[tokio::test]
async fn members_are_paged_and_searched_by_members() {
    let world = World::new().await;
    let ada = world.member("ada").await;
    let people = [world.member("bert").await, world.member("berta").await, world.member("cy").await];
    let home = home_of(&world, &ada, &people.each_ref()).await;
    let page = async |q: &str, after: Option<&str>| {
        let q = Query::parse(q).unwrap();
        let page = tx!(world, |tx| members::list(tx, &ada, home, &q, members::Window { after, limit: 2 })).unwrap();
        let handles: Vec<_> = page.items.into_iter().map(|member| member.user.handle).collect();
        (handles, page.next_cursor)
    };
    assert_eq!(page("", None).await, (vec!["ada".into(), "bert".into()], Some("bert".into())));
    assert_eq!(page("", Some("bert")).await, (vec!["berta".into(), "cy".into()], None));
    assert_eq!(page("ERT", None).await.0, ["bert", "berta"]);
    assert_eq!(page("100%_", None).await.0, [""; 0]);
    let eve = world.member("eve").await;
    let q = Query::parse("").unwrap();
    let by_outsider = tx!(world, |tx| members::list(tx, &eve, home, &q, members::Window { after: None, limit: 2 }));
    assert!(matches!(by_outsider, Err(Error::Forbidden(_))));
}
