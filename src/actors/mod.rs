//! The live part: sessions, rooms, and what connects them.
//!
//! ```text
//! Platform (one per node)
//! └─ Tenant (one per tenant with live rooms)        supervises, restarts from the factory, counts generations
//!    └─ Room (one per room that is written to)      order point of this node's posts to the room
//! Hub (one per HTTP worker)                         one delivery per worker, not per socket
//! └─ Session / Client (one per socket)
//! Writers (a few, on the database runtime)          group commit
//! ```
//!
//! Deliveries never travel through mailboxes: they go feed → hub → outbox, each bounded. R8: whatever an actor knows, it can read
//! from the store again.

pub mod admission;
pub mod counters;
pub mod directory;
#[cfg(feature = "faults")]
mod faults;
pub mod feed;
mod gaps;
pub mod hub;
mod keep;
mod lifeline;
pub mod live;
pub mod platform;
pub mod presence;
pub mod room;
pub mod session;
pub mod tenant;
mod unread;
mod verbs;
pub mod writer;
