//! What is logged, and in which shape.

use serde::{Deserialize, Serialize};

/// The shape of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    #[default]
    Text,
    Json,
}

/// The log; it goes to stderr.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// Which targets at which level: `info`, `rialto=debug,info`, …
    pub filter: String,
    pub format: Shape,
}

impl Default for Log {
    fn default() -> Self {
        Self { filter: "info,sqlx::postgres::notice=warn,actix_server=warn".into(), format: Shape::Text }
    }
}
