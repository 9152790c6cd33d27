//! Actors that panic in traffic come back with their state.

use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::json;

use crate::crowd::Crowd;
use crate::node::{Node, Person};
use crate::socket::{Gone, Socket};

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
        // Its rooms outlived it; one that panics now is found to be gone, and started as its next generation by the next supervisor.
        control.rpc("faults.panic_room", json!({"room_id": room})).await.unwrap().unwrap();
        crowd.expect_progress(50, Duration::from_secs(30)).await;
        assert_eq!(generation(&mut control, &room).await, 1 + round);
        assert_eq!(node.counter("tenants_started").await, 1 + round);
    }
    crowd.check(&node, Duration::from_secs(20)).await;
}

/// Before the commit the posts are not stored, after it nobody knows: both are told to try again, and the room asks the store.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_writer_that_panics_comes_back_and_leaves_no_post_in_doubt() {
    let node = Node::start(&[("STORE__WRITERS", "1")]).await;
    let crowd = Crowd::gather(&node, 20, 10, Duration::from_millis(10)).await;
    crowd.expect_progress(100, Duration::from_secs(30)).await;
    let (_, mut control) = control(&node).await;
    for round in 1..=8 {
        let moment = json!({"after_commit": round % 2 == 0});
        control.rpc("faults.panic_writer", moment).await.unwrap().unwrap();
        crowd.expect_progress(50, Duration::from_secs(30)).await;
        assert_eq!(node.counter("tasks_restarted").await, round);
    }
    assert!(crowd.tally.retries.load(Ordering::Relaxed) >= 8, "the panics met posts");
    assert!(node.counter("posts_duplicate").await > 0, "some had been stored");
    crowd.check(&node, Duration::from_secs(20)).await;
    assert_eq!(node.counter("rooms_restarted").await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hub_that_panics_comes_back_and_its_sessions_recover() {
    let node = Node::start(&[("SERVER__WORKERS", "2")]).await;
    let crowd = Crowd::gather(&node, 10, 20, Duration::from_millis(10)).await;
    for round in 1..=5 {
        crowd.expect_progress(100, Duration::from_secs(30)).await;
        let (_, mut socket) = control(&node).await;
        socket.rpc("faults.panic_hubs", json!({})).await.unwrap().unwrap();
        assert_eq!(socket.closed(Duration::from_secs(5)).await.expect("the session ends").0, Some(3004));
        assert_eq!(node.counter("tasks_restarted").await, 2 * round, "both workers' hubs");
    }
    crowd.expect_progress(100, Duration::from_secs(30)).await;
    assert!(crowd.tally.recovered.load(Ordering::Relaxed) >= 5 * 20, "every listener came back each time");
    crowd.check(&node, Duration::from_secs(20)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_panics_ends_alone() {
    let node = Node::start(&[]).await;
    let (_, mut one) = control(&node).await;
    let (_, mut other) = control(&node).await;
    let asked = one.rpc("faults.panic_session", json!({})).await;
    assert_eq!(asked, Err(Gone(Some(3004))), "its command stays without an answer, its client is told to come back");
    other.rpc("presence.set", json!({"status": "online"})).await.unwrap().unwrap();
}
