//! Where the cluster's files are, and how a new one comes into being whole or not at all.

use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::installation::Installation;
use super::{EmbeddedError, roles};
use crate::infra::data_dir::{create_private, short_hash};

/// `sun_path` holds 108 bytes; the socket's own name takes 20.
const SOCKET_DIR_BYTES: usize = 80;

/// Clusters in the making; each process has its own.
const UNFINISHED: &str = "cluster.unfinished-";

/// Paths of one cluster.
#[derive(Debug)]
pub struct Cluster {
    home: PathBuf,
    socket_dir: PathBuf,
    has_temporary_socket_dir: bool,
}

impl Cluster {
    /// The cluster of a data directory (absolute). Creates the folders around it.
    pub fn at(data_dir: &Path) -> Result<Self, EmbeddedError> {
        let home = data_dir.join("postgres");
        create_private(&home).map_err(EmbeddedError::io(&home))?;
        let inside = home.join("run");
        let has_temporary_socket_dir = !is_fit_for_a_socket(&inside);
        let socket_dir = if has_temporary_socket_dir { temporary_socket_dir(data_dir) } else { inside };
        private_socket_dir(&socket_dir)?;
        Ok(Self { home, socket_dir, has_temporary_socket_dir })
    }

    /// PostgreSQL's own data directory.
    pub fn pgdata(&self) -> PathBuf {
        self.home.join("cluster")
    }

    pub fn socket_dir(&self) -> &Path {
        &self.socket_dir
    }

    pub fn secrets_file(&self) -> PathBuf {
        self.home.join("secrets.json")
    }

    /// What the server says before its log collector runs.
    pub fn start_log(&self) -> PathBuf {
        self.home.join("start.log")
    }

    /// Where a downloaded PostgreSQL is kept.
    pub fn downloads(&self) -> PathBuf {
        self.home.join("downloads")
    }

    pub fn exists(&self) -> bool {
        self.pgdata().join("PG_VERSION").is_file()
    }

    /// The major version that wrote the cluster; no other can read it.
    pub fn major(&self) -> Option<u32> {
        std::fs::read_to_string(self.pgdata().join("PG_VERSION")).ok()?.trim().parse().ok()
    }

    /// A program of PostgreSQL, in an environment that holds none of the caller's `PG…` variables, and in a directory that
    /// exists for this user (the caller's may be one that it cannot enter).
    pub fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin").env("LC_ALL", "C").env("TZ", "UTC");
        command.env("HOME", &self.home).current_dir(&self.home).stdin(Stdio::null());
        command
    }

    /// Removes what a first start that was killed has left. Its `initdb` may still be at work on it, so what cannot be removed
    /// now is left to the next start.
    pub fn sweep(&self) {
        let entries = std::fs::read_dir(&self.home).into_iter().flatten().flatten();
        for entry in entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(UNFINISHED)) {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }

    /// Creates the cluster beside its place and moves it there when it is whole: a crash leaves none or all of it.
    pub fn create(&self, installation: &Installation) -> Result<(), EmbeddedError> {
        let unfinished = self.home.join(format!("{UNFINISHED}{}", std::process::id()));
        let initdb = installation.program("initdb");
        let mut command = self.command(&initdb);
        command.arg("--pgdata").arg(&unfinished).args(["--username", roles::SUPERUSER, "--encoding", "UTF8"]);
        // The same order of text on every machine; checksums find a failing disk before it is copied into backups.
        command.arg(if cfg!(target_os = "linux") { "--locale=C.UTF-8" } else { "--locale=C" });
        command.args(["--data-checksums", "--auth-local=peer", "--auth-host=reject"]);
        run(command, "initdb")?;
        std::fs::rename(&unfinished, self.pgdata()).map_err(EmbeddedError::io(&self.pgdata()))
    }

    /// Removes the socket's folder where it is not inside the data directory.
    pub fn clean_up(&self) {
        if self.has_temporary_socket_dir {
            let _ = std::fs::remove_dir_all(&self.socket_dir);
        }
    }
}

/// Runs a program to its end.
pub fn run(mut command: Command, name: &str) -> Result<String, EmbeddedError> {
    let failed = |message: String| EmbeddedError::Failed { program: name.to_owned(), message };
    let output = command.output().map_err(|error| failed(error.to_string()))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(failed(format!("{}; {}", output.status, String::from_utf8_lossy(&output.stderr).trim())))
}

/// Short enough for a socket, and free of what lists of directories and URLs would have to quote.
fn is_fit_for_a_socket(path: &Path) -> bool {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"/._-".contains(byte);
    let bytes = path.as_os_str().as_encoded_bytes();
    bytes.len() <= SOCKET_DIR_BYTES && bytes.iter().all(plain)
}

fn temporary_socket_dir(data_dir: &Path) -> PathBuf {
    let uid = nix::unistd::geteuid();
    Path::new("/tmp").join(format!("rialto-{uid}-{}", short_hash(data_dir.as_os_str())))
}

/// Creates the folder; in `/tmp` another user may have been there before, whose folder is refused.
fn private_socket_dir(path: &Path) -> Result<(), EmbeddedError> {
    match std::fs::DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => return Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(EmbeddedError::io(path)(error)),
    }
    let found = path.symlink_metadata().map_err(EmbeddedError::io(path))?;
    let is_private = found.is_dir() && found.uid() == nix::unistd::geteuid().as_raw() && found.mode() & 0o077 == 0;
    if is_private { Ok(()) } else { Err(EmbeddedError::NotPrivate { path: path.to_owned() }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_or_unusual_path_gets_its_socket_elsewhere() {
        assert!(is_fit_for_a_socket(Path::new("/home/ada/rialto/data/postgres/run")));
        assert!(!is_fit_for_a_socket(Path::new("/home/ada/my data/postgres/run")));
        assert!(!is_fit_for_a_socket(Path::new(&format!("/{}", "a".repeat(80)))));
    }
}
