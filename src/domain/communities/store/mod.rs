//! SQL of communities and rooms, by what it reads and writes.

pub mod communities;
pub mod grants;
pub mod invites;
pub mod members;
pub mod my_rooms;
pub mod room_members;
pub mod rooms;
