//! Password hashes: argon2id, off the threads that serve, at most one a core at a time.
//!
//! R6: beyond `limits.signing_in.hash_queue` waiting hashes the answer is "busy". Whether an account exists never shows in the work
//! done: without one, a dummy hash is verified; [`Hasher::runs`] lets a test count.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use tokio::sync::Semaphore;

use super::IdentityError;
use crate::config;

/// Hashes and verifies passwords. Cheap to clone; call on the database runtime.
#[derive(Clone)]
pub struct Hasher {
    argon2: Argon2<'static>,
    running: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
    runs: Arc<AtomicU64>,
    dummy: Arc<str>,
}

impl Hasher {
    /// `cores` hashes run at a time, `waiting_max` more may wait.
    ///
    /// # Errors
    /// When argon2 refuses the cost; configuration has checked it.
    pub fn new(auth: &config::Auth, cores: usize, waiting_max: usize) -> Result<Self, argon2::Error> {
        let memory_kib = u32::try_from(auth.hash_memory.as_u64() / 1_024).unwrap_or(u32::MAX);
        let params = Params::new(memory_kib, auth.hash_passes, 1, None)?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let dummy = hash_with(&argon2, "nobody's password").map_err(|_| argon2::Error::OutputTooShort)?;
        Ok(Self {
            argon2,
            running: Arc::new(Semaphore::new(cores.max(1))),
            waiting: Arc::new(Semaphore::new(waiting_max + cores.max(1))),
            runs: Arc::default(),
            dummy: dummy.into(),
        })
    }

    /// How many hashes have been computed, verifications included.
    #[must_use]
    pub fn runs(&self) -> u64 {
        self.runs.load(Ordering::Relaxed)
    }

    /// The PHC string to store for a new password.
    ///
    /// # Errors
    /// [`IdentityError::HashesBusy`] when too many wait.
    pub async fn hash(&self, password: &str) -> Result<String, IdentityError> {
        let password = password.to_owned();
        self.work(move |argon2| hash_with(argon2, &password)).await?.map_err(|()| IdentityError::HashesBusy)
    }

    /// Whether the password is the stored one. Without a stored one the same work is done, and the answer is no.
    ///
    /// # Errors
    /// [`IdentityError::HashesBusy`] when too many wait.
    pub async fn verify(&self, password: &str, stored: Option<&str>) -> Result<bool, IdentityError> {
        let password = password.to_owned();
        let known = stored.is_some();
        let stored = stored.map_or_else(|| self.dummy.to_string(), str::to_owned);
        let matches =
            self.work(move |argon2| argon2.verify_password(password.as_bytes(), stored.as_str()).is_ok()).await?;
        Ok(known && matches)
    }

    async fn work<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Argon2<'static>) -> T + Send + 'static,
    ) -> Result<T, IdentityError> {
        let _place = self.waiting.try_acquire().map_err(|_| IdentityError::HashesBusy)?;
        let turn = Arc::clone(&self.running).acquire_owned().await.map_err(|_| IdentityError::HashesBusy)?;
        self.runs.fetch_add(1, Ordering::Relaxed);
        let argon2 = self.argon2.clone();
        // The turn goes with the thread: a caller that gives up must not let another hash start beside this one.
        let job = tokio::task::spawn_blocking(move || {
            let answer = job(&argon2);
            drop(turn);
            answer
        });
        job.await.map_err(|_| IdentityError::HashesBusy)
    }
}

fn hash_with(argon2: &Argon2<'static>, password: &str) -> Result<String, ()> {
    argon2.hash_password(password.as_bytes()).map(|hash| hash.to_string()).map_err(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hasher(waiting_max: usize) -> Hasher {
        let auth = config::Auth { hash_memory: config::ByteSize::mib(7), hash_passes: 1, ..config::Auth::default() };
        Hasher::new(&auth, 1, waiting_max).unwrap()
    }

    #[tokio::test]
    async fn an_unknown_account_costs_the_same_work_as_a_known_one() {
        let hasher = hasher(4);
        let stored = hasher.hash("right").await.unwrap();
        assert_eq!(hasher.runs(), 1);

        assert!(hasher.verify("right", Some(&stored)).await.unwrap());
        assert!(!hasher.verify("wrong", Some(&stored)).await.unwrap());
        assert!(!hasher.verify("nobody's password", None).await.unwrap());

        assert_eq!(hasher.runs(), 4);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn more_hashes_than_the_queue_holds_are_told_to_come_back() {
        let hasher = hasher(1);
        let all = (0..8).map(|_| {
            let hasher = hasher.clone();
            async move { hasher.hash("x").await }
        });
        let answers = futures_util::future::join_all(all).await;
        assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 2);
        assert!(answers.iter().any(|answer| matches!(answer, Err(IdentityError::HashesBusy))));
    }
}
