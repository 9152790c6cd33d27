//! The check before the first request: is this database one that can keep our promises?
//!
//! R1 hangs on three settings, R5 on roles without special rights and on every table forcing row-level security. A database where
//! one of them is missing works perfectly until the day it matters, so the server refuses to start on it, embedded or not. All
//! faults are told at once.

use secrecy::{ExposeSecret, SecretString};
use sqlx::{Connection, PgConnection, Row};

use crate::config::StoreUrls;

/// Why the server will not start on this database.
#[derive(Debug, thiserror::Error)]
pub enum BootError {
    #[error("the {role} role cannot connect to the database: {source}")]
    Unreachable { role: &'static str, source: sqlx::Error },
    #[error("the database could not be examined: {0}")]
    Unreadable(#[from] sqlx::Error),
    #[error("this database cannot keep what the server promises:\n  {}", .0.join("\n  "))]
    Unfit(Vec<String>),
}

/// Settings as the session of a role sees them, since `ALTER ROLE … SET` may differ from the server's.
const DURABILITY: &str = "
    SELECT name, setting FROM pg_settings
     WHERE (name IN ('fsync', 'full_page_writes') AND setting <> 'on')
        OR (name = 'synchronous_commit' AND setting NOT IN ('on', 'remote_apply', 'remote_write'))";

/// Special rights of the role itself or of any that it could become.
const RIGHTS: &str = "
    SELECT rolname, rolsuper, rolbypassrls FROM pg_roles
     WHERE (rolsuper OR rolbypassrls) AND pg_has_role(current_user, oid, 'MEMBER')";

/// What the role could read or write without a policy in between: the record of migrations is the one table that may be so.
const UNGUARDED: &str = "
    SELECT format('%I.%I', n.nspname, c.relname) AS name, c.relkind::text AS kind, c.relrowsecurity AS enabled
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\\_toast%'
       AND NOT (c.relname = '_sqlx_migrations' AND NOT has_table_privilege(c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE'))
       AND (c.relkind IN ('m', 'f') OR (c.relkind IN ('r', 'p') AND NOT (c.relrowsecurity AND c.relforcerowsecurity)))
       AND has_schema_privilege(n.oid, 'USAGE')
       AND has_table_privilege(c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE')
     ORDER BY 1";

/// An owner may switch a policy off.
const OWNED: &str = "
    SELECT format('%I.%I', n.nspname, c.relname) AS name
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\\_%'
       AND c.relkind IN ('r', 'p') AND pg_has_role(current_user, c.relowner, 'MEMBER')
     ORDER BY 1 LIMIT 3";

/// A function that runs with its owner's rights lends them to its caller.
const LENDING: &str = "
    SELECT p.oid::regprocedure::text AS name
      FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace JOIN pg_roles r ON r.oid = p.proowner
     WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND p.prosecdef AND (r.rolsuper OR r.rolbypassrls)
       AND has_function_privilege(p.oid, 'EXECUTE')
     ORDER BY 1";

/// Examines the database as the two roles that serve requests see it.
///
/// # Errors
/// [`BootError::Unfit`] names every setting, role and table that is not as it must be.
pub async fn check(urls: &StoreUrls) -> Result<(), BootError> {
    let mut faults = Vec::new();
    // The platform role may read unguarded the few tables that are not a tenant's, so tables are examined as the app alone.
    for (role, url, is_app) in [("app", &urls.app, true), ("platform", &urls.platform, false)] {
        let mut connection = connect(role, url).await?;
        examine_settings(&mut connection, role, &mut faults).await?;
        examine_rights(&mut connection, role, &mut faults).await?;
        if is_app {
            examine_tables(&mut connection, &mut faults).await?;
        }
        connection.close().await?;
    }
    if faults.is_empty() { Ok(()) } else { Err(BootError::Unfit(faults)) }
}

async fn connect(role: &'static str, url: &SecretString) -> Result<PgConnection, BootError> {
    PgConnection::connect(url.expose_secret()).await.map_err(|source| BootError::Unreachable { role, source })
}

async fn examine_settings(
    connection: &mut PgConnection,
    role: &str,
    faults: &mut Vec<String>,
) -> Result<(), BootError> {
    for row in sqlx::query(DURABILITY).fetch_all(connection).await? {
        let (name, setting): (String, String) = (row.try_get("name")?, row.try_get("setting")?);
        faults.push(format!(
            "{name} is `{setting}` for the {role} role: a message acknowledged could be lost; set it to `on`"
        ));
    }
    Ok(())
}

async fn examine_rights(connection: &mut PgConnection, role: &str, faults: &mut Vec<String>) -> Result<(), BootError> {
    for row in sqlx::query(RIGHTS).fetch_all(&mut *connection).await? {
        let name: String = row.try_get("rolname")?;
        let right = if row.try_get("rolsuper")? { "a superuser" } else { "allowed to bypass row-level security" };
        faults.push(format!(
            "the {role} role is or can become `{name}`, which is {right}: tenants would not be kept apart"
        ));
    }
    let owned = sqlx::query(OWNED).fetch_all(&mut *connection).await?;
    if let Some(first) = owned.first() {
        let name: String = first.try_get("name")?;
        faults.push(format!(
            "the {role} role owns tables ({name}, …): an owner may switch policies off; give them to another role"
        ));
    }
    Ok(())
}

async fn examine_tables(connection: &mut PgConnection, faults: &mut Vec<String>) -> Result<(), BootError> {
    for row in sqlx::query(UNGUARDED).fetch_all(&mut *connection).await? {
        let (name, kind): (String, String) = (row.try_get("name")?, row.try_get("kind")?);
        faults.push(match (kind.as_str(), row.try_get("enabled")?) {
            ("r" | "p", true) => {
                format!("{name} does not force row-level security: ALTER TABLE {name} FORCE ROW LEVEL SECURITY")
            }
            ("r" | "p", false) => format!("{name} has no row-level security, and the app role may use it"),
            _ => format!("{name} cannot have row-level security, and the app role may use it"),
        });
    }
    for row in sqlx::query(LENDING).fetch_all(&mut *connection).await? {
        let name: String = row.try_get("name")?;
        faults.push(format!(
            "the function {name} runs with rights that pass by row-level security, and the app role may call it"
        ));
    }
    Ok(())
}
