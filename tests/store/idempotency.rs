//! A write under a key happens once, and its answer is given again.

use rialto::domain::events::idempotency::{Begun, Intent, Kept, Key, begin, keep};
use rialto::kernel::Scope;
use serde_json::json;

use crate::world::{A_WHILE, World, now};

fn intent(who: &Scope, digest: u8) -> Intent {
    Intent { user: who.user, key: Key::parse("order-1").unwrap(), digest: vec![digest] }
}

fn kept() -> Kept {
    Kept { status: 201, answer: json!({"id": 1}) }
}

#[tokio::test]
async fn the_answer_is_kept_with_its_effect_and_only_with_it() {
    let world = World::new().await;
    let ada = world.member("ada").await;
    let first = intent(&ada, 1);

    // Refused: the work's transaction is dropped.
    let mut tx = world.tx().await;
    assert_eq!(begin(&mut tx, &first, now()).await.unwrap(), Begun::Fresh);
    drop(tx);
    // Done.
    let mut tx = world.tx().await;
    assert_eq!(begin(&mut tx, &first, now()).await.unwrap(), Begun::Fresh);
    keep(&mut tx, &first, &kept()).await.unwrap();
    tx.commit().await.unwrap();

    assert_eq!(begin(&mut world.tx().await, &first, now()).await.unwrap(), Begun::Done(kept()));
    assert_eq!(begin(&mut world.tx().await, &intent(&ada, 2), now()).await.unwrap(), Begun::Reused);
    let bo = world.member("bo").await;
    assert_eq!(begin(&mut world.tx().await, &intent(&bo, 2), now()).await.unwrap(), Begun::Fresh);
}

#[tokio::test]
async fn the_same_key_sent_twice_at_once_waits_for_the_first() {
    let world = World::new().await;
    let ada = world.member("ada").await;
    let mut first = world.tx().await;
    assert_eq!(begin(&mut first, &intent(&ada, 1), now()).await.unwrap(), Begun::Fresh);

    let (mut second, same) = (world.tx().await, intent(&ada, 1));
    let second = tokio::spawn(async move { begin(&mut second, &same, now()).await.unwrap() });
    tokio::time::sleep(A_WHILE).await;
    assert!(!second.is_finished());
    keep(&mut first, &intent(&ada, 1), &kept()).await.unwrap();
    first.commit().await.unwrap();

    assert_eq!(second.await.unwrap(), Begun::Done(kept()));
}

#[test]
fn keys_are_short_visible_ascii() {
    assert!(Key::parse("a-b:1").is_some());
    for wrong in ["", "a b", "ä", &"x".repeat(256)] {
        assert!(Key::parse(wrong).is_none(), "{wrong}");
    }
}
