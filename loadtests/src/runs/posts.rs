//! Durable posts against what the same PostgreSQL does by itself: `pgbench` inserting single rows, each its own transaction.
//!
//! pgbench runs right before and right after the posts, on the cluster that the server writes to, into a table of its own
//! schema; the better of the two counts. Without a local PostgreSQL (a remote target) only the posts are measured.

use std::{
    cell::{Cell, RefCell},
    path::{Path, PathBuf},
    rc::Rc,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use tokio::process::Command;

use super::{Bench, Window, say};
use crate::{
    client::Event,
    clock,
    report::Outcome,
    scenario::Posts,
    stage::{MANY, gather},
    wire::marked_text,
};

/// A message-like row with the one index that no message table goes without. No policies, no events, no outbox: pgbench
/// does much less per row than the server, which is the point of the comparison.
const SCHEMA: &str = "DROP SCHEMA IF EXISTS load_test CASCADE; CREATE SCHEMA load_test; \
     CREATE TABLE load_test.posts (id uuid PRIMARY KEY, room bigint NOT NULL, body text NOT NULL, at timestamptz NOT NULL DEFAULT now())";
const INSERT: &str = "\\set room random(1, 1000)\nINSERT INTO load_test.posts (id, room, body) VALUES (gen_random_uuid(), :room, 'lorem ipsum dolor sit amet, consectetur adipiscing elit, sed do eiusmod tempor incididunt ut labore xx');\n";

pub async fn run(bench: &Bench, work: &Posts) -> Result<Outcome> {
    let mut outcome = Outcome::default();
    let url = bench.database_url.as_deref();
    let before = pgbench(work, url).await?;
    post(bench, work, &mut outcome).await?;
    let after = pgbench(work, url).await?;
    if let Some(url) = url {
        outcome.notes.push(format!("posts and inserts on one cluster with {}", durability(url).await?));
    }
    if let Some(inserts) = before.into_iter().chain(after).reduce(f64::max) {
        outcome.put("pgbench_inserts_per_s", inserts);
        outcome.put("posts_per_pgbench_insert", outcome.get("posts_per_s").unwrap_or_default() / inserts);
    }
    Ok(outcome)
}

async fn post(bench: &Bench, work: &Posts, outcome: &mut Outcome) -> Result<()> {
    let stage = &bench.stage;
    say(&format!("{} posters with {} posts each under way, {} rooms", work.posters, work.in_flight_each, work.rooms));
    let open = |number: usize| {
        let stage = Rc::clone(stage);
        async move { Ok(Rc::new(stage.open(number, stage.room(number), |_: Event<'_>| {}).await?)) }
    };
    let clients = gather(work.posters, (0..work.posters).map(open)).await?;
    let started = clock::now();
    let begin = started + Duration::from_secs_f64(work.warm_up_s);
    let end = begin + Duration::from_secs_f64(work.seconds);
    let stored = Rc::new(Cell::new(0_u64));
    let acks = Rc::new(RefCell::new(Vec::new()));
    let poster = |task: usize| {
        let (client, stage) = (Rc::clone(&clients[task % clients.len()]), Rc::clone(stage));
        let (stored, acks, bytes) = (Rc::clone(&stored), Rc::clone(&acks), work.text_bytes);
        async move {
            // A stride coprime to most room counts, so that posters neither march in step nor share a room for long.
            let mut turn = task * 7_919;
            loop {
                let now = clock::now();
                if now >= end {
                    return Ok(());
                }
                turn += 104_729;
                client.create_message(&stage.room(turn).id, &marked_text(turn as u64, bytes)).await?;
                stored.set(stored.get() + 1);
                if now >= begin {
                    acks.borrow_mut().push(now.elapsed().as_secs_f64() * 1e3);
                }
            }
        }
    };
    let posting =
        tokio::task::spawn_local(gather(MANY, (0..work.posters * work.in_flight_each).map(poster).collect::<Vec<_>>()));
    tokio::time::sleep_until(begin.into()).await;
    let (window, first) = (Window::open(&bench.probe)?, stored.get());
    tokio::time::sleep_until(end.into()).await;
    let (spent, posts) = (window.close(&bench.probe)?, (stored.get() - first) as f64);
    posting.await??;
    outcome.put("posts_per_s", posts / spent.seconds);
    outcome.put_latencies("acknowledged", &mut acks.borrow_mut());
    if bench.probe.server.is_some() {
        outcome.put("server_us_per_post", spent.server.server_s * 1e6 / posts);
        outcome.put("server_cores", spent.server.server_s / spent.seconds);
    }
    if bench.probe.postmaster.is_some() {
        outcome.put("postgres_us_per_post", spent.server.postgres_s * 1e6 / posts);
        outcome.put("postgres_cores", spent.server.postgres_s / spent.seconds);
    }
    outcome.put("generator_us_per_post", spent.generator_s * 1e6 / posts);
    Ok(())
}

/// Single-row inserts per second, or `None` where there is no PostgreSQL that we may write to.
async fn pgbench(work: &Posts, url: Option<&str>) -> Result<Option<f64>> {
    let Some(url) = url else { return Ok(None) };
    say(&format!("pgbench -c {} with single-row inserts", work.pgbench_clients));
    run_checked(Command::new(tool("psql")?).args([url, "-qX", "-v", "ON_ERROR_STOP=1", "-c", SCHEMA])).await?;
    let script = tempfile::NamedTempFile::new()?;
    std::fs::write(script.path(), INSERT)?;
    let clients = work.pgbench_clients.to_string();
    let seconds = (work.seconds.ceil() as u64).to_string();
    let mut command = Command::new(tool("pgbench")?);
    command.args(["-n", "-M", "prepared", "-j", "2", "-c", &clients, "-T", &seconds, "-f"]).arg(script.path()).arg(url);
    let said = run_checked(&mut command).await?;
    let tps = said.lines().find_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse().ok());
    run_checked(Command::new(tool("psql")?).args([url, "-qX", "-c", "DROP SCHEMA load_test CASCADE"])).await?;
    Ok(Some(tps.context("pgbench did not tell its tps")?))
}

/// The settings that "durable" hangs on, as the cluster has them.
async fn durability(url: &str) -> Result<String> {
    const ASK: &str = "SELECT string_agg(name || '=' || setting, ', ' ORDER BY name) FROM pg_settings \
         WHERE name IN ('fsync', 'synchronous_commit', 'full_page_writes', 'wal_sync_method')";
    Ok(run_checked(Command::new(tool("psql")?).args([url, "-qXAt", "-c", ASK])).await?.trim().to_owned())
}

async fn run_checked(command: &mut Command) -> Result<String> {
    let output = command.output().await.with_context(|| format!("{:?}", command.as_std().get_program()))?;
    if !output.status.success() {
        bail!("{:?}: {}", command.as_std().get_program(), String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// A PostgreSQL client program from the path, or from where Debian keeps it.
fn tool(name: &str) -> Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let debian =
        std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten().map(|entry| entry.path().join("bin"));
    let found =
        std::env::split_paths(&path).chain(debian).map(|folder| folder.join(name)).find(|file| Path::exists(file));
    found.with_context(|| format!("{name} is not installed (Debian: apt-get install postgresql)"))
}
