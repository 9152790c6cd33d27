//! Who may call what: one table, one test. A route without a row fails.
//!
//! Each route is fired once for each caller with ids of the caller's own tenant that nobody has (or a path without ids). The table says
//! who gets past the door: past it the answer may be anything but 401 and 403 `forbidden`.

use reqwest::Method;

use crate::harness::{Api, TestTenant};
use crate::openapi::operations;

/// Callers, lowest first: somebody not signed in, then roles.
const CALLERS: [&str; 7] = ["nobody", "guest", "member", "vendor", "support", "moderator", "tenant_admin"];

/// The lowest callers of each group of routes; `-` nobody of a tenant (operators only), `*` everybody.
const EVERYBODY: &[&str] = &CALLERS;
const SIGNED_IN: &[&str] = &["guest", "member", "vendor", "support", "moderator", "tenant_admin"];
const MEMBERS: &[&str] = &["member", "vendor", "support", "moderator", "tenant_admin"];
const MODERATORS: &[&str] = &["moderator", "tenant_admin"];
const ADMINS: &[&str] = &["tenant_admin"];
const OPERATORS: &[&str] = &[];

/// The matrix.
const ROUTES: &[(&str, &[&str])] = &[
    ("GET /health/live", EVERYBODY),
    ("GET /health/ready", EVERYBODY),
    ("GET /health/stats", EVERYBODY),
    ("GET /v1/demo", EVERYBODY),
    ("GET /.well-known/jwks.json", EVERYBODY),
    ("POST /v1/auth/register", EVERYBODY),
    ("POST /v1/auth/login", EVERYBODY),
    ("POST /v1/auth/password/forgot", EVERYBODY),
    ("POST /v1/auth/password/reset", EVERYBODY),
    ("POST /v1/auth/verify", EVERYBODY),
    // Needs a refresh token, whoever calls.
    ("POST /v1/auth/refresh", &[]),
    ("POST /v1/auth/logout", SIGNED_IN),
    ("POST /v1/auth/password/change", SIGNED_IN),
    ("POST /v1/auth/verify/resend", SIGNED_IN),
    ("GET /v1/me", SIGNED_IN),
    ("PATCH /v1/me", SIGNED_IN),
    ("GET /v1/users", MEMBERS),
    ("GET /v1/users/{id}", SIGNED_IN),
    ("PUT /v1/users/{id}/role", ADMINS),
    ("POST /v1/users/{id}/suspend", MODERATORS),
    ("POST /v1/users/{id}/resume", MODERATORS),
    // Past the door, what one may do there is a matter of membership (404 where one is no member).
    ("GET /v1/communities", SIGNED_IN),
    ("POST /v1/communities", MEMBERS),
    ("GET /v1/communities/{id}", SIGNED_IN),
    ("PATCH /v1/communities/{id}", SIGNED_IN),
    ("GET /v1/communities/{id}/bans", SIGNED_IN),
    ("DELETE /v1/communities/{id}/bans/{user}", SIGNED_IN),
    ("GET /v1/communities/{id}/invites", SIGNED_IN),
    ("POST /v1/communities/{id}/invites", SIGNED_IN),
    ("DELETE /v1/communities/{id}/invites/{invite}", SIGNED_IN),
    ("POST /v1/communities/{id}/join", SIGNED_IN),
    ("POST /v1/communities/{id}/leave", SIGNED_IN),
    ("GET /v1/communities/{id}/members", SIGNED_IN),
    ("DELETE /v1/communities/{id}/members/{user}", SIGNED_IN),
    ("PUT /v1/communities/{id}/members/{user}/mute", SIGNED_IN),
    ("PUT /v1/communities/{id}/members/{user}/role", SIGNED_IN),
    ("GET /v1/communities/{id}/requests", SIGNED_IN),
    ("POST /v1/communities/{id}/requests/{user}", SIGNED_IN),
    ("GET /v1/communities/{id}/rooms", SIGNED_IN),
    ("POST /v1/communities/{id}/rooms", SIGNED_IN),
    ("GET /v1/invites/{code}", EVERYBODY),
    ("GET /v1/me/rooms", SIGNED_IN),
    ("POST /v1/rooms/direct", SIGNED_IN),
    ("GET /v1/rooms/{id}", SIGNED_IN),
    ("PATCH /v1/rooms/{id}", SIGNED_IN),
    ("GET /v1/rooms/{id}/members", SIGNED_IN),
    ("DELETE /v1/rooms/{id}/members/{user}", SIGNED_IN),
    ("PUT /v1/rooms/{id}/members/{user}", MEMBERS),
    ("GET /v1/rooms/{room}/events", SIGNED_IN),
    ("GET /v1/rooms/{room}/messages", SIGNED_IN),
    ("POST /v1/rooms/{room}/messages", MEMBERS),
    ("DELETE /v1/rooms/{room}/messages/{message}", MEMBERS),
    ("GET /v1/rooms/{room}/messages/{message}", SIGNED_IN),
    ("PATCH /v1/rooms/{room}/messages/{message}", MEMBERS),
    ("GET /v1/rooms/{room}/messages/{message}/edits", SIGNED_IN),
    ("DELETE /v1/rooms/{room}/messages/{message}/pin", MEMBERS),
    ("PUT /v1/rooms/{room}/messages/{message}/pin", MEMBERS),
    ("DELETE /v1/rooms/{room}/messages/{message}/reactions/{emoji}", MEMBERS),
    ("PUT /v1/rooms/{room}/messages/{message}/reactions/{emoji}", MEMBERS),
    ("PUT /v1/rooms/{room}/notifications", SIGNED_IN),
    ("GET /v1/rooms/{room}/pins", SIGNED_IN),
    ("GET /v1/rooms/{room}/presence", SIGNED_IN),
    ("PUT /v1/rooms/{room}/read", SIGNED_IN),
    ("POST /v1/rooms/{room}/typing", MEMBERS),
    ("GET /v1/platform/tenants", OPERATORS),
    ("POST /v1/platform/tenants", OPERATORS),
    ("GET /v1/platform/tenants/{id}", OPERATORS),
    ("POST /v1/platform/tenants/{id}/suspend", OPERATORS),
    ("POST /v1/platform/tenants/{id}/resume", OPERATORS),
    ("POST /v1/platform/tenants/{id}/terminate", OPERATORS),
];

