//! Where the target is, and from which addresses we call it.
//!
//! A loopback target is called from several loopback addresses: one source has about 28,000 ephemeral ports, and a server
//! that limits connections per address should meet more than one address, as it would outside.

use std::{
    cell::Cell,
    net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs},
};

use anyhow::{Context, Result, bail};
use tokio::net::{TcpSocket, TcpStream};

/// Loopback source addresses used in turn: 127.0.0.2 onwards.
const LOOPBACK_SOURCES: u8 = 24;

#[derive(Clone, Debug)]
pub struct Target {
    /// What goes into `Host:`; it may name a tenant.
    pub host: String,
    pub address: SocketAddr,
}

impl Target {
    /// `http://host:port`. TLS is left to a proxy: the generator's own cost would hide what it measures.
    pub fn parse(url: &str) -> Result<Self> {
        let Some(rest) = url.strip_prefix("http://").or_else(|| url.strip_prefix("ws://")) else {
            bail!(
                "the target must be http://host:port (got {url}); for a TLS deployment point at the server behind the proxy"
            );
        };
        let host = rest.trim_end_matches('/').to_owned();
        let with_port = if host.contains(':') { host.clone() } else { format!("{host}:80") };
        let address = with_port.to_socket_addrs().with_context(|| format!("cannot resolve {host}"))?.next();
        Ok(Self { host, address: address.context("the target has no address")? })
    }

    pub fn loopback(port: u16) -> Self {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        Self { host: address.to_string(), address }
    }
}

/// Hands out source addresses in turn.
#[derive(Default)]
pub struct Sources {
    turn: Cell<u8>,
}

impl Sources {
    pub async fn dial(&self, target: &Target) -> std::io::Result<TcpStream> {
        let stream = if let IpAddr::V4(ip) = target.address.ip() {
            let socket = TcpSocket::new_v4()?;
            if ip.is_loopback() {
                let turn = self.turn.get();
                self.turn.set((turn + 1) % LOOPBACK_SOURCES);
                socket.bind(SocketAddr::from((Ipv4Addr::new(127, 0, 0, turn + 2), 0)))?;
            }
            socket.connect(target.address).await?
        } else {
            TcpSocket::new_v6()?.connect(target.address).await?
        };
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}
