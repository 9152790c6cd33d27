//! What one address may ask for, and how many people a plan admits.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;
use sqlx::Connection;

use crate::harness::{PASSWORD, TINY_MEMBERS, TINY_STAFF, TestTenant, strict_server, superuser};

#[tokio::test]
async fn an_address_that_asks_too_much_waits_and_others_do_not() {
    const BURST: u32 = 20;
    let base = strict_server(BURST);
    let tenant = TestTenant::make().await;
    // Each visitor comes through the trusted proxy with an address of its own.
    let (busy, other) = (tenant.visitor(), tenant.visitor());
    let ask = |api: &crate::harness::Api, path: &str| {
        let (api, request) = (api.clone(), api.request_to(&base, Method::GET, path));
        async move { api.send(request).await }
    };

    let mut statuses = Vec::new();
    for _ in 0..BURST {
        statuses.push(ask(&busy, "/v1/me").await.status);
    }
    // A second gives one back, and the burst may have taken some.
    let mut refused = ask(&busy, "/v1/me").await;
    for _ in 0..BURST {
        if refused.status == 429 {
            break;
        }
        refused = ask(&busy, "/v1/me").await;
    }

    assert_eq!(statuses, vec![401; BURST as usize]);
    refused.refused(429, "too_many");
    assert_eq!(refused.retry_after(), Some(1));
    assert_eq!(ask(&other, "/v1/me").await.status, 401);
    // What is not counted is answered still.
    for path in ["/health/live", "/health/ready", "/static/favicon.svg"] {
        assert_eq!(ask(&busy, path).await.status, 200, "{path}");
    }
    let stats = reqwest::get(format!("{base}/health/stats")).await.unwrap().json::<serde_json::Value>().await.unwrap();
    assert!(stats["counters"]["requests_refused"].as_u64().unwrap() >= 1, "{stats}");
}

/// All are stopped where they write, so that without taking turns each would have counted before any has written.
#[tokio::test]
async fn of_those_who_register_at_once_as_many_get_in_as_the_plan_admits() {
    const COMING: usize = TINY_MEMBERS * 2;
    let tenant = TestTenant::on_plan("tiny").await;
    let id: uuid::Uuid = tenant.id.parse().unwrap();
    let mut superuser = superuser().await;
    let mut gate = superuser.begin().await.unwrap();
    sqlx::query("SELECT 1 FROM tenants WHERE id = $1 FOR UPDATE").bind(id).execute(&mut *gate).await.unwrap();
    let opening = async {
        let waiting =
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
        let until = Instant::now() + Duration::from_secs(5);
        while Instant::now() < until {
            let waiting: i64 = sqlx::query_scalar(waiting).fetch_one(&mut *gate).await.unwrap();
            if usize::try_from(waiting).unwrap() >= COMING {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        gate.commit().await.unwrap();
    };
    let coming = (0..COMING).map(|n| {
        let visitor = tenant.visitor();
        let body = json!({ "email": format!("p{n}@test.example"), "password": PASSWORD });
        async move { visitor.post("/v1/auth/register", body).await }
    });

    let (answers, ()) = tokio::join!(join_all(coming), opening);

    let (inside, outside): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 201);
    assert_eq!(inside.len(), TINY_MEMBERS);
    outside.iter().for_each(|answer| answer.refused(429, "plan_limit"));
    let members = "SELECT count(*) FROM users WHERE tenant_id = $1 AND role = 'member'";
    let members: i64 = sqlx::query_scalar(members).bind(id).fetch_one(&mut superuser).await.unwrap();
    assert_eq!(usize::try_from(members).unwrap(), TINY_MEMBERS);
}

#[tokio::test]
async fn of_those_who_are_given_a_seat_at_once_as_many_get_one_as_the_plan_has() {
    let tenant = TestTenant::on_plan("tiny").await;
    let admin = tenant.admin().await;
    let mut people = Vec::new();
    for n in 0..TINY_MEMBERS {
        people.push(tenant.member(&format!("p{n}")).await);
    }

    let promotions = people.iter().map(|person| {
        let (admin, path) = (admin.clone(), format!("/v1/users/{}/role", person.id()));
        async move { admin.put(&path, json!({ "role": "moderator" })).await }
    });
    let answers = join_all(promotions).await;

    let (seated, standing): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 200);
    // The admin has a seat.
    assert_eq!(seated.len(), TINY_STAFF - 1);
    standing.iter().for_each(|answer| answer.refused(429, "plan_limit"));
}
