//! Coming in: by oneself, by request, by invite; and what keeps people out.

use chrono::TimeDelta;
use rialto::config::{Plans, Quota};
use rialto::domain::communities::invites::{self, Terms};
use rialto::domain::communities::joining;
use rialto::domain::communities::views::{JoinPolicy, JoinStatus};
use rialto::domain::communities::{Error, community, members};
use rialto::infra::bus::StreamId;
use rialto::kernel::TenantRole;

use crate::world::{World, now, tx};

#[tokio::test]
async fn whoever_joins_an_open_community_is_announced_in_its_first_room() {
    let world = World::new().await;
    let (ada, bo) = (world.member("ada").await, world.member("bo").await);
    let home = world.community(&ada, JoinPolicy::Open, "").await;
    let hall = world.hall(&ada, home.id).await;
    world.news();

    let joined = world.join(&bo, home.id, None).await.unwrap();

    assert_eq!((joined.status, joined.community.member_count), (JoinStatus::Joined, 2));
    assert_eq!(world.whose_grants_changed(), [bo.user]);
    let events = world.events(StreamId::Room(hall)).await;
    assert_eq!(events[0].0, "member.joined");
    assert_eq!(events[0].1["member"]["handle"], "bo");
    assert_eq!(events[0].1["actor"]["id"], bo.user.to_string());
    assert_eq!(world.events(StreamId::User(bo.user)).await[0].1["change"], "joined");
    // Again is nothing.
    assert_eq!(world.join(&bo, home.id, None).await.unwrap().community.member_count, 2);
    assert_eq!(world.events(StreamId::Room(hall)).await.len(), 1);
}

#[tokio::test]
async fn guidelines_have_to_be_accepted() {
    let world = World::new().await;
    let (ada, bo) = (world.member("ada").await, world.member("bo").await);
    let home = world.community(&ada, JoinPolicy::Open, "Be kind.").await;
    assert!(matches!(world.join(&bo, home.id, None).await, Err(Error::GuidelinesNotAccepted)));
    assert!(world.join_at(&bo, home.id, (None, true), now()).await.is_ok());
}

#[tokio::test]
async fn who_asks_waits_until_a_moderator_answers() {
    let world = World::new().await;
    let (ada, bo, cy) = (world.member("ada").await, world.member("bo").await, world.member("cy").await);
    let home = world.community(&ada, JoinPolicy::Request, "").await;

    for who in [&bo, &cy] {
        let joined = world.join(who, home.id, None).await.unwrap();
        assert_eq!((joined.status, joined.community.requested), (JoinStatus::Requested, true));
    }
    let waiting = tx!(world, |tx| joining::list_requests(tx, &ada, home.id, None, 50)).unwrap();
    assert_eq!(waiting.items.iter().map(|r| r.user.handle.as_str()).collect::<Vec<_>>(), ["bo", "cy"]);
    let by_outsider = tx!(world, |tx| joining::list_requests(tx, &bo, home.id, None, 50));
    assert!(matches!(by_outsider, Err(Error::Forbidden(_))));

    tx!(world, |tx| joining::answer_request(tx, &ada, now(), &world.plans, (home.id, bo.user, true))).unwrap();
    tx!(world, |tx| joining::answer_request(tx, &ada, now(), &world.plans, (home.id, cy.user, false))).unwrap();
    let again = tx!(world, |tx| joining::answer_request(tx, &ada, now(), &world.plans, (home.id, cy.user, true)));

    assert!(matches!(again, Err(Error::NotFound)));
    assert_eq!(tx!(world, |tx| community::get(tx, &bo, home.id)).unwrap().member_count, 2);
    assert_eq!(world.events(StreamId::User(cy.user)).await[0].1["change"], "declined");
}

#[tokio::test]
async fn an_invite_only_community_is_not_there_for_outsiders() {
    let world = World::new().await;
    let (ada, bo) = (world.member("ada").await, world.member("bo").await);
    let home = world.community(&ada, JoinPolicy::Invite, "").await;
    assert!(matches!(tx!(world, |tx| community::get(tx, &bo, home.id)), Err(Error::NotFound)));
    assert!(matches!(world.join(&bo, home.id, None).await, Err(Error::NotFound)));
    assert!(matches!(world.join(&bo, home.id, Some("wrong")).await, Err(Error::NotFound)));
    let known = tx!(world, |tx| community::list(tx, &bo, None, 50)).unwrap();
    assert!(known.items.is_empty());

    let terms = Terms::parse(Some(60), Some(1)).unwrap();
    let invite = tx!(world, |tx| invites::create(tx, &ada, now(), home.id, terms)).unwrap();
    let code = invite.code.as_str();
    let late = now() + TimeDelta::seconds(60);
    assert!(matches!(world.join_at(&bo, home.id, (Some(code), false), late).await, Err(Error::InviteInvalid)));
    assert!(world.join(&bo, home.id, Some(code)).await.is_ok());
    let cy = world.member("cy").await;
    assert!(matches!(world.join(&cy, home.id, Some(code)).await, Err(Error::InviteInvalid)));
}

