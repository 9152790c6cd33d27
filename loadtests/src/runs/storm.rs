//! Every socket cut at once while posting goes on; all come back from their (epoch, offset), and each must have seen every
//! offset of its room once and in order.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::Duration,
};

use anyhow::Result;
use serde_json::Value;
use tokio::{
    sync::Semaphore,
    time::{MissedTickBehavior, interval},
};

use super::{Bench, Window, say};
use crate::{
    client::{Client, Event},
    clock,
    report::Outcome,
    scenario::Storm,
    stage::{MANY, Room, Stage, gather, wait_until},
    wire::marked_text,
};

/// Tries of one socket to come back before the run counts it as lost.
const ATTEMPTS: u32 = 20;

/// One member's view of its room, over all its connections.
#[derive(Default)]
struct Place {
    epoch: RefCell<String>,
    last: Cell<u64>,
    known: Cell<bool>,
    gaps: Cell<u64>,
    duplicates: Cell<u64>,
    recovered: Cell<u64>,
}

impl Place {
    fn take(&self, offset: u64) {
        let next = self.last.get() + 1;
        if offset < next {
            self.duplicates.set(self.duplicates.get() + 1);
            return;
        }
        self.gaps.set(self.gaps.get() + (offset - next));
        self.last.set(offset);
    }

    fn listener(self: Rc<Self>, channel: String) -> impl FnMut(Event<'_>) {
        move |event| match event {
            Event::Subscribed(subscribed) if !self.known.get() => {
                self.known.set(true);
                self.epoch.replace(subscribed.epoch.clone());
                self.last.set(subscribed.offset);
            }
            Event::Subscribed(subscribed) => {
                for (offset, _) in &subscribed.publications {
                    self.recovered.set(self.recovered.get() + 1);
                    self.take(*offset);
                }
            }
            Event::Publication { channel: from, offset, .. } if from == channel.as_bytes() => self.take(offset),
            Event::Publication { .. } => {}
        }
    }
}

#[derive(Default)]
struct Posting {
    stop: Cell<bool>,
    stored: Cell<u64>,
    failed: Cell<u64>,
    first_failure: RefCell<Option<String>>,
}

pub async fn run(bench: &Bench, work: &Storm) -> Result<Outcome> {
    let stage = &bench.stage;
    say(&format!("opening {} sockets in {} rooms", work.sockets, work.rooms));
    let places: Vec<Rc<Place>> = (0..work.sockets).map(|_| Rc::default()).collect();
    let place = |number: usize| {
        let room = stage.room(number).clone();
        let channel = room.channel.clone();
        (room, Rc::clone(&places[number]).listener(channel))
    };
    let clients = stage.join_many(work.sockets, place).await?;
    let posting = Rc::new(Posting::default());
    let poster = tokio::task::spawn_local(post(Rc::clone(stage), work.clone(), Rc::clone(&posting)));
    tokio::time::sleep(Duration::from_secs_f64(work.before_s)).await;

    let counters = stage.stats().await;
    let window = Window::open(&bench.probe)?;
    say(&format!("cutting {} sockets", clients.len()));
    let cut = clock::now();
    drop(clients);
    tokio::time::sleep(Duration::from_secs_f64(work.away_s)).await;
    let back_began = clock::now();
    let turns = Rc::new(Semaphore::new(work.dialing));
    let returning = places.iter().enumerate().map(|(number, place)| {
        let (stage, place, turns) = (Rc::clone(stage), Rc::clone(place), Rc::clone(&turns));
        async move {
            let room = stage.room(number).clone();
            let turn = turns.acquire().await?;
            let (client, recovered, attempts) = come_back(&stage, number, &room, &place).await?;
            drop(turn);
            Ok((client, recovered, attempts, cut.elapsed().as_secs_f64() * 1e3))
        }
    });
    let back = gather(MANY, returning.collect::<Vec<_>>()).await?;
    let all_live = cut.elapsed();
    let since_dialing = back_began.elapsed();
    let spent = window.close(&bench.probe)?;
    let counters_after = stage.stats().await;
    say(&format!("all {} are live after {all_live:?}", back.len()));
    tokio::time::sleep(Duration::from_secs_f64(work.after_s)).await;
    posting.stop.set(true);
    poster.await??;
    let tops = room_tops(stage).await?;
    let top = |number: usize| tops[number % tops.len()];
    let complete = || places.iter().enumerate().all(|(number, place)| place.last.get() >= top(number));
    let complete = wait_until(Duration::from_secs(10), complete).await;

    let mut outcome = Outcome::default();
    let sum = |count: fn(&Place) -> u64| places.iter().map(|place| count(place)).sum::<u64>();
    let (gaps, duplicates) = (sum(|place| place.gaps.get()), sum(|place| place.duplicates.get()));
    let not_recovered = back.iter().filter(|(_, recovered, ..)| !recovered).count();
    outcome.put("all_live_s", all_live.as_secs_f64());
    outcome.put("all_live_since_dialing_s", since_dialing.as_secs_f64());
    outcome.put_latencies("live_after_cut", &mut back.iter().map(|(.., ms)| *ms).collect::<Vec<_>>());
    outcome.put("recovered_publications", sum(|place| place.recovered.get()) as f64);
    outcome.put("extra_attempts", back.iter().map(|(_, _, attempts, _)| f64::from(attempts - 1)).sum());
    outcome.put("gaps", gaps as f64);
    outcome.put("duplicates", duplicates as f64);
    outcome.put("not_recovered", not_recovered as f64);
    outcome.put("posts_stored", posting.stored.get() as f64);
    if bench.probe.server.is_some() {
        outcome.put("server_ms_per_return", spent.server.server_s * 1e3 / work.sockets as f64);
    }
    if let (Some(before), Some(after)) = (counters, counters_after) {
        let grown = |name: &str| counter(&after, name) - counter(&before, name);
        let from_store = grown("recoveries_store");
        let all = grown("recoveries_ring") + from_store;
        outcome.must(all > 0.0, || "the server counts no recoveries".to_owned());
        outcome.put("recoveries", all);
        outcome.put("recoveries_from_postgres_percent", 100.0 * from_store / all.max(1.0));
    }
    outcome.must(gaps == 0 && complete, || format!("{gaps} events missing, complete: {complete}"));
    outcome.must(duplicates == 0, || format!("{duplicates} duplicates"));
    outcome.must(not_recovered == 0, || format!("{not_recovered} sockets were not recovered"));
    outcome.must(posting.failed.get() == 0, || {
        format!(
            "{} posts failed: {}",
            posting.failed.get(),
            posting.first_failure.borrow().as_deref().unwrap_or_default()
        )
    });
    Ok(outcome)
}

