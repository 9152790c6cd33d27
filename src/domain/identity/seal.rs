//! Sealing secrets that rest in the database: AES-256-GCM under a master key that is not in the database.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

use secrecy::ExposeSecret;

use crate::config;
use crate::kernel::rng;

/// The file in the data directory, readable by its owner only.
const FILE: &str = "master.key";

/// The key that seals. Debug shows nothing of it.
pub struct MasterKey(LessSafeKey);

impl std::fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MasterKey")
    }
}

/// Why there is no master key.
#[derive(Debug, thiserror::Error)]
pub enum MasterKeyError {
    #[error("{0}: {1}")]
    File(std::path::PathBuf, std::io::Error),
    #[error("the master key is not 32 bytes in base64")]
    Malformed,
}

impl MasterKey {
    /// The key that the configuration names, else the data directory's.
    ///
    /// # Errors
    /// When there is none that can be read.
    pub fn find(auth: &config::Auth, data_dir: &Path) -> Result<Self, MasterKeyError> {
        match &auth.master_key {
            Some(text) => Self::parse(text.expose_secret()),
            None => Self::of_data_dir(data_dir),
        }
    }

    /// Reads a key written as base64 of 32 bytes.
    ///
    /// # Errors
    /// [`MasterKeyError::Malformed`].
    pub fn parse(text: &str) -> Result<Self, MasterKeyError> {
        let bytes = STANDARD.decode(text.trim()).map_err(|_| MasterKeyError::Malformed)?;
        let key = UnboundKey::new(&AES_256_GCM, &bytes).map_err(|_| MasterKeyError::Malformed)?;
        Ok(Self(LessSafeKey::new(key)))
    }

    /// Reads `master.key` of the data directory, or makes it with mode 0600.
    ///
    /// # Errors
    /// When the file can not be read or made, or holds something else.
    pub fn of_data_dir(data_dir: &Path) -> Result<Self, MasterKeyError> {
        let path = data_dir.join(FILE);
        let fail = |error| MasterKeyError::File(path.clone(), error);
        let mut text = String::new();
        match std::fs::File::open(&path) {
            Ok(mut file) => {
                file.read_to_string(&mut text).map_err(fail)?;
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                std::fs::create_dir_all(data_dir).map_err(fail)?;
                text = STANDARD.encode(rng::bytes::<32>());
                let mut options = std::fs::OpenOptions::new();
                let mut file = options.write(true).create_new(true).mode(0o600).open(&path).map_err(fail)?;
                file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(fail)?;
            }
            Err(error) => return Err(fail(error)),
        }
        Self::parse(&text)
    }

    /// Seals `plain`; `name` says what it is, and must be the same to open it.
    #[must_use]
    #[expect(clippy::expect_used, reason = "sealing a few bytes in memory can not fail")]
    pub(super) fn seal(&self, name: &str, plain: &[u8]) -> Vec<u8> {
        let nonce = rng::bytes::<NONCE_LEN>();
        let mut sealed = plain.to_vec();
        self.0
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(name), &mut sealed)
            .expect("AES-GCM seals any short text");
        [nonce.as_slice(), &sealed].concat()
    }

    /// Opens what [`MasterKey::seal`] made; `None` when the key or the name is another, or a bit was changed.
    pub(super) fn open(&self, name: &str, sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, rest) = sealed.split_at_checked(NONCE_LEN)?;
        let mut rest = rest.to_vec();
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let plain = self.0.open_in_place(nonce, Aad::from(name), &mut rest).ok()?;
        Some(plain.to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_key_and_name_open_a_seal() {
        let dir = tempfile::tempdir().unwrap();
        let key = MasterKey::of_data_dir(dir.path()).unwrap();
        let again = MasterKey::of_data_dir(dir.path()).unwrap();
        let other = MasterKey::parse(&STANDARD.encode([7; 32])).unwrap();

        let mut sealed = key.seal("a", b"secret");

        assert_eq!(again.open("a", &sealed).unwrap(), b"secret");
        assert!(again.open("b", &sealed).is_none());
        assert!(other.open("a", &sealed).is_none());
        sealed[14] ^= 1;
        assert!(key.open("a", &sealed).is_none());
    }

    #[test]
    fn the_file_is_for_its_owner_only() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        MasterKey::of_data_dir(dir.path()).unwrap();
        let mode = std::fs::metadata(dir.path().join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
