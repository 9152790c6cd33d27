//! How often somebody may try: failed sign-ins per address and per account, new accounts per address, mails per account.
//!
//! A fixed window from the first attempt. R6: the keys are bounded; under a flood of keys the least used are forgotten, and the bound on
//! concurrent password hashes still holds.

use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use moka::sync::Cache;

use super::IdentityError;
use crate::config;

/// Keys that one counter remembers.
const KEYS_MAX: u64 = 100_000;

struct Window {
    since: DateTime<Utc>,
    count: u32,
}

/// One counter. Cheap to clone.
#[derive(Clone)]
pub struct Attempts {
    windows: Cache<String, Arc<Mutex<Window>>>,
    max: u32,
    within: TimeDelta,
}

impl Attempts {
    #[must_use]
    pub fn new(limit: &config::Attempts) -> Self {
        let within = limit.within.duration();
        Self {
            windows: Cache::builder().max_capacity(KEYS_MAX).time_to_live(within).build(),
            max: limit.attempts,
            within: TimeDelta::from_std(within).unwrap_or(TimeDelta::MAX),
        }
    }

    /// Counts an attempt.
    ///
    /// # Errors
    /// [`IdentityError::TooMany`] with the seconds until the window ends; the attempt is not counted then.
    pub fn take(&self, key: &str, now: DateTime<Utc>) -> Result<(), IdentityError> {
        let window = self.windows.get_with_by_ref(key, || Arc::new(Mutex::new(Window { since: now, count: 0 })));
        let mut window = window.lock().unwrap_or_else(PoisonError::into_inner);
        if now - window.since >= self.within {
            *window = Window { since: now, count: 0 };
        }
        if window.count >= self.max {
            let wait = (window.since + self.within - now).num_seconds() + 1;
            return Err(IdentityError::TooMany(u64::try_from(wait).unwrap_or(1)));
        }
        window.count += 1;
        Ok(())
    }

    /// Takes an attempt back: it was a rightful one.
    pub fn give_back(&self, key: &str) {
        if let Some(window) = self.windows.get(key) {
            let mut window = window.lock().unwrap_or_else(PoisonError::into_inner);
            window.count = window.count.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeZone;

    #[test]
    fn after_the_last_attempt_one_waits_for_the_window_to_end() {
        let attempts = Attempts::new(&config::Attempts { attempts: 2, within: config::Span::from_secs(60) });
        let at = |s: i64| Utc.timestamp_opt(1_790_000_000 + s, 0).unwrap();
        attempts.take("a", at(0)).unwrap();
        attempts.take("a", at(1)).unwrap();
        attempts.take("b", at(1)).unwrap();

        assert!(matches!(attempts.take("a", at(20)), Err(IdentityError::TooMany(41))));
        attempts.give_back("a");
        assert!(attempts.take("a", at(21)).is_ok());
        assert!(attempts.take("a", at(59)).is_err());
        assert!(attempts.take("a", at(60)).is_ok());
    }
}
