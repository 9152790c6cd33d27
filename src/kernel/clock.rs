//! Time is passed in, so that tests own it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, TimeZone, Utc};
use serde::Serializer;

/// Where "now" comes from. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub enum Clock {
    /// The machine's clock.
    #[default]
    System,
    /// A clock that a test moves; milliseconds since the epoch.
    Fixed(Arc<AtomicI64>),
}

impl Clock {
    /// Now, in UTC, cut to milliseconds, so that a value survives the wire and the database unchanged.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
    pub fn now(&self) -> DateTime<Utc> {
        let millis = match self {
            Self::System => Utc::now().timestamp_millis(),
            Self::Fixed(millis) => millis.load(Ordering::Relaxed),
        };
        Utc.timestamp_millis_opt(millis).single().unwrap_or_default()
    }
}

/// Writes a time as RFC 3339 in UTC, always with three digits of milliseconds: `#[serde(serialize_with = "clock::rfc3339")]`.
///
/// # Errors
/// Those of the serializer.
pub fn rfc3339<S: Serializer>(at: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&at.format("%Y-%m-%dT%H:%M:%S%.3fZ"))
}

/// As [`rfc3339`], for a time that may be absent.
///
/// # Errors
/// Those of the serializer.
pub fn rfc3339_or_null<S: Serializer>(at: &Option<DateTime<Utc>>, serializer: S) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => rfc3339(at, serializer),
        None => serializer.serialize_none(),
    }
}
