//! The outbox against a model: order, bounds, and that nothing is taken when it is over.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Wake};

use proptest::prelude::*;

use super::*;

const BOUND: usize = 1_024;

fn outbox() -> Outbox {
    Outbox::new(Format::Json, BOUND)
}

fn message(len: usize) -> Bytes {
    Bytes::from(vec![b'x'; len])
}

#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[derive(Debug, Clone)]
enum Step {
    Push(usize),
    Reply(usize),
    Move,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (1..400_usize).prop_map(Step::Push),
        1 => (1..5_000_usize).prop_map(Step::Reply),
        2 => Just(Step::Move),
    ]
}

proptest! {
    #[test]
    fn what_goes_in_comes_out_in_order_or_the_reader_is_slow(steps in prop::collection::vec(step(), 1..200)) {
        let outbox = outbox();
        let (mut taken, mut moved) = (Vec::<u8>::new(), Vec::<u8>::new());
        for (turn, step) in steps.into_iter().enumerate() {
            match step {
                Step::Push(len) | Step::Reply(len) => {
                    let message = Bytes::from(vec![b'a' + u8::try_from(turn % 26).unwrap(); len]);
                    let large = matches!(step, Step::Reply(_)) && len > BOUND / 4;
                    let counted = outbox.bytes.get();
                    if large { outbox.reply(message.clone()) } else { outbox.push(message.clone()) }
                    if !large && counted + len > BOUND {
                        prop_assert_eq!(outbox.closing(), Some(Disconnect::Slow));
                        // What waited is freed at once, and the next that the transport hears is the close.
                        prop_assert_eq!(outbox.bytes(), 0);
                        prop_assert!(matches!(outbox.next(), Next::Close(Disconnect::Slow)));
                        return Ok(());
                    }
                    taken.extend_from_slice(&message);
                }
                Step::Move => match outbox.next() {
                    Next::Frame(frame) => {
                        moved.extend(frame.iter().filter(|byte| **byte != b'\n'));
                    }
                    Next::Wait => prop_assert_eq!(moved.len(), taken.len()),
                    Next::Close(_) => prop_assert!(false, "nobody closed it"),
                },
            }
            prop_assert!(outbox.bytes.get() <= BOUND);
        }
        while let Next::Frame(frame) = outbox.next() {
            moved.extend(frame.iter().filter(|byte| **byte != b'\n'));
        }
        prop_assert_eq!(moved, taken);
        prop_assert_eq!(outbox.bytes(), 0);
    }
}

#[test]
fn a_reply_larger_than_the_bound_is_moved_and_the_next_command_waits_for_it() {
    let outbox = outbox();
    let woken = Arc::new(Woken::default());
    let waker = Arc::clone(&woken).into();
    let mut task = Context::from_waker(&waker);
    outbox.reply(message(BOUND * 4));
    assert_eq!(outbox.closing(), None);
    let mut room = pin!(outbox.room());
    assert!(room.as_mut().poll(&mut task).is_pending());
    // What is pushed meanwhile has the whole bound to itself.
    outbox.push(message(BOUND));
    assert_eq!(outbox.closing(), None);
    assert!(matches!(outbox.next(), Next::Frame(frame) if frame.len() > BOUND * 4));
    assert_eq!(woken.0.load(Ordering::Relaxed), 1);
    assert!(room.as_mut().poll(&mut task).is_ready());
}

#[test]
fn a_command_that_waits_is_let_go_when_the_transport_goes() {
    let outbox = outbox();
    let woken = Arc::new(Woken::default());
    let waker = Arc::clone(&woken).into();
    let mut task = Context::from_waker(&waker);
    outbox.reply(message(BOUND * 4));
    let mut room = pin!(outbox.room());
    assert!(room.as_mut().poll(&mut task).is_pending());
    outbox.abandon();
    assert_eq!(woken.0.load(Ordering::Relaxed), 1);
    assert!(room.as_mut().poll(&mut task).is_ready());
    outbox.push(message(1));
    assert_eq!(outbox.bytes(), 0);
}

#[test]
fn the_transport_is_woken_once_while_no_wake_is_pending() {
    let outbox = outbox();
    let woken = Arc::new(Woken::default());
    outbox.wait(&Arc::clone(&woken).into());
    outbox.push(message(1));
    outbox.push(message(1));
    assert_eq!(woken.0.load(Ordering::Relaxed), 1);
}

#[test]
fn a_close_comes_after_what_waits_unless_the_reader_is_slow() {
    let outbox = outbox();
    outbox.push(message(3));
    outbox.close(Disconnect::Banned);
    outbox.close(Disconnect::Shutdown);
    outbox.push(message(1));
    assert!(matches!(outbox.next(), Next::Frame(frame) if frame.len() == 3));
    assert!(matches!(outbox.next(), Next::Close(Disconnect::Banned)));
    assert!(outbox.is_stuck(Duration::from_secs(60), Duration::ZERO));
    assert!(!outbox.is_stuck(Duration::from_secs(60), Duration::from_secs(60)));
}
