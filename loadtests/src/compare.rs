//! Rialto and its rivals in turns: every round starts each server fresh, runs the same work with the same client, and ends
//! it. The order of the servers turns by one each round, so that what the machine does meanwhile hits all alike.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use clap::Args;
use serde::Serialize;

use crate::{
    Measured, measure,
    report::{Outcome, Row},
    runs::say,
    scenario::{Scenario, Server},
    servers::Programs,
    terminal,
};

#[derive(Args)]
pub struct CompareArgs {
    /// Rialto's release build [default: beside this program]
    #[arg(long)]
    rialto: Option<PathBuf>,
    /// Centrifugo's program, built there if it is missing [default: ../peers/centrifugo from this program]
    #[arg(long)]
    centrifugo: Option<PathBuf>,
    /// The folder with the rivals' servers and settings
    #[arg(long, default_value = "loadtests/peers")]
    peers: PathBuf,
    /// The folder with the scenario files
    #[arg(long, default_value = "loadtests/scenarios")]
    scenarios: PathBuf,
    /// Only these scenarios, by name
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Only these servers (the default is all that a scenario names; one that is missing then fails the run)
    #[arg(long, value_enum, value_delimiter = ',')]
    servers: Vec<Server>,
    /// Rounds of which the median counts
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// One short round each: a trial, not a measurement
    #[arg(long)]
    quick: bool,
    /// Write all rounds as JSON
    #[arg(long)]
    json: Option<PathBuf>,
    /// Write the tables as Markdown
    #[arg(long)]
    markdown: Option<PathBuf>,
    /// Where the servers' logs go
    #[arg(long, default_value = "target/bench-logs")]
    logs: PathBuf,
}

#[derive(Serialize)]
struct Report {
    machine: String,
    rounds: usize,
    rows: Vec<Row>,
}

/// Answers whether every promise was kept and every bar reached.
pub async fn compare(args: CompareArgs) -> Result<bool> {
    fs::create_dir_all(&args.logs)?;
    let built = std::env::current_exe()?.parent().map(Path::to_path_buf).unwrap_or_default();
    let programs = Programs {
        rialto: args.rialto.clone().unwrap_or_else(|| built.join("rialto")),
        centrifugo: args.centrifugo.clone().unwrap_or_else(|| built.join("../peers/centrifugo")),
        peers: args.peers.clone(),
    };
    let mut plan = Vec::new();
    for mut scenario in read_scenarios(&args)? {
        if !args.servers.is_empty() {
            scenario.servers.retain(|server| args.servers.contains(server));
        }
        programs.prepare(&scenario.servers)?;
        if args.quick {
            scenario.work.hurry();
        }
        if !scenario.servers.is_empty() {
            plan.push(scenario);
        }
    }
    let rounds = if args.quick { 1 } else { args.rounds };
    let mut report = Report { machine: machine(), rounds, rows: Vec::new() };
    let mut failed = Vec::new();
    for scenario in &plan {
        match in_turns(scenario, &programs, rounds, &args).await {
            Ok(row) => {
                terminal::end_progress();
                terminal::result(&row.table());
                report.rows.push(row);
            }
            Err(error) => {
                terminal::end_progress();
                terminal::result(&format!("### {}: FAILED\n\n{error:#}\n", scenario.name));
                failed.push(scenario.name.clone());
            }
        }
        write(&args, &report)?;
    }
    if !failed.is_empty() {
        bail!("these scenarios did not run to their end: {}", failed.join(", "));
    }
    Ok(report.rows.iter().all(|row| !row.broken() && row.bars.iter().all(|bar| bar.reached)))
}

fn read_scenarios(args: &CompareArgs) -> Result<Vec<Scenario>> {
    let entries = fs::read_dir(&args.scenarios).with_context(|| format!("reading {}", args.scenarios.display()))?;
    let mut files: Vec<_> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|ext| ext == "toml"))
        .collect();
    files.sort();
    let mut scenarios = files.iter().map(|file| Scenario::read(file)).collect::<Result<Vec<_>>>()?;
    if let Some(unknown) = args.only.iter().find(|name| !scenarios.iter().any(|scenario| scenario.name == **name)) {
        bail!("there is no scenario {unknown} in {}", args.scenarios.display());
    }
    scenarios.retain(|scenario| args.only.is_empty() || args.only.contains(&scenario.name));
    Ok(scenarios)
}

async fn in_turns(scenario: &Scenario, programs: &Programs, rounds: usize, args: &CompareArgs) -> Result<Row> {
    let mut outcomes: BTreeMap<Server, Vec<Outcome>> = BTreeMap::new();
    for round in 0..rounds {
        for turn in 0..scenario.servers.len() {
            let server = scenario.servers[(round + turn) % scenario.servers.len()];
            say(&format!("{} round {} of {rounds}: {}", scenario.name, round + 1, server.name()));
            let running = programs.start(server, &args.logs).await?;
            let measured = Measured {
                server,
                target: running.target.clone(),
                tenant: None,
                accounts: Vec::new(),
                probe: running.probe,
                program: (server == Server::Rialto)
                    .then(|| (programs.rialto.clone(), running.data.path().join("data"))),
                database_url: running.database_url.clone(),
            };
            let outcome = measure(scenario, measured)
                .await
                .with_context(|| format!("{} in round {}", server.name(), round + 1))?;
            outcomes.entry(server).or_default().push(outcome);
            running.stop().await.with_context(|| server.name().to_owned())?;
        }
    }
    Ok(Row::new(scenario, outcomes))
}

fn write(args: &CompareArgs, report: &Report) -> Result<()> {
    if let Some(path) = &args.json {
        fs::write(path, serde_json::to_string_pretty(report)?)
            .with_context(|| format!("writing {}", path.display()))?;
    }
    if let Some(path) = &args.markdown {
        let tables: Vec<_> = report.rows.iter().map(Row::table).collect();
        let text = format!(
            "Machine: {}. Medians of {} rounds (lowest–highest).\n\n{}",
            report.machine,
            report.rounds,
            tables.join("\n")
        );
        fs::write(path, text).with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(())
}

/// One line about where this ran.
fn machine() -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let cpuinfo = read("/proc/cpuinfo");
    let model = cpuinfo
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split(':').nth(1))
        .unwrap_or("unknown CPU")
        .trim();
    let cores = cpuinfo.lines().filter(|line| line.starts_with("processor")).count();
    let kernel = read("/proc/sys/kernel/osrelease");
    let memory_kib: u64 =
        read("/proc/meminfo").split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).unwrap_or_default();
    format!("{cores} × {model}, {} GiB, Linux {}", memory_kib.div_ceil(1 << 20), kernel.trim())
}
