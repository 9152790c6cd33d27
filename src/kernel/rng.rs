//! Secrets and random names, from the operating system's generator.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::{SecureRandom, SystemRandom};

/// `N` unpredictable bytes.
///
/// # Panics
/// When the operating system has no randomness: nothing safe can be done then.
#[must_use]
#[expect(clippy::expect_used, reason = "no safe answer exists without randomness")]
pub fn bytes<const N: usize>() -> [u8; N] {
    let mut out = [0; N];
    SystemRandom::new().fill(&mut out).expect("the operating system's random generator");
    out
}

/// A secret of `N` random bytes in URL-safe base64 without padding.
#[must_use]
pub fn token<const N: usize>() -> String {
    URL_SAFE_NO_PAD.encode(bytes::<N>())
}

/// A short random name for a stream's epoch: it says that offsets from another epoch mean nothing.
#[must_use]
pub fn epoch() -> String {
    token::<6>()
}
