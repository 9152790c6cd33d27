//! Rooms of communities, of a few people, and everything that one person reads.

use std::time::Instant;

use rialto::domain::communities::direct::{self, People};
use rialto::domain::communities::names::{RoomName, Topic};
use rialto::domain::communities::rooms::{self, Changes};
use rialto::domain::communities::views::{JoinPolicy, RoomView};
use rialto::domain::communities::{Error, RoomKind, room_members};
use rialto::infra::bus::{News, StreamId};
use rialto::kernel::{RoomId, Scope, TenantRole, UserId};

use crate::world::{World, now, tx};

async fn change(world: &World, who: &Scope, room: RoomId, changes: Changes) -> Result<RoomView, Error> {
    tx!(world, |tx| rooms::update(tx, who, now(), room, &changes))
}

async fn open(world: &World, who: &Scope, others: &[&Scope]) -> Result<direct::Opened, Error> {
    let people = People::parse(who.user, others.iter().map(|other| other.user).collect())?;
    tx!(world, |tx| direct::open(tx, who, now(), &people))
}

#[tokio::test]
async fn a_community_begins_with_a_room_and_gets_more_from_its_moderators() {
    let world = World::new().await;
    let (ada, bo) = (world.member("ada").await, world.member("bo").await);
    let home = world.community(&ada, JoinPolicy::Open, "").await.id;
    world.join(&bo, home, None).await.unwrap();
    world.news();

    let market = world.room(&ada, home, RoomKind::Announcement, "market").await.unwrap();

    assert_eq!(market.channel, format!("room:{}", market.id));
    assert!(!market.epoch.is_empty());
    assert!(world.news().iter().any(|news| matches!(news, News::RoomChanged { room, .. } if *room == market.id)));
    assert!(matches!(world.room(&ada, home, RoomKind::Public, "market").await, Err(Error::NameTaken)));
    assert!(matches!(world.room(&bo, home, RoomKind::Public, "other").await, Err(Error::Forbidden(_))));
    assert!(matches!(world.room(&ada, home, RoomKind::Group, "x").await, Err(Error::Invalid { field: "kind", .. })));
    let seen = world.rooms(&bo, home).await;
    let names: Vec<_> = seen.iter().map(|room| (room.name.as_str(), room.can_post)).collect();
    assert_eq!(names, [("general", true), ("market", false)]);
    let eve = world.member("eve").await;
    assert!(world.rooms(&eve, home).await.is_empty());
    assert!(matches!(tx!(world, |tx| rooms::get(tx, &eve, now(), market.id)), Err(Error::NotFound)));
}

#[tokio::test]
async fn a_change_is_an_event_in_the_room() {
    let world = World::new().await;
    let (ada, bo) = (world.member("ada").await, world.member("bo").await);
    let home = world.community(&ada, JoinPolicy::Open, "").await.id;
    world.join(&bo, home, None).await.unwrap();
    let hall = world.hall(&ada, home).await;
    let changes = Changes {
        name: Some(RoomName::parse("hall").unwrap()),
        topic: Some(Topic::parse("all").unwrap()),
        archived: Some(true),
        slow_mode_s: Some(30),
    };
    assert!(matches!(change(&world, &bo, hall, changes.clone()).await, Err(Error::Forbidden(_))));

    let changed = change(&world, &ada, hall, changes).await.unwrap();

    assert!(changed.archived && !changed.can_post);
    let events = world.events(StreamId::Room(hall)).await;
    let (kind, body) = events.last().unwrap();
    assert_eq!(kind, "room.updated");
    let expected = serde_json::json!({"name": "hall", "topic": "all", "archived": true, "slow_mode_s": 30});
    assert_eq!(body["room"], expected);
    let back = Changes { archived: Some(false), ..Changes::default() };
    assert!(change(&world, &ada, hall, back).await.unwrap().can_post);
    let too_slow = Changes { slow_mode_s: Some(21_601), ..Changes::default() };
    assert!(matches!(change(&world, &ada, hall, too_slow).await, Err(Error::Invalid { .. })));
    let before = world.events(StreamId::Room(hall)).await.len();
    change(&world, &ada, hall, Changes::default()).await.unwrap();
    assert_eq!(world.events(StreamId::Room(hall)).await.len(), before);
}

