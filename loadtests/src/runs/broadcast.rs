//! One room, every post to every socket: the price of a delivery, alone and when deliveries may be put together.
//!
//! The next post waits until the slowest socket has heard all but `in_flight` of those before it, so the generator
//! never drives a server into its slow-reader protection, and `in_flight = 1` is strict ping-pong with the whole room.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use tokio::{sync::Notify, time::timeout};

use super::{Bench, Window, say};
use crate::{
    client::{Client, Event},
    clock,
    report::Outcome,
    scenario::Broadcast,
    stage::{MANY, gather, wait_until},
    wire::marked_text,
};

/// Remembered posts; `in_flight` stays far below.
const RING: usize = 1 << 14;
/// Longer than any reply may take.
const STUCK: Duration = Duration::from_secs(40);

/// How far each socket is, as a count per position, so that the slowest one is known at once.
struct Tally {
    at: RefCell<Vec<u32>>,
    /// All sockets have heard the posts up to this one; when that became so.
    slowest: Cell<u64>,
    reached: Cell<Instant>,
    deliveries: Cell<u64>,
    wrong: Cell<u64>,
    posted: Cell<u64>,
    moved: Notify,
}

impl Tally {
    fn new(sockets: usize) -> Self {
        let mut at = vec![0; RING];
        at[0] = sockets as u32;
        Self {
            at: RefCell::new(at),
            slowest: Cell::new(0),
            reached: Cell::new(clock::now()),
            deliveries: Cell::new(0),
            wrong: Cell::new(0),
            posted: Cell::new(0),
            moved: Notify::new(),
        }
    }

    /// A socket has gone from post `from` to the one after it.
    fn step(&self, from: u64) {
        self.deliveries.set(self.deliveries.get() + 1);
        let mut at = self.at.borrow_mut();
        at[from as usize % RING] -= 1;
        at[(from + 1) as usize % RING] += 1;
        if from == self.slowest.get() && at[from as usize % RING] == 0 {
            self.slowest.set(from + 1);
            self.reached.set(clock::now());
            self.moved.notify_waiters();
        }
    }

    async fn until(&self, ready: impl Fn(&Self) -> bool) {
        while !ready(self) {
            self.moved.notified().await;
        }
    }
}

/// One socket's place: where its subscription began, and how many posts it has heard since.
fn listener(tally: Rc<Tally>, channel: String) -> impl FnMut(Event<'_>) {
    let (mut base, mut heard) = (0, 0);
    move |event| match event {
        Event::Subscribed(subscribed) => base = subscribed.offset,
        Event::Publication { channel: from, .. } if !from.is_empty() && from != channel.as_bytes() => {}
        Event::Publication { offset, .. } => {
            // Peers without offsets are only counted.
            let expected = if offset == 0 { 0 } else { base + heard + 1 };
            if offset != expected {
                tally.wrong.set(tally.wrong.get() + 1);
            }
            if offset >= expected {
                tally.step(heard);
                heard += 1;
            }
        }
    }
}

pub async fn run(bench: &Bench, work: &Broadcast) -> Result<Outcome> {
    let stage = &bench.stage;
    let room = stage.room(0).clone();
    let tally = Rc::new(Tally::new(work.sockets));
    say(&format!("opening {} sockets in one room", work.sockets));
    let place = |_| (room.clone(), listener(Rc::clone(&tally), room.channel.clone()));
    let clients = stage.join_many(work.sockets, place).await?;
    let started = clock::now();
    let begin = started + Duration::from_secs_f64(work.warm_up_s);
    let end = begin + Duration::from_secs_f64(work.seconds);
    let latencies = Rc::new(RefCell::new(Vec::new()));
    let acks = Rc::new(RefCell::new(Vec::new()));
    let posters = posters(work, &clients).into_iter().map(|client| {
        let (tally, channel) = (Rc::clone(&tally), room.channel.clone());
        let (latencies, acks, work) = (Rc::clone(&latencies), Rc::clone(&acks), work.clone());
        async move {
            loop {
                tally.until(|tally| tally.posted.get() < tally.slowest.get() + work.in_flight).await;
                let now = clock::now();
                if now >= end {
                    return Ok(());
                }
                tally.posted.set(tally.posted.get() + 1);
                let marker = tally.posted.get();
                client.publish(&channel, &marked_text(marker, work.text_bytes)).await?;
                let acknowledged = now.elapsed();
                tally.until(|tally| tally.slowest.get() >= marker || work.in_flight > 1).await;
                if now >= begin && work.in_flight == 1 {
                    latencies.borrow_mut().push(tally.reached.get().duration_since(now).as_secs_f64() * 1e3);
                }
                if now >= begin {
                    acks.borrow_mut().push(acknowledged.as_secs_f64() * 1e3);
                }
            }
        }
    });
    let posting = tokio::task::spawn_local(gather(MANY, posters.collect::<Vec<_>>()));
    tokio::time::sleep_until(begin.into()).await;
    let window = Window::open(&bench.probe)?;
    let (deliveries, posted) = (tally.deliveries.get(), tally.slowest.get());
    let mut shown = deliveries;
    while clock::now() < end && !posting.is_finished() {
        tokio::time::sleep_until((clock::now() + Duration::from_secs(1)).min(end).into()).await;
        say(&format!("{} deliveries in the last second", tally.deliveries.get() - shown));
        shown = tally.deliveries.get();
    }
    let spent = window.close(&bench.probe)?;
    let (deliveries, posted) = (tally.deliveries.get() - deliveries, tally.slowest.get() - posted);
    // A post that never comes back, or a socket that never hears it, must end the run and not hang it.
    timeout(STUCK, posting).await.context("posting never came to an end")???;
    let drained = wait_until(Duration::from_secs(10), || tally.slowest.get() == tally.posted.get()).await;

    let mut outcome = Outcome::default();
    outcome.put_deliveries(&bench.probe, &spent, deliveries);
    outcome.put("posts_per_s", posted as f64 / spent.seconds);
    if work.in_flight == 1 {
        outcome.put_latencies("last_receiver", &mut latencies.borrow_mut());
    }
    outcome.put_latencies("acknowledged", &mut acks.borrow_mut());
    outcome.must(drained, || "a socket never heard all posts".to_owned());
    outcome.must(tally.wrong.get() == 0, || format!("{} deliveries had a wrong offset", tally.wrong.get()));
    Ok(outcome)
}

/// Each posting task's connection: the posters in turn until the window is filled.
fn posters(work: &Broadcast, clients: &[Rc<Client>]) -> Vec<Rc<Client>> {
    let tasks = if work.in_flight == 1 { 1 } else { work.in_flight as usize };
    (0..tasks).map(|task| Rc::clone(&clients[task % work.posters.max(1)])).collect()
}
