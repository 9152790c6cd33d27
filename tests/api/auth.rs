//! Accounts and sessions.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;

use crate::harness::{PASSWORD, TestTenant, audited, mailed_token, server};

#[tokio::test]
async fn registering_signs_in_and_tells_who_one_is() {
    let tenant = TestTenant::make().await;
    let visitor = tenant.visitor();
    let body = json!({ "email": "Ada@Test.Example", "password": PASSWORD, "display_name": "Ada Lovelace" });

    let answer = visitor.post("/v1/auth/register", body).await;

    let cookie = answer.headers["set-cookie"].to_str().unwrap().to_owned();
    for part in ["rialto_refresh=", "HttpOnly", "SameSite=Strict", "Path=/"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    let signed_in = answer.expect(201);
    assert_eq!(signed_in["token_type"], "Bearer");
    assert_eq!(signed_in["expires_in"], 600);
    assert_eq!(signed_in["user"]["email"], "ada@test.example");
    assert_eq!(signed_in["user"]["handle"], "ada-lovelace");
    assert_eq!(signed_in["user"]["role"], "member");
    assert_eq!(signed_in["tenant"]["slug"], tenant.slug.as_str());
    assert!(!signed_in.to_string().contains("argon2"));
    let mut ada = visitor;
    ada.take(&signed_in);
    assert_eq!(ada.me().await.expect(200)["id"], signed_in["user"]["id"]);
}

#[tokio::test]
async fn a_taken_address_is_refused_and_a_taken_name_gets_digits() {
    let tenant = TestTenant::make().await;
    tenant.member("ada").await;
    let register = |email: &str, handle: Option<&str>| {
        let body = json!({ "email": email, "password": PASSWORD, "display_name": "ada", "handle": handle });
        let visitor = tenant.visitor();
        async move { visitor.post("/v1/auth/register", body).await }
    };

    register("ADA@test.example", None).await.refused(409, "email_taken");
    register("other@test.example", Some("ada")).await.refused(409, "handle_taken");
    let second = register("second@test.example", None).await.expect(201);
    let handle = second["user"]["handle"].as_str().unwrap();
    assert!(handle.starts_with("ada") && handle.len() == 7, "{handle}");
}

#[tokio::test]
async fn a_bad_field_is_named() {
    let tenant = TestTenant::make().await;
    for (body, field) in [
        (json!({ "email": "nobody", "password": PASSWORD }), "email"),
        (json!({ "email": "a@b.example", "password": "short" }), "password"),
        (json!({ "email": "a@b.example", "password": PASSWORD, "handle": "here" }), "handle"),
        (json!({ "email": "a@b.example" }), "password"),
        (json!({ "email": 7, "password": PASSWORD }), "email"),
    ] {
        let answer = tenant.visitor().post("/v1/auth/register", body).await;
        answer.refused(422, "invalid");
        assert_eq!(answer.body["field"], field);
    }
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_address_get_the_same_answer() {
    let tenant = TestTenant::make().await;
    tenant.member("ada").await;

    let wrong = tenant.visitor().login("ada@test.example", "wrong horse").await;
    let unknown = tenant.visitor().login("nobody@test.example", "wrong horse").await;

    wrong.refused(401, "wrong_credentials");
    assert_eq!(wrong.body, unknown.body);
    tenant.visitor().login("ada@test.example", PASSWORD).await.expect(200);
}

#[tokio::test]
async fn an_unknown_address_costs_one_password_hash_like_a_known_one() {
    // A server of its own: the others' tests hash as well.
    let (base, edge) = crate::harness::demo_server().await;
    let client = reqwest::Client::new();
    let login = |email: &'static str, password: &'static str| {
        let body = json!({ "email": email, "password": password });
        let request = client.post(format!("{base}/v1/auth/login")).json(&body);
        let (before, hasher) = (edge.hasher.runs(), edge.hasher.clone());
        async move { (request.send().await.unwrap().status().as_u16(), hasher.runs() - before) }
    };
    let body = json!({ "email": "runs@demo.example", "password": PASSWORD });
    assert_eq!(client.post(format!("{base}/v1/auth/register")).json(&body).send().await.unwrap().status(), 201);

    assert_eq!(login("runs@demo.example", PASSWORD).await, (200, 1));
    assert_eq!(login("runs@demo.example", "wrong horse").await, (401, 1));
    assert_eq!(login("nobody@demo.example", "wrong horse").await, (401, 1));
    // The admin was made without a password.
    assert_eq!(login("tam@demo.example", "wrong horse").await, (401, 1));
}

#[tokio::test]
async fn too_many_failures_on_one_account_have_to_wait() {
    let tenant = TestTenant::make().await;
    tenant.member("ada").await;
    let limit = server().edge.config.limits.signing_in.login_per_account.attempts;
    for _ in 0..limit {
        tenant.visitor().login("ada@test.example", "wrong horse").await.refused(401, "wrong_credentials");
    }

    let answer = tenant.visitor().login("ada@test.example", PASSWORD).await;

    answer.refused(429, "too_many_attempts");
    assert!(answer.retry_after().is_some_and(|seconds| (1..=301).contains(&seconds)));
}

#[tokio::test]
async fn a_refresh_token_works_once_and_its_reuse_ends_the_session() {
    let tenant = TestTenant::make().await;
    let mut ada = tenant.member("ada").await;
    let first = ada.refresh_token.clone();
    let second = ada.refresh(&first).await.expect(200);
    let third = ada.refresh(second["refresh_token"].as_str().unwrap()).await.expect(200);
    ada.take(&third);

    ada.refresh(&first).await.refused(401, "unauthorized");

    ada.refresh(&ada.refresh_token).await.refused(401, "unauthorized");
    ada.me().await.refused(401, "unauthorized");
    assert_eq!(audited(&tenant.id, "session.reuse_detected").await, 1);
}

#[tokio::test]
async fn tabs_that_refresh_at_one_moment_and_a_lost_answer_sign_nobody_out() {
    let tenant = TestTenant::make().await;
    let mut ada = tenant.member("ada").await;
    let token = ada.refresh_token.clone();

    let answers = futures_util::future::join_all((0..6).map(|_| ada.refresh(&token))).await;

    assert!(answers.iter().all(|answer| answer.status == 200));
    assert_eq!(audited(&tenant.id, "session.reuse_detected").await, 0);
    let (one, other) = (answers[0].body["refresh_token"].clone(), answers[1].body["refresh_token"].clone());
    let next = ada.refresh(one.as_str().unwrap()).await.expect(200);
    ada.take(&next);
    // Once what it was exchanged for is in use, the spent one is a thief's.
    ada.refresh(&token).await.refused(401, "unauthorized");
    ada.refresh(other.as_str().unwrap()).await.refused(401, "unauthorized");
    assert_eq!(audited(&tenant.id, "session.reuse_detected").await, 1);
}

#[tokio::test]
async fn the_cookie_needs_the_own_page() {
    let tenant = TestTenant::make().await;
    let mut ada = tenant.member("ada").await;
    let cookie = format!("rialto_refresh={}", ada.refresh_token);
    let host = format!("{}.chat.test", tenant.slug);
    ada.token = None;
    let refresh = |origin: Option<String>| {
        let mut request = ada.request(Method::POST, "/v1/auth/refresh").header("cookie", &cookie);
        if let Some(origin) = origin {
            request = request.header("origin", origin);
        }
        ada.send(request)
    };

    refresh(None).await.refused(403, "foreign_origin");
    refresh(Some("http://evil.chat.test".into())).await.refused(403, "foreign_origin");
    refresh(Some(format!("http://{host}"))).await.expect(200);
}

#[tokio::test]
async fn signing_out_ends_this_session_and_everywhere_all() {
    let tenant = TestTenant::make().await;
    let phone = tenant.member("ada").await;
    let mut laptop = tenant.visitor();
    laptop.take(&tenant.visitor().login("ada@test.example", PASSWORD).await.expect(200));

    phone.post("/v1/auth/logout", json!({})).await.expect(204);
    phone.me().await.refused(401, "unauthorized");
    laptop.me().await.expect(200);
    phone.refresh(&phone.refresh_token).await.refused(401, "unauthorized");
    let again = laptop.refresh(&laptop.refresh_token).await.expect(200);
    laptop.take(&again);

    laptop.post("/v1/auth/logout", json!({ "everywhere": true })).await.expect(204);
    laptop.me().await.refused(401, "unauthorized");
    phone.me().await.refused(401, "unauthorized");
    laptop.refresh(&laptop.refresh_token).await.refused(401, "unauthorized");
    tenant.visitor().post("/v1/auth/logout", json!({})).await.refused(401, "unauthorized");
}

/// What is remembered of ended sessions is bounded; past it everything older is void, and a session that lives gets itself a new token.
#[tokio::test]
async fn who_signs_out_without_end_stays_signed_out_of_each() {
    let tenant = TestTenant::make().await;
    let mut laptop = tenant.member("ada").await;
    let mut last = tenant.visitor();
    for _ in 0..101 {
        last.take(&last.login("ada@test.example", PASSWORD).await.expect(200));
        last.post("/v1/auth/logout", json!({})).await.expect(204);
        last.me().await.refused(401, "unauthorized");
        last.token = None;
    }

    laptop.me().await.refused(401, "unauthorized");
    laptop.take(&laptop.clone().refresh(&laptop.refresh_token).await.expect(200));
    laptop.me().await.expect(200);
    let remembered: i64 = sqlx::query_scalar("SELECT count(*) FROM ended_sessions WHERE tenant_id = $1")
        .bind(tenant.id.parse::<uuid::Uuid>().unwrap())
        .fetch_one(&mut crate::harness::superuser().await)
        .await
        .unwrap();
    assert_eq!(remembered, 0);
}

#[tokio::test]
async fn a_forgotten_password_is_replaced_by_a_mailed_link_once() {
    let tenant = TestTenant::make().await;
    let ada = tenant.member("ada").await;
    let visitor = tenant.visitor();
    visitor.post("/v1/auth/password/forgot", json!({ "email": "nobody@test.example" })).await.expect(202);
    visitor.post("/v1/auth/password/forgot", json!({ "email": "ada@test.example" })).await.expect(202);
    let token = mailed_token(&tenant.id, "ada@test.example", "/reset?").await.unwrap();
    let reset = |password: &str| {
        visitor.post("/v1/auth/password/reset", json!({ "token": token.clone(), "password": password }))
    };

    reset("short").await.refused(422, "invalid");
    reset("a new horse").await.expect(204);

    reset("another horse").await.refused(422, "bad_link");
    ada.me().await.refused(401, "unauthorized");
    ada.refresh(&ada.refresh_token).await.refused(401, "unauthorized");
    visitor.login("ada@test.example", PASSWORD).await.refused(401, "wrong_credentials");
    let signed_in = visitor.login("ada@test.example", "a new horse").await.expect(200);
    assert_eq!(signed_in["user"]["email_verified"], true);
    assert_eq!(mailed_token(&tenant.id, "ada@test.example", "nothing like this").await, None);
}

#[tokio::test]
async fn changing_the_password_keeps_this_session_and_ends_the_others() {
    let tenant = TestTenant::make().await;
    let phone = tenant.member("ada").await;
    let mut laptop = tenant.visitor();
    laptop.take(&tenant.visitor().login("ada@test.example", PASSWORD).await.expect(200));
    let change = |current: &str| {
        laptop.post("/v1/auth/password/change", json!({ "current_password": current, "new_password": "a new horse" }))
    };

    let wrong = change("wrong").await;
    wrong.refused(422, "invalid");
    assert_eq!(wrong.body["field"], "current_password");
    change(PASSWORD).await.expect(204);

    phone.refresh(&phone.refresh_token).await.refused(401, "unauthorized");
    laptop.refresh(&laptop.refresh_token).await.expect(200);
    tenant.visitor().login("ada@test.example", "a new horse").await.expect(200);
}

#[tokio::test]
async fn an_address_is_proven_by_a_mailed_link_to_the_tenants_own_host() {
    let tenant = TestTenant::make().await;
    let ada = tenant.member("ada").await;
    assert_eq!(ada.user["email_verified"], false);
    let word = format!("http://{}.chat.test/verify?", tenant.slug);
    let token = mailed_token(&tenant.id, "ada@test.example", &word).await.unwrap();

    tenant.visitor().post("/v1/auth/verify", json!({ "token": token })).await.expect(204);

    assert_eq!(ada.me().await.expect(200)["email_verified"], true);
    tenant.visitor().post("/v1/auth/verify", json!({ "token": token })).await.refused(422, "bad_link");
    ada.post("/v1/auth/verify/resend", json!({})).await.expect(202);
}

#[tokio::test]
async fn a_suspension_holds_at_once_and_ends_with_it() {
    let tenant = TestTenant::make().await;
    let (ada, mo) = (tenant.member("ada").await, tenant.with_role("moderator").await);
    ada.me().await.expect(200);
    let path = format!("/v1/users/{}", ada.id());

    let suspended = mo.post(&format!("{path}/suspend"), json!({ "reason": "spam" })).await.expect(200);

    assert_eq!(suspended["state"], "suspended");
    ada.me().await.refused(403, "banned");
    ada.refresh(&ada.refresh_token).await.refused(401, "unauthorized");
    tenant.visitor().login("ada@test.example", PASSWORD).await.refused(403, "banned");
    assert_eq!(audited(&tenant.id, "user.suspended").await, 1);
    mo.post(&format!("{path}/resume"), json!({})).await.expect(200);
    tenant.visitor().login("ada@test.example", PASSWORD).await.expect(200);
}

#[tokio::test]
async fn a_role_holds_at_once_and_the_last_admin_stays() {
    let tenant = TestTenant::make().await;
    let (admin, mo, ada) = (tenant.admin().await, tenant.with_role("moderator").await, tenant.member("ada").await);
    let role = |id: &str| format!("/v1/users/{id}/role");

    mo.put(&role(ada.id()), json!({ "role": "vendor" })).await.refused(403, "forbidden");
    admin.put(&role(admin.id()), json!({ "role": "member" })).await.refused(409, "last_admin");
    admin.put(&role(ada.id()), json!({ "role": "platform_admin" })).await.refused(403, "forbidden");
    mo.post(&format!("/v1/users/{}/suspend", admin.id()), json!({})).await.refused(403, "forbidden");
    mo.post(&format!("/v1/users/{}/suspend", mo.id()), json!({})).await.refused(409, "illegal_move");

    admin.put(&role(mo.id()), json!({ "role": "member" })).await.expect(200);
    mo.post(&format!("/v1/users/{}/suspend", ada.id()), json!({})).await.refused(403, "forbidden");
}

#[tokio::test]
async fn people_are_found_by_the_beginning_of_their_name_and_see_no_addresses() {
    let tenant = TestTenant::make().await;
    let (ada, admin) = (tenant.member("ada").await, tenant.admin().await);
    tenant.member("adam").await;
    tenant.member("bo").await;

    let page = ada.get("/v1/users?q=Ad&limit=1").await.expect(200);

    assert_eq!(page["items"][0]["handle"], "ada");
    assert!(page["items"][0].get("email").is_none());
    let next = ada.get(&format!("/v1/users?q=ad&limit=1&cursor={}", page["next_cursor"].as_str().unwrap())).await;
    let next = next.expect(200);
    assert_eq!(next["items"][0]["handle"], "adam");
    assert_eq!(next["next_cursor"], json!(null));
    let seen = admin.get(&format!("/v1/users/{}", ada.id())).await.expect(200);
    assert_eq!(seen["email"], "ada@test.example");
    let answer = ada.get("/v1/users?limit=x").await;
    answer.refused(422, "invalid");
    assert_eq!(answer.body["field"], "limit");
}

#[tokio::test]
async fn a_profile_changes_for_everybody_at_once() {
    let tenant = TestTenant::make().await;
    let (ada, bo) = (tenant.member("ada").await, tenant.member("bo").await);

    let body = json!({ "display_name": "  Countess\u{a0}Ada ", "handle": "@Countess", "bio": "Sums." });
    let changed = ada.patch("/v1/me", body).await.expect(200);

    assert_eq!(
        (changed["display_name"].as_str(), changed["handle"].as_str()),
        (Some("Countess Ada"), Some("countess"))
    );
    assert_eq!(bo.get(&format!("/v1/users/{}", ada.id())).await.expect(200)["bio"], "Sums.");
    ada.patch("/v1/me", json!({ "handle": "bo" })).await.refused(409, "handle_taken");
}

#[tokio::test]
async fn tokens_are_checked_against_the_published_keys_and_bent_ones_refused() {
    let tenant = TestTenant::make().await;
    let mut ada = tenant.member("ada").await;
    let keys = tenant.visitor().get("/.well-known/jwks.json").await.expect(200);
    assert_eq!(keys["keys"][0]["alg"], "EdDSA");
    assert!(keys["keys"][0].get("d").is_none());

    // Not the last character: some of its bits are padding.
    ada.token = ada.token.map(|token| {
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let bent = if signature.starts_with('A') { 'B' } else { 'A' };
        format!("{signed}.{bent}{}", &signature[1..])
    });
    let answer = ada.me().await;
    answer.refused(401, "unauthorized");
    assert_eq!(answer.headers["www-authenticate"], "Bearer");
    tenant.visitor().me().await.refused(401, "unauthorized");
}

#[tokio::test]
async fn sent_mail_is_marked_by_the_postman_and_what_was_given_up_stays() {
    let tenant = TestTenant::make().await;
    let id: uuid::Uuid = tenant.id.parse().unwrap();
    let mut superuser = crate::harness::superuser().await;
    // As a postman left it that knew no `due_at`.
    sqlx::query(
        "INSERT INTO mails (tenant_id, id, recipient, subject, body, created_at, attempts) VALUES ($1, $1, 'old', '', '', now(), 8)",
    )
    .bind(id)
    .execute(&mut superuser)
    .await
    .unwrap();
    tenant.member("ada").await;
    for _ in 0..50 {
        let sent: Vec<String> =
            sqlx::query_scalar("SELECT recipient FROM mails WHERE tenant_id = $1 AND sent_at IS NOT NULL")
                .bind(id)
                .fetch_all(&mut superuser)
                .await
                .unwrap();
        if sent.contains(&"ada@test.example".to_owned()) {
            assert_eq!(sent, ["ada@test.example"]);
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("mail waits for ever");
}
