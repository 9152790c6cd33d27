//! What every floor above may use: ids, time, randomness, who is asking, pages. No IO.

pub mod clock;
pub mod code;
pub mod ids;
pub mod page;
pub mod rng;
pub mod scope;

pub use clock::Clock;
pub use code::Coded;
pub use ids::{CommunityId, InviteId, MessageId, RoomId, TenantId, UserId};
pub use scope::{CommunityRole, Scope, TenantRole};
