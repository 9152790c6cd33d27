//! The server process: starting it, finding the one that outlived us, and stopping it within a bound.
//!
//! `postmaster.pid` is PostgreSQL's own record: pid, data directory, start time, port, socket directory, listen address, memory
//! key, status. A pid alone proves nothing (containers reuse small ones), so a process counts as this cluster's only if its
//! working directory is the cluster, which PostgreSQL sees to for its main process and all others.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::cluster::Cluster;
use super::installation::Installation;
use super::{EmbeddedError, POLL_EVERY, START_WITHIN, roles, settings};

/// A fast stop ends all sessions and writes a checkpoint.
const STOP_FAST_WITHIN: Duration = Duration::from_secs(5);

/// An immediate stop only ends processes; the next start recovers from the log.
const STOP_HARD_WITHIN: Duration = Duration::from_secs(2);

/// After a kill nothing but the kernel has to act.
const KILLED_WITHIN: Duration = Duration::from_secs(1);

/// How long a server that is still starting when we find it may take before it is stopped.
const ADOPT_WITHIN: Duration = Duration::from_secs(30);

/// A running server that is ours to stop.
#[derive(Debug)]
pub struct Postmaster {
    pid: Pid,
    pgdata: PathBuf,
    /// Kept to reap it; `None` for one that an earlier process of ours started.
    child: Option<Child>,
}

/// What `postmaster.pid` says.
#[derive(Debug, PartialEq, Eq)]
struct Record {
    pid: i32,
    pgdata: PathBuf,
    is_ready: bool,
}

impl Record {
    fn read(pgdata: &Path) -> Option<Self> {
        Self::parse(&std::fs::read_to_string(pgdata.join("postmaster.pid")).ok()?)
    }

    /// `None` for a file that is being written.
    fn parse(text: &str) -> Option<Self> {
        let lines: Vec<_> = text.lines().collect();
        let pid = lines.first()?.trim().parse().ok().filter(|pid| *pid > 0)?;
        let pgdata = PathBuf::from(lines.get(1)?);
        let is_ready = lines.get(7).is_some_and(|status| status.trim() == "ready");
        Some(Self { pid, pgdata, is_ready })
    }
}

impl Postmaster {
    /// Starts the server in a process group of its own, so that Ctrl-C reaches us and not it, and waits until it is ready.
    /// `stop` interrupts the waiting.
    pub fn start(cluster: &Cluster, installation: &Installation, stop: &AtomicBool) -> Result<Self, EmbeddedError> {
        let pgdata = cluster.pgdata();
        let log_path = cluster.start_log();
        let log = std::fs::File::create(&log_path).map_err(EmbeddedError::io(&log_path))?;
        let log_too = log.try_clone().map_err(EmbeddedError::io(&log_path))?;
        let mut command = cluster.command(&installation.program("postgres"));
        command.arg("-D").arg(&pgdata).stdin(Stdio::null()).stdout(log).stderr(log_too).process_group(0);
        for setting in settings::DURABILITY {
            command.arg("-c").arg(format!("{setting}=on"));
        }
        let child = command.spawn().map_err(EmbeddedError::io(&installation.program("postgres")))?;
        let pid = Pid::from_raw(child.id().cast_signed());
        let mut started = Self { pid, pgdata, child: Some(child) };
        match started.wait_until_ready(stop) {
            Ok(()) => Ok(started),
            Err(has_ended) => {
                started.stop();
                let log = log_tail(cluster);
                Err(if has_ended { EmbeddedError::StartFailed { log } } else { EmbeddedError::StartTimeout { log } })
            }
        }
    }

    /// `Err(true)` when the process has ended, `Err(false)` when time is up.
    fn wait_until_ready(&mut self, stop: &AtomicBool) -> Result<(), bool> {
        let patience = Instant::now() + START_WITHIN;
        while Instant::now() < patience && !stop.load(Ordering::Relaxed) {
            let record = Record::read(&self.pgdata);
            if record.is_some_and(|record| record.pid == self.pid.as_raw() && record.is_ready) {
                return Ok(());
            }
            if !self.is_alive() {
                return Err(true);
            }
            std::thread::sleep(POLL_EVERY);
        }
        Err(false)
    }

    /// Fast, then immediate, then killed: at most 8 s.
    pub fn stop(&mut self) {
        let steps =
            [(Signal::SIGINT, STOP_FAST_WITHIN), (Signal::SIGQUIT, STOP_HARD_WITHIN), (Signal::SIGKILL, KILLED_WITHIN)];
        for (signal, patience) in steps {
            if !self.is_alive() || kill(self.pid, signal) == Err(Errno::ESRCH) {
                return;
            }
            let until = Instant::now() + patience;
            while Instant::now() < until {
                if !self.is_alive() {
                    return;
                }
                std::thread::sleep(POLL_EVERY);
            }
            tracing::warn!(pid = self.pid.as_raw(), %signal, "PostgreSQL did not stop in time");
        }
    }

    /// Whether it lets us in, at once or when it has finished starting. Its socket may be elsewhere, its settings others': then it is
    /// no use to us as it runs.
    fn comes_to_answer(&mut self, cluster: &Cluster) -> bool {
        let patience = Instant::now() + ADOPT_WITHIN;
        while self.is_alive() && Instant::now() < patience {
            if is_ready(cluster) {
                return roles::is_usable(cluster.socket_dir());
            }
            std::thread::sleep(POLL_EVERY);
        }
        false
    }

