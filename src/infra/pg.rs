//! PostgreSQL: the runtime that owns its connections, and the two doors to SQL.
//!
//! R5: [`TenantTx`] names its tenant in the same round trip as `BEGIN`, for that transaction only; row-level security does the rest.
//! [`PlatformTx`] sees the short list of tables that must be seen across tenants. There is no third door.
//! R1: news announced on a transaction reaches the bus only after its commit.

use std::future::Future;
use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{AssertSqlSafe, PgConnection, Postgres, Transaction};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use super::bus::{Bus, News};
use crate::config::{Store, StoreUrls};
use crate::kernel::{Coded, TenantId};

/// Errors of the database itself; what a constraint means is decided by the store that runs into it.
#[derive(Debug, thiserror::Error)]
pub enum PgError {
    /// The database can not be reached, is restarting, or the pool is exhausted: try again.
    #[error("the database is not available: {0}")]
    Unavailable(#[source] sqlx::Error),
    /// A statement failed: our mistake.
    #[error("the database refused a statement: {0}")]
    Statement(#[source] sqlx::Error),
    /// More work waits for the database than [`Db`] admits: try again later.
    #[error("too much work waits for the database")]
    Busy,
    /// The task ended before its work did (a panic, or shutdown).
    #[error("the work was abandoned")]
    Abandoned,
}

impl From<sqlx::Error> for PgError {
    fn from(error: sqlx::Error) -> Self {
        use sqlx::Error;
        let unavailable = match &error {
            Error::Io(_)
            | Error::Tls(_)
            | Error::PoolTimedOut
            | Error::PoolClosed
            | Error::WorkerCrashed
            | Error::Protocol(_) => true,
            // 57P: operator intervention (restart, cannot connect now); 08: connection; 53: resources; 40: deadlock, serialisation.
            Error::Database(db) => db.code().is_some_and(|code| {
                code.starts_with("57P") || code.starts_with("08") || code.starts_with("53") || code.starts_with("40")
            }),
            _ => false,
        };
        if unavailable { Self::Unavailable(error) } else { Self::Statement(error) }
    }
}

impl PgError {
    /// The name of the violated constraint, when that is what happened: the store maps it to its module's error.
    #[must_use]
    pub fn constraint(&self) -> Option<&str> {
        match self {
            Self::Statement(sqlx::Error::Database(db)) => db.constraint(),
            _ => None,
        }
    }

    /// Whether the same request may succeed if repeated.
    #[must_use]
    pub const fn is_temporary(&self) -> bool {
        !matches!(self, Self::Statement(_))
    }
}

impl Coded for PgError {
    fn code(&self) -> &'static str {
        match self {
            Self::Busy => "busy",
            Self::Unavailable(_) => "unavailable",
            Self::Statement(_) | Self::Abandoned => "internal",
        }
    }

    fn retry_after_s(&self) -> Option<u64> {
        matches!(self, Self::Busy | Self::Unavailable(_)).then_some(1)
    }
}

/// The pools. Cheap to clone; used on the database runtime only (see [`Db::run`]).
#[derive(Clone)]
pub struct Pg {
    app: PgPool,
    platform: PgPool,
    bus: Bus,
}

impl Pg {
    /// Opens the pools lazily: the first use connects.
    ///
    /// # Errors
    /// When a URL can not be read.
    pub fn open(urls: &StoreUrls, store: &Store, bus: Bus) -> Result<Self, PgError> {
        let statement_timeout = format!("{}ms", store.statement_timeout.duration().as_millis());
        let pool = |url: &SecretString, size: u32| -> Result<PgPool, PgError> {
            let options: PgConnectOptions = url.expose_secret().parse()?;
            let options = options.options([
                ("idle_in_transaction_session_timeout", "30s"),
                ("statement_timeout", statement_timeout.as_str()),
            ]);
            Ok(PgPoolOptions::new()
                .max_connections(size)
                .acquire_timeout(store.acquire_timeout.duration())
                // A dead connection shows itself on first use; a ping before each use would cost a round trip.
                .test_before_acquire(false)
                .connect_lazy_with(options))
        };
        // Writers keep theirs: what is configured for requests stays theirs.
        let app = store.connections + u32::try_from(store.writer_count()).unwrap_or_default();
        Ok(Self { app: pool(&urls.app, app)?, platform: pool(&urls.platform, 2)?, bus })
    }

    /// Begins a transaction that sees one tenant's rows.
    ///
    /// # Errors
    /// [`PgError::Unavailable`] when no connection can be had.
    pub async fn tenant(&self, tenant: TenantId) -> Result<TenantTx, PgError> {
        let begin = format!("BEGIN; SELECT set_config('app.tenant_id', '{tenant}', true)");
        let tx = begin_retrying(&self.app, &begin).await?;
        Ok(TenantTx { tx, tenant, bus: self.bus.clone(), news: Vec::new() })
    }

    /// Begins a transaction that reads the cross-tenant tables.
    ///
    /// # Errors
    /// [`PgError::Unavailable`] when no connection can be had.
    pub async fn platform(&self) -> Result<PlatformTx, PgError> {
        Ok(PlatformTx { tx: begin_retrying(&self.platform, "BEGIN").await? })
    }

