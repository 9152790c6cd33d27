//! What is deleted is gone from everything that can bring it back.

use std::time::Duration;

use serde_json::json;
use uuid::Uuid;

use crate::node::{Node, text};
use crate::socket::{Socket, body};

const SECRET: &str = "the-secret-words";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_message_comes_back_from_nowhere() {
    let node = Node::start(&[]).await;
    let person = node.person().await;
    let place = person.found().await;
    let (channel, messages) = (place.channel(), format!("/v1/rooms/{}/messages", place.room));
    let mut socket = Socket::open(node.port, &person.token).await.unwrap();
    let before = socket.subscribe(&channel, None).await.unwrap().unwrap();
    let (epoch, start) = (before.epoch, before.offset);
    let said = person.post(&messages, json!({"client_id": Uuid::new_v4(), "text": format!("first {SECRET}")})).await;
    let id = text(&said["id"]);
    person.patch(&format!("{messages}/{id}"), json!({"text": format!("second {SECRET}")})).await;
    let reply = json!({"client_id": Uuid::new_v4(), "text": "an answer", "reply_to": id});
    person.post(&messages, reply).await;
    person.delete(&format!("{messages}/{id}")).await;
    let mut kinds = Vec::new();
    while kinds.len() < 4 {
        let told = socket.publication(&channel, Duration::from_secs(5)).await.unwrap().expect("four events");
        kinds.push(text(&body(&told)["type"]));
    }
    assert_eq!(kinds, ["message.created", "message.edited", "message.created", "message.deleted"]);

    for round in ["ring", "store"] {
        let mut socket = Socket::open(node.port, &person.token).await.unwrap();
        let result = socket.subscribe(&channel, Some((&epoch, start))).await.unwrap().unwrap();
        assert!(result.recovered, "{round}");
        let bodies: Vec<_> = result.publications.iter().map(body).collect();
        let found: Vec<_> = bodies.iter().map(|body| text(&body["type"])).collect();
        assert_eq!(found, kinds, "offset and kind stay ({round})");
        assert!(!json!(bodies).to_string().contains(SECRET), "{round}: {bodies:?}");
        assert_eq!(bodies[0]["message"]["id"], json!(id));

        let room = &place.room;
        let paths = [
            messages.clone(),
            format!("{messages}?around={}", start + 1),
            format!("{messages}/{id}"),
            format!("{messages}/{id}/edits"),
            format!("/v1/rooms/{room}/events?after=0"),
            "/v1/me/rooms".to_owned(),
        ];
        for path in paths {
            let (status, answer) = person.try_call(reqwest::Method::GET, &path, None).await.unwrap();
            assert_eq!(status, 200, "{path}");
            assert!(!answer.to_string().contains(SECRET), "{path}: {answer}");
        }
        let history = socket.call(rialto::protocol::Request::History(rialto::protocol::HistoryRequest {
            channel: channel.clone(),
            limit: -1,
            ..Default::default()
        }));
        let history = history.await.unwrap().history.unwrap();
        assert_eq!(history.publications.len(), usize::try_from(start).unwrap() + 4);
        assert!(!json!(history.publications.iter().map(body).collect::<Vec<_>>()).to_string().contains(SECRET));
        if round == "ring" {
            assert_eq!(node.counter("recoveries_store").await, 0);
            tokio::task::block_in_place(|| {
                node.stop();
                node.launch();
            });
        } else {
            assert_eq!(node.counter("recoveries_store").await, 1);
        }
    }
    // Nor in any row that belongs to the room.
    for table in ["events", "messages", "outbox", "idempotency_keys", "audit"] {
        let rows = node.number(&format!("SELECT count(*) FROM {table} t WHERE t::text LIKE '%{SECRET}%'"));
        assert_eq!(rows, 0, "{table}");
    }
    let edits = node.number(&format!("SELECT count(*) FROM message_edits t WHERE t::text LIKE '%{SECRET}%'"));
    assert_eq!(edits, 0);
}