/// Its path with ids that nobody has.
fn fill(path: &str) -> String {
    let id = uuid::Uuid::now_v7().to_string();
    let parts = path.split('/').map(|part| if part.starts_with('{') { id.as_str() } else { part });
    parts.collect::<Vec<_>>().join("/")
}

async fn callers(tenant: &TestTenant) -> Vec<(&'static str, Api)> {
    let mut callers = vec![("nobody", tenant.visitor())];
    for role in &CALLERS[1..] {
        callers.push((*role, tenant.with_role(role).await));
    }
    callers
}

#[tokio::test]
async fn each_route_admits_whom_its_row_names() {
    let tenant = TestTenant::make().await;
    let callers = callers(&tenant).await;
    let mut wrong = Vec::new();
    for (route, admitted) in ROUTES {
        let (method, path) = route.split_once(' ').unwrap();
        for (name, api) in &callers {
            // Signing out must not end the others' turns: it says nothing that the token would not.
            if *route == "POST /v1/auth/logout" && *name != "nobody" {
                continue;
            }
            let request = api.request(Method::from_bytes(method.as_bytes()).unwrap(), &fill(path));
            let request = if method == "GET" { request } else { request.json(&serde_json::json!({})) };
            let answer = api.send(request).await;
            // Where a body is read before its caller is known, both refusals are fine.
            let shut_out = answer.status == 401 || answer.status == 403;
            if shut_out == admitted.contains(name) {
                wrong.push(format!("{route} as {name}: {} {}", answer.status, answer.body["code"]));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn no_route_is_without_a_row() {
    let rows: Vec<_> = ROUTES.iter().map(|(route, _)| (*route).to_owned()).collect();
    let missing: Vec<_> = operations().await.into_iter().filter(|route| !rows.contains(route)).collect();
    assert!(missing.is_empty(), "routes without a row in the matrix: {missing:#?}");
}
