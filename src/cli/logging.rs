//! The log: to stderr, as text or JSON, filtered as configured.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use super::Failure;
use crate::config::{Log, Shape};

/// Installs the log for the whole process; later calls change nothing.
pub fn start(log: &Log) -> Result<(), Failure> {
    let filter = EnvFilter::try_new(&log.filter).map_err(|error| format!("log.filter: `{}`: {error}", log.filter))?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    // A second call, as tests make it, finds a log in place.
    let _ = match log.format {
        Shape::Text => lines.try_init(),
        Shape::Json => lines.json().try_init(),
    };
    Ok(())
}
