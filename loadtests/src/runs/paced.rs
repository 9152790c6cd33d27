//! Many small rooms at a fixed pace: how long until the last member of a room has a post.
//!
//! The pace does not wait for the server. A post's clock starts at its place in the timetable, not when the generator got
//! around to it, so a stall of either is in the numbers (no coordinated omission).

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    rc::Rc,
    time::{Duration, Instant},
};

use anyhow::Result;
use tokio::time::{MissedTickBehavior, interval};

use super::{Bench, Window, say};
use crate::{
    client::Event,
    clock,
    report::Outcome,
    scenario::Paced,
    stage::wait_until,
    wire::{marked_text, marker_of},
};

/// The timetable's grain: tokio's timers tick no finer.
const TICK: Duration = Duration::from_millis(1);

struct Flight {
    due: Instant,
    missing: usize,
}

#[derive(Default)]
struct Board {
    flying: RefCell<HashMap<u64, Flight>>,
    /// Last receiver, in milliseconds since the post was due.
    last_ms: RefCell<Vec<f64>>,
    deliveries: Cell<u64>,
    wrong: Cell<u64>,
    refused: Cell<u64>,
    first_refusal: RefCell<Option<String>>,
}

impl Board {
    fn heard(&self, body: &[u8]) {
        self.deliveries.set(self.deliveries.get() + 1);
        let mut flying = self.flying.borrow_mut();
        let Some(marker) = marker_of(body) else {
            return;
        };
        let Some(flight) = flying.get_mut(&marker) else {
            self.wrong.set(self.wrong.get() + 1);
            return;
        };
        flight.missing -= 1;
        if flight.missing == 0 {
            self.last_ms.borrow_mut().push(clock::now().duration_since(flight.due).as_secs_f64() * 1e3);
            flying.remove(&marker);
        }
    }
}

pub async fn run(bench: &Bench, work: &Paced) -> Result<Outcome> {
    let stage = &bench.stage;
    let board = Rc::new(Board::default());
    let place = |number: usize| {
        let board = Rc::clone(&board);
        let room = stage.room(number / work.members).clone();
        let channel = room.channel.clone();
        let listener = move |event: Event<'_>| {
            if let Event::Publication { channel: from, body, .. } = event
                && (from.is_empty() || from == channel.as_bytes())
            {
                board.heard(body);
            }
        };
        (room, listener)
    };
    say(&format!("opening {} sockets in {} rooms", work.rooms * work.members, work.rooms));
    let clients = stage.join_many(work.rooms * work.members, place).await?;

    let started = clock::now();
    let warm = work.posts_per_s * work.warm_up_s;
    let total = (work.posts_per_s * (work.warm_up_s + work.seconds)) as u64;
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let (mut sent, mut window, mut late_ms) = (0_u64, None, Vec::new());
    while sent < total {
        let due = ticks.tick().await.into_std();
        if window.is_none() && sent as f64 >= warm {
            board.last_ms.borrow_mut().clear();
            window = Some((Window::open(&bench.probe)?, board.deliveries.get()));
            late_ms.clear();
        }
        let owed = (due.saturating_duration_since(started).as_secs_f64() * work.posts_per_s) as u64;
        late_ms.push(clock::now().saturating_duration_since(due).as_secs_f64() * 1e3);
        while sent < owed.min(total) {
            sent += 1;
            if sent % (work.posts_per_s as u64).max(1) == 0 {
                say(&format!("{sent} of {total} posts, {} under way", board.flying.borrow().len()));
            }
            board.flying.borrow_mut().insert(sent, Flight { due, missing: work.members });
            // Rooms in turn, and within a room its members in turn.
            let room = sent as usize % work.rooms;
            let author = sent as usize / work.rooms % work.members;
            let client = Rc::clone(&clients[room * work.members + author]);
            let (channel, text) = (stage.room(room).channel.clone(), marked_text(sent, work.text_bytes));
            let board = Rc::clone(&board);
            tokio::task::spawn_local(async move {
                if let Err(error) = client.publish(&channel, &text).await {
                    board.refused.set(board.refused.get() + 1);
                    board.first_refusal.borrow_mut().get_or_insert(format!("{error:#}"));
                    board.flying.borrow_mut().remove(&sent);
                }
            });
        }
    }
    let mut outcome = Outcome::default();
    if let Some((window, deliveries)) = window {
        let spent = window.close(&bench.probe)?;
        outcome.put_deliveries(&bench.probe, &spent, board.deliveries.get() - deliveries);
    }
    let drained = wait_until(Duration::from_secs(10), || board.flying.borrow().is_empty()).await;
    outcome.put_latencies("last_receiver", &mut board.last_ms.borrow_mut());
    outcome.put_latencies("generator_late", &mut late_ms);
    outcome.must(drained, || format!("{} posts never reached their whole room", board.flying.borrow().len()));
    outcome.must(board.wrong.get() == 0, || format!("{} deliveries too many", board.wrong.get()));
    outcome.must(board.refused.get() == 0, || {
        format!(
            "{} posts were refused: {}",
            board.refused.get(),
            board.first_refusal.borrow().as_deref().unwrap_or_default()
        )
    });
    Ok(outcome)
}
