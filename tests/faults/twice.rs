//! The same client id twice, at once.

use std::collections::HashSet;

use serde_json::{Value, json};
use uuid::Uuid;

use crate::node::Node;
use crate::socket::{Socket, outcome, rpc};

/// Both answers name one message, and one of them says that it was there.
fn assert_same(answers: &[Value]) -> String {
    let places: HashSet<String> =
        answers.iter().map(|answer| format!("{} {}", answer["id"], answer["offset"])).collect();
    assert_eq!(places.len(), 1, "{answers:?}");
    let fresh = answers.iter().filter(|answer| answer["duplicate"] == false).count();
    assert_eq!(fresh, 1, "{answers:?}");
    answers[0]["id"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_client_id_sent_twice_at_once_is_stored_once() {
    let node = Node::start(&[]).await;
    let person = node.person().await;
    let place = person.found().await;
    let mut one = Socket::open(node.port, &person.token).await.unwrap();
    let mut other = Socket::open(node.port, &person.token).await.unwrap();
    let mut listener = Socket::open(node.port, &person.token).await.unwrap();
    let start = listener.subscribe(&place.channel(), None).await.unwrap().unwrap().offset;
    let message = |client_id: Uuid| json!({"room_id": place.room, "client_id": client_id, "text": "once"});
    let mut ids = HashSet::new();

    // Over two sockets.
    for _ in 0..50 {
        let client_id = Uuid::new_v4();
        let (a, b) = tokio::join!(
            one.rpc("message.create", message(client_id)),
            other.rpc("message.create", message(client_id))
        );
        ids.insert(assert_same(&[a.unwrap().unwrap(), b.unwrap().unwrap()]));
    }
    // In one frame, so in one batch; another message between them.
    for _ in 0..20 {
        let client_id = Uuid::new_v4();
        let frame = [client_id, Uuid::new_v4(), client_id].map(|id| rpc("message.create", message(id)));
        let sent = one.send(frame.into()).await.unwrap();
        let mut answers = Vec::new();
        for id in sent {
            answers.push(outcome(one.reply(id).await.unwrap()).unwrap());
        }
        let between = answers.remove(1);
        assert_eq!(between["duplicate"], false);
        ids.insert(between["id"].as_str().unwrap().to_owned());
        ids.insert(assert_same(&answers));
    }
    // Over HTTP and the socket, and once more much later.
    let client_id = Uuid::new_v4();
    let path = format!("/v1/rooms/{}/messages", place.room);
    let over_http = person.post(&path, json!({"client_id": client_id, "text": "once"}));
    let (a, b) = tokio::join!(one.rpc("message.create", message(client_id)), over_http);
    let first = assert_same(&[a.unwrap().unwrap(), b]);
    let again = other.rpc("message.create", message(client_id)).await.unwrap().unwrap();
    assert_eq!((again["id"].as_str().unwrap(), &again["duplicate"]), (first.as_str(), &json!(true)));
    ids.insert(first);

    let stored = node.number(&format!("SELECT count(*) FROM messages WHERE room_id = '{}'", place.room));
    assert_eq!(stored, ids.len() as u64);
    for offset in start + 1..=start + stored {
        let told = listener.publication(&place.channel(), std::time::Duration::from_secs(5)).await.unwrap();
        assert_eq!(told.expect("every message is told").offset, offset);
    }
    assert!(listener.publication(&place.channel(), std::time::Duration::from_millis(300)).await.unwrap().is_none());
}
