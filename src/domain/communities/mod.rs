//! Communities, who is in them and as what, and their rooms; direct and group rooms too.
//!
//! Each verb works inside the caller's transaction: the change, its audit row, the system events that people see in their rooms and
//! the news for live connections commit together or not at all. What is not for the caller's eyes does not exist ([`Error::NotFound`]).
//! Locks are taken in one order everywhere: the community's row, then rooms' streams in id order, then people's streams in id order.

pub mod community;
pub mod direct;
mod entry;
mod error;
pub mod invites;
pub mod joining;
pub mod members;
pub mod names;
pub mod room_members;
pub mod rooms;
pub mod rules;
mod store;
mod told;
mod trail;
pub mod views;

pub use error::Error;
pub use rules::{Access, CommunityGrant, Grants, PostRefusal, RoomFacts, RoomKind, access};

use crate::infra::pg::Pg;
use crate::kernel::{RoomId, TenantId, UserId};

/// What a person may do; `None` when the tenant has no such person.
///
/// # Errors
/// Those of the database.
pub async fn load_grants(pg: &Pg, tenant: TenantId, user: UserId) -> Result<Option<Grants>, Error> {
    let mut tx = pg.tenant(tenant).await?;
    Ok(store::grants::load_grants(&mut tx, user).await?)
}

/// What is known of a room; `None` when the tenant has no such room.
///
/// # Errors
/// Those of the database.
pub async fn load_room(pg: &Pg, tenant: TenantId, room: RoomId) -> Result<Option<RoomFacts>, Error> {
    let mut tx = pg.tenant(tenant).await?;
    Ok(store::grants::load_room(&mut tx, room).await?)
}
