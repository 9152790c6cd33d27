//! Coming back after days: what one recovery serves, and what it leaves to history.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::Value;
use uuid::Uuid;

use crate::node::{Node, Person, Place};
use crate::socket::Socket;

/// Stores messages as the server would have four days ago, behind its back: nothing of them is in its memory.
fn write_old(node: &Node, author: &Person, place: &Place, count: usize) {
    let (room, id) = (&place.room, &author.id);
    let tenant = &node.sql(&format!("SELECT tenant_id FROM rooms WHERE id = '{room}'"))[0][0];
    for chunk in (0..count).collect::<Vec<_>>().chunks(500) {
        let mut rows = String::new();
        for number in chunk {
            let (message, client) = (Uuid::now_v7(), Uuid::new_v4());
            let comma = if rows.is_empty() { "" } else { "," };
            write!(rows, "{comma}('{message}'::uuid,'{client}'::uuid,'old {number}')").unwrap();
        }
        node.sql(&format!(
            r#"WITH v (id, client_id, text) AS (VALUES {rows}),
                    a AS (SELECT array_agg(id) AS ids, array_agg(client_id) AS clients, array_agg(text) AS texts, count(*)::int AS n,
                                 array_agg('{{"v":1,"type":"message.created","room_id":"{room}","at":"2020-01-01T00:00:00.000Z",'
                                           || '"actor":{{"id":"{id}","handle":"x","display_name":"X"}},"message":{{"id":"' || id
                                           || '","client_id":"' || client_id || '","text":"' || text || '"') AS heads
                            FROM v)
               SELECT cardinality(p.offsets) FROM a, post_messages('{tenant}', now() - interval '4 days', false, a.ids, array_fill('{room}'::uuid, ARRAY[a.n]),
                    array_fill('{id}'::uuid, ARRAY[a.n]), a.clients, a.texts, a.heads, array_fill(NULL::uuid, ARRAY[a.n]),
                    array_fill(''::text, ARRAY[a.n]), array_fill(''::text, ARRAY[a.n])) p WHERE p.refusals IS NULL"#
        ));
    }
}

async fn list_all(person: &Person, path: &str, offset_of: impl Fn(&Value) -> u64, mut after: u64) -> Vec<u64> {
    let mut offsets = Vec::new();
    loop {
        let page = person.get(&format!("{path}?after={after}&limit=100")).await;
        let found: Vec<u64> = page["items"].as_array().unwrap().iter().map(&offset_of).collect();
        let Some(last) = found.last() else { return offsets };
        after = *last;
        offsets.extend(found);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_missed_for_days_comes_back_or_is_left_to_history_in_plain_words() {
    let node = Node::start(&[]).await;
    let person = node.person().await;
    let place = person.found().await;
    let channel = place.channel();
    let mut socket = Socket::open(node.port, &person.token).await.unwrap();
    let before = socket.subscribe(&channel, None).await.unwrap().unwrap();
    let (epoch, start) = (before.epoch, before.offset);
    drop(socket);
    tokio::task::block_in_place(|| {
        write_old(&node, &person, &place, 999);
        node.stop();
        node.launch();
    });

    // Cold rings: all of it is read from the store.
    let mut socket = Socket::open(node.port, &person.token).await.unwrap();
    let result = socket.subscribe(&channel, Some((&epoch, start))).await.unwrap().unwrap();
    assert!(result.was_recovering && result.recovered);
    assert_eq!(result.offset, start);
    let offsets: Vec<u64> = result.publications.iter().map(|publication| publication.offset).collect();
    assert_eq!(offsets, (start + 1..=start + 999).collect::<Vec<_>>());
    assert_eq!(node.counter("recoveries_store").await, 1);
    // The same again on the same connection: its size is no reason to be closed as slow.
    socket
        .call(rialto::protocol::Request::Unsubscribe(rialto::protocol::UnsubscribeRequest { channel: channel.clone() }))
        .await
        .unwrap();
    assert!(socket.subscribe(&channel, Some((&epoch, start))).await.unwrap().unwrap().recovered);

    // More than one recovery serves: said plainly, and history has it without a gap.
    tokio::task::block_in_place(|| write_old(&node, &person, &place, 4_001));
    let mut socket = Socket::open(node.port, &person.token).await.unwrap();
    // The position check of the first socket's room may still be catching up; the store knows better.
    let top = start + 5_000;
    let caught_up = async {
        loop {
            let mut probe = Socket::open(node.port, &person.token).await.unwrap();
            if probe.subscribe(&channel, None).await.unwrap().unwrap().offset == top {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), caught_up).await.expect("the position check tells within 10 s");
    let result = socket.subscribe(&channel, Some((&epoch, start))).await.unwrap().unwrap();
    assert!(result.was_recovering && !result.recovered && result.publications.is_empty());
    assert_eq!((result.offset, &result.epoch), (top, &epoch));
    let due: Vec<u64> = (start + 1..=top).collect();
    let offset = |item: &Value| item["offset"].as_u64().unwrap();
    assert_eq!(list_all(&person, &format!("/v1/rooms/{}/messages", place.room), offset, start).await, due);
    assert_eq!(list_all(&person, &format!("/v1/rooms/{}/events", place.room), offset, start).await, due);

    // A position of another history, or ahead of this one, is not recovered from.
    for (epoch, offset) in [("another", start), (epoch.as_str(), top + 7)] {
        let mut socket = Socket::open(node.port, &person.token).await.unwrap();
        let result = socket.subscribe(&channel, Some((epoch, offset))).await.unwrap().unwrap();
        assert!(!result.recovered && result.offset == top);
    }
    assert_eq!(node.counter("clients_ahead").await, 1);
}