#[tokio::test]
async fn a_private_room_is_there_for_its_people_and_admins_only() {
    let world = World::new().await;
    let (ada, bo, cy) = (world.member("ada").await, world.member("bo").await, world.member("cy").await);
    let home = world.community(&ada, JoinPolicy::Open, "").await.id;
    for who in [&bo, &cy] {
        world.join(who, home, None).await.unwrap();
    }
    let den = world.room(&ada, home, RoomKind::Private, "den").await.unwrap().id;
    assert!(matches!(tx!(world, |tx| rooms::get(tx, &bo, now(), den)), Err(Error::NotFound)));
    assert_eq!(world.rooms(&bo, home).await.len(), 1);

    tx!(world, |tx| room_members::add(tx, &ada, now(), den, bo.user)).unwrap();
    tx!(world, |tx| room_members::add(tx, &ada, now(), den, bo.user)).unwrap();

    assert_eq!(world.rooms(&bo, home).await.len(), 2);
    let told = world.events(StreamId::User(bo.user)).await;
    assert_eq!(told.iter().filter(|(kind, _)| kind == "room.added").count(), 1);
    let by_member = tx!(world, |tx| room_members::add(tx, &bo, now(), den, cy.user));
    assert!(matches!(by_member, Err(Error::Forbidden(_))));
    let eve = world.member("eve").await;
    let outsider = tx!(world, |tx| room_members::add(tx, &ada, now(), den, eve.user));
    assert!(matches!(outsider, Err(Error::NotFound)));
    let of_owner = tx!(world, |tx| room_members::remove(tx, &bo, now(), den, ada.user));
    assert!(matches!(of_owner, Err(Error::Forbidden(_))));
    tx!(world, |tx| room_members::remove(tx, &bo, now(), den, bo.user)).unwrap();
    assert!(matches!(tx!(world, |tx| rooms::get(tx, &bo, now(), den)), Err(Error::NotFound)));
    let kinds: Vec<_> = world.events(StreamId::Room(den)).await.into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(kinds, ["member.joined", "member.left"]);
}

#[tokio::test]
async fn the_same_people_find_the_same_room_even_when_all_look_at_once() {
    let world = World::new().await;
    let (ada, bo, cy) = (world.member("ada").await, world.member("bo").await, world.member("cy").await);

    let at_once = futures_util::future::join_all([
        open(&world, &ada, &[&bo]),
        open(&world, &bo, &[&ada]),
        open(&world, &ada, &[&bo, &ada]),
        open(&world, &bo, &[&ada]),
    ])
    .await;

    let opened: Vec<_> = at_once.into_iter().map(Result::unwrap).collect();
    assert!(opened.iter().all(|one| one.room.id == opened[0].room.id && one.room.kind == RoomKind::Direct));
    assert_eq!(opened.iter().filter(|one| one.created).count(), 1);
    assert_eq!((opened[0].room.name.as_str(), opened[1].room.name.as_str()), ("bo", "ada"));
    assert_eq!(opened[0].room.members.len(), 2);
    let told = world.events(StreamId::User(bo.user)).await;
    assert_eq!((told.len(), told[0].0.as_str(), &told[0].1["room"]["name"]), (1, "room.added", &"ada".into()));

    let group = open(&world, &ada, &[&bo, &cy]).await.unwrap().room;
    assert_eq!((group.kind, group.name.as_str()), (RoomKind::Group, "bo, cy"));
    assert_eq!(open(&world, &cy, &[&bo, &ada]).await.unwrap().room.id, group.id);
    assert!(matches!(tx!(world, |tx| rooms::get(tx, &cy, now(), opened[0].room.id)), Err(Error::NotFound)));
}

#[tokio::test]
async fn a_groups_people_change_it_and_a_direct_room_stays_as_it_is() {
    let world = World::new().await;
    let (ada, bo, cy) = (world.member("ada").await, world.member("bo").await, world.member("cy").await);
    let dee = world.member("dee").await;
    let group = open(&world, &ada, &[&bo, &cy]).await.unwrap().room.id;

    tx!(world, |tx| room_members::add(tx, &bo, now(), group, dee.user)).unwrap();

    // It is not the room of these three any more.
    assert_ne!(open(&world, &ada, &[&bo, &cy]).await.unwrap().room.id, group);
    let by_other = tx!(world, |tx| room_members::remove(tx, &bo, now(), group, cy.user));
    assert!(matches!(by_other, Err(Error::Forbidden(_))));
    tx!(world, |tx| room_members::remove(tx, &ada, now(), group, cy.user)).unwrap();
    assert!(matches!(tx!(world, |tx| rooms::get(tx, &cy, now(), group)), Err(Error::NotFound)));
    let named = Changes { name: Some(RoomName::parse("Trip").unwrap()), ..Changes::default() };
    assert_eq!(change(&world, &dee, group, named.clone()).await.unwrap().name, "Trip");
    let slow = Changes { slow_mode_s: Some(5), ..Changes::default() };
    assert!(matches!(change(&world, &dee, group, slow).await, Err(Error::Forbidden(_))));

    let pair = open(&world, &ada, &[&bo]).await.unwrap().room.id;
    assert!(matches!(change(&world, &ada, pair, named).await, Err(Error::Forbidden(_))));
    let third = tx!(world, |tx| room_members::add(tx, &ada, now(), pair, cy.user));
    assert!(matches!(third, Err(Error::Forbidden(_))));
    let stranger = World::new().await.member("stranger").await;
    assert!(matches!(open(&world, &ada, &[&stranger]).await, Err(Error::NotFound)));
    let guest = world.person("guest", TenantRole::Guest).await;
    assert!(matches!(open(&world, &guest, &[&ada]).await, Err(Error::Forbidden(_))));
}

