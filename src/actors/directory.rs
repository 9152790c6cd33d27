//! Where this node's rooms and supervisors are, for whoever has something for them.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, PoisonError, RwLock};

use actix::{Addr, ArbiterHandle};

use super::lifeline::Watch;
use super::platform::TenantSeat;
use super::room::Room;
use super::tenant::Tenant;
use crate::kernel::{RoomId, TenantId};

/// A live room's address. Kept once and lent: a clone of an `Addr` would have a mailbox slot of its own.
pub struct Seat {
    pub addr: Addr<Room>,
    pub generation: u64,
    /// For whoever supervises it: its supervisor, or the next one.
    pub(super) watch: Watch,
}

/// Where this node's rooms and supervisors are.
#[derive(Default)]
pub struct Directory {
    rooms: RwLock<HashMap<(TenantId, RoomId), Arc<Seat>>>,
    tenants: RwLock<HashMap<TenantId, TenantSeat>>,
    arbiters: Vec<ArbiterHandle>,
}

fn get<K: Hash + Eq, V: Clone>(map: &RwLock<HashMap<K, V>>, key: &K) -> Option<V> {
    map.read().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
}

impl Directory {
    /// A directory whose rooms will live on these threads.
    #[must_use]
    pub fn new(arbiters: Vec<ArbiterHandle>) -> Self {
        Self { arbiters, ..Self::default() }
    }

    #[must_use]
    pub fn find_room(&self, tenant: TenantId, room: RoomId) -> Option<Arc<Seat>> {
        get(&self.rooms, &(tenant, room))
    }

    /// A room that has not ended.
    #[must_use]
    pub fn find_running(&self, tenant: TenantId, room: RoomId) -> Option<Arc<Seat>> {
        self.find_room(tenant, room).filter(|seat| seat.addr.connected())
    }

    pub(super) fn insert_room(&self, tenant: TenantId, room: RoomId, seat: Arc<Seat>) {
        self.rooms.write().unwrap_or_else(PoisonError::into_inner).insert((tenant, room), seat);
    }

    /// Forgets a generation of a room; a later one stays.
    pub(super) fn remove_room(&self, tenant: TenantId, room: RoomId, generation: u64) {
        let mut rooms = self.rooms.write().unwrap_or_else(PoisonError::into_inner);
        if rooms.get(&(tenant, room)).is_some_and(|seat| seat.generation == generation) {
            rooms.remove(&(tenant, room));
        }
    }

    pub(super) fn find_tenant(&self, tenant: TenantId) -> Option<TenantSeat> {
        get(&self.tenants, &tenant)
    }

    pub(super) fn insert_tenant(&self, tenant: TenantId, seat: TenantSeat) {
        self.tenants.write().unwrap_or_else(PoisonError::into_inner).insert(tenant, seat);
    }

    /// Forgets a supervisor; one that was started after it stays.
    pub(super) fn remove_tenant(&self, tenant: TenantId, addr: &Addr<Tenant>) {
        let mut tenants = self.tenants.write().unwrap_or_else(PoisonError::into_inner);
        if tenants.get(&tenant).is_some_and(|seat| **seat == *addr) {
            tenants.remove(&tenant);
        }
    }

    /// A tenant's rooms.
    pub(super) fn list_rooms(&self, tenant: TenantId) -> Vec<(RoomId, Arc<Seat>)> {
        let rooms = self.rooms.read().unwrap_or_else(PoisonError::into_inner);
        rooms.iter().filter(|((of, _), _)| *of == tenant).map(|((_, id), seat)| (*id, Arc::clone(seat))).collect()
    }

    /// The thread that a room lives on.
    pub(super) fn arbiter_for(&self, room: RoomId) -> ArbiterHandle {
        let byte = usize::from(room.uuid().as_bytes()[15]);
        self.arbiters[byte % self.arbiters.len()].clone()
    }

    /// Live rooms and supervisors.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        let rooms = self.rooms.read().unwrap_or_else(PoisonError::into_inner).len();
        (rooms, self.tenants.read().unwrap_or_else(PoisonError::into_inner).len())
    }
}
