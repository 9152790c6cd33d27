//! Whose request it is, as far as the network tells: the peer's address, unless the peer is a trusted proxy that names another.

use std::future::{Ready, ready};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use actix_web::dev::Payload;
use actix_web::http::header::USER_AGENT;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest};

use super::{Edge, Problem};
use crate::domain::identity::Origin;

/// The address that limits count by, and the browser's word for itself.
#[derive(Debug, Clone)]
pub struct Client(pub Origin);

impl FromRequest for Client {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let agent = req.headers().get(USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
        ready(Ok(Self(Origin { address: of_request(req).to_string(), user_agent: agent.to_owned() })))
    }
}

/// The client's address, as limits count it. Of `X-Forwarded-For` the rightmost entry that is not a trusted proxy: what stands left of it
/// anybody may write.
#[must_use]
pub fn of_request(req: &HttpRequest) -> IpAddr {
    let trusted = req.app_data::<Data<Edge>>().map(|edge| edge.config.server.trusted_proxies.as_slice());
    let peer = req.peer_addr().map_or(Ipv4Addr::UNSPECIFIED.into(), |peer| peer.ip());
    let forwarded = req.headers().get_all("x-forwarded-for").filter_map(|value| value.to_str().ok());
    network(behind(peer, &forwarded.collect::<Vec<_>>().join(","), trusted.unwrap_or_default()))
}

fn behind(peer: IpAddr, forwarded: &str, trusted: &[IpAddr]) -> IpAddr {
    let mut address = peer;
    for hop in forwarded.rsplit(',') {
        if !trusted.contains(&address) {
            break;
        }
        let Ok(hop) = hop.trim().parse() else { break };
        address = hop;
    }
    address
}

/// What limits count by: an IPv4 address, or an IPv6 network of 64 bits, which one customer has all of.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX)).into(),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn only_a_trusted_proxy_names_somebody_else() {
        let proxies = [ip("10.0.0.1"), ip("10.0.0.2")];
        assert_eq!(behind(ip("9.9.9.9"), "1.1.1.1", &proxies), ip("9.9.9.9"));
        assert_eq!(behind(ip("10.0.0.1"), "6.6.6.6, 1.1.1.1, 10.0.0.2", &proxies), ip("1.1.1.1"));
        assert_eq!(behind(ip("10.0.0.1"), "", &proxies), ip("10.0.0.1"));
        assert_eq!(behind(ip("10.0.0.1"), "junk", &proxies), ip("10.0.0.1"));
    }

    #[test]
    fn one_customers_ipv6_network_counts_as_one() {
        assert_eq!(network(ip("2001:db8:1:2:3:4:5:6")), ip("2001:db8:1:2::"));
        assert_ne!(network(ip("2001:db8:1:2::9")), network(ip("2001:db8:1:3::9")));
        assert_eq!(network(ip("::ffff:1.2.3.4")), ip("1.2.3.4"));
    }
}
