//! Ten thousand tenants made by the server's own command, and what they cost while they are quiet.

use std::{path::Path, process::Stdio};

use anyhow::{Context, Result, bail};
use tokio::process::Command;

use super::{Bench, Window, say};
use crate::{clock, report::Outcome, scenario::Tenants};

/// One tenant at a time through the command line: this many, the program's start included. The rest goes in one call.
const ONE_BY_ONE: usize = 20;
/// Who gets the mail with the link to a tenant's first password.
const ADMIN: &str = "admin@load.example";

pub async fn run(bench: &Bench, work: &Tenants) -> Result<Outcome> {
    let Some((program, data)) = &bench.program else {
        bail!("tenants are made by the server's own command: run this through `loadtests compare --rialto PROGRAM`");
    };
    let before = bench.probe.resident_bytes()?;
    let mut singles_ms = Vec::new();
    for number in 0..ONE_BY_ONE.min(work.tenants) {
        let started = clock::now();
        let slug = format!("load-single-{number}");
        provision(program, data, &slug, &[]).await?;
        singles_ms.push(started.elapsed().as_secs_f64() * 1e3);
        say(&format!("tenant {} of {}", number + 1, work.tenants));
    }
    let many = work.tenants.saturating_sub(singles_ms.len());
    let window = Window::open(&bench.probe)?;
    say(&format!("provisioning {many} tenants in one call"));
    provision(program, data, "load-many", &["--count", &many.to_string()]).await?;
    let spent = window.close(&bench.probe)?;
    let after = bench.probe.resident_bytes()?;
    let mut outcome = Outcome::default();
    outcome.put_latencies("provision_one", &mut singles_ms);
    outcome.put("provision_ms_each", spent.seconds * 1e3 / many.max(1) as f64);
    outcome.put("postgres_ms_each", spent.server.postgres_s * 1e3 / many.max(1) as f64);
    outcome.put("server_bytes_per_tenant", after.saturating_sub(before) as f64 / work.tenants as f64);
    if let Some(stats) = bench.stage.stats().await {
        let actors = stats.pointer("/actors/tenants").and_then(serde_json::Value::as_f64);
        outcome.put("tenant_actors_alive", actors.unwrap_or(f64::NAN));
        outcome.must(actors.is_some_and(|alive| alive < 5.0), || format!("idle tenants hold actors: {actors:?}"));
    }
    Ok(outcome)
}

/// One call of the server's own command; the number of tenants is no limit here.
async fn provision(program: &Path, data: &Path, slug: &str, more: &[&str]) -> Result<()> {
    let mut command = Command::new(program);
    command.args(["tenant", "provision", "--data-dir"]).arg(data);
    command.args(["--slug", slug, "--name", slug, "--plan", "basic", "--admin-email", ADMIN]).args(more);
    command.env("RIALTO_TENANCY__MAX_TENANTS", u32::MAX.to_string());
    let output = command.stdin(Stdio::null()).output().await.context("rialto tenant provision")?;
    if !output.status.success() {
        bail!("rialto tenant provision: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}
