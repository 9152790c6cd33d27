//! R5, read from the catalogue: a table that somebody adds and forgets to guard fails here.

use rialto::infra::bus::Bus;
use rialto::infra::pg::Pg;
use rialto::kernel::TenantId;
use secrecy::ExposeSecret;
use sqlx::{Connection, PgConnection, Row};

use crate::harness::{TestTenant, server, superuser};

/// Not of any tenant.
const SHARED: [&str; 2] = ["_sqlx_migrations", "signing_keys"];

async fn tenant_tables() -> Vec<String> {
    let all: Vec<String> = sqlx::query_scalar(
        "SELECT c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
          WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') ORDER BY 1",
    )
    .fetch_all(&mut superuser().await)
    .await
    .unwrap();
    all.into_iter().filter(|name| !SHARED.contains(&name.as_str())).collect()
}

fn tenant_column(table: &str) -> &'static str {
    if table == "tenants" { "id" } else { "tenant_id" }
}

#[tokio::test]
async fn each_tenant_table_forces_the_one_policy_and_begins_its_keys_with_the_tenant() {
    let mut superuser = superuser().await;
    for table in tenant_tables().await {
        let row = sqlx::query("SELECT relrowsecurity, relforcerowsecurity FROM pg_class WHERE oid = $1::regclass")
            .bind(&table)
            .fetch_one(&mut superuser)
            .await
            .unwrap();
        assert!(row.get::<bool, _>(0) && row.get::<bool, _>(1), "{table} does not force row-level security");

        let policies = sqlx::query(
            "SELECT policyname::text, cmd, roles::text[], qual, with_check FROM pg_policies WHERE tablename = $1",
        )
        .bind(&table)
        .fetch_all(&mut superuser)
        .await
        .unwrap();
        for policy in &policies {
            let (name, roles) = (policy.get::<String, _>(0), policy.get::<Vec<String>, _>(2));
            match name.as_str() {
                "tenant_isolation" => {
                    for text in [policy.get::<String, _>(3), policy.get::<String, _>(4)] {
                        let wanted = format!(
                            "({} = ( SELECT (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid",
                            tenant_column(&table)
                        );
                        assert!(text.starts_with(&wanted), "{table}: {text}");
                    }
                    assert!(!roles.contains(&"rialto_platform".to_owned()));
                }
                "platform_reads" => {
                    assert_eq!(
                        (policy.get::<String, _>(1).as_str(), roles),
                        ("SELECT", vec!["rialto_platform".to_owned()])
                    );
                }
                other => panic!("{table} has an unknown policy {other}"),
            }
        }
        assert!(policies.iter().any(|policy| policy.get::<String, _>(0) == "tenant_isolation"), "{table}");

        let keys: Vec<(String, String)> = sqlx::query_as(
            "SELECT k.conname::text, a.attname::text FROM pg_constraint k
               JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = k.conkey[1]
              WHERE k.conrelid = $1::regclass AND k.contype IN ('p', 'u', 'f')",
        )
        .bind(&table)
        .fetch_all(&mut superuser)
        .await
        .unwrap();
        let global = ["tenants_slug_key", "tenant_hosts_pkey"];
        for (name, first) in keys.iter().filter(|(name, _)| !global.contains(&name.as_str())) {
            assert_eq!(first, tenant_column(&table), "{table}.{name}");
        }
    }
}

#[tokio::test]
async fn what_is_seen_across_tenants_is_a_short_list_of_columns() {
    let seen: Vec<(String, String)> = sqlx::query_as(
        "SELECT c.relname::text, string_agg(a.attname::text, ' ' ORDER BY a.attname)
           FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
          WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND c.relrowsecurity
            AND NOT has_table_privilege('rialto_platform', c.oid, 'SELECT')
            AND has_column_privilege('rialto_platform', c.oid, a.attnum, 'SELECT')
          GROUP BY 1 ORDER BY 1",
    )
    .fetch_all(&mut superuser().await)
    .await
    .unwrap();
    let whole: Vec<String> = sqlx::query_scalar(
        "SELECT c.relname::text FROM pg_class c
          WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND c.relrowsecurity
            AND has_table_privilege('rialto_platform', c.oid, 'SELECT') ORDER BY 1",
    )
    .fetch_all(&mut superuser().await)
    .await
    .unwrap();

    let columns: Vec<_> = seen.iter().map(|(table, columns)| (table.as_str(), columns.as_str())).collect();
    let expected = [
        ("communities", "id tenant_id"),
        ("ended_sessions", "expires_at tenant_id"),
        ("idempotency_keys", "created_at tenant_id"),
        ("mail_tokens", "expires_at tenant_id"),
        ("mails", "attempts created_at due_at id sent_at tenant_id"),
        ("refresh_tokens", "expires_at revoked_at tenant_id"),
    ];
    assert_eq!(columns, expected);
    assert_eq!(whole, ["outbox", "streams", "tenant_hosts", "tenants"]);
}

#[tokio::test]
async fn no_row_is_seen_or_written_without_its_tenant() {
    let (a, b) = (TestTenant::make().await, TestTenant::make().await);
    a.member("ada").await;
    b.member("bo").await;
    let mut nobody = PgConnection::connect(server().urls.app.expose_secret()).await.unwrap();
    let pg = Pg::open(&server().urls, &server().edge.config.store, Bus::local()).unwrap();
    let tenant: TenantId = a.id.parse().unwrap();
    let mut tx = pg.tenant(tenant).await.unwrap();

    for table in tenant_tables().await {
        let count = format!("SELECT count(*) FROM {table}");
        let foreign = format!("SELECT count(*) FROM {table} WHERE {} <> $1", tenant_column(&table));
        let none: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(count)).fetch_one(&mut nobody).await.unwrap();
        let other: i64 =
            sqlx::query_scalar(sqlx::AssertSqlSafe(foreign)).bind(tenant).fetch_one(tx.conn()).await.unwrap();
        assert_eq!((none, other), (0, 0), "{table}");
    }

    let taken =
        sqlx::query("UPDATE users SET bio = 'x' WHERE tenant_id = $1").bind(b.id.parse::<uuid::Uuid>().unwrap());
    assert_eq!(taken.execute(tx.conn()).await.unwrap().rows_affected(), 0);
    let planted = sqlx::query("INSERT INTO audit (tenant_id, id, at, action, target) VALUES ($1, $1, now(), 'x', 'x')");
    assert!(planted.bind(b.id.parse::<uuid::Uuid>().unwrap()).execute(tx.conn()).await.is_err());
}

#[tokio::test]
async fn the_audit_log_can_not_be_rewritten() {
    let tenant = TestTenant::make().await;
    let pg = Pg::open(&server().urls, &server().edge.config.store, Bus::local()).unwrap();
    for statement in ["UPDATE audit SET target = 'x'", "DELETE FROM audit"] {
        let mut tx = pg.tenant(tenant.id.parse().unwrap()).await.unwrap();
        let error = sqlx::query(statement).execute(tx.conn()).await.unwrap_err();
        assert!(error.to_string().contains("permission denied"), "{error}");
    }
}
