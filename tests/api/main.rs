//! The API over real HTTP, against a real PostgreSQL, as the `app` role. Each test owns a fresh tenant, so they run side by side.
//!
//! Needs `TEST_DATABASE_URL`: a superuser of a PostgreSQL that may be filled (`./dev test` starts one).

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that fails by panicking is a test that fails")]

mod auth;
mod communities;
mod foreign;
mod harness;
mod limits;
mod matrix;
mod messages;
mod openapi;
mod pages;
mod rls;
mod rooms;
mod sessions;
mod tenancy;
