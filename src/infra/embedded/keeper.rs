//! Keeping the server process alive: one that ended without being asked to (out of memory, an administrator's hand) is started again.
//!
//! A thread and not a task: it must not depend on a runtime that waits for the very database. It holds no lock while it waits, and
//! stopping interrupts it wherever it is.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use super::cluster::Cluster;
use super::installation::Installation;
use super::postmaster::{self, Postmaster};

/// How often the process is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// How long after its end it is left to whoever may be restarting it (`pg_ctl restart`).
const GRACE: Duration = Duration::from_secs(1);

/// Between attempts that failed.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// Keeps one cluster's server running until it is told to stop it.
#[derive(Debug)]
pub struct Keeper {
    is_stopping: Arc<AtomicBool>,
    thread: Option<JoinHandle<Option<Postmaster>>>,
}

impl Keeper {
    /// Watches over `postmaster` from now on.
    pub fn watch(cluster: Arc<Cluster>, installation: Installation, postmaster: Postmaster) -> std::io::Result<Self> {
        let is_stopping = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&is_stopping);
        let keep = move || keep(&cluster, &installation, postmaster, &flag);
        let thread = std::thread::Builder::new().name("store-keeper".to_owned()).spawn(keep)?;
        Ok(Self { is_stopping, thread: Some(thread) })
    }

    /// Stops the server: at most 8 s and a moment.
    pub fn stop(&mut self) {
        self.is_stopping.store(true, Ordering::Relaxed);
        let Some(thread) = self.thread.take() else { return };
        thread.thread().unpark();
        // A keeper that panicked leaves the server to the next start, which adopts it.
        if let Ok(Some(mut postmaster)) = thread.join() {
            postmaster.stop();
        }
    }
}

/// Until stopping: returns the server that is then running, if one is.
fn keep(cluster: &Cluster, installation: &Installation, first: Postmaster, stop: &AtomicBool) -> Option<Postmaster> {
    let is_stopping = || stop.load(Ordering::Relaxed);
    let mut current = Some(first);
    while !is_stopping() {
        if current.as_mut().is_some_and(Postmaster::is_alive) {
            std::thread::park_timeout(LOOK_EVERY);
            continue;
        }
        if current.take().is_some() {
            tracing::error!("PostgreSQL has ended without being asked to; starting it again");
            std::thread::park_timeout(GRACE);
        }
        current = match revive(cluster, installation, stop) {
            Ok(postmaster) => Some(postmaster),
            Err(error) if is_stopping() => {
                tracing::debug!(%error, "stopped while PostgreSQL was starting");
                None
            }
            Err(error) => {
                tracing::error!(%error, "PostgreSQL could not be started again");
                std::thread::park_timeout(RETRY_AFTER);
                None
            }
        };
    }
    current
}

fn revive(
    cluster: &Cluster,
    installation: &Installation,
    stop: &AtomicBool,
) -> Result<Postmaster, super::EmbeddedError> {
    match postmaster::adopt_or_stop(cluster)? {
        Some(postmaster) => Ok(postmaster),
        None => Postmaster::start(cluster, installation, stop),
    }
}