#[tokio::test]
async fn an_invite_is_used_as_often_as_it_says_however_many_come_at_once() {
    let world = World::new().await;
    let ada = world.member("ada").await;
    let home = world.community(&ada, JoinPolicy::Invite, "").await;
    let terms = Terms::parse(None, Some(3)).unwrap();
    let invite = tx!(world, |tx| invites::create(tx, &ada, now(), home.id, terms)).unwrap();
    let mut people = Vec::new();
    for n in 0..8 {
        people.push(world.member(&format!("p{n}")).await);
    }

    let attempts = people.iter().map(|who| world.join(who, home.id, Some(&invite.code)));
    let answers = futures_util::future::join_all(attempts).await;

    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 3);
    assert!(answers.iter().filter_map(|a| a.as_ref().err()).all(|e| matches!(e, Error::InviteInvalid)));
    assert_eq!(tx!(world, |tx| community::get(tx, &ada, home.id)).unwrap().member_count, 4);
}

#[tokio::test]
async fn a_refused_join_does_not_use_the_invite_up() {
    let world = World::new().await;
    let (ada, bo) = (world.member("ada").await, world.member("bo").await);
    let home = world.community(&ada, JoinPolicy::Invite, "Be kind.").await;
    let terms = Terms::parse(None, Some(1)).unwrap();
    let invite = tx!(world, |tx| invites::create(tx, &ada, now(), home.id, terms)).unwrap();
    let code = Some(invite.code.as_str());
    assert!(matches!(world.join(&bo, home.id, code).await, Err(Error::GuidelinesNotAccepted)));
    assert!(world.join_at(&bo, home.id, (code, true), now()).await.is_ok());
}

#[tokio::test]
async fn the_plans_last_seat_goes_to_one_of_those_who_come_at_once() {
    let mut world = World::on_plan("basic").await;
    world.plans = three_members();
    let ada = world.member("ada").await;
    let (one, two) =
        (world.community(&ada, JoinPolicy::Open, "").await, world.community(&ada, JoinPolicy::Open, "").await);
    let mut people = Vec::new();
    for n in 0..6 {
        people.push(world.member(&format!("p{n}")).await);
    }
    let places = [one.id, two.id].into_iter().cycle();

    let attempts = people.iter().zip(places).map(|(who, place)| world.join(who, place, None));
    let answers = futures_util::future::join_all(attempts).await;

    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 2);
    // Who has a seat takes no second one in another community.
    let (inside, _) = people.iter().zip(&answers).find(|(_, answer)| answer.is_ok()).unwrap();
    assert!(world.join(inside, one.id, None).await.is_ok());
    assert!(world.join(inside, two.id, None).await.is_ok());
}

fn three_members() -> Plans {
    let mut plans = serde_json::to_value(Plans::default()).unwrap();
    plans["basic"]["members"] = serde_json::to_value(Quota::Upto(3)).unwrap();
    serde_json::from_value(plans).unwrap()
}

#[tokio::test]
async fn the_banned_find_nothing_and_come_back_only_when_allowed() {
    let world = World::new().await;
    let (ada, bo) = (world.member("ada").await, world.member("bo").await);
    let home = world.community(&ada, JoinPolicy::Open, "").await;
    world.join(&bo, home.id, None).await.unwrap();
    let terms = Terms::parse(None, None).unwrap();
    let invite = tx!(world, |tx| invites::create(tx, &ada, now(), home.id, terms)).unwrap();

    tx!(world, |tx| members::remove(tx, &ada, now(), home.id, (bo.user, true))).unwrap();

    assert!(matches!(tx!(world, |tx| community::get(tx, &bo, home.id)), Err(Error::NotFound)));
    assert!(matches!(world.join(&bo, home.id, None).await, Err(Error::NotFound)));
    assert!(matches!(world.join(&bo, home.id, Some(&invite.code)).await, Err(Error::NotFound)));
    let code = rialto::domain::communities::names::Code::parse(&invite.code).unwrap();
    let preview = tx!(world, |tx| invites::preview(tx, Some(bo.user), now(), &code));
    assert!(matches!(preview, Err(Error::NotFound)));
    tx!(world, |tx| members::unban(tx, &ada, now(), home.id, bo.user)).unwrap();
    assert!(world.join(&bo, home.id, None).await.is_ok());
}

#[tokio::test]
async fn guests_join_to_read_and_make_nothing() {
    let world = World::new().await;
    let ada = world.member("ada").await;
    let guest = world.person("guest", TenantRole::Guest).await;
    let home = world.community(&ada, JoinPolicy::Open, "").await;
    assert!(world.join(&guest, home.id, None).await.is_ok());
    let room = &world.rooms(&guest, home.id).await[0];
    assert!(!room.can_post);
}
