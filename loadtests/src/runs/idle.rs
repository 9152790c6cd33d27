//! What a quiet connection costs: resident memory before and after, and the CPU of pings while nothing happens.

use std::{rc::Rc, time::Duration};

use anyhow::Result;

use super::{Bench, Window, say};
use crate::{client::Event, report::Outcome, scenario::Idle, stage::gather};

/// Sockets per slice, so that progress can be shown.
const SLICE: usize = 1_000;
const OPENING_AT_ONCE: usize = 64;

pub async fn run(bench: &Bench, work: &Idle) -> Result<Outcome> {
    let stage = &bench.stage;
    let before = bench.probe.resident_bytes()?;
    let dialing = Window::open(&bench.probe)?;
    let mut clients = Vec::with_capacity(work.sockets);
    while clients.len() < work.sockets {
        let first = clients.len();
        let join = |number: usize| {
            let stage = Rc::clone(stage);
            async move {
                let room = stage.room(number).clone();
                let client = stage.join(number, &room, |_: Event<'_>| {}).await?;
                stage.join_own_channel(&client, number).await?;
                Ok(client)
            }
        };
        clients.extend(gather(OPENING_AT_ONCE, (first..(first + SLICE).min(work.sockets)).map(join)).await?);
        say(&format!("{} of {} sockets are open", clients.len(), work.sockets));
    }
    let dialed = dialing.close(&bench.probe)?;
    tokio::time::sleep(Duration::from_secs_f64(work.settle_s)).await;
    let after = bench.probe.resident_bytes()?;
    say(&format!("holding {} sockets for {} s", clients.len(), work.hold_s));
    let holding = Window::open(&bench.probe)?;
    tokio::time::sleep(Duration::from_secs_f64(work.hold_s)).await;
    let held = holding.close(&bench.probe)?;
    let last = bench.probe.resident_bytes()?;

    let sockets = work.sockets as f64;
    let mut outcome = Outcome::default();
    if bench.probe.server.is_some() {
        outcome.put("bytes_per_connection", (after.saturating_sub(before)) as f64 / sockets);
        outcome.put("bytes_per_connection_after_hold", (last.saturating_sub(before)) as f64 / sockets);
        outcome.put("resident_mib_before", before as f64 / 1_048_576.0);
        outcome.put("resident_mib_after", after as f64 / 1_048_576.0);
        outcome.put("connect_server_ms_each", dialed.server.server_s * 1e3 / sockets);
        outcome.put("idle_server_cores", held.server.server_s / held.seconds);
    }
    outcome.put("connects_per_s", sockets / dialed.seconds);
    Ok(outcome)
}
