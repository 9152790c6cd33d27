pub mod config;
pub mod infra;