    /// A connection for a writer, which keeps it: its only statement names the tenant itself.
    pub(crate) const fn app_pool(&self) -> &PgPool {
        &self.app
    }

    /// The bus that commits publish to.
    #[must_use]
    pub const fn bus(&self) -> &Bus {
        &self.bus
    }

    /// Closes the pools and waits for running statements.
    pub async fn close(&self) {
        self.app.close().await;
        self.platform.close().await;
    }
}

/// A pooled connection may have died while idle (the server restarted). Nothing has been written before `BEGIN`, so trying again on
/// other connections is safe; each failure removes one dead connection from the pool.
async fn begin_retrying(pool: &PgPool, begin: &str) -> Result<Transaction<'static, Postgres>, PgError> {
    let mut last = None;
    for _ in 0..=pool.size() {
        match pool.begin_with(AssertSqlSafe(begin.to_owned())).await {
            Ok(tx) => return Ok(tx),
            Err(error @ (sqlx::Error::Io(_) | sqlx::Error::Database(_) | sqlx::Error::Protocol(_))) => {
                last = Some(error)
            }
            Err(error) => return Err(error.into()),
        }
    }
    Err(last.map_or(PgError::Busy, PgError::from))
}

/// A transaction scoped to one tenant. Rolls back when dropped.
pub struct TenantTx {
    tx: Transaction<'static, Postgres>,
    tenant: TenantId,
    bus: Bus,
    news: Vec<News>,
}

impl TenantTx {
    /// The connection, for stores.
    pub fn conn(&mut self) -> &mut PgConnection {
        &mut self.tx
    }

    /// The tenant that this transaction sees; statements name it as well.
    #[must_use]
    pub const fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// Keeps news until the commit.
    pub fn announce(&mut self, news: News) {
        self.news.push(news);
    }

    /// Commits, then publishes what was announced.
    ///
    /// # Errors
    /// When the commit fails its outcome is unknown if the connection broke; nothing is published then, and the position check heals.
    pub async fn commit(self) -> Result<(), PgError> {
        self.tx.commit().await?;
        for news in self.news {
            self.bus.publish(news);
        }
        Ok(())
    }
}

/// A transaction over the tables that are seen across tenants.
pub struct PlatformTx {
    tx: Transaction<'static, Postgres>,
}

impl PlatformTx {
    /// The connection, for stores.
    pub fn conn(&mut self) -> &mut PgConnection {
        &mut self.tx
    }

    /// Commits.
    ///
    /// # Errors
    /// [`PgError::Unavailable`] when the connection broke.
    pub async fn commit(self) -> Result<(), PgError> {
        Ok(self.tx.commit().await?)
    }
}

/// The database runtime as actix threads see it: hand in a future, wait for its answer.
#[derive(Clone)]
pub struct Db {
    runtime: Handle,
    pg: Pg,
    admitted: Arc<Semaphore>,
}

impl Db {
    /// `waiting_max` bounds the work that runs or waits at one time; beyond it the answer is [`PgError::Busy`] (R6).
    #[must_use]
    pub fn new(runtime: Handle, pg: Pg, waiting_max: usize) -> Self {
        Self { runtime, pg, admitted: Arc::new(Semaphore::new(waiting_max)) }
    }

    /// The pools, to move into a future for [`Db::run`].
    #[must_use]
    pub const fn pg(&self) -> &Pg {
        &self.pg
    }

    /// The runtime, for tasks that live as long as the process.
    #[must_use]
    pub const fn runtime(&self) -> &Handle {
        &self.runtime
    }

    /// Starts `work` on the database runtime, at once. Dropping the returned future does not stop the work: a client that goes away must
    /// not leave half a verb done. The future is small whatever `work` is: SQL futures take kilobytes, and callers would carry them.
    ///
    /// # Errors
    /// The work's own error, [`PgError::Busy`] when too much waits, [`PgError::Abandoned`] when it panicked.
    pub fn run<T, E, F>(&self, work: F) -> impl Future<Output = Result<T, E>> + use<T, E, F>
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: From<PgError> + Send + 'static,
    {
        let task = Arc::clone(&self.admitted).try_acquire_owned().map(|permit| {
            self.runtime.spawn(async move {
                let answer = work.await;
                drop(permit);
                answer
            })
        });
        async move {
            match task {
                Ok(task) => task.await.unwrap_or_else(|_| Err(PgError::Abandoned.into())),
                Err(_) => Err(PgError::Busy.into()),
            }
        }
    }
}

/// Brings the schema up to date: migrations once each, then the replaceable functions and policies, all as the owner.
///
/// # Errors
/// When a migration fails; the database is then as it was before that migration.
pub async fn migrate(owner_url: &SecretString) -> Result<(), sqlx::migrate::MigrateError> {
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .connect(owner_url.expose_secret())
        .await
        .map_err(sqlx::migrate::MigrateError::Execute)?;
    sqlx::migrate!("./migrations").run(&pool).await?;
    let replaceable = concat!(
        "BEGIN;",
        include_str!("../../migrations/replaceable/functions.sql"),
        include_str!("../../migrations/replaceable/policies.sql"),
        "COMMIT;"
    );
    sqlx::raw_sql(replaceable).execute(&pool).await.map_err(sqlx::migrate::MigrateError::Execute)?;
    pool.close().await;
    Ok(())
}
