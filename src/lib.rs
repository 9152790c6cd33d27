//! Rialto: a real-time community and messaging server, many tenants in one process.
//!
//! The map of the house; imports run downward only (`tests/architecture.rs` fails on one that climbs):
//!
//! ```text
//! cli, app → http → actors → domain → infra → config, geo, protocol → kernel
//! ```

pub mod actors;
pub mod app;
pub mod cli;
pub mod config;
pub mod domain;
pub mod http;
pub mod infra;
pub mod kernel;
pub mod protocol;
