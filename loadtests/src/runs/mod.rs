//! The kinds of work, one file each. Every run prepares, warms up, measures a window, drains, and checks its promises.

pub mod broadcast;
pub mod idle;
pub mod paced;
pub mod posts;
pub mod storm;
pub mod tenants;

use std::{path::PathBuf, rc::Rc, time::Instant};

use anyhow::Result;

use crate::{
    clock,
    procs::{Cpu, Probe},
    report::Outcome,
    scenario::Work,
    stage::Stage,
};

pub struct Bench {
    pub stage: Rc<Stage>,
    pub probe: Probe,
    /// The server's program and its data directory, for the work that is done by its subcommands.
    pub program: Option<(PathBuf, PathBuf)>,
    /// The PostgreSQL that the server writes to, for pgbench beside it.
    pub database_url: Option<String>,
}

pub async fn run(bench: &Bench, work: &Work) -> Result<Outcome> {
    let mut outcome = match work {
        Work::Broadcast(work) => broadcast::run(bench, work).await?,
        Work::Idle(work) => idle::run(bench, work).await?,
        Work::Paced(work) => paced::run(bench, work).await?,
        Work::Posts(work) => posts::run(bench, work).await?,
        Work::Storm(work) => storm::run(bench, work).await?,
        Work::Tenants(work) => tenants::run(bench, work).await?,
    };
    let lost = &bench.stage.dialer.lost;
    outcome.must(lost.count.get() == 0, || {
        format!("{} connections were lost, first: {}", lost.count.get(), lost.reasons.borrow().join(" | "))
    });
    Ok(outcome)
}

/// A measured stretch of time: what the clock and the processes' CPU said at its two ends.
pub struct Window {
    started: Instant,
    server: Cpu,
    generator: Cpu,
}

pub struct Spent {
    pub seconds: f64,
    pub server: Cpu,
    pub generator_s: f64,
}

impl Window {
    pub fn open(probe: &Probe) -> Result<Self> {
        Ok(Self { started: clock::now(), server: probe.cpu()?, generator: own().cpu()? })
    }

    pub fn close(&self, probe: &Probe) -> Result<Spent> {
        let seconds = self.started.elapsed().as_secs_f64();
        let generator_s = (own().cpu()? - self.generator).server_s;
        Ok(Spent { seconds, server: probe.cpu()? - self.server, generator_s })
    }
}

fn own() -> Probe {
    Probe { server: Some(std::process::id()), postmaster: None }
}

impl Outcome {
    /// Deliveries of a window, per second and per CPU of each party.
    pub fn put_deliveries(&mut self, probe: &Probe, spent: &Spent, deliveries: u64) {
        let deliveries = deliveries as f64;
        self.put("deliveries_per_s", deliveries / spent.seconds);
        if probe.server.is_some() {
            self.put("server_us_per_delivery", spent.server.server_s * 1e6 / deliveries);
            self.put("deliveries_per_server_cpu_s", deliveries / spent.server.server_s.max(0.001));
            self.put("server_cores", spent.server.server_s / spent.seconds);
        }
        if probe.postmaster.is_some() {
            self.put("postgres_us_per_delivery", spent.server.postgres_s * 1e6 / deliveries);
            self.put("postgres_cores", spent.server.postgres_s / spent.seconds);
        }
        self.put("generator_us_per_delivery", spent.generator_s * 1e6 / deliveries);
    }
}

/// A line on the terminal, so that a long run shows that it lives.
pub fn say(line: &str) {
    crate::terminal::progress(line);
}
