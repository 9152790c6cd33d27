//! What a server costs, read from /proc: CPU time and resident memory of its process, and of its PostgreSQL apart.

use std::{fs, path::PathBuf};

use anyhow::{Context, Result};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde::Serialize;

/// The server process under test, and the postmaster behind it if it has one on this machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct Probe {
    pub server: Option<u32>,
    pub postmaster: Option<u32>,
}

/// CPU seconds since the processes began.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Cpu {
    pub server_s: f64,
    pub postgres_s: f64,
}

impl std::ops::Sub for Cpu {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self { server_s: self.server_s - earlier.server_s, postgres_s: self.postgres_s - earlier.postgres_s }
    }
}

impl Probe {
    pub fn cpu(&self) -> Result<Cpu> {
        let server_s = match self.server {
            Some(pid) => process_cpu_s(pid).with_context(|| format!("process {pid} is gone"))?.0,
            None => 0.0,
        };
        Ok(Cpu { server_s, postgres_s: self.postmaster.map_or(0.0, cluster_cpu_s) })
    }

    /// Resident bytes of the server process.
    pub fn resident_bytes(&self) -> Result<u64> {
        let Some(pid) = self.server else { return Ok(0) };
        let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
        let kib =
            rollup.lines().find_map(|line| line.strip_prefix("Rss:")).and_then(|rest| rest.split_whitespace().next());
        let kib: u64 = kib.context("no Rss in smaps_rollup")?.parse()?;
        Ok(kib * 1024)
    }
}

/// (own, reaped children's) user + system seconds.
fn process_cpu_s(pid: u32) -> Option<(f64, f64)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The command in parentheses may contain spaces; numbers begin behind its end. utime is field 14, the third counted.
    let fields: Vec<&str> = stat.get(stat.rfind(')')? + 2..)?.split(' ').collect();
    let ticks = |index: usize| fields.get(index).and_then(|field| field.parse::<u64>().ok());
    let per_second = rustix::param::clock_ticks_per_second() as f64;
    Some(((ticks(11)? + ticks(12)?) as f64 / per_second, (ticks(13)? + ticks(14)?) as f64 / per_second))
}

fn parent_of(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.get(stat.rfind(')')? + 2..)?.split(' ').nth(1)?.parse().ok()
}

/// The postmaster, the backends that it has already reaped, and those alive.
fn cluster_cpu_s(postmaster: u32) -> f64 {
    let own = process_cpu_s(postmaster).map_or(0.0, |(own, reaped)| own + reaped);
    let backends = all_pids().filter(|pid| parent_of(*pid) == Some(postmaster));
    own + backends.filter_map(process_cpu_s).map(|(own, _)| own).sum::<f64>()
}

fn all_pids() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str().and_then(|name| name.parse().ok()))
}

/// Every PostgreSQL postmaster of the machine: what is named postgres and has no postgres above it.
pub fn postmasters() -> Vec<u32> {
    let is_postgres =
        |pid: u32| fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|comm| comm.trim() == "postgres");
    all_pids().filter(|pid| is_postgres(*pid) && !parent_of(*pid).is_some_and(is_postgres)).collect()
}

/// A postmaster's data directory, and the socket directory and port that it wrote into its `postmaster.pid`.
pub fn postmaster_socket(postmaster: u32) -> Result<(PathBuf, String, u16)> {
    let data = fs::read_link(format!("/proc/{postmaster}/cwd")).context("the postmaster's data directory")?;
    let file = fs::read_to_string(data.join("postmaster.pid")).context("postmaster.pid")?;
    let mut lines = file.lines().skip(3);
    let port = lines.next().and_then(|line| line.trim().parse().ok()).context("no port in postmaster.pid")?;
    let directory = lines.next().unwrap_or_default().trim().to_owned();
    Ok((data, directory, port))
}

/// Every socket is a descriptor, here and in the servers that we start: the soft limit goes to the hard one.
pub fn raise_descriptor_limit() {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }).ok();
}

/// The most descriptors that this process may have.
pub fn descriptor_limit() -> u64 {
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}
