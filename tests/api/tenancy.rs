//! Tenants: their lives, their hosts, and that none reaches into another.

use std::time::{Duration, Instant};

use rialto::domain::identity::Wanted;
use rialto::kernel::TenantId;
use serde_json::json;

use crate::harness::{Api, PASSWORD, TestTenant, audited, provision, server, superuser};

fn wanted(slug: &str) -> Wanted {
    Wanted { name: "Acme".into(), slug: Some(slug.into()), admin_email: "tam@acme.example".into(), ..Wanted::default() }
}

fn fresh_slug() -> String {
    format!("s{}", uuid::Uuid::new_v4().simple())
}

#[tokio::test]
async fn the_host_decides_and_the_header_counts_only_where_no_host_does() {
    let (a, b) = (TestTenant::make().await, TestTenant::make().await);
    let ada = a.member("ada").await;
    let me = |api: &Api, header: &str| api.request(reqwest::Method::GET, "/v1/me").header("Rialto-Tenant", header);

    let by_host = ada.send(me(&ada, &b.slug)).await;
    let plain = ada.clone().on_host("127.0.0.1:8080");
    let by_header = plain.send(me(&plain, &a.slug)).await;
    let other = plain.send(me(&plain, &b.slug)).await;

    by_host.expect(200);
    by_header.expect(200);
    other.refused(404, "not_found");
    plain.send(me(&plain, "nobody")).await.refused(404, "not_found");
    plain.me().await.refused(421, "unknown_host");
    ada.clone().on_host("nobody.chat.test").me().await.refused(421, "unknown_host");
    ada.on_host("elsewhere.example").me().await.refused(421, "unknown_host");
}

#[tokio::test]
async fn another_tenants_token_and_ids_are_not_found_and_audited() {
    let (a, b) = (TestTenant::make().await, TestTenant::make().await);
    let (ada, bo) = (a.member("ada").await, b.member("bo").await);

    ada.clone().on_host(&format!("{}.chat.test", b.slug)).me().await.refused(404, "not_found");
    assert_eq!(audited(&a.id, "access.cross_tenant").await, 1);

    ada.get(&format!("/v1/users/{}", bo.id())).await.refused(404, "not_found");
    assert_eq!(audited(&a.id, "access.cross_tenant").await, 2);
    ada.get(&format!("/v1/users/{}", uuid::Uuid::now_v7())).await.refused(404, "not_found");
    ada.get("/v1/users/nonsense").await.refused(404, "not_found");
    assert_eq!(audited(&a.id, "access.cross_tenant").await, 2);
    assert_eq!(audited(&b.id, "access.cross_tenant").await, 0);
}

async fn platform_admin() -> Api {
    let edge = &server().edge;
    let email = rialto::domain::identity::Email::parse(&format!("{}@platform.example", fresh_slug())).unwrap();
    let password = rialto::domain::identity::Password::parse("password", PASSWORD, 8).unwrap();
    let (accounts, made) = (edge.accounts.clone(), email.clone());
    edge.db.run(async move { accounts.make_platform_admin(&made, &password).await }).await.unwrap();
    let mut api = Api::at("platform.chat.test");
    api.take(&api.login(email.as_str(), PASSWORD).await.expect(200));
    api
}

#[tokio::test]
async fn a_suspended_tenant_is_closed_within_a_second_and_opens_again() {
    let tenant = TestTenant::make().await;
    let (ada, operator) = (tenant.member("ada").await, platform_admin().await);
    let path = format!("/v1/platform/tenants/{}", tenant.id);

    operator.post(&format!("{path}/suspend"), json!({ "reason": "unpaid" })).await.expect(200);

    ada.me().await.refused(403, "tenant_suspended");
    tenant.visitor().login("ada@test.example", PASSWORD).await.refused(403, "tenant_suspended");
    operator.post(&format!("{path}/suspend"), json!({})).await.refused(409, "illegal_move");
    operator.post(&format!("{path}/resume"), json!({})).await.expect(200);
    ada.me().await.expect(200);
    operator.post(&format!("{path}/terminate"), json!({})).await.expect(200);
    ada.me().await.refused(410, "tenant_terminated");
    operator.post(&format!("{path}/resume"), json!({})).await.refused(409, "illegal_move");
    let platform = format!("/v1/platform/tenants/{}", TenantId::PLATFORM);
    operator.post(&format!("{platform}/suspend"), json!({})).await.refused(409, "illegal_move");
}

