//! SQL of communities and rooms, by what it reads and writes.

pub mod grants;
