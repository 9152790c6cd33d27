//! R5 from outside: every route that takes an id is fired with ids of another tenant, by the most powerful person of this one.
//! A new route without a row here fails.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Api, TestTenant, audited};
use crate::openapi::operations;

/// What another tenant has.
struct Theirs {
    community: String,
    room: String,
    message: String,
    user: String,
    invite: String,
}

impl Theirs {
    async fn make(tenant: &TestTenant) -> Self {
        let owner = tenant.admin().await;
        let text = |value: &Value, key: &str| value[key].as_str().unwrap().to_owned();
        let body = json!({ "name": "Theirs", "join_policy": "open" });
        let community = text(&owner.post("/v1/communities", body).await.expect(201), "id");
        let path = format!("/v1/communities/{community}/rooms");
        let room = text(&owner.post(&path, json!({ "name": "secret", "kind": "public" })).await.expect(201), "id");
        let body = json!({ "client_id": uuid::Uuid::new_v4(), "text": "secret words" });
        let message = text(&owner.post(&format!("/v1/rooms/{room}/messages"), body).await.expect(201), "id");
        let invite = owner.post(&format!("/v1/communities/{community}/invites"), json!({})).await.expect(201);
        let user = owner.id().to_owned();
        Self { community, room, message, user, invite: text(&invite, "id") }
    }

    /// The route's path with their ids in it.
    fn path(&self, route: &str) -> String {
        let path = route.split_once(' ').unwrap().1;
        let about_a_room = path.starts_with("/v1/rooms");
        let about_a_user = path.starts_with("/v1/users");
        let parts = path.split('/').map(|part| match part {
            "{id}" | "{room}" if about_a_room => self.room.as_str(),
            "{id}" if about_a_user => &self.user,
            "{id}" => &self.community,
            "{user}" => &self.user,
            "{message}" => &self.message,
            "{invite}" => &self.invite,
            "{emoji}" => "%F0%9F%91%8D",
            part => part,
        });
        parts.collect::<Vec<_>>().join("/")
    }
}

/// Routes with an id, and a body that would be accepted.
fn rows() -> Vec<(&'static str, Value)> {
    let none = Value::Null;
    vec![
        ("GET /v1/users/{id}", none.clone()),
        ("PUT /v1/users/{id}/role", json!({ "role": "member" })),
        ("POST /v1/users/{id}/suspend", json!({})),
        ("POST /v1/users/{id}/resume", json!({})),
        ("GET /v1/communities/{id}", none.clone()),
        ("PATCH /v1/communities/{id}", json!({ "name": "Mine" })),
        ("GET /v1/communities/{id}/bans", none.clone()),
        ("DELETE /v1/communities/{id}/bans/{user}", none.clone()),
        ("GET /v1/communities/{id}/invites", none.clone()),
        ("POST /v1/communities/{id}/invites", json!({})),
        ("DELETE /v1/communities/{id}/invites/{invite}", none.clone()),
        ("POST /v1/communities/{id}/join", json!({})),
        ("POST /v1/communities/{id}/leave", json!({})),
        ("GET /v1/communities/{id}/members", none.clone()),
        ("DELETE /v1/communities/{id}/members/{user}", none.clone()),
        ("PUT /v1/communities/{id}/members/{user}/mute", json!({ "until": null })),
        ("PUT /v1/communities/{id}/members/{user}/role", json!({ "role": "member" })),
        ("GET /v1/communities/{id}/requests", none.clone()),
        ("POST /v1/communities/{id}/requests/{user}", json!({ "approve": true })),
        ("GET /v1/communities/{id}/rooms", none.clone()),
        ("POST /v1/communities/{id}/rooms", json!({ "name": "x", "kind": "public" })),
        ("GET /v1/rooms/{id}", none.clone()),
        ("PATCH /v1/rooms/{id}", json!({ "name": "x" })),
        ("GET /v1/rooms/{id}/members", none.clone()),
        ("PUT /v1/rooms/{id}/members/{user}", none.clone()),
        ("DELETE /v1/rooms/{id}/members/{user}", none.clone()),
        ("GET /v1/rooms/{room}/events", none.clone()),
        ("GET /v1/rooms/{room}/messages", none.clone()),
        ("POST /v1/rooms/{room}/messages", json!({ "client_id": uuid::Uuid::new_v4(), "text": "hi" })),
        ("GET /v1/rooms/{room}/messages/{message}", none.clone()),
        ("PATCH /v1/rooms/{room}/messages/{message}", json!({ "text": "hi" })),
        ("DELETE /v1/rooms/{room}/messages/{message}", none.clone()),
        ("GET /v1/rooms/{room}/messages/{message}/edits", none.clone()),
        ("PUT /v1/rooms/{room}/messages/{message}/pin", none.clone()),
        ("DELETE /v1/rooms/{room}/messages/{message}/pin", none.clone()),
        ("PUT /v1/rooms/{room}/messages/{message}/reactions/{emoji}", none.clone()),
        ("DELETE /v1/rooms/{room}/messages/{message}/reactions/{emoji}", none.clone()),
        ("GET /v1/rooms/{room}/pins", none.clone()),
        ("GET /v1/rooms/{room}/presence", none.clone()),
        ("PUT /v1/rooms/{room}/notifications", json!({ "muted": true })),
        ("PUT /v1/rooms/{room}/read", json!({ "offset": 1 })),
        ("POST /v1/rooms/{room}/typing", none),
    ]
}

async fn fire(api: &Api, route: &str, path: &str, body: &Value) -> crate::harness::Answer {
    let request = api.request(Method::from_bytes(route.split(' ').next().unwrap().as_bytes()).unwrap(), path);
    api.send(if body.is_null() { request } else { request.json(body) }).await
}

#[tokio::test]
async fn ids_of_another_tenant_are_not_found_on_every_route_and_audited() {
    let (ours, other) = (TestTenant::make().await, TestTenant::make().await);
    let (admin, theirs) = (ours.admin().await, Theirs::make(&other).await);
    let mut wrong = Vec::new();
    for (route, body) in rows() {
        let before = audited(&ours.id, "access.cross_tenant").await;
        let answer = fire(&admin, route, &theirs.path(route), &body).await;
        let written = audited(&ours.id, "access.cross_tenant").await - before;
        if answer.status != 404 || answer.body["code"] != "not_found" || written == 0 {
            wrong.push(format!("{route}: {} {} ({written} audited)", answer.status, answer.body));
        }
        assert!(!answer.body.to_string().contains("secret"), "{route}");
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(audited(&other.id, "access.cross_tenant").await, 0);
}

#[tokio::test]
async fn no_route_with_an_id_is_without_a_row() {
    let known: Vec<_> = rows().iter().map(|(route, _)| (*route).to_owned()).collect();
    // An invite's code is a secret, not an id; tenants are the operators' own subject.
    let elsewhere = |route: &String| route.contains("/v1/platform/") || route.ends_with("/v1/invites/{code}");
    let missing: Vec<_> = operations()
        .await
        .into_iter()
        .filter(|route| route.contains('{') && !known.contains(route) && !elsewhere(route))
        .collect();
    assert!(missing.is_empty(), "routes with an id and without a row: {missing:#?}");
}
