//! The application's files, and the page of a demo's unsent mail.

use reqwest::Method;

use crate::harness::{Api, PASSWORD, demo_server};

async fn page(api: &Api, path: &str) -> crate::harness::Answer {
    api.send(api.request(Method::GET, path).header("accept", "text/html,*/*")).await
}

#[tokio::test]
async fn each_address_of_the_application_is_its_page_under_a_strict_policy() {
    let api = Api::at("127.0.0.1");
    for path in ["/", "/login", "/c/x/r/y"] {
        let answer = page(&api, path).await;
        assert_eq!(answer.status, 200, "{path}");
        let policy = answer.headers["content-security-policy"].to_str().unwrap().to_owned();
        assert!(policy.contains("script-src 'self' 'sha256-") && !policy.contains("unsafe"), "{policy}");
        assert_eq!(answer.headers["x-content-type-options"], "nosniff");
        assert_eq!(answer.headers["cache-control"], "no-cache");
    }
    page(&api, "/v1/nothing").await.refused(404, "not_found");
    let program = api.request(Method::GET, "/no-browser-asks-so").header("accept", "application/json");
    api.send(program).await.refused(404, "not_found");
    page(&api, "/static/nothing.js").await.refused(404, "not_found");
    page(&api, "/static/..%2fCargo.toml").await.refused(404, "not_found");
}

#[tokio::test]
async fn files_are_kept_by_browsers_as_long_as_they_may_be() {
    let api = Api::at("127.0.0.1");
    let icon = api.get("/static/favicon.svg").await;
    assert_eq!(icon.headers["content-type"], "image/svg+xml");
    assert_eq!(icon.headers["cache-control"], "no-cache");
    let again = api.request(Method::GET, "/static/favicon.svg").header("if-none-match", &icon.headers["etag"]);
    assert_eq!(api.send(again).await.status, 304);
    let vendored = api.get("/static/vendor/preact@11.2.0/preact.js").await;
    assert_eq!(vendored.status, 200);
    assert!(vendored.headers["cache-control"].to_str().unwrap().contains("immutable"));
}

#[tokio::test]
async fn unsent_mail_is_shown_to_this_machine_with_the_token_and_to_nobody_else() {
    let (base, edge) = demo_server().await;
    let token = edge.mail_page_token.clone().unwrap();
    let client = reqwest::Client::new();
    let body = serde_json::json!({ "email": "new@demo.example", "password": PASSWORD });
    let registered = client.post(format!("{base}/v1/auth/register")).json(&body).send().await.unwrap();
    assert_eq!(registered.status(), 201);
    let url = format!("{base}/dev/mail?token={token}");
    let status = |request: reqwest::RequestBuilder| async { request.send().await.unwrap().status().as_u16() };

    let json = client.get(&url).header("accept", "application/json").send().await.unwrap();
    let mails: serde_json::Value = json.json().await.unwrap();
    assert_eq!(mails["items"][0]["recipient"], "new@demo.example");
    let html = client.get(&url).send().await.unwrap().text().await.unwrap();
    assert!(html.contains("/verify?token="), "{html}");

    assert_eq!(status(client.get(format!("{base}/dev/mail"))).await, 404);
    assert_eq!(status(client.get(format!("{base}/dev/mail?token=x"))).await, 404);
    assert_eq!(status(client.get(&url).header("x-forwarded-for", "127.0.0.1")).await, 404);
    assert_eq!(status(client.get(&url).header("host", "demo.example")).await, 421);
    // Without --demo there is no such page.
    Api::at("127.0.0.1").get(&format!("/dev/mail?token={token}")).await.expect(421);
    let demo: serde_json::Value = client.get(format!("{base}/v1/demo")).send().await.unwrap().json().await.unwrap();
    assert_eq!(demo["accounts"][0]["email"], "ada@demo.example");
}
