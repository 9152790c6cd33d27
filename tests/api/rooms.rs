//! Rooms over HTTP: shapes, settings, people, direct rooms, and everything that one reads.

use serde_json::{Value, json};

use crate::communities::{community_of, delete};
use crate::harness::{Api, TestTenant};

async fn room(api: &Api, community: &str, kind: &str, name: &str) -> Value {
    let body = json!({"name": name, "kind": kind});
    api.post(&format!("/v1/communities/{community}/rooms"), body).await.expect(201)
}

#[tokio::test]
async fn a_room_has_the_promised_shape() {
    let tenant = TestTenant::make().await;
    let (ada, bo) = (tenant.member("ada").await, tenant.member("bo").await);
    let home = community_of(&[&ada, &bo]).await;

    let made = room(&ada, &home, "announcement", "news").await;

    let id = made["id"].as_str().unwrap();
    assert_eq!(made["channel"], format!("room:{id}"));
    assert_eq!(
        (&made["community_id"], &made["kind"], &made["topic"]),
        (&json!(home), &json!("announcement"), &json!(""))
    );
    assert_eq!((&made["last_offset"], &made["archived"], &made["slow_mode_s"]), (&json!(0), &json!(false), &json!(0)));
    assert!(made["epoch"].is_string() && made["created_at"].is_string() && made["can_post"] == true);
    assert!(made.get("members").is_none());
    assert_eq!(bo.get(&format!("/v1/rooms/{id}")).await.expect(200)["can_post"], false);
    bo.patch(&format!("/v1/rooms/{id}"), json!({"topic": "t"})).await.refused(403, "forbidden");
    let changes = json!({"name": "News", "topic": "t", "archived": true, "slow_mode_s": 5});
    let changed = ada.patch(&format!("/v1/rooms/{id}"), changes).await.expect(200);
    assert_eq!(
        (&changed["name"], &changed["archived"], &changed["last_offset"]),
        (&json!("News"), &json!(true), &json!(1))
    );
    ada.patch(&format!("/v1/rooms/{id}"), json!({"slow_mode_s": 99_999})).await.refused(422, "invalid");
    let wrong = ada.post(&format!("/v1/communities/{home}/rooms"), json!({"name": "x", "kind": "direct"})).await;
    wrong.refused(422, "invalid");
    assert_eq!(wrong.body["field"], "kind");
}

#[tokio::test]
async fn a_private_room_is_hidden_until_one_is_put_into_it() {
    let tenant = TestTenant::make().await;
    let (ada, bo) = (tenant.member("ada").await, tenant.member("bo").await);
    let home = community_of(&[&ada, &bo]).await;
    let den = room(&ada, &home, "private", "den").await;
    let path = format!("/v1/rooms/{}", den["id"].as_str().unwrap());
    bo.get(&path).await.refused(404, "not_found");

    ada.put(&format!("{path}/members/{}", bo.id()), json!({})).await.expect(204);

    bo.get(&path).await.expect(200);
    let members = bo.get(&format!("{path}/members")).await.expect(200);
    assert_eq!(members["items"].as_array().unwrap().len(), 2);
    assert_eq!(members["items"][0]["role"], "owner");
    delete(&ada, &format!("{path}/members/{}", bo.id())).await.expect(204);
    bo.get(&path).await.refused(404, "not_found");
}

#[tokio::test]
async fn the_same_people_meet_in_the_same_room() {
    let tenant = TestTenant::make().await;
    let (ada, bo, cy) = (tenant.member("ada").await, tenant.member("bo").await, tenant.member("cy").await);

    let pair = ada.post("/v1/rooms/direct", json!({"user_ids": [bo.id()]})).await.expect(201);

    assert_eq!((&pair["kind"], &pair["name"], &pair["community_id"]), (&json!("direct"), &json!("bo"), &Value::Null));
    assert_eq!(pair["members"].as_array().unwrap().len(), 2);
    let same = bo.post("/v1/rooms/direct", json!({"user_ids": [ada.id()]})).await.expect(200);
    assert_eq!((&same["id"], &same["name"]), (&pair["id"], &json!("ada")));
    let group = ada.post("/v1/rooms/direct", json!({"user_ids": [bo.id(), cy.id()]})).await.expect(201);
    assert_eq!(group["kind"], "group");
    cy.get(&format!("/v1/rooms/{}", pair["id"].as_str().unwrap())).await.refused(404, "not_found");
    ada.post("/v1/rooms/direct", json!({"user_ids": []})).await.refused(422, "invalid");
    ada.post("/v1/rooms/direct", json!({"user_ids": ["x"]})).await.refused(422, "invalid");
}

#[tokio::test]
async fn ones_rooms_come_with_what_waits() {
    let tenant = TestTenant::make().await;
    let (ada, bo) = (tenant.member("ada").await, tenant.member("bo").await);
    let home = community_of(&[&ada, &bo]).await;
    ada.post("/v1/rooms/direct", json!({"user_ids": [bo.id()]})).await.expect(201);

    let mine = bo.get("/v1/me/rooms").await.expect(200);

    let items = mine["items"].as_array().unwrap();
    assert_eq!(items.iter().map(|room| room["name"].as_str().unwrap()).collect::<Vec<_>>(), ["general", "ada"]);
    assert_eq!(items[0]["community_id"], json!(home));
    for field in ["unread", "mentions", "read_offset", "last_offset"] {
        assert!(items[0][field].is_u64(), "{field}: {}", items[0]);
    }
    assert_eq!((&items[0]["muted"], &mine["next_cursor"]), (&json!(false), &Value::Null));
}
