//! A backup that is put back: what was acknowledged after it is gone, and nobody goes on as if it were not.

use std::process::Command;
use std::time::Duration;

use rialto::protocol::{PublishRequest, Request};
use serde_json::Value;

use crate::node::Node;
use crate::socket::{Socket, body};

const PATIENCE: Duration = Duration::from_secs(10);

fn copy(from: &str, to: &str) {
    assert!(Command::new("rm").args(["-rf", to]).status().unwrap().success());
    assert!(Command::new("cp").args(["-a", from, to]).status().unwrap().success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_had_read_what_a_restored_backup_has_not_is_told_and_reads_anew() {
    let node = Node::start(&[]).await;
    let person = node.person().await;
    let place = person.found().await;
    let channel = place.channel();
    for number in 1..=3 {
        person.say(&place, &format!("kept {number}")).await;
    }
    let data = node.data_dir().to_str().unwrap().to_owned();
    let backup = format!("{data}.backup");
    tokio::task::block_in_place(|| {
        node.stop();
        copy(&data, &backup);
        node.launch();
    });
    let mut socket = Socket::open(node.port, &person.token).await.unwrap();
    let epoch = socket.subscribe(&channel, None).await.unwrap().unwrap().epoch;
    let mut seen = 0;
    for number in 1..=3 {
        seen = person.say(&place, &format!("lost {number}")).await;
    }
    tokio::task::block_in_place(|| {
        node.stop();
        copy(&backup, &data);
        node.launch();
    });

    // Nobody has said yet that history was cut: a client that is ahead of it is told so, and raises the alarm.
    let mut socket = Socket::open(node.port, &person.token).await.unwrap();
    let result = socket.subscribe(&channel, Some((&epoch, seen))).await.unwrap().unwrap();
    assert!(result.was_recovering && !result.recovered);
    assert_eq!((result.offset, &result.epoch), (seen - 3, &epoch));
    assert_eq!(node.counter("clients_ahead").await, 1);

    // The operator says it while the server is stopped.
    tokio::task::block_in_place(|| {
        node.stop();
        node.run(&["doctor", "restore-done"]);
        node.launch();
    });
    let fresh = [person.say(&place, "new 1").await, person.say(&place, "new 2").await];
    assert_eq!(fresh, [seen - 2, seen - 1], "the offsets of what was lost are given again");
    // Behind its old offset there is nothing, before it other messages: only the epoch tells.
    for offset in [seen - 3, seen] {
        let mut socket = Socket::open(node.port, &person.token).await.unwrap();
        let result = socket.subscribe(&channel, Some((&epoch, offset))).await.unwrap().unwrap();
        assert!(result.was_recovering && !result.recovered && result.publications.is_empty());
        assert_ne!(result.epoch, epoch);
        assert_eq!(result.offset, fresh[1]);
    }
    let page = person.get(&format!("/v1/rooms/{}/messages?after=0&limit=100", place.room)).await;
    let texts: Vec<&str> =
        page["items"].as_array().unwrap().iter().map(|item: &Value| item["text"].as_str().unwrap()).collect();
    assert_eq!(texts, ["kept 1", "kept 2", "kept 3", "new 1", "new 2"]);
}

/// A database that fails over to a copy which was behind, under a running server: seen by the position check, made good by the operator.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tail_that_is_lost_under_a_running_server_raises_an_alarm_and_is_made_good_by_the_operator() {
    let node = Node::start(&[]).await;
    let person = node.person().await;
    let place = person.found().await;
    let channel = place.channel();
    let mut socket = Socket::open(node.port, &person.token).await.unwrap();
    let before = socket.subscribe(&channel, None).await.unwrap().unwrap();
    let typing = format!("typing:{}", place.room);
    socket.subscribe(&typing, None).await.unwrap().unwrap();
    person.say(&place, "kept").await;
    for number in 1..=3 {
        person.say(&place, &format!("lost {number}")).await;
    }
    for _ in 0..4 {
        socket.publication(&channel, PATIENCE).await.unwrap().unwrap();
    }
    let (room, kept) = (&place.room, before.offset + 1);
    let alarm = async {
        while node.counter("streams_behind").await == 0 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::task::block_in_place(|| {
        node.sql(&format!(
            "BEGIN; DELETE FROM events WHERE stream_id = '{room}' AND event_offset > {kept}; \
             DELETE FROM messages WHERE room_id = '{room}' AND event_offset > {kept}; \
             UPDATE streams SET last_offset = {kept} WHERE id = '{room}'; COMMIT"
        ))
    });
    tokio::time::timeout(PATIENCE, alarm).await.expect("the position check sees it within 10 s");
    tokio::task::block_in_place(|| node.run(&["doctor", "restore-done"]));
    assert_eq!(socket.closed(PATIENCE).await.expect("the session ends").0, Some(3014));

    let mut socket = Socket::open(node.port, &person.token).await.unwrap();
    let back = socket.subscribe(&channel, Some((&before.epoch, kept + 3))).await.unwrap().unwrap();
    assert!(back.was_recovering && !back.recovered);
    assert_eq!(back.offset, kept);
    assert_eq!(person.say(&place, "new").await, kept + 1);
    let told = socket.publication(&channel, PATIENCE).await.unwrap().unwrap();
    assert_eq!((told.offset, body(&told)["message"]["text"].as_str()), (kept + 1, Some("new")));

    // What has no past goes on as before.
    socket.subscribe(&typing, None).await.unwrap().unwrap();
    let publish = PublishRequest { channel: typing.clone(), ..PublishRequest::default() };
    assert!(socket.call(Request::Publish(publish)).await.unwrap().error.is_none());
    assert!(socket.publication(&typing, PATIENCE).await.unwrap().is_some());
}
