//! The embedded store: a private PostgreSQL cluster under the data directory, run like the real database that it is.
//!
//! Durable (`fsync`, `synchronous_commit` and `full_page_writes` are forced on and read back), reachable only over a Unix socket in a
//! private directory, and of one `serve` at a time. The server is started directly and not through `pg_ctl` or
//! `postgresql_embedded`'s own start: the first passes paths through a shell, the second passes `-F`, which is `fsync=off`.
//! That crate finds its place where no PostgreSQL is installed: it downloads one.
//!
//! After `kill -9` of this program the cluster lives on. The next start takes the directory's lock, reads `postmaster.pid`
//! and adopts the cluster if it answers; else it stops it fast and starts anew.

mod cluster;
mod installation;
mod keeper;
mod postmaster;
mod roles;
mod settings;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use super::data_dir::{DataDir, DataDirError};
use crate::config::StoreUrls;
use cluster::Cluster;
use keeper::Keeper;
use postmaster::Postmaster;

/// A crash recovery of a large write-ahead log takes its time; a machine that needs more has a problem to look at.
const START_WITHIN: Duration = Duration::from_secs(120);

/// How often a state that only a file or a process tells is looked at.
const POLL_EVERY: Duration = Duration::from_millis(20);

/// The store of this process, or of the process that it has joined.
#[derive(Debug)]
pub struct Embedded {
    cluster: Arc<Cluster>,
    secrets: roles::Secrets,
    /// `None` when another process runs the cluster; then it is not ours to stop.
    keeper: Option<Keeper>,
    adopted: bool,
    /// Held for as long as the cluster is ours, and released after it has stopped.
    _lock: Option<DataDir>,
}

/// Why there is no store.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedError {
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    #[error("cannot use {path}: {source}")]
    Io { path: PathBuf, source: io::Error },
    #[error("{path} is not private: it must be a directory of this user with mode 0700")]
    NotPrivate { path: PathBuf },
    #[error(
        "no PostgreSQL {wanted} is installed and none could be downloaded ({reason}); \
         install one, on Debian: apt-get install postgresql"
    )]
    NoInstallation { wanted: String, reason: String },
    #[error("{program} failed: {message}")]
    Failed { program: String, message: String },
    #[error("PostgreSQL will not run as root; start rialto as another user, or let it find one (useradd)")]
    Root,
    #[error("PostgreSQL did not start within {} s; the end of its log:\n{log}", START_WITHIN.as_secs())]
    StartTimeout { log: String },
    #[error("PostgreSQL ended while starting; the end of its log:\n{log}")]
    StartFailed { log: String },
    #[error("PostgreSQL refused: {0}")]
    Sql(#[from] sqlx::Error),
    #[error("{setting} is `{value}`, must be `on`: a message acknowledged could be lost")]
    NotDurable { setting: &'static str, value: String },
}

impl EmbeddedError {
    fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, source }
    }
}

impl Embedded {
    /// Starts the cluster of `data_dir`, creating it the first time, or adopts the one that outlived its server. Blocks; may be
    /// called from anywhere, since what is asynchronous in it runs on a thread of its own.
    ///
    /// # Errors
    /// [`DataDirError::Held`] when another process has the directory; everything that keeps PostgreSQL from running.
    pub fn start(data_dir: &Path) -> Result<Self, EmbeddedError> {
        Self::start_locked(DataDir::lock(data_dir)?)
    }

    /// As [`Embedded::start`], or joins the process that has the directory: for subcommands beside a running server.
    pub fn start_or_join(data_dir: &Path) -> Result<Self, EmbeddedError> {
        let patience = Instant::now() + START_WITHIN;
        loop {
            match DataDir::lock(data_dir) {
                Ok(lock) => return Self::start_locked(lock),
                Err(held @ DataDirError::Held { .. }) => {
                    if let Some(joined) = Self::join(data_dir)? {
                        return Ok(joined);
                    }
                    if Instant::now() > patience {
                        return Err(held.into());
                    }
                    std::thread::sleep(POLL_EVERY);
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// URLs of the three roles.
    pub fn urls(&self) -> StoreUrls {
        self.secrets.urls(self.cluster.socket_dir())
    }

    /// Whether the cluster was found running, left by a server that was killed.
    pub fn was_adopted(&self) -> bool {
        self.adopted
    }

    /// Whether another process runs the cluster, which has brought the schema up to date already.
    pub fn is_joined(&self) -> bool {
        self.keeper.is_none()
    }

    /// The superuser's connection, for this machine's administrator: `psql` arguments.
    pub fn psql_hint(&self) -> String {
        format!("psql -h {} -U {} {}", self.cluster.socket_dir().display(), roles::SUPERUSER, roles::DATABASE)
    }

    /// Stops the cluster if it is ours: fast, then hard. At most 8 s.
    pub fn stop(mut self) {
        self.stop_now();
    }

    fn start_locked(lock: DataDir) -> Result<Self, EmbeddedError> {
        if nix::unistd::geteuid().is_root() {
            return Err(EmbeddedError::Root);
        }
        let cluster = Arc::new(Cluster::at(lock.path())?);
        let installation = installation::find_or_download(&cluster)?;
        cluster.sweep();
        if !cluster.exists() {
            cluster.create(&installation)?;
        }
        let secrets = roles::Secrets::load_or_create(cluster.secrets_file())?;
        settings::write(&cluster)?;
        let surviving = postmaster::adopt_or_stop(&cluster)?;
        let adopted = surviving.is_some();
        let postmaster = match surviving {
            Some(postmaster) => postmaster,
            None => Postmaster::start(&cluster, &installation, &AtomicBool::new(false))?,
        };
        let keeper = Keeper::watch(Arc::clone(&cluster), installation, postmaster)
            .map_err(EmbeddedError::io(&cluster.pgdata()))?;
        // From here on a failure drops `started`, which stops the cluster.
        let started = Self { cluster, secrets, keeper: Some(keeper), adopted, _lock: Some(lock) };
        roles::ensure(started.cluster.socket_dir(), &started.secrets)?;
        Ok(started)
    }

    /// The cluster of the process that holds the lock; `None` while it is not ready.
    fn join(data_dir: &Path) -> Result<Option<Self>, EmbeddedError> {
        let data_dir = data_dir.canonicalize().map_err(EmbeddedError::io(data_dir))?;
        let cluster = Arc::new(Cluster::at(&data_dir)?);
        if !postmaster::is_ready(&cluster) {
            return Ok(None);
        }
        let Some(secrets) = roles::Secrets::load(cluster.secrets_file())? else {
            return Ok(None);
        };
        let joined = Self { cluster, secrets, keeper: None, adopted: false, _lock: None };
        // Ready is the server; the roles and the database come a moment later.
        Ok(roles::is_reachable(&joined.urls().owner).then_some(joined))
    }

    fn stop_now(&mut self) {
        if let Some(mut keeper) = self.keeper.take() {
            keeper.stop();
            self.cluster.clean_up();
        }
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        self.stop_now();
    }
}

/// Runs `future` on a thread and runtime of its own, so that callers need not know whether they are inside one.
fn block_on<T: Send>(future: impl Future<Output = Result<T, EmbeddedError>> + Send) -> Result<T, EmbeddedError> {
    let run = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.map_err(EmbeddedError::io(Path::new("a runtime")))?.block_on(future)
    };
    std::thread::scope(|scope| match scope.spawn(run).join() {
        Ok(result) => result,
        Err(panic) => std::panic::resume_unwind(panic),
    })
}