    /// Whether the process runs.
    pub fn is_alive(&mut self) -> bool {
        match &mut self.child {
            Some(child) => matches!(child.try_wait(), Ok(None)),
            None => belongs_to(self.pid, &self.pgdata),
        }
    }
}

/// Whether the server of this cluster accepts connections, whoever started it.
pub fn is_ready(cluster: &Cluster) -> bool {
    let pgdata = cluster.pgdata();
    Record::read(&pgdata).is_some_and(|record| record.is_ready && belongs_to(Pid::from_raw(record.pid), &pgdata))
}

/// Takes over the server that outlived its rialto if it answers and is durable; stops it otherwise. Afterwards either it is
/// ours or none is running.
pub fn adopt_or_stop(cluster: &Cluster) -> Result<Option<Postmaster>, EmbeddedError> {
    let pgdata = cluster.pgdata();
    // A record whose process is gone means nothing, and one that came along with a copied directory is the original's.
    let recorded = Record::read(&pgdata).map(|record| Pid::from_raw(record.pid));
    if let Some(pid) = recorded.filter(|pid| belongs_to(*pid, &pgdata)) {
        let mut survivor = Postmaster { pid, pgdata: pgdata.clone(), child: None };
        if survivor.comes_to_answer(cluster) {
            tracing::info!(pid = pid.as_raw(), "adopted the PostgreSQL that outlived its server");
            return Ok(Some(survivor));
        }
        tracing::warn!(pid = pid.as_raw(), "stopping the PostgreSQL that outlived its server");
        survivor.stop();
    }
    wait_for_orphans(&pgdata);
    // Whoever is still at work there may be starting it this moment.
    if processes_in(&pgdata) == 0 {
        remove_leftovers(cluster)?;
    }
    Ok(None)
}

/// When only the main process was killed, its others end by themselves within moments; the memory they share is in use until then.
fn wait_for_orphans(pgdata: &Path) {
    let patience = Instant::now() + STOP_FAST_WITHIN;
    while Instant::now() < patience && processes_in(pgdata) > 0 {
        std::thread::sleep(POLL_EVERY);
    }
}

/// Records of a server that is no more. PostgreSQL compares the pids in them with those alive, among which is the dead one until
/// somebody reaps it, and any that was reused; that none is this cluster's has just been seen to.
fn remove_leftovers(cluster: &Cluster) -> Result<(), EmbeddedError> {
    let (pgdata, sockets) = (cluster.pgdata(), cluster.socket_dir());
    let leftovers = [pgdata.join("postmaster.pid"), sockets.join(".s.PGSQL.5432"), sockets.join(".s.PGSQL.5432.lock")];
    for path in leftovers {
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(EmbeddedError::io(&path)(error)),
            _ => {}
        }
    }
    Ok(())
}

/// Whether `pid` is a live process of the cluster in `pgdata`.
fn belongs_to(pid: Pid, pgdata: &Path) -> bool {
    if cfg!(target_os = "linux") {
        return is_working_in(&format!("/proc/{pid}"), pgdata);
    }
    // Elsewhere a live process under the recorded pid is believed, as pg_ctl does.
    kill(pid, None).is_ok()
}

/// A dead process that nobody has reaped has no working directory any more, so it does not count. One whose directory was deleted under
/// it does: the kernel says so behind the path.
fn is_working_in(process: &str, pgdata: &Path) -> bool {
    let deleted = PathBuf::from(format!("{} (deleted)", pgdata.display()));
    std::fs::read_link(format!("{process}/cwd")).is_ok_and(|cwd| cwd == pgdata || cwd == deleted)
}

fn processes_in(pgdata: &Path) -> usize {
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    processes.filter(|process| is_working_in(&process.path().display().to_string(), pgdata)).count()
}

/// What the server said last: before its log collector ran, and in the newest of the collector's files.
fn log_tail(cluster: &Cluster) -> String {
    let collected = std::fs::read_dir(cluster.pgdata().join("log")).into_iter().flatten().flatten();
    let newest = collected.max_by_key(|file| file.metadata().and_then(|found| found.modified()).ok());
    let files = [Some(cluster.start_log()), newest.map(|file| file.path())];
    files.into_iter().flatten().map(|path| tail(&path)).collect::<Vec<_>>().join("\n")
}

/// The last lines of a file, for a message.
fn tail(path: &Path) -> String {
    const LINES: usize = 8;
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let lines: Vec<_> = text.lines().collect();
    lines.get(lines.len().saturating_sub(LINES)..).unwrap_or_default().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_record_is_read_in_every_state_of_writing() {
        let whole = "4711\n/data/cluster\n1700000000\n5432\n/data/run\n\n  1234 5\nready   \n";
        let record = Record { pid: 4_711, pgdata: "/data/cluster".into(), is_ready: true };
        assert_eq!(Record::parse(whole), Some(record));
        for (end, _) in whole.char_indices() {
            let _ = Record::parse(&whole[..end]);
        }
        assert_eq!(Record::parse(""), None);
        assert!(
            Record::parse("4711\n/data/cluster\n1\n5432\n/x\n\n1\nstarting\n").is_some_and(|record| !record.is_ready)
        );
    }

    #[test]
    fn our_own_process_is_not_a_cluster() {
        assert!(!belongs_to(Pid::this(), Path::new("/nowhere")));
    }
}
