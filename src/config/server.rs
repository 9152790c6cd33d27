//! Where the server listens, under which names it is reached, and whom it trusts to speak for others.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::units::Span;

/// The edge of one node.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Server {
    /// Address and port to listen on.
    pub listen: SocketAddr,
    /// HTTP workers, at most 64; 0 means one per CPU.
    pub workers: usize,
    /// Everything that this node keeps on disk: the embedded store, keys, files.
    pub data_dir: PathBuf,
    /// The address that people type, for links in mail; empty means `http://<listen>`.
    pub base_url: Option<String>,
    /// Tenants live at `<slug>.<base_domain>`; empty means that hosts name no tenant.
    pub base_domain: Option<String>,
    /// Proxies whose `X-Forwarded-For` is believed. Nobody else's is.
    pub trusted_proxies: Vec<IpAddr>,
    /// Other origins that may open sockets and call the API from a browser. The own one always may.
    pub allowed_origins: Vec<String>,
    /// Seeds the demo tenant at start. On a loopback address with the well-known passwords, elsewhere with random ones.
    pub demo: bool,
    /// How long stopping may take before what is left is cut.
    pub stop_within: Span,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080),
            workers: 0,
            data_dir: PathBuf::from("./data"),
            base_url: None,
            base_domain: None,
            trusted_proxies: Vec::new(),
            allowed_origins: Vec::new(),
            demo: false,
            stop_within: Span::from_secs(10),
        }
    }
}

impl Server {
    /// The public address without a trailing slash, as it appears in links.
    pub fn public_url(&self) -> String {
        match &self.base_url {
            Some(url) => url.trim_end_matches('/').to_owned(),
            None => format!("http://{}", self.listen),
        }
    }

    /// Whether browsers reach this server over TLS, which decides on `Secure` and `__Host-` cookies.
    pub fn is_https(&self) -> bool {
        self.base_url.as_deref().is_some_and(|url| url.starts_with("https://"))
    }

    /// Worker threads to start: as configured, else one per CPU, up to [`MAX_WORKERS`].
    pub fn worker_count(&self) -> usize {
        if self.workers > 0 {
            return self.workers.min(MAX_WORKERS);
        }
        std::thread::available_parallelism().map_or(1, std::num::NonZero::get).min(MAX_WORKERS)
    }

    pub(super) fn check(&self, refusals: &mut Vec<String>) {
        if let Some(url) = &self.base_url
            && !is_origin(url.trim_end_matches('/'))
        {
            refusals.push(format!("server.base_url: `{url}` is not of the form `https://chat.example.org`"));
        }
        for origin in &self.allowed_origins {
            if !is_origin(origin) {
                refusals.push(format!(
                    "server.allowed_origins: `{origin}` is not an origin such as `https://app.example.org`"
                ));
            }
        }
        if let Some(domain) = &self.base_domain
            && (domain.is_empty() || domain.starts_with('.') || domain.contains(['/', ':', ' ']))
        {
            refusals.push(format!("server.base_domain: `{domain}` is not a domain such as `example.org`"));
        }
        if self.workers > MAX_WORKERS {
            refusals.push(format!("server.workers: {} is more than {MAX_WORKERS}", self.workers));
        }
    }
}

/// A channel keeps the workers that listen to it as the bits of one word.
const MAX_WORKERS: usize = 64;

/// `scheme://host[:port]`, nothing behind it.
fn is_origin(text: &str) -> bool {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    rest.is_some_and(|host| !host.is_empty() && !host.contains(['/', '?', '#', '@', ' ']))
}
