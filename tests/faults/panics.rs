//! Actors that panic in traffic come back with their state.

use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::json;

use crate::crowd::Crowd;
use crate::node::{Node, Person};
use crate::socket::Socket;

async fn control(node: &Node) -> (Person, Socket) {
    let admin = node.admin().await;
    let socket = Socket::open(node.port, &admin.token).await.unwrap();
    (admin, socket)
}

/// Asks until the room is there: while it recovers, the answer is "try again".
async fn generation(control: &mut Socket, room: &str) -> u64 {
    for _ in 0..200 {
        if let Ok(found) = control.rpc("faults.room", json!({"room_id": room})).await.unwrap() {
            return found["generation"].as_u64().unwrap();
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the room does not come back");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_room_that_panics_under_a_hundred_posters_comes_back_as_generation_two() {
    let node = Node::start(&[]).await;
    let crowd = Crowd::gather(&node, 100, 10, Duration::from_millis(50)).await;
    let room = crowd.place.room.clone();
    crowd.expect_progress(200, Duration::from_secs(30)).await;
    let (_, mut control) = control(&node).await;
    assert_eq!(generation(&mut control, &room).await, 1);
    control.rpc("faults.panic_room", json!({"room_id": room})).await.unwrap().unwrap();
    crowd.expect_progress(200, Duration::from_secs(30)).await;
    assert_eq!(generation(&mut control, &room).await, 2);
    assert_eq!(node.counter("rooms_restarted").await, 1);

    // Several in a row: each is a generation of its own.
    for expected in 3..=6 {
        let panic = json!({"room_id": room});
        while control.rpc("faults.panic_room", panic.clone()).await.unwrap().is_err() {}
        crowd.expect_progress(100, Duration::from_secs(30)).await;
        assert_eq!(generation(&mut control, &room).await, expected);
    }
    assert!(crowd.tally.retries.load(Ordering::Relaxed) > 0, "the panics met posts");
    crowd.check(&node, Duration::from_secs(20)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_supervisor_that_panics_takes_nobody_with_it() {
    let node = Node::start(&[]).await;
    let crowd = Crowd::gather(&node, 20, 5, Duration::from_millis(20)).await;
    let room = crowd.place.room.clone();
    crowd.expect_progress(50, Duration::from_secs(30)).await;
    let (_, mut control) = control(&node).await;
    for round in 1..=3 {
        control.rpc("faults.panic_tenant", json!({})).await.unwrap().unwrap();
        crowd.expect_progress(50, Duration::from_secs(30)).await;
        // Its rooms outlived it; one that panics now is found to be gone and started by the next supervisor.
        control.rpc("faults.panic_room", json!({"room_id": room})).await.unwrap().unwrap();
        crowd.expect_progress(50, Duration::from_secs(30)).await;
        generation(&mut control, &room).await;
        assert_eq!(node.counter("tenants_started").await, 1 + round);
    }
    crowd.check(&node, Duration::from_secs(20)).await;
}
