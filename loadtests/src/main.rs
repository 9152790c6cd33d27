//! Load tests for a Rialto deployment, and its rivals side by side.
//!
//! `loadtests run SCENARIO --target URL` measures one server that already runs; `loadtests compare` starts Rialto and its
//! rivals itself, lets them take turns, and writes medians. One thread generates all load: the machine is shared with the
//! server under test, and one core reads more than a million deliveries a second.

mod client;
mod clock;
mod compare;
mod http;
mod net;
mod procs;
mod report;
mod runs;
mod scenario;
mod servers;
mod stage;
mod terminal;
mod wire;
mod ws;

use std::{path::PathBuf, process::ExitCode, rc::Rc};

use anyhow::{Context, Result, bail};
use clap::{Args, Parser, Subcommand};

use crate::{
    client::Dialer,
    net::Target,
    procs::Probe,
    report::{Outcome, Row},
    runs::Bench,
    scenario::{Scenario, Server},
    stage::{Accounts, Stage},
    ws::Scratch,
};

#[derive(Parser)]
#[command(version, about, long_about = None)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Run one scenario against a server that is already up
    Run(RunArgs),
    /// Start Rialto and its rivals in turn, measure each, and compare the medians
    Compare(compare::CompareArgs),
}

#[derive(Args)]
struct RunArgs {
    /// The scenario file
    scenario: PathBuf,
    /// Where the server listens
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    target: String,
    /// What kind of server that is
    #[arg(long, value_enum, default_value = "rialto")]
    server: Server,
    /// The tenant to log in to, where the host does not name one
    #[arg(long)]
    tenant: Option<String>,
    /// An existing account as EMAIL:PASSWORD (repeatable); without any, accounts are registered
    #[arg(long)]
    account: Vec<String>,
    /// Process id of the server, to measure its CPU and memory (same machine only)
    #[arg(long)]
    pid: Option<u32>,
    /// Process id of its postmaster
    #[arg(long)]
    postgres_pid: Option<u32>,
    /// Its database, for pgbench beside the durable posts (a schema `load_test` is made and dropped)
    #[arg(long, env = "LOADTESTS_DATABASE_URL")]
    database_url: Option<String>,
    /// Write the result as JSON, too
    #[arg(long)]
    json: Option<PathBuf>,
    /// Short windows: a trial, not a measurement
    #[arg(long)]
    quick: bool,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    procs::raise_descriptor_limit();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let done = runtime.map_err(anyhow::Error::from).and_then(|runtime| {
        tokio::task::LocalSet::new().block_on(&runtime, async {
            match cli.verb {
                Verb::Run(args) => run(args).await,
                Verb::Compare(args) => compare::compare(args).await,
            }
        })
    });
    terminal::end_progress();
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            terminal::progress(&format!("error: {error:#}\n"));
            ExitCode::from(2)
        }
    }
}

/// Answers whether every promise was kept.
async fn run(args: RunArgs) -> Result<bool> {
    let mut scenario = Scenario::read(&args.scenario)?;
    if args.quick {
        scenario.work.hurry();
    }
    let accounts = args.account.iter().map(|account| {
        let (email, password) = account.split_once(':').context("--account wants EMAIL:PASSWORD")?;
        Ok((email.to_owned(), password.to_owned()))
    });
    let measured = Measured {
        server: args.server,
        target: Target::parse(&args.target)?,
        tenant: args.tenant,
        accounts: accounts.collect::<Result<_>>()?,
        probe: Probe { server: args.pid, postmaster: args.postgres_pid },
        program: None,
        database_url: args.database_url,
    };
    let outcome = measure(&scenario, measured).await?;
    let row = Row::new(&scenario, [(args.server, vec![outcome])].into());
    terminal::end_progress();
    terminal::result(&row.table());
    if let Some(path) = args.json {
        std::fs::write(&path, serde_json::to_string_pretty(&row)?)
            .with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(!row.broken())
}

/// What the generator needs open beside its sockets.
const SPARE_DESCRIPTORS: u64 = 100;

/// One server, ready to be measured.
pub struct Measured {
    pub server: Server,
    pub target: Target,
    pub tenant: Option<String>,
    pub accounts: Accounts,
    pub probe: Probe,
    pub program: Option<(PathBuf, PathBuf)>,
    pub database_url: Option<String>,
}

pub async fn measure(scenario: &Scenario, measured: Measured) -> Result<Outcome> {
    let (sockets, descriptors) = (scenario.work.sockets() as u64, procs::descriptor_limit());
    if sockets + SPARE_DESCRIPTORS > descriptors {
        bail!(
            "{sockets} sockets do not fit into {descriptors} descriptors (ulimit -n): lower `sockets` in the scenario"
        );
    }
    let dialer = Dialer {
        target: Rc::new(measured.target),
        wire: measured.server.wire(scenario.wire),
        sources: Rc::default(),
        scratch: Scratch::new(),
        tenant: measured.tenant.map(Rc::from),
        lost: Rc::default(),
    };
    let (people, rooms) = scenario.work.needs();
    let stage = Rc::new(Stage::prepare(dialer, measured.server, people, rooms, &measured.accounts).await?);
    let bench = Bench { stage, probe: measured.probe, program: measured.program, database_url: measured.database_url };
    runs::run(&bench, &scenario.work).await
}
