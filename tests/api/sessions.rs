//! Sessions and roles while something else is done with the same people.

use std::time::Duration;

use serde_json::json;
use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;

use crate::harness::{TestTenant, superuser};

/// Begins a transaction that keeps what the statement locks; with the number of its process.
async fn hold(statement: String) -> (PgConnection, i32) {
    let mut holder = superuser().await;
    let pid = sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&mut holder).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(format!("BEGIN; {statement}"))).execute(&mut holder).await.unwrap();
    (holder, pid)
}

/// Waits until so many wait for that process, or for each other behind it.
async fn wait_until_held_up(holder: i32, count: i64) {
    let mut onlooker = superuser().await;
    for _ in 0..100 {
        let waiting: i64 = sqlx::query_scalar(
            "WITH RECURSIVE held AS (
                 SELECT $1::int AS pid
                 UNION SELECT a.pid FROM pg_stat_activity a JOIN held ON held.pid = ANY (pg_blocking_pids(a.pid)))
             SELECT count(*) - 1 FROM held",
        )
        .bind(holder)
        .fetch_one(&mut onlooker)
        .await
        .unwrap();
        if waiting >= count {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{count} should wait");
}

#[tokio::test]
async fn a_sign_out_at_the_moment_of_a_refresh_ends_what_that_gave() {
    for everywhere in [false, true] {
        let tenant = TestTenant::make().await;
        let ada = tenant.member("ada").await;
        let tokens = format!("SELECT 1 FROM refresh_tokens WHERE tenant_id = '{}' FOR UPDATE", tenant.id);
        let (mut holder, pid) = hold(tokens).await;
        let tab = ada.clone();
        let refreshing = tokio::spawn(async move { tab.refresh(&tab.refresh_token).await });
        wait_until_held_up(pid, 1).await;
        let leaving =
            tokio::spawn(async move { ada.post("/v1/auth/logout", json!({ "everywhere": everywhere })).await });
        wait_until_held_up(pid, 2).await;

        sqlx::query("COMMIT").execute(&mut holder).await.unwrap();

        let mut given = tenant.visitor();
        given.take(&refreshing.await.unwrap().expect(200));
        leaving.await.unwrap().expect(204);
        given.refresh(&given.refresh_token).await.refused(401, "unauthorized");
        given.me().await.refused(401, "unauthorized");
    }
}

#[tokio::test]
async fn a_session_that_ended_counts_until_its_tokens_have_expired() {
    for (expires, status) in [("1 hour", 401), ("-1 minute", 200)] {
        let tenant = TestTenant::make().await;
        let ada = tenant.member("ada").await;
        let id: uuid::Uuid = tenant.id.parse().unwrap();
        let ended = sqlx::query(
            "INSERT INTO ended_sessions (tenant_id, user_id, session_id, expires_at)
             SELECT tenant_id, user_id, family_id, now() + $2::text::interval FROM refresh_tokens WHERE tenant_id = $1",
        );
        let ended = ended.bind(id).bind(expires).execute(&mut superuser().await).await.unwrap();
        assert_eq!(ended.rows_affected(), 1);

        assert_eq!(ada.me().await.status, status, "{expires}");
    }
}

/// Whoever joins or founds something refers to their own row in `users`.
#[tokio::test]
async fn roles_are_given_while_an_admin_writes_something_of_theirs() {
    let tenant = TestTenant::make().await;
    let (admin, ada) = (tenant.admin().await, tenant.member("ada").await);
    let own = format!("SELECT 1 FROM users WHERE tenant_id = '{}' AND id = '{}' FOR KEY SHARE", tenant.id, admin.id());
    let (_holder, _) = hold(own).await;

    admin.put(&format!("/v1/users/{}/role", ada.id()), json!({ "role": "moderator" })).await.expect(200);
}
