//! The command line: one program, one verb a file.
//!
//! Every verb reads the configuration first and gives up root's rights second, before any thread starts; then it has a store,
//! the embedded one or an external one, and does its work.

mod accounts;
mod demo;
mod doctor;
mod logging;
mod migrate;
mod ready;
mod serve;
mod tenant;

use std::fmt::Display;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::app::Failure;
use crate::config::{Config, Overrides};

/// Read where no file is named, if it is there.
const USUAL_FILE: &str = "config/rialto.yaml";

#[derive(Debug, Parser)]
#[command(name = "rialto", version, about, disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Run the server: HTTP, WebSockets, and the embedded store unless DATABASE_URL is set
    Serve(Serve),
    /// Bring the database schema up to date, then exit
    Migrate(Common),
    /// Manage tenants: provision, list, status, suspend, resume, terminate
    Tenant(Tenant),
    /// Seed the demo tenant with people, a community and rooms, then exit
    Demo(Common),
    /// Check configuration, store, durability, roles and limits, and say what is wrong
    Doctor(Doctor),
}

/// Where configuration and data are.
#[derive(Debug, Clone, Args)]
struct Common {
    /// Configuration file; config/rialto.yaml is read if it is there and none is named
    #[arg(long, value_name = "FILE", env = "RIALTO_CONFIG", global = true)]
    config: Option<PathBuf>,
    /// Folder for the embedded store, keys and files [default: ./data]
    #[arg(long, value_name = "DIR", env = "RIALTO_DATA_DIR", global = true)]
    data_dir: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct Serve {
    #[command(flatten)]
    common: Common,
    /// Address and port to listen on [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS:PORT", env = "RIALTO_LISTEN")]
    listen: Option<SocketAddr>,
    /// Seed the demo tenant at start and print its accounts
    #[arg(long, env = "RIALTO_DEMO")]
    demo: bool,
}

#[derive(Debug, Args)]
struct Tenant {
    /// Configuration file of the server (each verb's own --config is the tenant's)
    #[arg(long, value_name = "FILE", env = "RIALTO_CONFIG")]
    server_config: Option<PathBuf>,
    /// Folder for the embedded store, keys and files [default: ./data]
    #[arg(long, value_name = "DIR", env = "RIALTO_DATA_DIR", global = true)]
    data_dir: Option<PathBuf>,
    #[command(subcommand)]
    verb: tenant::Verb,
}

#[derive(Debug, Args)]
struct Doctor {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    verb: Option<doctor::Verb>,
}

impl Common {
    fn load(self, listen: Option<SocketAddr>, demo: bool) -> Result<Config, Failure> {
        let usual = Some(PathBuf::from(USUAL_FILE)).filter(|path| path.is_file());
        let overrides = Overrides { file: self.config.or(usual), listen, data_dir: self.data_dir, demo };
        Ok(Config::load(&overrides)?)
    }
}

/// Runs the program; the exit code is 0, 1 for a failure, 2 for a command line that makes no sense.
pub fn run() -> ExitCode {
    let outcome = match Cli::parse().verb {
        Verb::Serve(args) => args.common.load(args.listen, args.demo).and_then(serve::run),
        Verb::Migrate(common) => common.load(None, false).and_then(migrate::run),
        Verb::Tenant(args) => {
            let common = Common { config: args.server_config, data_dir: args.data_dir };
            // Before the rights of whoever called are given up: the file may be theirs alone.
            args.verb.read().and_then(|verb| common.load(None, false).and_then(|config| tenant::run(config, verb)))
        }
        Verb::Demo(common) => common.load(None, false).and_then(demo::run),
        Verb::Doctor(args) => args.common.load(None, false).and_then(|config| doctor::run(config, args.verb)),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            complain(&failure);
            ExitCode::FAILURE
        }
    }
}

/// A line on the screen. A closed pipe is no reason to stop.
fn say(line: impl Display) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

fn complain(failure: &Failure) {
    let mut text = format!("rialto: {failure}");
    let mut cause = failure.source();
    while let Some(error) = cause {
        let reason = error.to_string();
        // Some errors repeat their cause in their own words.
        if !text.contains(&reason) {
            text.push_str(": ");
            text.push_str(&reason);
        }
        cause = error.source();
    }
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Relative paths are the caller's, whatever folder the process stands in later.
fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    Ok(std::path::absolute(path)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_verb_and_flag_explains_itself() {
        fn check(command: &clap::Command) {
            for argument in command.get_arguments().filter(|argument| !argument.is_hide_set()) {
                assert!(argument.get_help().is_some(), "{} {} has no help", command.get_name(), argument.get_id());
            }
            for verb in command.get_subcommands() {
                assert!(verb.get_about().is_some(), "{} has no help", verb.get_name());
                check(verb);
            }
        }
        let mut command = Cli::command();
        command.build();
        check(&command);
    }
}
