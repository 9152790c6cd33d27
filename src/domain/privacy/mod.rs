//! What is kept about people, and for how long.

pub mod retention;
mod store;
