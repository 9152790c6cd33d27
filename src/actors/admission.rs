//! Who may connect: places per node, tenant, person and address, how fast new connections are taken in, and how many requests one address
//! may make.
//!
//! R6: a refusal is an answer (503 or 429 with `Retry-After` over HTTP, code 3504 at `connect`), never a wait. An address is what
//! the edge counts by: of IPv6 the network that one customer has.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultDirectRateLimiter, NotUntil};
use moka::sync::Cache;

use super::session::limiter;
use crate::config;
use crate::kernel::{TenantId, UserId};

/// Addresses whose requests are counted at one time (some 300 bytes each). Under a flood of more, those that ask least are forgotten.
const ADDRESSES_MAX: u64 = 100_000;

/// Why a connection is not taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    /// The node has as many connections as it may have.
    Node,
    /// The address has.
    Address,
    /// Too many came at once.
    Rate,
}

#[derive(Default)]
struct Counts {
    node: u32,
    addresses: HashMap<IpAddr, u32>,
    tenants: HashMap<TenantId, u32>,
    people: HashMap<(TenantId, UserId), u32>,
}

/// The doorkeeper of a node.
pub struct Admission {
    limits: config::Admission,
    accept: DefaultDirectRateLimiter,
    requests: Cache<IpAddr, Arc<DefaultDirectRateLimiter>>,
    counts: Mutex<Counts>,
}

/// The whole seconds after which a rate has room again.
pub(super) fn wait_s(until: &NotUntil<<DefaultClock as governor::clock::Clock>::Instant>) -> u64 {
    // A clock is made here only, for making one is not free.
    until.wait_time_from(DefaultClock::default().now()).as_secs().saturating_add(1)
}

/// A place that a connection holds; dropping it gives it back.
pub struct Place {
    address: IpAddr,
    admission: Arc<Admission>,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.admission.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.node = counts.node.saturating_sub(1);
        take(&mut counts.addresses, self.address);
    }
}

fn take<K: Hash + Eq>(counts: &mut HashMap<K, u32>, key: K) {
    if let Some(count) = counts.get_mut(&key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(&key);
        }
    }
}

impl Admission {
    #[must_use]
    pub fn new(limits: &config::Admission) -> Arc<Self> {
        // An address that has been silent for this long has its whole burst again: to forget it changes nothing.
        let rate = limits.requests_per_address;
        let refilled = Duration::from_secs(u64::from(rate.burst.div_ceil(rate.per_second.max(1))).max(1));
        Arc::new(Self {
            limits: limits.clone(),
            accept: limiter(limits.accept),
            requests: Cache::builder().max_capacity(ADDRESSES_MAX).time_to_idle(refilled).build(),
            counts: Mutex::default(),
        })
    }

    /// Counts a request of an address.
    ///
    /// # Errors
    /// The seconds to wait; the request is not counted then.
    pub fn request(&self, address: IpAddr) -> Result<(), u64> {
        let rate = || Arc::new(limiter(self.limits.requests_per_address));
        self.requests.get_with(address, rate).check().map_err(|until| wait_s(&until))
    }

    /// Takes a new connection in, before anything is known of it but its address.
    ///
    /// # Errors
    /// Which bound is reached.
    pub fn admit(self: &Arc<Self>, address: IpAddr) -> Result<Place, Full> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.node >= self.limits.connections_per_node.unwrap_or(u32::MAX) {
            return Err(Full::Node);
        }
        if counts.addresses.get(&address).is_some_and(|count| *count >= self.limits.connections_per_address) {
            return Err(Full::Address);
        }
        if self.accept.check().is_err() {
            return Err(Full::Rate);
        }
        counts.node += 1;
        *counts.addresses.entry(address).or_default() += 1;
        Ok(Place { address, admission: Arc::clone(self) })
    }

    /// Counts a connection that has shown whose it is; false when its tenant or person has as many as they may have.
    pub fn enter(&self, tenant: TenantId, user: UserId) -> bool {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let of_tenant = counts.tenants.get(&tenant).copied().unwrap_or_default();
        let of_person = counts.people.get(&(tenant, user)).copied().unwrap_or_default();
        if of_tenant >= self.limits.connections_per_tenant || of_person >= self.limits.connections_per_user {
            return false;
        }
        counts.tenants.insert(tenant, of_tenant + 1);
        counts.people.insert((tenant, user), of_person + 1);
        true
    }

    /// The connection that [`Admission::enter`] counted is over.
    pub fn leave(&self, tenant: TenantId, user: UserId) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        take(&mut counts.tenants, tenant);
        take(&mut counts.people, (tenant, user));
    }

    /// Connections of the node.
    #[must_use]
    pub fn connections(&self) -> u32 {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).node
    }
}

#[cfg(test)]
mod tests;
