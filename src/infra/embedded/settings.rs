//! The cluster's settings and who may connect, written anew at each start so that an upgrade of this program brings them along.
//!
//! Three layers: durability is given on the command line, which nothing overrides; what this file writes is included by
//! `postgresql.conf`; an administrator's `ALTER SYSTEM` wins over that.

use std::fmt::Write as _;
use std::path::Path;

use super::cluster::Cluster;
use super::{EmbeddedError, roles};

const INCLUDED: &str = "rialto.conf";

/// What a promise hangs on: acknowledged means durable (R1).
pub const DURABILITY: [&str; 3] = ["fsync", "synchronous_commit", "full_page_writes"];

/// Writes `rialto.conf`, `pg_hba.conf` and `pg_ident.conf`.
pub fn write(cluster: &Cluster) -> Result<(), EmbeddedError> {
    let pgdata = cluster.pgdata();
    write_file(&pgdata.join(INCLUDED), &tuning(cluster.socket_dir(), memory_mib()))?;
    write_file(&pgdata.join("pg_hba.conf"), &access())?;
    write_file(&pgdata.join("pg_ident.conf"), &identities()?)?;
    include(&pgdata.join("postgresql.conf"))
}

fn write_file(path: &Path, text: &str) -> Result<(), EmbeddedError> {
    std::fs::write(path, text).map_err(EmbeddedError::io(path))
}

fn include(main: &Path) -> Result<(), EmbeddedError> {
    let text = std::fs::read_to_string(main).map_err(EmbeddedError::io(main))?;
    let line = format!("include_if_exists = '{INCLUDED}'");
    if text.lines().any(|found| found == line) {
        return Ok(());
    }
    write_file(main, &format!("{text}\n# Settings that rialto writes at each start.\n{line}\n"))
}

/// Memory follows the machine, within bounds that leave it to the rest; the log is written in long strides, since a checkpoint
/// is followed by a burst of whole-page writes.
fn tuning(socket_dir: &Path, memory_mib: u64) -> String {
    let shared = (memory_mib / 8).clamp(128, 2_048);
    let cached = (memory_mib / 2).max(256);
    let mut text = String::from("# Written by rialto at each start; change settings with ALTER SYSTEM.\n");
    let mut set = |name: &str, value: &str| {
        // Writing into a String does not fail.
        let _ = writeln!(text, "{name} = '{value}'");
    };
    set("listen_addresses", "");
    set("unix_socket_directories", &socket_dir.display().to_string());
    set("unix_socket_permissions", "0700");
    set("max_connections", "120");
    set("superuser_reserved_connections", "3");
    set("password_encryption", "scram-sha-256");
    set("shared_buffers", &format!("{shared}MB"));
    set("effective_cache_size", &format!("{cached}MB"));
    set("work_mem", "8MB");
    set("maintenance_work_mem", "128MB");
    set("random_page_cost", "1.1");
    set("jit", "off");
    set("wal_compression", "on");
    set("min_wal_size", "256MB");
    set("max_wal_size", "2GB");
    set("checkpoint_timeout", "15min");
    set("checkpoint_completion_target", "0.9");
    // An open transaction holds back the relay of events in the whole cluster.
    set("idle_in_transaction_session_timeout", "30s");
    set("autovacuum_vacuum_scale_factor", "0.05");
    set("timezone", "UTC");
    set("log_timezone", "UTC");
    // A week of logs, one file per weekday.
    set("logging_collector", "on");
    set("log_directory", "log");
    set("log_filename", "postgresql-%a.log");
    set("log_rotation_age", "1d");
    set("log_rotation_size", "0");
    set("log_truncate_on_rotation", "on");
    set("log_file_mode", "0600");
    set("log_checkpoints", "off");
    // Statements may hold what people wrote.
    set("log_min_error_statement", "panic");
    text
}

/// The superuser is who owns the files anyway, so it needs no password; the roles have theirs.
fn access() -> String {
    format!(
        "# Written by rialto at each start.\n\
         local all {superuser} peer map=rialto\n\
         local all all scram-sha-256\n",
        superuser = roles::SUPERUSER
    )
}

fn identities() -> Result<String, EmbeddedError> {
    let uid = nix::unistd::geteuid();
    let name = nix::unistd::User::from_uid(uid).ok().flatten().map(|user| user.name);
    let failed = || EmbeddedError::Failed {
        program: "looking up the user".to_owned(),
        message: format!("user id {uid} has no name on this machine, which PostgreSQL asks for"),
    };
    let name = name.ok_or_else(failed)?;
    Ok(format!("# Written by rialto at each start.\nrialto \"{name}\" {}\n", roles::SUPERUSER))
}

/// Memory of this machine; a modest guess where nothing tells.
fn memory_mib() -> u64 {
    let total = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| {
        let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?.trim().strip_suffix(" kB")?.to_owned();
        line.parse::<u64>().ok()
    });
    total.map_or(2_048, |kib| kib / 1_024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_stays_within_its_bounds() {
        let of = |memory| tuning(Path::new("/run"), memory);
        assert!(of(256).contains("shared_buffers = '128MB'"));
        assert!(of(4_096).contains("shared_buffers = '512MB'"));
        assert!(of(1 << 20).contains("shared_buffers = '2048MB'"));
    }

    #[test]
    fn nothing_listens_on_the_network() {
        assert!(tuning(Path::new("/run"), 1_024).contains("listen_addresses = ''\n"));
        assert!(access().lines().all(|line| line.starts_with('#') || line.starts_with("local ")));
    }
}