#[tokio::test]
async fn a_change_made_by_another_process_is_noticed_within_a_second() {
    let tenant = TestTenant::make().await;
    let ada = tenant.member("ada").await;
    ada.me().await.expect(200);
    // Past this node's caches, as the operator's command does it.
    sqlx::query("UPDATE tenants SET state = 'suspended', updated_at = now() WHERE id = $1")
        .bind(tenant.id.parse::<uuid::Uuid>().unwrap())
        .execute(&mut superuser().await)
        .await
        .unwrap();
    let changed = Instant::now();

    while ada.me().await.status == 200 {
        assert!(changed.elapsed() < Duration::from_secs(1), "still open");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn operators_reach_the_platform_only_and_nobody_else_does() {
    let tenant = TestTenant::make().await;
    let (operator, admin) = (platform_admin().await, tenant.admin().await);

    let page = operator.get("/v1/platform/tenants?limit=1").await.expect(200);
    assert_eq!(page["items"].as_array().unwrap().len(), 1);
    admin.get("/v1/platform/tenants").await.refused(403, "forbidden");
    operator.on_host(&format!("{}.chat.test", tenant.slug)).me().await.refused(404, "not_found");
    tenant.visitor().on_host("platform.chat.test").get("/v1/platform/tenants").await.refused(401, "unauthorized");
}

#[tokio::test]
async fn provisioning_goes_on_where_it_was_cut_off() {
    let slug = fresh_slug();
    let mut wanted = wanted(&slug);
    wanted.plan = Some("enterprise".into());
    wanted.host = Some(format!("{slug}.example.com"));
    provision(wanted.clone()).await.unwrap();
    // As if the process had died before the last two steps.
    let mut superuser = superuser().await;
    sqlx::query("UPDATE tenants SET state = 'provisioning', provisioned_step = 'host' WHERE slug = $1")
        .bind(&slug)
        .execute(&mut superuser)
        .await
        .unwrap();

    let again = provision(wanted.clone()).await.unwrap();

    assert!(again.resumed);
    assert_eq!(again.tenant.host.as_deref(), Some(format!("{slug}.example.com").as_str()));
    let admins: i64 = sqlx::query_scalar("SELECT count(*) FROM users WHERE tenant_id = $1")
        .bind(again.tenant.id)
        .fetch_one(&mut superuser)
        .await
        .unwrap();
    assert_eq!(admins, 1);
    // Finished now: asking once more is asking for a slug that is taken.
    assert_eq!(provision(wanted).await.unwrap_err().to_string(), "the slug is taken");
    Api::at(&format!("{slug}.example.com")).me().await.refused(401, "unauthorized");
}

#[tokio::test]
async fn an_admin_has_the_name_that_was_asked_for_or_that_of_the_address() {
    for (asked, expected) in [(Some("Tam Tenant"), "Tam Tenant"), (None, "tam")] {
        let slug = fresh_slug();
        let mut wanted = wanted(&slug);
        (wanted.admin_name, wanted.admin_password) = (asked.map(str::to_owned), Some(PASSWORD.to_owned()));
        provision(wanted).await.unwrap();
        let signed_in = Api::at(&format!("{slug}.chat.test")).login("tam@acme.example", PASSWORD).await.expect(200);
        assert_eq!(signed_in["user"]["display_name"], expected);
    }
}

#[tokio::test]
async fn what_a_plan_does_not_have_is_refused_by_name() {
    let with = |change: fn(&mut Wanted)| {
        let mut wanted = wanted(&fresh_slug());
        change(&mut wanted);
        async move { provision(wanted).await.unwrap_err().to_string() }
    };
    assert!(with(|w| w.plan = Some("gold".into())).await.contains("plan"));
    assert!(with(|w| w.host = Some("acme.example.net".into())).await.contains("custom domain"));
    assert!(with(|w| w.features = vec![rialto::config::Feature::SsoIntegration]).await.contains("SsoIntegration"));
    assert!(with(|w| w.slug = Some("www".into())).await.contains("slug"));
    assert!(with(|w| w.admin_email = "x".into()).await.contains("e-mail"));
}

#[tokio::test]
async fn a_tenant_without_a_password_costs_no_hash_and_little_time() {
    const COUNT: u32 = 20;
    let started = Instant::now();
    for _ in 0..COUNT {
        provision(wanted(&fresh_slug())).await.unwrap();
    }
    let each = started.elapsed() / COUNT;
    assert!(each < Duration::from_millis(100), "{each:?}");
}

#[tokio::test]
async fn an_admin_without_a_password_is_mailed_a_link_to_choose_one() {
    let slug = fresh_slug();
    let made = provision(wanted(&slug)).await.unwrap();
    let id = made.tenant.id.to_string();
    let token = crate::harness::mailed_token(&id, "tam@acme.example", "/reset?").await.unwrap();
    let visitor = Api::at(&format!("{slug}.chat.test"));

    visitor.post("/v1/auth/password/reset", json!({ "token": token, "password": PASSWORD })).await.expect(204);

    let signed_in = visitor.login("tam@acme.example", PASSWORD).await.expect(200);
    assert_eq!(signed_in["user"]["role"], "tenant_admin");
}