/// Writes messages as the append function would leave them.
async fn write(world: &World, room: RoomId, author: UserId, count: u32, calls: Option<&str>) {
    let mention = calls.map_or(String::new(), |target| {
        format!(
            "INSERT INTO mentions (tenant_id, room_id, target, event_offset)
             SELECT '{0}', '{room}', '{target}', last_offset + n FROM streams, generate_series(1, {count}) n WHERE tenant_id = '{0}' AND id = '{room}';",
            world.tenant
        )
    });
    world
        .sql(&format!(
            "INSERT INTO messages (tenant_id, room_id, event_offset, id, author_id, client_id, text, created_at)
             SELECT '{0}', '{room}', last_offset + n, gen_random_uuid(), '{author}', gen_random_uuid(), 't', now()
               FROM streams, generate_series(1, {count}) n WHERE tenant_id = '{0}' AND id = '{room}';
             {mention}
             UPDATE streams SET last_offset = last_offset + {count} WHERE tenant_id = '{0}' AND id = '{room}'",
            world.tenant
        ))
        .await;
}

#[tokio::test]
async fn what_waits_is_counted_past_the_watermark_without_ones_own_and_up_to_a_hundred() {
    let world = World::new().await;
    let (ada, bo) = (world.member("ada").await, world.member("bo").await);
    let home = world.community(&ada, JoinPolicy::Open, "").await.id;
    let hall = world.hall(&ada, home).await;
    write(&world, hall, ada.user, 5, None).await;
    world.join(&bo, home, None).await.unwrap();
    let waiting = async |who: &Scope| {
        let page = tx!(world, |tx| rooms::list_mine(tx, who, now())).unwrap();
        page.items.into_iter().map(|room| (room.room.id, room.unread, room.mentions)).collect::<Vec<_>>()
    };
    // What was said before one came is not unread.
    assert_eq!(waiting(&bo).await, [(hall, 0, 0)]);

    write(&world, hall, ada.user, 2, Some(&format!("user:{}", bo.user))).await;
    write(&world, hall, ada.user, 1, Some("here")).await;
    write(&world, hall, ada.user, 1, Some("role:moderator")).await;
    write(&world, hall, bo.user, 4, Some("here")).await;
    assert_eq!(waiting(&bo).await, [(hall, 4, 3)]);
    // The owner is called by the others' @here, not by her own.
    assert_eq!(waiting(&ada).await, [(hall, 4, 4)]);
    world
        .sql(&format!(
            "UPDATE messages SET deleted_at = now() WHERE tenant_id = '{}' AND author_id = '{}'",
            world.tenant, ada.user
        ))
        .await;
    assert_eq!(waiting(&bo).await, [(hall, 0, 0)]);

    write(&world, hall, ada.user, 250, Some("role:member")).await;
    assert_eq!(waiting(&bo).await, [(hall, 100, 100)]);
    let pair = open(&world, &ada, &[&bo]).await.unwrap().room.id;
    write(&world, pair, ada.user, 1, None).await;
    assert_eq!(waiting(&bo).await, [(hall, 100, 100), (pair, 1, 0)]);
}

#[tokio::test]
async fn two_hundred_rooms_are_one_quick_statement_even_of_a_tenant_that_no_statistics_know() {
    let other = World::new().await;
    let eve = other.member("eve").await;
    let elsewhere = other.community(&eve, JoinPolicy::Open, "").await.id;
    write(&other, other.hall(&eve, elsewhere).await, eve.user, 1_000, Some("here")).await;
    other.analyze().await;
    let world = World::new().await;
    let (ada, bo) = (world.member("ada").await, world.member("bo").await);
    let home = world.community(&ada, JoinPolicy::Open, "").await.id;
    for n in 0..199 {
        world.room(&ada, home, RoomKind::Public, &format!("room {n}")).await.unwrap();
    }
    world.join(&bo, home, None).await.unwrap();
    for room in world.rooms(&ada, home).await {
        write(&world, room.id, ada.user, 120, Some("here")).await;
    }
    let mut best = u128::MAX;
    for _ in 0..5 {
        let begun = Instant::now();
        let page = tx!(world, |tx| rooms::list_mine(tx, &bo, now())).unwrap();
        best = best.min(begun.elapsed().as_millis());
        assert_eq!(page.items.len(), 200);
    }
    println!("200 rooms: {best} ms");
    // Generous: a busy machine. A scan per room or mention takes many seconds.
    assert!(best < 1_000, "{best} ms");
}
