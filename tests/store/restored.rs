//! What it leaves with a tenant that its history was cut.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use rialto::domain::tenancy::verbs;
use rialto::kernel::Clock;

use crate::world::{A_WHILE, World, now};

/// Nodes look for what changed lately: a time from before the streams were done, or before the tenant's last change, could be missed.
#[tokio::test]
async fn a_restoration_bears_the_time_of_its_end_and_moves_no_change_back() {
    const AN_HOUR_MS: i64 = 3_600_000;
    let world = World::new().await;
    world.member("ada").await;
    let millis = Arc::new(AtomicI64::new(now().timestamp_millis()));
    let (pg, tenant, clock) = (world.pg.clone(), world.tenant, Clock::Fixed(Arc::clone(&millis)));
    let mut holder = world.tx().await;
    sqlx::query("SELECT 1 FROM streams FOR UPDATE").execute(holder.conn()).await.unwrap();

    let restoring = tokio::spawn(async move { verbs::restored(&pg, tenant, &clock).await.unwrap() });
    tokio::time::sleep(A_WHILE).await;
    millis.fetch_add(AN_HOUR_MS, Ordering::Relaxed);
    holder.commit().await.unwrap();

    assert_eq!(restoring.await.unwrap(), 1);
    let at = now().timestamp_millis() + AN_HOUR_MS;
    let restored = format!("SELECT count(*) FROM tenants WHERE restored_at = to_timestamp({at} / 1000)");
    assert_eq!(world.count(&restored).await, 1);
    // The tenant was made by the machine's clock, which is ahead of this one.
    assert_eq!(world.count("SELECT count(*) FROM tenants WHERE updated_at = created_at").await, 1);
}
