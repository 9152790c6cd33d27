//! The domain on a real database, without HTTP: what the verbs promise and what the database decides.
//!
//! Needs `TEST_DATABASE_URL`, a superuser's address on a throw-away PostgreSQL (`./dev test` sets it). Each test owns a fresh tenant and
//! works as the `rialto_app` role, so that isolation is on trial in every one.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that fails by panicking is a test that fails")]

mod agreement;
mod idempotency;
mod joining;
mod members;
mod restored;
mod retention;
mod rooms;
mod world;
