//! Communities over HTTP: the shapes that clients rely on, who is let in, what moderators do.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Answer, Api, TestTenant, audited};

/// A community of `owner`'s; its id.
pub async fn community(owner: &Api, policy: &str) -> String {
    let name = uuid::Uuid::new_v4().to_string();
    let made = owner.post("/v1/communities", json!({"name": name, "join_policy": policy})).await.expect(201);
    made["id"].as_str().unwrap().to_owned()
}

/// A community of the first with the others in it.
pub async fn community_of(people: &[&Api]) -> String {
    let id = community(people[0], "open").await;
    for who in &people[1..] {
        who.post(&format!("/v1/communities/{id}/join"), json!({})).await.expect(200);
    }
    id
}

pub async fn delete(api: &Api, path: &str) -> Answer {
    api.send(api.request(Method::DELETE, path)).await
}

fn handles(page: &Value) -> Vec<&str> {
    page["items"].as_array().unwrap().iter().map(|item| item["user"]["display_name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_community_has_the_promised_shape_and_a_first_room() {
    let tenant = TestTenant::make().await;
    let ada = tenant.member("ada").await;
    let body = json!({"name": " Bridge ", "description": "d", "join_policy": "open", "guidelines": "Be kind."});

    let made = ada.post("/v1/communities", body.clone()).await.expect(201);

    assert_eq!((&made["name"], &made["role"], &made["member_count"]), (&json!("Bridge"), &json!("owner"), &json!(1)));
    assert_eq!((&made["guidelines"], &made["join_policy"]), (&json!("Be kind."), &json!("open")));
    let id = made["id"].as_str().unwrap();
    let rooms = ada.get(&format!("/v1/communities/{id}/rooms")).await.expect(200);
    assert_eq!(rooms["items"][0]["name"], "general");
    let again = ada.post("/v1/communities", body).await;
    again.refused(409, "name_taken");
    assert_eq!(again.body["field"], "name");
    let listed = ada.get("/v1/communities?limit=1").await.expect(200);
    assert_eq!((&listed["items"][0]["id"], &listed["next_cursor"]), (&made["id"], &Value::Null));
    let renamed = ada.patch(&format!("/v1/communities/{id}"), json!({"name": "Rialto"})).await.expect(200);
    assert_eq!((&renamed["name"], &renamed["guidelines"]), (&json!("Rialto"), &json!("Be kind.")));
}

#[tokio::test]
async fn joining_needs_the_guidelines_accepted_and_is_repeatable() {
    let tenant = TestTenant::make().await;
    let (ada, bo) = (tenant.member("ada").await, tenant.member("bo").await);
    let body = json!({"name": "a", "join_policy": "open", "guidelines": "Be kind."});
    let made = ada.post("/v1/communities", body).await.expect(201);
    let path = format!("/v1/communities/{}/join", made["id"].as_str().unwrap());

    let refused = bo.post(&path, json!({})).await;
    refused.refused(422, "guidelines_required");
    assert_eq!(refused.body["field"], "accept_guidelines");
    for _ in 0..2 {
        let joined = bo.post(&path, json!({"accept_guidelines": true})).await.expect(200);
        assert_eq!((&joined["status"], &joined["community"]["member_count"]), (&json!("joined"), &json!(2)));
        assert_eq!(joined["community"]["role"], "member");
    }
}

#[tokio::test]
async fn requests_are_answered_by_moderators() {
    let tenant = TestTenant::make().await;
    let (ada, bo) = (tenant.member("ada").await, tenant.member("bo").await);
    let id = community(&ada, "request").await;
    let asked = bo.post(&format!("/v1/communities/{id}/join"), json!({"note": "hello"})).await.expect(200);
    assert_eq!((&asked["status"], &asked["community"]["requested"]), (&json!("requested"), &json!(true)));
    bo.get(&format!("/v1/communities/{id}/requests")).await.refused(403, "forbidden");

    let waiting = ada.get(&format!("/v1/communities/{id}/requests")).await.expect(200);

    assert_eq!((handles(&waiting), &waiting["items"][0]["note"]), (vec!["bo"], &json!("hello")));
    let answer = format!("/v1/communities/{id}/requests/{}", bo.id());
    ada.post(&answer, json!({"approve": true})).await.expect(204);
    ada.post(&answer, json!({"approve": true})).await.refused(404, "not_found");
    assert_eq!(bo.get(&format!("/v1/communities/{id}")).await.expect(200)["role"], "member");
}

#[tokio::test]
async fn an_invite_is_shown_to_anybody_and_lets_one_in() {
    let tenant = TestTenant::make().await;
    let (ada, bo, cy) = (tenant.member("ada").await, tenant.member("bo").await, tenant.member("cy").await);
    let id = community(&ada, "invite").await;
    bo.get(&format!("/v1/communities/{id}")).await.refused(404, "not_found");
    let invite = ada.post(&format!("/v1/communities/{id}/invites"), json!({"max_uses": 1})).await.expect(201);
    let code = invite["code"].as_str().unwrap();
    assert!(invite["url"].as_str().unwrap().ends_with(&format!("/invite/{code}")));

    let preview = tenant.visitor().get(&format!("/v1/invites/{code}")).await.expect(200);

    assert_eq!((&preview["community_id"], &preview["expired"]), (&json!(id), &json!(false)));
    let join = format!("/v1/communities/{id}/join");
    bo.post(&join, json!({"invite": code})).await.expect(200);
    cy.post(&join, json!({"invite": code})).await.refused(410, "invite_spent");
    assert_eq!(tenant.visitor().get(&format!("/v1/invites/{code}")).await.expect(200)["expired"], true);
    assert_eq!(ada.get(&format!("/v1/communities/{id}/invites")).await.expect(200)["items"], json!([]));
    let second = ada.post(&format!("/v1/communities/{id}/invites"), json!({})).await.expect(201);
    let path = format!("/v1/communities/{id}/invites/{}", second["id"].as_str().unwrap());
    delete(&ada, &path).await.expect(204);
    cy.post(&join, json!({"invite": second["code"]})).await.refused(410, "invite_spent");
    tenant.visitor().get("/v1/invites/%00").await.refused(404, "not_found");
}

#[tokio::test]
async fn moderators_mute_put_out_and_ban_and_it_is_audited() {
    let tenant = TestTenant::make().await;
    let (ada, bo, cy) = (tenant.member("ada").await, tenant.member("bo").await, tenant.member("cy").await);
    let id = community_of(&[&ada, &bo, &cy]).await;
    let bo_in = format!("/v1/communities/{id}/members/{}", bo.id());

    cy.put(&format!("{bo_in}/mute"), json!({"until": null})).await.refused(403, "forbidden");
    ada.put(&format!("{bo_in}/mute"), json!({})).await.refused(422, "invalid");
    ada.put(&format!("{bo_in}/mute"), json!({"until": "2999-01-01T00:00:00Z"})).await.expect(204);
    let rooms = bo.get(&format!("/v1/communities/{id}/rooms")).await.expect(200);
    assert_eq!(rooms["items"][0]["can_post"], false);
    ada.put(&format!("{bo_in}/role"), json!({"role": "moderator"})).await.expect(204);
    bo.put(&format!("/v1/communities/{id}/members/{}/role", cy.id()), json!({"role": "member"}))
        .await
        .refused(403, "forbidden");
    delete(&bo, &format!("/v1/communities/{id}/members/{}?ban=true", cy.id())).await.expect(204);
    cy.get(&format!("/v1/communities/{id}")).await.refused(404, "not_found");
    let banned = ada.get(&format!("/v1/communities/{id}/bans")).await.expect(200);
    assert_eq!(handles(&banned), ["cy"]);
    delete(&bo, &format!("/v1/communities/{id}/bans/{}", cy.id())).await.expect(204);
    cy.post(&format!("/v1/communities/{id}/join"), json!({})).await.expect(200);
    ada.post(&format!("/v1/communities/{id}/leave"), json!({})).await.refused(409, "last_owner");
    bo.post(&format!("/v1/communities/{id}/leave"), json!({})).await.expect(204);
    let members = ada.get(&format!("/v1/communities/{id}/members?q=C")).await.expect(200);
    assert_eq!(handles(&members), ["cy"]);
    for action in ["member.muted", "member.role_changed", "member.banned", "member.unbanned"] {
        assert_eq!(audited(&tenant.id, action).await, 1, "{action}");
    }
}

#[tokio::test]
async fn a_write_under_a_key_happens_once() {
    let tenant = TestTenant::make().await;
    let ada = tenant.member("ada").await;
    let send = async |name: &str, key: &str| {
        let body = json!({"name": name, "join_policy": "open"});
        ada.send(ada.request(Method::POST, "/v1/communities").header("idempotency-key", key).json(&body)).await
    };
    let (one, two) = futures_util::join!(send("a", "k1"), send("a", "k1"));
    assert_eq!(one.body["id"], two.body["id"]);
    assert_eq!([&one, &two].iter().filter(|answer| answer.headers.contains_key("idempotent-replayed")).count(), 1);
    let third = send("a", "k1").await;
    assert_eq!(third.headers["idempotent-replayed"], "true");
    assert_eq!(third.expect(201)["id"], one.expect(201)["id"]);
    send("b", "k1").await.refused(422, "idempotency_key_reused");
    // What was refused is not kept: the key is free for the corrected try.
    send("a", "k2").await.refused(409, "name_taken");
    send("b", "k2").await.expect(201);
    send("c", "with space").await.refused(422, "invalid");
}

#[tokio::test]
async fn ids_of_another_tenant_are_not_found_and_audited() {
    let (here, there) = (TestTenant::make().await, TestTenant::make().await);
    let (ada, eve) = (here.member("ada").await, there.member("eve").await);
    let id = community(&eve, "open").await;
    let rooms = eve.get(&format!("/v1/communities/{id}/rooms")).await.expect(200);
    let room = rooms["items"][0]["id"].as_str().unwrap();
    for path in [format!("/v1/communities/{id}"), format!("/v1/rooms/{room}"), format!("/v1/rooms/{room}/members")] {
        ada.get(&path).await.refused(404, "not_found");
    }
    ada.post(&format!("/v1/communities/{id}/join"), json!({})).await.refused(404, "not_found");
    ada.post("/v1/rooms/direct", json!({"user_ids": [eve.id()]})).await.refused(404, "not_found");
    let own = community(&ada, "open").await;
    delete(&ada, &format!("/v1/communities/{own}/members/{}?ban=true", eve.id())).await.refused(404, "not_found");
    assert!(audited(&here.id, "access.cross_tenant").await >= 4);
}
