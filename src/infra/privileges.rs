//! Started as root: become a service user before anything else runs, and put the data where that user may go.
//!
//! PostgreSQL refuses to run as root, and a server that faces the network has no business to either. So the process gives its
//! rights up for good, before its first thread, once the configuration has been read. Nobody's folder is opened up for that: where the
//! service user cannot reach the data directory, the data goes to `/var/lib/rialto/<hash of that path>`.

use std::ffi::CString;
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::unistd::{Uid, User, geteuid, initgroups, setgid, setuid};

use super::data_dir::{create_private, short_hash};

/// Made where it is missing; the others exist on most systems.
const SERVICE_USER: &str = "rialto";
const FALLBACK_USERS: [&str; 2] = ["postgres", "nobody"];

/// Where data goes that cannot go where it was meant to.
const STATE_DIR: &str = "/var/lib/rialto";

/// Where the process ended up.
#[derive(Debug)]
pub struct Settled {
    /// Absolute; exists, and belongs to the user that the process now is.
    pub data_dir: PathBuf,
    /// What the person at the screen should know.
    pub notes: Vec<String>,
}

/// Why the process cannot give up its rights.
#[derive(Debug, thiserror::Error)]
pub enum PrivilegeError {
    #[error("cannot prepare {path}: {source}")]
    Io { path: PathBuf, source: io::Error },
    #[error(
        "started as root, and none of the users rialto, postgres, nobody exists; create one: useradd --system rialto"
    )]
    NoUser,
    #[error("{0} belongs to root and is not empty; name a folder of its own with --data-dir")]
    NotOurs(PathBuf),
    #[error("cannot become the user {user}: {source}")]
    Refused { user: String, source: nix::Error },
}

impl PrivilegeError {
    fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, source }
    }
}

/// Creates the data directory and, as root, becomes the service user. Call it before any thread starts.
///
/// # Errors
/// The directory cannot be made, or there is no user to become.
pub fn settle(data_dir: &Path) -> Result<Settled, PrivilegeError> {
    let wanted = std::path::absolute(data_dir).map_err(PrivilegeError::io(data_dir))?;
    if !geteuid().is_root() {
        create_private(&wanted).map_err(PrivilegeError::io(&wanted))?;
        return Ok(Settled { data_dir: wanted, notes: Vec::new() });
    }
    let mut user = user_for(&wanted)?;
    let mut data_dir = wanted.clone();
    if !prepare(&wanted, &user)? {
        data_dir = Path::new(STATE_DIR).join(short_hash(wanted.as_os_str()));
        user = user_for(&data_dir)?;
        prepare_elsewhere(&data_dir, &user)?;
    }
    let mut notes = vec![format!("Started as root: continuing as the user {}.", user.name)];
    if data_dir != wanted {
        let (from, to) = (wanted.display(), data_dir.display());
        notes.push(format!("That user cannot reach {from}, and no folder is opened up for it: the data is in {to}."));
    }
    become_user(&user)?;
    // The folder that root stood in may be closed to us from now on.
    std::env::set_current_dir(&data_dir).map_err(PrivilegeError::io(&data_dir))?;
    Ok(Settled { data_dir, notes })
}

/// Raises the limit of open files to what the process may have, and returns that: each socket is one.
#[must_use]
pub fn raise_descriptor_limit() -> u64 {
    /// What a process may count on where the system does not say.
    const MODEST: u64 = 1_024;
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return MODEST };
    match setrlimit(Resource::RLIMIT_NOFILE, hard, hard) {
        Ok(()) => hard,
        Err(_) => soft,
    }
}

/// Data that is there already decides whose process this is; fresh data belongs to the service user.
fn user_for(data_dir: &Path) -> Result<User, PrivilegeError> {
    let owner = data_dir.metadata().ok().map(|found| Uid::from_raw(found.uid()));
    let owner = owner.filter(|uid| !uid.is_root()).and_then(|uid| User::from_uid(uid).ok().flatten());
    if let Some(user) = owner.or_else(|| find_user(SERVICE_USER)) {
        return Ok(user);
    }
    create_service_user();
    let names = [SERVICE_USER].into_iter().chain(FALLBACK_USERS);
    names.into_iter().find_map(find_user).ok_or(PrivilegeError::NoUser)
}

