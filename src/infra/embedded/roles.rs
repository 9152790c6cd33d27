//! Roles, database and passwords of the embedded store, and the proof that it is durable.
//!
//! `rialto_owner` migrates, `rialto_app` works under row-level security, `rialto_platform` reads across tenants what policies let it,
//! `rialto_backup` alone bypasses row-level security. None is a superuser. Everything here can be repeated: each start sets
//! it again, so that a crash between two steps, a lost secrets file or an administrator's slip heals by itself.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use ring::rand::SecureRandom;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Row};

use super::settings::DURABILITY;
use super::{EmbeddedError, block_on};
use crate::config::StoreUrls;

/// Reachable for the cluster's own system user alone, without a password.
pub const SUPERUSER: &str = "postgres";

/// The one database.
pub const DATABASE: &str = "rialto";

const PASSWORD_BYTES: usize = 24;

/// Passwords of the roles, kept in a 0600 file.
#[derive(Serialize, Deserialize)]
struct Written {
    owner: String,
    app: String,
    platform: String,
    backup: String,
}

/// Passwords of the roles.
#[derive(Debug)]
pub struct Secrets {
    owner: SecretString,
    app: SecretString,
    platform: SecretString,
    backup: SecretString,
}

impl Secrets {
    pub fn load_or_create(path: PathBuf) -> Result<Self, EmbeddedError> {
        if let Some(found) = Self::load(path.clone())? {
            return Ok(found);
        }
        let password = || generate().map_err(EmbeddedError::io(Path::new("the random source")));
        let written = Written { owner: password()?, app: password()?, platform: password()?, backup: password()? };
        write_private(&path, &written).map_err(EmbeddedError::io(&path))?;
        Ok(written.into())
    }

    /// `None` where there is no readable file.
    pub fn load(path: PathBuf) -> Result<Option<Self>, EmbeddedError> {
        match std::fs::read(&path) {
            Ok(bytes) => Ok(serde_json::from_slice::<Written>(&bytes).ok().map(Self::from)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(EmbeddedError::io(&path)(error)),
        }
    }

    pub fn urls(&self, socket_dir: &Path) -> StoreUrls {
        // Neither the passwords (hexadecimal) nor the folder (see `Cluster::at`) hold what a URL would have to quote.
        let url = |role: &str, password: &SecretString| {
            let (password, folder) = (password.expose_secret(), socket_dir.display());
            SecretString::from(format!(
                "postgres://{role}:{password}@localhost:5432/{DATABASE}?host={folder}&sslmode=disable"
            ))
        };
        StoreUrls {
            app: url("rialto_app", &self.app),
            platform: url("rialto_platform", &self.platform),
            owner: url("rialto_owner", &self.owner),
        }
    }
}

impl From<Written> for Secrets {
    fn from(written: Written) -> Self {
        Self {
            owner: written.owner.into(),
            app: written.app.into(),
            platform: written.platform.into(),
            backup: written.backup.into(),
        }
    }
}

fn generate() -> std::io::Result<String> {
    let mut bytes = [0; PASSWORD_BYTES];
    let source = ring::rand::SystemRandom::new();
    source.fill(&mut bytes).map_err(|_| std::io::Error::other("the system gave no random bytes"))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Whole or not at all, and never readable by others, not even for a moment.
fn write_private(path: &Path, written: &Written) -> std::io::Result<()> {
    let unfinished = path.with_extension("unfinished");
    let _ = std::fs::remove_file(&unfinished);
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished)?;
    file.write_all(&serde_json::to_vec_pretty(written)?)?;
    file.sync_all()?;
    std::fs::rename(unfinished, path)
}

fn as_superuser(socket_dir: &Path, database: &str) -> PgConnectOptions {
    let options = PgConnectOptions::new_without_pgpass().socket(socket_dir).port(5432).username(SUPERUSER);
    // Statements hold passwords here.
    options.database(database).ssl_mode(PgSslMode::Disable).disable_statement_logging()
}

/// Makes roles and database what they must be, and checks durability.
pub fn ensure(socket_dir: &Path, secrets: &Secrets) -> Result<(), EmbeddedError> {
    block_on(async {
        let mut connection = as_superuser(socket_dir, "postgres").connect().await?;
        check_durability(&mut connection).await?;
        ensure_role(&mut connection, "rialto_owner", "NOBYPASSRLS", &secrets.owner).await?;
        ensure_role(&mut connection, "rialto_app", "NOBYPASSRLS", &secrets.app).await?;
        ensure_role(&mut connection, "rialto_platform", "NOBYPASSRLS", &secrets.platform).await?;
        ensure_role(&mut connection, "rialto_backup", "BYPASSRLS", &secrets.backup).await?;
        sqlx::raw_sql("GRANT pg_read_all_data TO rialto_backup").execute(&mut connection).await?;
        ensure_database(&mut connection).await?;
        connection.close().await?;
        Ok(())
    })
}

async fn ensure_role(
    connection: &mut PgConnection,
    role: &str,
    bypass: &str,
    password: &SecretString,
) -> Result<(), EmbeddedError> {
    let found =
        sqlx::query("SELECT 1 FROM pg_roles WHERE rolname = $1").bind(role).fetch_optional(&mut *connection).await?;
    let verb = if found.is_some() { "ALTER" } else { "CREATE" };
    let password = password.expose_secret();
    // A statement of this kind takes no parameters; role and bypass are ours, the password is hexadecimal.
    let statement = format!(
        "{verb} ROLE {role} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION {bypass} PASSWORD '{password}'"
    );
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(connection).await?;
    Ok(())
}

async fn ensure_database(connection: &mut PgConnection) -> Result<(), EmbeddedError> {
    let found = sqlx::query("SELECT 1 FROM pg_database WHERE datname = $1")
        .bind(DATABASE)
        .fetch_optional(&mut *connection)
        .await?;
    if found.is_none() {
        sqlx::raw_sql("CREATE DATABASE rialto OWNER rialto_owner").execute(&mut *connection).await?;
    }
    let grants = "REVOKE ALL ON DATABASE rialto FROM PUBLIC;
                  GRANT CONNECT ON DATABASE rialto TO rialto_app, rialto_platform, rialto_backup";
    sqlx::raw_sql(grants).execute(connection).await?;
    Ok(())
}

async fn check_durability(connection: &mut PgConnection) -> Result<(), EmbeddedError> {
    for setting in DURABILITY {
        let row = sqlx::query("SELECT current_setting($1)").bind(setting).fetch_one(&mut *connection).await?;
        let value: String = row.try_get(0)?;
        if value != "on" {
            return Err(EmbeddedError::NotDurable { setting, value });
        }
    }
    Ok(())
}

/// Whether the server at this socket lets the superuser in and is durable.
pub fn is_usable(socket_dir: &Path) -> bool {
    let check = async {
        let mut connection = as_superuser(socket_dir, "postgres").connect().await?;
        check_durability(&mut connection).await?;
        Ok(connection.close().await?)
    };
    block_on(check).is_ok()
}

/// Whether the role behind this URL can connect.
pub fn is_reachable(url: &SecretString) -> bool {
    let check = async {
        let connection = PgConnection::connect(url.expose_secret()).await?;
        Ok(connection.close().await?)
    };
    block_on(check).is_ok()
}
