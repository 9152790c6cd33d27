//! What a scenario file says. Unknown keys are refused, so that a typing error cannot silently change what is measured.

use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::wire::Wire;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Server {
    Rialto,
    Centrifugo,
    Ws,
    SocketIo,
}

impl Server {
    pub fn name(self) -> &'static str {
        match self {
            Self::Rialto => "rialto",
            Self::Centrifugo => "centrifugo",
            Self::Ws => "ws",
            Self::SocketIo => "socket_io",
        }
    }

    /// What this server speaks, given what the scenario asks of those that can choose.
    pub fn wire(self, asked: Wire) -> Wire {
        match self {
            Self::Rialto | Self::Centrifugo => asked,
            Self::Ws => Wire::Plain,
            Self::SocketIo => Wire::SocketIo,
        }
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    pub name: String,
    pub title: String,
    /// Who is measured beside each other.
    pub servers: Vec<Server>,
    /// `json` or `protobuf`, for the servers that speak both.
    #[serde(default = "json")]
    pub wire: Wire,
    pub work: Work,
    #[serde(default)]
    pub bars: Vec<Bar>,
}

fn json() -> Wire {
    Wire::Json
}

/// A metric that must be reached, by one server alone or as a ratio to another of the same run.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bar {
    pub metric: String,
    #[serde(default = "rialto")]
    pub server: Server,
    pub at_most: Option<f64>,
    pub at_least: Option<f64>,
    /// The bar is on `server`'s metric divided by this one's.
    pub relative_to: Option<Server>,
}

fn rialto() -> Server {
    Server::Rialto
}

#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Work {
    Broadcast(Broadcast),
    Idle(Idle),
    Paced(Paced),
    Posts(Posts),
    Storm(Storm),
    Tenants(Tenants),
}

impl Work {
    /// (people, rooms) to prepare before the work begins.
    pub fn needs(&self) -> (usize, usize) {
        match self {
            Self::Broadcast(work) => (work.people, 1),
            Self::Idle(work) => (work.people, work.rooms),
            Self::Paced(work) => (work.people, work.rooms),
            Self::Posts(work) => (work.people, work.rooms),
            Self::Storm(work) => (work.people, work.rooms),
            Self::Tenants(_) => (1, 1),
        }
    }

    /// Sockets open at the same time.
    pub fn sockets(&self) -> usize {
        match self {
            Self::Broadcast(work) => work.sockets,
            Self::Idle(work) => work.sockets,
            Self::Paced(work) => work.rooms * work.members,
            Self::Posts(work) => work.posters,
            Self::Storm(work) => work.sockets + work.posters,
            Self::Tenants(_) => 0,
        }
    }

    /// Shortens every window for a trial run.
    pub fn hurry(&mut self) {
        match self {
            Self::Broadcast(work) => work.seconds = work.seconds.min(2.0),
            Self::Idle(work) => work.hold_s = work.hold_s.min(5.0),
            Self::Paced(work) => work.seconds = work.seconds.min(3.0),
            Self::Posts(work) => work.seconds = work.seconds.min(3.0),
            Self::Storm(work) => work.after_s = work.after_s.min(2.0),
            Self::Tenants(work) => work.tenants = work.tenants.min(200),
        }
    }
}

/// One room; every post reaches every socket.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Broadcast {
    pub sockets: usize,
    pub people: usize,
    pub text_bytes: usize,
    /// Posts under way at once: not acknowledged, or not yet heard by the slowest socket.
    pub in_flight: u64,
    pub posters: usize,
    pub warm_up_s: f64,
    pub seconds: f64,
}

/// Sockets that do nothing but stay.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Idle {
    pub sockets: usize,
    pub people: usize,
    pub rooms: usize,
    /// Waited after the last socket before memory is read.
    pub settle_s: f64,
    /// CPU of the quiet sockets is measured this long.
    pub hold_s: f64,
}

/// Small rooms, posts at a fixed pace whatever the server does.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Paced {
    pub rooms: usize,
    pub members: usize,
    pub people: usize,
    pub text_bytes: usize,
    pub posts_per_s: f64,
    pub warm_up_s: f64,
    pub seconds: f64,
}

/// Posts over many rooms, each poster with one under way, against single-row inserts of pgbench on the same PostgreSQL.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Posts {
    pub rooms: usize,
    pub people: usize,
    pub posters: usize,
    pub in_flight_each: usize,
    pub text_bytes: usize,
    pub warm_up_s: f64,
    pub seconds: f64,
    pub pgbench_clients: usize,
}

/// All sockets cut at once while posting goes on.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Storm {
    pub sockets: usize,
    pub rooms: usize,
    pub people: usize,
    pub text_bytes: usize,
    pub posts_per_s: f64,
    pub posters: usize,
    /// Handshakes under way at once on the way back.
    pub dialing: usize,
    pub before_s: f64,
    /// Time between the cut and the first attempt to come back.
    pub away_s: f64,
    pub after_s: f64,
}

/// Tenants made by the server's own command.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tenants {
    pub tenants: usize,
}

impl Scenario {
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
        toml::from_str(&text).with_context(|| format!("in {}", path.display()))
    }
}
