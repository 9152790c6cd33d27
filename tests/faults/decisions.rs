//! A decision reaches live sockets within a second.

use std::time::{Duration, Instant};

use serde_json::json;
use uuid::Uuid;

use crate::node::Node;
use crate::socket::Socket;

const WITHIN: Duration = Duration::from_secs(1);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_removed_member_hears_nothing_more_and_may_not_come_back_to_listen() {
    let node = Node::start(&[]).await;
    let (owner, member, other) = (node.person().await, node.person().await, node.person().await);
    let place = owner.found().await;
    let channel = place.channel();
    let mut sockets = Vec::new();
    for person in [&member, &other] {
        person.join(&place).await;
        let mut socket = Socket::open(node.port, &person.token).await.unwrap();
        socket.subscribe(&channel, None).await.unwrap().unwrap();
        sockets.push(socket);
    }
    owner.say(&place, "heard by both").await;
    for socket in &mut sockets {
        assert!(socket.publication(&channel, Duration::from_secs(5)).await.unwrap().is_some());
    }

    let asked = Instant::now();
    owner.delete(&format!("/v1/communities/{}/members/{}", place.community, member.id)).await;
    let [removed, staying] = &mut sockets[..] else { unreachable!() };
    let end = tokio::time::timeout(WITHIN, async {
        loop {
            let push = removed.push().await.unwrap();
            if push.channel == channel
                && let Some(unsubscribe) = push.unsubscribe
            {
                return unsubscribe;
            }
        }
    });
    let end = end.await.expect("the subscription ends within a second");
    assert!(asked.elapsed() <= WITHIN);
    assert_eq!(end.code, 2000);
    owner.say(&place, "not for everybody").await;
    // `member.left` and the message.
    let mut heard = 0;
    while staying.publication(&channel, Duration::from_millis(700)).await.unwrap().is_some() {
        heard += 1;
    }
    assert!(heard >= 1, "those who stay hear on");
    assert!(removed.publication(&channel, Duration::from_millis(300)).await.unwrap().is_none());
    assert!(removed.subscribe(&channel, None).await.unwrap().is_err());
    let message = json!({"room_id": place.room, "client_id": Uuid::new_v4(), "text": "let me in"});
    assert!(removed.rpc("message.create", message).await.unwrap().is_err());
}

/// A worker whose queue is full loses the word of a decision, not the decision: it looks at everybody again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn decisions_that_a_full_queue_has_lost_take_effect_within_a_second() {
    let node = Node::start(&[]).await;
    let (admin, owner, member, bad) =
        (node.admin().await, node.person().await, node.person().await, node.person().await);
    let place = owner.found().await;
    let mut sockets = Vec::new();
    for person in [&owner, &member, &bad] {
        if person.id != owner.id {
            person.join(&place).await;
        }
        let mut socket = Socket::open(node.port, &person.token).await.unwrap();
        socket.subscribe(&place.channel(), None).await.unwrap().unwrap();
        sockets.push(socket);
    }
    let [staying, removed, banned] = &mut sockets[..] else { unreachable!() };
    staying.rpc("faults.lose_deliveries", json!({"on": true})).await.unwrap().unwrap();
    owner.delete(&format!("/v1/communities/{}/members/{}", place.community, member.id)).await;
    let end = tokio::time::timeout(WITHIN, async {
        loop {
            if let Some(unsubscribe) = removed.push().await.unwrap().unsubscribe {
                return unsubscribe;
            }
        }
    });
    assert_eq!(end.await.expect("the subscription ends within a second").code, 2000);
    admin.post(&format!("/v1/users/{}/suspend", bad.id), json!({})).await;
    assert_eq!(banned.closed(WITHIN).await.expect("within a second").0, Some(4501));
    tokio::task::block_in_place(|| node.run(&["tenant", "suspend", "demo"]));
    assert_eq!(staying.closed(WITHIN).await.expect("within a second").0, Some(4502));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_suspended_person_and_a_suspended_tenant_are_closed_within_a_second() {
    let node = Node::start(&[]).await;
    let (admin, owner, member) = (node.admin().await, node.person().await, node.person().await);
    let place = owner.found().await;
    member.join(&place).await;
    let mut bad = Socket::open(node.port, &member.token).await.unwrap();
    let mut good = Socket::open(node.port, &owner.token).await.unwrap();
    for socket in [&mut bad, &mut good] {
        socket.subscribe(&place.channel(), None).await.unwrap().unwrap();
    }

    admin.post(&format!("/v1/users/{}/suspend", member.id), json!({})).await;
    let closed = bad.closed(WITHIN).await.expect("the suspended person's socket closes within a second");
    assert_eq!(closed.0, Some(4501));
    owner.say(&place, "still here").await;
    assert!(good.publication(&place.channel(), Duration::from_secs(5)).await.unwrap().is_some());
    // Nor does the token open another.
    assert!(Socket::open(node.port, &member.token).await.is_err());

    // The operator's command is a process of its own: the server learns of it from the store.
    tokio::task::block_in_place(|| node.run(&["tenant", "suspend", "demo"]));
    let closed = good.closed(WITHIN).await.expect("a suspended tenant's sockets close within a second");
    assert_eq!(closed.0, Some(4502));
    assert!(Socket::open(node.port, &owner.token).await.is_err());
    tokio::task::block_in_place(|| node.run(&["tenant", "resume", "demo"]));
    tokio::time::timeout(Duration::from_secs(5), async {
        while Socket::open(node.port, &owner.token).await.is_err() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    })
    .await
    .expect("a resumed tenant is open again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_is_signed_out_is_closed_within_a_second_and_the_others_go_on() {
    let node = Node::start(&[]).await;
    let phone = node.person().await;
    let laptop = node.another_device(&phone).await;
    let place = phone.found().await;
    let mut on_phone = Socket::open(node.port, &phone.token).await.unwrap();
    let mut on_laptop = Socket::open(node.port, &laptop.token).await.unwrap();
    on_laptop.subscribe(&place.channel(), None).await.unwrap().unwrap();

    phone.post("/v1/auth/logout", json!({})).await;
    let closed = on_phone.closed(WITHIN).await.expect("the socket of the session closes within a second");

    assert_eq!(closed.0, Some(3500));
    assert!(Socket::open(node.port, &phone.token).await.is_err(), "nor does its token open another");
    let (status, _) = phone.try_call(reqwest::Method::GET, "/v1/me", None).await.unwrap();
    assert_eq!(status, 401);
    laptop.say(&place, "still here").await;
    assert!(on_laptop.publication(&place.channel(), Duration::from_secs(5)).await.unwrap().is_some());
}
