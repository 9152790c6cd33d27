//! A client that stops reading costs a bounded amount, for a bounded time, and nobody else anything.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::net::TcpSocket;
use uuid::Uuid;

use crate::node::Node;
use crate::socket::Socket;

const STUCK: usize = 40;
const HEALTHY: usize = 5;
/// Of text; more on the wire. What waits for one client is bounded by far less: 256 KiB, and 128 KiB in the kernel.
const FLOW_BYTES: usize = 12 * 1024 * 1024;
const TEXT_BYTES: usize = 6_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_do_not_read_are_closed_at_their_bound_while_the_others_hear_everything() {
    let node = Node::start(&[]).await;
    let owner = node.person().await;
    let place = owner.found().await;
    let channel = place.channel();
    let mut stuck = Vec::new();
    for _ in 0..STUCK {
        let tcp = TcpSocket::new_v4().unwrap();
        tcp.set_recv_buffer_size(16 * 1024).unwrap();
        let tcp = tcp.connect(([127, 0, 0, 1], node.port).into()).await.unwrap();
        let mut socket = Socket::open_on(tcp, node.port, &owner.token).await.unwrap();
        socket.subscribe(&channel, None).await.unwrap().unwrap();
        stuck.push(socket);
    }
    let count = FLOW_BYTES / TEXT_BYTES;
    let mut healthy = tokio::task::JoinSet::new();
    let mut start = 0;
    for _ in 0..HEALTHY {
        let mut socket = Socket::open(node.port, &owner.token).await.unwrap();
        start = socket.subscribe(&channel, None).await.unwrap().unwrap().offset;
        let channel = channel.clone();
        healthy.spawn(async move {
            let mut slowest = Duration::ZERO;
            for offset in start + 1..=start + count as u64 {
                let asked = Instant::now();
                let told = socket.publication(&channel, Duration::from_secs(20)).await.expect("is not closed");
                assert_eq!(told.expect("hears on").offset, offset);
                slowest = slowest.max(asked.elapsed());
            }
            slowest
        });
    }
    let before_kib = node.resident_kib();
    let mut poster = Socket::open(node.port, &owner.token).await.unwrap();
    let mut highest_kib = 0;
    let flow = "x".repeat(TEXT_BYTES);
    let began = Instant::now();
    for _ in 0..count {
        let message = json!({"room_id": place.room, "client_id": Uuid::new_v4(), "text": flow});
        poster.rpc("message.create", message).await.unwrap().unwrap();
        highest_kib = highest_kib.max(node.resident_kib());
    }
    while let Some(slowest) = healthy.join_next().await {
        println!("a healthy client waited at most {:?} for one of {count} messages", slowest.unwrap());
    }
    println!(
        "{} KiB before, {highest_kib} KiB at most, {} KiB flowed in {:?}",
        before_kib,
        FLOW_BYTES / 1024,
        began.elapsed()
    );

    // Everything that any of them may hold, three times over: never what flowed past them, which is twenty times that.
    let bound_kib = (STUCK * (256 + 64) * 3 + 32 * 1024) as u64;
    assert!(
        highest_kib < before_kib + bound_kib,
        "{before_kib} KiB grew to {highest_kib} KiB, more than {bound_kib} KiB"
    );
    let gone = tokio::time::timeout(Duration::from_secs(15), async {
        loop {
            let stats: serde_json::Value = reqwest::get(format!("http://127.0.0.1:{}/health/stats", node.port))
                .await
                .unwrap()
                .json()
                .await
                .unwrap();
            if stats["connections"].as_u64().unwrap() <= 1 + HEALTHY as u64 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    gone.await.expect("the server has let go of those who do not read");
    // Their own side finds the connection over, once they read what the kernel still had.
    for socket in &mut stuck {
        assert!(socket.closed(Duration::from_secs(10)).await.is_some());
    }

    // Whoever was too slow comes back and recovers, or is told to page.
    let mut back = Socket::open(node.port, &owner.token).await.unwrap();
    assert_eq!(back.subscribe(&channel, None).await.unwrap().unwrap().offset, start + count as u64);
}
