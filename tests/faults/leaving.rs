//! Who goes away at an awkward moment leaves nothing behind.

use std::sync::Arc;
use std::time::Duration;

use crate::node::Node;
use crate::socket::Socket;

const PATIENCE: Duration = Duration::from_secs(10);

/// The one place that the person has is free again, although its client went before the store said who it was.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_goes_away_while_it_connects_keeps_no_place() {
    let node = Arc::new(Node::start(&[("LIMITS__ADMISSION__CONNECTIONS_PER_USER", "1")]).await);
    let person = node.person().await;
    let store = Arc::clone(&node);
    let held = tokio::task::spawn_blocking(move || store.sql("BEGIN; LOCK TABLE users; SELECT pg_sleep(3); COMMIT"));
    let looking = Arc::clone(&node);
    tokio::task::spawn_blocking(move || {
        let held = "SELECT count(*) FROM pg_locks WHERE relation = 'users'::regclass AND granted AND mode = 'AccessExclusiveLock'";
        while looking.number(held) == 0 {}
    })
    .await
    .unwrap();
    let opening = tokio::time::timeout(Duration::from_millis(500), Socket::open(node.port, &person.token)).await;
    assert!(opening.is_err(), "the store could be asked");
    held.await.unwrap();

    let back = async {
        // Whichever of the two the store answered first, the other is heard of by the time of the second look.
        for _ in 0..2 {
            while Socket::open(node.port, &person.token).await.is_err() {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    };
    tokio::time::timeout(PATIENCE, back).await.expect("the place is free");
}
