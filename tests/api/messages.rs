//! Messages over HTTP: the same verbs as the socket's, with statuses and shapes.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::communities::{community_of, delete};
use crate::harness::{Answer, Api, TestTenant};

/// A community of these people (the first owns it) and the path of its first room.
async fn square(people: &[&Api]) -> (String, String) {
    let home = community_of(people).await;
    let rooms = people[0].get(&format!("/v1/communities/{home}/rooms")).await.expect(200);
    (home, format!("/v1/rooms/{}", rooms["items"][0]["id"].as_str().unwrap()))
}

async fn say(api: &Api, room: &str, text: &str) -> Answer {
    api.post(&format!("{room}/messages"), json!({"client_id": Uuid::new_v4(), "text": text})).await
}

/// Posts and answers the message's path and offset.
async fn said(api: &Api, room: &str, text: &str) -> (String, u64) {
    let posted = say(api, room, text).await.expect(201);
    (format!("{room}/messages/{}", posted["id"].as_str().unwrap()), posted["offset"].as_u64().unwrap())
}

fn texts(page: &Value) -> Vec<&str> {
    page["items"].as_array().unwrap().iter().map(|m| m["text"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_message_is_answered_as_stored_and_stored_once_per_client_id() {
    let tenant = TestTenant::make().await;
    let (ada, bo) = (tenant.member("ada").await, tenant.member("bo").await);
    let (_, room) = square(&[&ada, &bo]).await;
    let client_id = Uuid::new_v4();
    let body = json!({"client_id": client_id, "text": "good *morning* @bo, mail me@bo.example"});

    let first = ada.post(&format!("{room}/messages"), body.clone()).await.expect(201);
    let again = ada.post(&format!("{room}/messages"), body).await.expect(201);

    assert_eq!((&first["id"], &first["offset"]), (&again["id"], &again["offset"]));
    assert_eq!((&first["duplicate"], &again["duplicate"]), (&json!(false), &json!(true)));
    assert_eq!(first["message"]["mentions"], json!([bo.id()]));
    assert_eq!(first["message"]["client_id"], json!(client_id));
    assert_eq!(first["message"]["author"]["id"], json!(ada.id()));
    let at = first["message"]["at"].as_str().unwrap();
    assert!(at.len() == 24 && at.ends_with('Z'), "{at}");
}

#[tokio::test]
async fn what_may_not_be_written_is_refused_by_name() {
    let tenant = TestTenant::make().await;
    let (ada, bo, stranger) = (tenant.member("ada").await, tenant.member("bo").await, tenant.member("cy").await);
    let (home, room) = square(&[&ada, &bo]).await;
    for (text, field) in [(" \n", "text"), (&*"x".repeat(8_001), "text")] {
        let refused = say(&bo, &room, text).await;
        refused.refused(422, "invalid");
        assert_eq!(refused.body["field"], field);
    }
    let reply = json!({"client_id": Uuid::new_v4(), "text": "x", "reply_to": Uuid::now_v7()});
    bo.post(&format!("{room}/messages"), reply).await.refused(404, "reply_not_found");
    say(&stranger, &room, "let me in").await.refused(404, "not_found");

    let until = json!({"until": "2199-01-01T00:00:00Z"});
    let mute = format!("/v1/communities/{home}/members/{}/mute", bo.id());
    assert!(ada.put(&mute, until).await.status < 300);
    say(&bo, &room, "muted").await.refused(403, "muted");
    assert!(ada.put(&mute, json!({"until": null})).await.status < 300);
    say(&bo, &room, "heard again").await.expect(201);

    ada.patch(&room, json!({"slow_mode_s": 60})).await.expect(200);
    say(&bo, &room, "first").await.expect(201);
    let slow = say(&bo, &room, "second").await;
    slow.refused(429, "slow_mode");
    assert!(slow.retry_after().is_some_and(|seconds| (1..=60).contains(&seconds)));
    say(&ada, &room, "moderators do not wait").await.expect(201);
    say(&ada, &room, "at all").await.expect(201);

    ada.patch(&room, json!({"slow_mode_s": 0, "archived": true})).await.expect(200);
    say(&ada, &room, "too late").await.refused(403, "archived");
    let news = ada
        .post(&format!("/v1/communities/{home}/rooms"), json!({"name": "news", "kind": "announcement"}))
        .await
        .expect(201);
    say(&bo, &format!("/v1/rooms/{}", news["id"].as_str().unwrap()), "hear me").await.refused(403, "read_only");
}

#[tokio::test]
async fn a_repeat_is_answered_as_stored_whatever_has_been_decided_since() {
    let tenant = TestTenant::make().await;
    let (ada, bo) = (tenant.member("ada").await, tenant.member("bo").await);
    let (home, room) = square(&[&ada, &bo]).await;
    let (asked, _) = said(&ada, &room, "who comes?").await;
    let body = json!({"client_id": Uuid::new_v4(), "text": "me", "reply_to": asked.rsplit('/').next()});
    let first = bo.post(&format!("{room}/messages"), body.clone()).await.expect(201);
    let repeat = async |why: &str| {
        let again = bo.post(&format!("{room}/messages"), body.clone()).await.expect(201);
        assert_eq!(
            (&again["id"], &again["offset"], &again["duplicate"]),
            (&first["id"], &first["offset"], &json!(true)),
            "{why}"
        );
    };

    repeat("nothing has changed").await;
    assert!(delete(&ada, &asked).await.status < 300);
    repeat("what it answers is gone").await;
    ada.patch(&room, json!({"slow_mode_s": 60})).await.expect(200);
    say(&bo, &room, "in slow mode").await.expect(201);
    repeat("slow mode").await;
    say(&bo, &room, "again").await.refused(429, "slow_mode");
    let mute = format!("/v1/communities/{home}/members/{}/mute", bo.id());
    assert!(ada.put(&mute, json!({"until": "2199-01-01T00:00:00Z"})).await.status < 300);
    repeat("muted").await;
    assert!(ada.put(&mute, json!({"until": null})).await.status < 300);
    ada.patch(&room, json!({"archived": true})).await.expect(200);
    repeat("archived").await;
}

#[tokio::test]
async fn too_many_posts_of_one_person_have_to_wait() {
    let tenant = TestTenant::make().await;
    let ada = tenant.member("ada").await;
    let (_, room) = square(&[&ada]).await;

    let answers =
        futures_util::future::join_all((0..80).map(|n| say(&ada, &room, if n % 2 == 0 { "a" } else { "b" }))).await;

    let late: Vec<_> = answers.iter().filter(|answer| answer.status != 201).collect();
    assert!(!late.is_empty() && late.len() < 40, "{} of 80", late.len());
    late.iter().for_each(|answer| answer.refused(429, "too_many"));
    assert!(late.iter().all(|answer| answer.retry_after().is_some()));
}

#[tokio::test]
async fn history_is_paged_both_ways_and_around_a_message() {
    let tenant = TestTenant::make().await;
    let ada = tenant.member("ada").await;
    let (_, room) = square(&[&ada]).await;
    let mut offsets = Vec::new();
    for text in ["1", "2", "3", "4", "5", "6", "7"] {
        offsets.push(said(&ada, &room, text).await.1);
    }
    let page = async |query: &str| ada.get(&format!("{room}/messages?{query}")).await.expect(200);

    let latest = page("limit=3").await;
    assert_eq!(
        (texts(&latest), &latest["has_before"], &latest["has_after"]),
        (vec!["5", "6", "7"], &json!(true), &json!(false))
    );
    let before = page(&format!("limit=3&before={}", latest["next_cursor"].as_str().unwrap())).await;
    assert_eq!(texts(&before), ["2", "3", "4"]);
    let after = page(&format!("limit=2&after={}", offsets[3])).await;
    assert_eq!((texts(&after), &after["has_after"]), (vec!["5", "6"], &json!(true)));
    let around = page(&format!("limit=3&around={}", offsets[3])).await;
    assert_eq!(texts(&around), ["2", "3", "4", "5"]);
    assert_eq!((&around["has_before"], &around["has_after"]), (&json!(true), &json!(true)));
    assert_eq!(texts(&page("after=0&limit=100").await).len(), 7);

    let events = ada.get(&format!("{room}/events?after=0&limit=100")).await.expect(200);
    let listed: Vec<u64> = events["items"].as_array().unwrap().iter().map(|e| e["offset"].as_u64().unwrap()).collect();
    assert_eq!(listed, (1..=events["last_offset"].as_u64().unwrap()).collect::<Vec<_>>());
    assert!(events["next_cursor"].is_null() && events["epoch"].is_string());
}

#[tokio::test]
async fn an_edit_keeps_what_stood_before_and_is_its_authors_alone() {
    let tenant = TestTenant::make().await;
    let (ada, bo) = (tenant.member("ada").await, tenant.member("bo").await);
    let (_, room) = square(&[&ada, &bo]).await;
    let (message, _) = said(&bo, &room, "teh first").await;

    bo.patch(&message, json!({"text": "the first @ada"})).await.expect(200);
    let edited = bo.patch(&message, json!({"text": "the second"})).await.expect(200);
    ada.patch(&message, json!({"text": "mine now"})).await.refused(403, "forbidden");

    assert_eq!((&edited["text"], edited["edited_at"].is_string()), (&json!("the second"), true));
    assert_eq!(texts(&ada.get(&format!("{message}/edits")).await.expect(200)), ["teh first", "the first @ada"]);
}

#[tokio::test]
async fn a_removal_leaves_a_trace_and_no_text() {
    let tenant = TestTenant::make().await;
    let (ada, bo, cy) = (tenant.member("ada").await, tenant.member("bo").await, tenant.member("cy").await);
    let (_, room) = square(&[&ada, &bo, &cy]).await;
    let (message, offset) = said(&bo, &room, "a secret word").await;
    bo.patch(&message, json!({"text": "another secret word"})).await.expect(200);
    let reply = json!({"client_id": Uuid::new_v4(), "text": "what?", "reply_to": message.rsplit('/').next()});
    let reply = cy.post(&format!("{room}/messages"), reply).await.expect(201);
    assert_eq!(reply["message"]["reply_to"]["excerpt"], "another secret word");

    delete(&cy, &message).await.refused(403, "forbidden");
    ada.send(ada.request(reqwest::Method::DELETE, &message).json(&json!({"reason": "off topic"}))).await.expect(204);
    delete(&ada, &message).await.expect(204);

    let gone = cy.get(&message).await.expect(200);
    assert_eq!((&gone["text"], &gone["deletion"]), (&json!(""), &json!({"by_moderator": true, "reason": "off topic"})));
    assert_eq!(gone["offset"].as_u64(), Some(offset));
    for path in [format!("{room}/messages"), format!("{room}/events?limit=100"), format!("{message}/edits")] {
        let page = cy.get(&path).await.expect(200).to_string();
        assert!(!page.contains("secret"), "{path}: {page}");
    }
    bo.patch(&message, json!({"text": "back again"})).await.refused(410, "deleted");
}

#[tokio::test]
async fn reactions_and_pins_count_once_however_often_they_are_sent() {
    let tenant = TestTenant::make().await;
    let (ada, bo) = (tenant.member("ada").await, tenant.member("bo").await);
    let (_, room) = square(&[&ada, &bo]).await;
    let (message, _) = said(&ada, &room, "ciao").await;
    let thumb = format!("{message}/reactions/%F0%9F%91%8D");
    for api in [&ada, &bo, &bo] {
        api.put(&thumb, json!({})).await.expect(204);
    }
    assert_eq!(bo.get(&message).await.expect(200)["reactions"], json!([{"emoji": "👍", "count": 2, "me": true}]));
    delete(&bo, &thumb).await.expect(204);
    assert_eq!(bo.get(&message).await.expect(200)["reactions"], json!([{"emoji": "👍", "count": 1, "me": false}]));
    bo.put(&format!("{message}/reactions/notanemoji"), json!({})).await.refused(422, "invalid");

    bo.put(&format!("{message}/pin"), json!({})).await.refused(403, "forbidden");
    ada.put(&format!("{message}/pin"), json!({})).await.expect(204);
    ada.put(&format!("{message}/pin"), json!({})).await.expect(204);
    assert_eq!(texts(&bo.get(&format!("{room}/pins")).await.expect(200)), ["ciao"]);
    delete(&ada, &format!("{message}/pin")).await.expect(204);
    assert!(texts(&bo.get(&format!("{room}/pins")).await.expect(200)).is_empty());
    let events = bo.get(&format!("{room}/events?limit=100")).await.expect(200);
    let kinds: Vec<_> =
        events["items"].as_array().unwrap().iter().map(|e| e["event"]["type"].as_str().unwrap()).collect();
    let count = |kind: &str| kinds.iter().filter(|k| **k == kind).count();
    assert_eq!(
        (count("reaction.added"), count("reaction.removed"), count("message.pinned"), count("message.unpinned")),
        (2, 1, 1, 1)
    );
}

#[tokio::test]
async fn a_watermark_moves_forward_and_groups_are_called_by_moderators_only() {
    let tenant = TestTenant::make().await;
    let (ada, bo) = (tenant.member("ada").await, tenant.member("bo").await);
    let (_, room) = square(&[&ada, &bo]).await;
    said(&ada, &room, "one @bo").await;
    let (_, second) = said(&ada, &room, "two @here").await;
    said(&ada, &room, "three").await;
    said(&bo, &room, "@here counts for nobody, I am a member").await;
    let read =
        async |api: &Api, offset: u64| api.put(&format!("{room}/read"), json!({"offset": offset})).await.expect(200);

    let fresh = read(&bo, 0).await;
    assert_eq!((&fresh["unread"], &fresh["mentions"]), (&json!(3), &json!(2)));
    assert_eq!(read(&bo, second).await, json!({"read_offset": second, "unread": 1, "mentions": 0}));
    assert_eq!(read(&bo, 1).await["read_offset"], second);
    assert_eq!(read(&ada, 0).await["mentions"], 0);
    let top = read(&bo, u64::MAX).await;
    assert_eq!((&top["unread"], top["read_offset"].as_u64() < Some(1_000)), (&json!(0), true));

    bo.put(&format!("{room}/notifications"), json!({"muted": true})).await.expect(204);
    let mine = bo.get("/v1/me/rooms").await.expect(200);
    assert_eq!((&mine["items"][0]["muted"], &mine["items"][0]["unread"]), (&json!(true), &json!(0)));
    bo.post(&format!("{room}/typing"), json!({})).await.expect(204);
    assert_eq!(bo.get(&format!("{room}/presence")).await.expect(200)["items"], json!([]));
}
