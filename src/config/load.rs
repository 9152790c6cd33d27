//! Putting the sources together, and saying precisely which of them is wrong.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use figment::Figment;
use figment::providers::{Env, Format, Serialized};
use serde::Serialize;
use serde_saphyr::figment::Yaml;

use super::Config;

/// Values from the command line; they win over file and environment.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// The YAML file; must exist when named.
    pub file: Option<PathBuf>,
    pub listen: Option<SocketAddr>,
    pub data_dir: Option<PathBuf>,
    pub demo: bool,
}

/// Why the start is refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("cannot read the configuration file {path}: {source}")]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("{path}: {message}")]
    Malformed { path: PathBuf, message: String },
    #[error("{0}")]
    Unacceptable(String),
    #[error("the configuration contradicts itself:\n  {}", .0.join("\n  "))]
    Contradictory(Vec<String>),
}

/// Names in the environment that are flags (clap reads those) and no keys.
const FLAG_NAMES: [&str; 4] = ["config", "listen", "data_dir", "demo"];

/// Names whose value is taken as it stands. Figment reads others as TOML, so that a password of digits would be a number
/// (and would be quoted in the refusal). The plain ones are those that every hosting platform sets.
const VERBATIM_NAMES: [(&str, &str); 11] = [
    ("RIALTO_STORE__URL", "store.url"),
    ("RIALTO_STORE__PLATFORM_URL", "store.platform_url"),
    ("RIALTO_STORE__OWNER_URL", "store.owner_url"),
    ("RIALTO_AUTH__MASTER_KEY", "auth.master_key"),
    ("RIALTO_MAIL__SMTP__USERNAME", "mail.smtp.username"),
    ("RIALTO_MAIL__SMTP__PASSWORD", "mail.smtp.password"),
    ("DATABASE_URL", "store.url"),
    ("DATABASE_PLATFORM_URL", "store.platform_url"),
    ("DATABASE_OWNER_URL", "store.owner_url"),
    ("REDIS_URL", "store.redis_url"),
    ("KAFKA_BROKERS", "store.kafka_brokers"),
];

impl Config {
    /// Reads all sources and checks the result.
    ///
    /// # Errors
    /// The file cannot be read or parsed, a key is unknown, a value has the wrong form, or values contradict each other.
    pub fn load(overrides: &Overrides) -> Result<Self, ConfigError> {
        let variables = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
        let misspelt: Vec<_> = variables.filter_map(|name| misspelt_flag(&name)).collect();
        if !misspelt.is_empty() {
            return Err(ConfigError::Unacceptable(misspelt.join("\n")));
        }
        let mut figment = Figment::new();
        if let Some(path) = &overrides.file {
            figment = figment.merge(Yaml::string(&read_file(path)?));
        }
        figment = figment.merge(Env::prefixed("RIALTO_").filter(|key| is_key(key.as_str())).split("__"));
        for (name, key) in VERBATIM_NAMES {
            if let Some(value) = std::env::var(name).ok().filter(|value| !value.is_empty()) {
                figment = figment.merge(Serialized::default(key, value));
            }
        }
        figment = with_flags(figment, overrides);
        let config: Self = figment.extract().map_err(|error| ConfigError::Unacceptable(explain(&error, overrides)))?;
        let refusals = config.check();
        if refusals.is_empty() { Ok(config) } else { Err(ConfigError::Contradictory(refusals)) }
    }
}

/// Reads the file, and once by itself as a whole configuration: only there is the line of a mistake still known.
fn read_file(path: &Path) -> Result<String, ConfigError> {
    let text =
        std::fs::read_to_string(path).map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
    // A file of comments only is an empty document, which is no mapping.
    let is_empty = text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#'));
    if is_empty {
        return Ok("{}".into());
    }
    match serde_saphyr::from_str::<Config>(&text) {
        Ok(_) => Ok(text),
        Err(error) => Err(ConfigError::Malformed { path: path.to_owned(), message: error.to_string() }),
    }
}

/// Whether a variable (without its prefix) is a key of the configuration: one that names a section. Others belong to flags, to tools around
/// us, or to a cluster that announces its services in everybody's environment (`RIALTO_PORT`, `RIALTO_SERVICE_HOST`).
fn is_key(name: &str) -> bool {
    let is_verbatim =
        |(full, _): &(&str, &str)| full.strip_prefix("RIALTO_").is_some_and(|rest| rest.eq_ignore_ascii_case(name));
    name.contains("__") && !VERBATIM_NAMES.iter().any(is_verbatim)
}

/// A variable that is meant to be a flag's but misses it by a letter or two.
fn misspelt_flag(variable: &str) -> Option<String> {
    let name = variable.strip_prefix("RIALTO_")?.to_ascii_lowercase();
    if FLAG_NAMES.contains(&name.as_str()) {
        return None;
    }
    let close = FLAG_NAMES.iter().find(|flag| distance(&name, flag) <= 2)?;
    Some(format!("unknown variable {variable} in the environment; did you mean RIALTO_{}?", close.to_ascii_uppercase()))
}

/// Letters to change, add or drop between two words (Levenshtein's).
fn distance(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.bytes().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (b, above) in other.bytes().zip(row.iter_mut().skip(1)) {
            let changed = diagonal + usize::from(a != b);
            diagonal = *above;
            left = changed.min(diagonal + 1).min(left + 1);
            *above = left;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

fn with_flags(figment: Figment, overrides: &Overrides) -> Figment {
    let mut figment = figment;
    let listen = overrides.listen.map(|listen| listen.to_string());
    figment = merge_some(figment, "server.listen", listen.as_ref());
    figment = merge_some(figment, "server.data_dir", overrides.data_dir.as_ref());
    merge_some(figment, "server.demo", overrides.demo.then_some(&true))
}

fn merge_some<T: Serialize>(figment: Figment, key: &str, value: Option<&T>) -> Figment {
    match value {
        Some(value) => figment.merge(Serialized::default(key, value)),
        None => figment,
    }
}

/// One line per mistake: what, at which key, from where. Never the value: it may be a secret.
fn explain(error: &figment::Error, overrides: &Overrides) -> String {
    let lines = error.clone().into_iter().map(|error| {
        let key = error.path.join(".");
        let source = match &error.metadata {
            Some(metadata) if metadata.name.contains("YAML") => overrides
                .file
                .as_deref()
                .map_or_else(|| "the configuration file".into(), |path| path.display().to_string()),
            Some(metadata) if metadata.name.contains("environment") => {
                format!("the environment (RIALTO_{})", key.to_uppercase().replace('.', "__"))
            }
            Some(metadata) => metadata.name.to_string(),
            None => "the configuration".into(),
        };
        let at = if key.is_empty() { String::new() } else { format!("`{key}`: ") };
        format!("{at}{} (from {source})", error.kind)
    });
    lines.collect::<Vec<_>>().join("\n")
}