/// A counter of `GET /health/stats`, by name.
fn counter(stats: &Value, name: &str) -> f64 {
    stats.pointer(&format!("/counters/{name}")).and_then(Value::as_f64).unwrap_or_default()
}

/// Dials until the server takes the socket back; answers how often that was tried.
async fn come_back(stage: &Stage, number: usize, room: &Room, place: &Rc<Place>) -> Result<(Client, bool, u32)> {
    let mut attempt = 1;
    loop {
        let listener = Rc::clone(place).listener(room.channel.clone());
        let back = async {
            let client = stage.open(number, room, listener).await?;
            let epoch = place.epoch.borrow().clone();
            let recovered = client.subscribe(&room.channel, Some((&epoch, place.last.get()))).await?;
            Ok::<_, anyhow::Error>((client, recovered))
        };
        match back.await {
            Ok((client, recovered)) => return Ok((client, recovered, attempt)),
            Err(error) if attempt == ATTEMPTS => return Err(error),
            Err(_) => tokio::time::sleep(Duration::from_millis(50 * u64::from(attempt))).await,
        }
        attempt += 1;
    }
}

/// Posts at the pace from connections that are not cut.
async fn post(stage: Rc<Stage>, work: Storm, posting: Rc<Posting>) -> Result<()> {
    let mut clients = Vec::new();
    for number in 0..work.posters {
        clients.push(Rc::new(stage.open(number, stage.room(number), |_: Event<'_>| {}).await?));
    }
    let mut ticks = interval(Duration::from_secs_f64(1.0 / work.posts_per_s));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut running = tokio::task::JoinSet::new();
    for number in 0.. {
        ticks.tick().await;
        if posting.stop.get() {
            break;
        }
        let (client, posting) = (Rc::clone(&clients[number % clients.len()]), Rc::clone(&posting));
        let channel = stage.room(number).channel.clone();
        let text = marked_text(number as u64, work.text_bytes);
        running.spawn_local(async move {
            match client.publish(&channel, &text).await {
                Ok(()) => posting.stored.set(posting.stored.get() + 1),
                Err(error) => {
                    posting.failed.set(posting.failed.get() + 1);
                    posting.first_failure.borrow_mut().get_or_insert(format!("{error:#}"));
                }
            }
        });
        while running.try_join_next().is_some() {}
    }
    while running.join_next().await.is_some() {}
    Ok(())
}

/// Each room's last offset, as a fresh subscriber is told it.
async fn room_tops(stage: &Rc<Stage>) -> Result<Vec<u64>> {
    let ask = |number: usize| {
        let stage = Rc::clone(stage);
        async move {
            let place = Rc::new(Place::default());
            let room = stage.room(number).clone();
            let _client = stage.join(number, &room, Rc::clone(&place).listener(room.channel.clone())).await?;
            Ok(place.last.get())
        }
    };
    gather(16, (0..stage.rooms.len()).map(ask)).await
}
