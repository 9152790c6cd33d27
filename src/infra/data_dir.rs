//! The data directory: private to its owner, and of one server at a time.
//!
//! The lock is held for the life of the process that took it and ends with it, however it ends (the kernel's `flock`); the pid
//! in the file is only for the message to a second one. Parents' modes are never touched.

use std::ffi::OsStr;
use std::fs::{DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

const LOCK_FILE: &str = "rialto.lock";

/// A data directory that this process alone may use.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    /// Closing it releases the lock.
    _lock: File,
}

/// Why the directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    #[error(
        "the data directory {path} is in use by another rialto, pid {pid}; stop that first, or use another --data-dir"
    )]
    Held { path: PathBuf, pid: String },
    #[error("cannot use the data directory {path}: {source}")]
    Unusable { path: PathBuf, source: std::io::Error },
}

impl DataDir {
    /// Creates the directory where it is missing, makes it private (0700) and locks it.
    ///
    /// # Errors
    /// [`DataDirError::Held`] names the pid of the process that has it.
    pub fn lock(path: &Path) -> Result<Self, DataDirError> {
        let unusable = |source| DataDirError::Unusable { path: path.to_owned(), source };
        create_private(path).map_err(unusable)?;
        let path = path.canonicalize().map_err(unusable)?;
        let unusable = |source| DataDirError::Unusable { path: path.clone(), source };
        let mut lock = open_lock_file(&path).map_err(unusable)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut pid = String::new();
                let _ = lock.read_to_string(&mut pid);
                return Err(DataDirError::Held { path, pid: pid.trim().to_owned() });
            }
            Err(TryLockError::Error(source)) => return Err(unusable(source)),
        }
        write_pid(&mut lock).map_err(unusable)?;
        Ok(Self { path, _lock: lock })
    }

    /// Absolute, without links.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Makes `path` a directory of mode 0700; an existing one is closed to others, its parents stay as they are.
pub(super) fn create_private(path: &Path) -> std::io::Result<()> {
    if !path.is_dir() {
        DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    }
    if path.metadata()?.permissions().mode() & 0o077 != 0 {
        std::fs::set_permissions(path, Permissions::from_mode(0o700))?;
    }
    Ok(())
}

/// The first 12 hexadecimal digits of a path's SHA-256.
pub(super) fn short_hash(text: &OsStr) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, text.as_encoded_bytes());
    digest.as_ref().iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}

fn open_lock_file(dir: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    options.open(dir.join(LOCK_FILE))
}

fn write_pid(lock: &mut File) -> std::io::Result<()> {
    lock.set_len(0)?;
    lock.rewind()?;
    writeln!(lock, "{}", std::process::id())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_lock_names_the_holder_until_it_is_gone() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("data");
        let first = DataDir::lock(&path).unwrap();

        let message = DataDir::lock(&path).unwrap_err().to_string();
        assert!(message.contains(&std::process::id().to_string()), "{message}");

        drop(first);
        DataDir::lock(&path).unwrap();
    }

    #[test]
    fn the_directory_is_private_and_its_parent_stays_as_it_was() {
        let parent = tempfile::tempdir().unwrap();
        std::fs::set_permissions(parent.path(), Permissions::from_mode(0o751)).unwrap();
        let path = parent.path().join("data");
        std::fs::create_dir(&path).unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();

        let _held = DataDir::lock(&path).unwrap();

        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(parent.path())), (0o700, 0o751));
    }
}