fn find_user(name: &str) -> Option<User> {
    User::from_name(name).ok().flatten().filter(|user| !user.uid.is_root())
}

/// Best effort: a fallback follows.
fn create_service_user() {
    let mut command = Command::new("useradd");
    command.args(["--system", "--user-group", "--no-create-home", "--home-dir", STATE_DIR]);
    command.args(["--shell", "/usr/sbin/nologin", SERVICE_USER]);
    command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").stdin(Stdio::null());
    match command.output() {
        Ok(output) if output.status.success() => tracing::info!(user = SERVICE_USER, "created the service user"),
        Ok(output) => tracing::warn!(error = %String::from_utf8_lossy(&output.stderr).trim(), "useradd failed"),
        Err(error) => tracing::warn!(%error, "useradd could not be run"),
    }
}

/// Makes `path` a directory of `user`; false when the user cannot get there.
fn prepare(path: &Path, user: &User) -> Result<bool, PrivilegeError> {
    let existing = path.ancestors().find(|ancestor| ancestor.is_dir());
    if !existing.is_none_or(|ancestor| ancestor == path || can_enter(ancestor, user)) {
        return Ok(false);
    }
    if !path.exists() {
        create_for(path, user)?;
    } else if is_roots(path)? {
        // An existing folder is taken over only when there is nothing in it.
        if path.parent().is_some_and(|parent| !can_enter(parent, user)) {
            return Ok(false);
        }
        let mut entries = path.read_dir().map_err(PrivilegeError::io(path))?;
        if entries.next().is_some() {
            return Err(PrivilegeError::NotOurs(path.to_owned()));
        }
        give_to(path, user)?;
    }
    Ok(can_enter(path, user))
}

fn prepare_elsewhere(data_dir: &Path, user: &User) -> Result<(), PrivilegeError> {
    let state_dir = Path::new(STATE_DIR);
    if !state_dir.is_dir() {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o755)
            .create(state_dir)
            .map_err(PrivilegeError::io(state_dir))?;
    }
    if data_dir.is_dir() { Ok(()) } else { create_for(data_dir, user) }
}

fn is_roots(path: &Path) -> Result<bool, PrivilegeError> {
    Ok(path.metadata().map_err(PrivilegeError::io(path))?.uid() == 0)
}

/// Missing parents stay root's and can be passed through; the last folder is the user's alone.
fn create_for(path: &Path, user: &User) -> Result<(), PrivilegeError> {
    if let Some(parent) = path.parent().filter(|parent| !parent.is_dir()) {
        std::fs::DirBuilder::new().recursive(true).mode(0o755).create(parent).map_err(PrivilegeError::io(parent))?;
    }
    std::fs::DirBuilder::new().mode(0o700).create(path).map_err(PrivilegeError::io(path))?;
    give_to(path, user)
}

fn give_to(path: &Path, user: &User) -> Result<(), PrivilegeError> {
    chown(path, Some(user.uid.as_raw()), Some(user.gid.as_raw())).map_err(PrivilegeError::io(path))
}

/// Asks the system by trying, since modes alone do not tell (access lists, mounts).
fn can_enter(path: &Path, user: &User) -> bool {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "cd -- \"$1\"", "sh"]).arg(path).current_dir("/");
    command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// For good: afterwards there is no way back, which is checked.
fn become_user(user: &User) -> Result<(), PrivilegeError> {
    let refused = |source| PrivilegeError::Refused { user: user.name.clone(), source };
    let name = CString::new(user.name.as_str()).map_err(|_| refused(nix::Error::EINVAL))?;
    #[cfg(not(target_vendor = "apple"))]
    initgroups(&name, user.gid).map_err(refused)?;
    setgid(user.gid).map_err(refused)?;
    setuid(user.uid).map_err(refused)?;
    if setuid(Uid::from_raw(0)).is_ok() {
        return Err(refused(nix::Error::EPERM));
    }
    // A process that changed its user hides its own /proc entries from itself; figures about memory and files come from there.
    #[cfg(target_os = "linux")]
    let _ = nix::sys::prctl::set_dumpable(true);
    Ok(())
}
