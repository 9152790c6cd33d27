//! People: accounts, passwords, tokens, roles.
//!
//! A token says who; what they may do is read from the current state each time ([`Directory`]), so that a suspension or a changed
//! role holds at once (R9). Passwords are argon2id, at most one hash a core at a time ([`Hasher`]).

mod directory;
mod error;
mod hasher;
mod seal;
pub mod store;
pub mod tokens;

pub use directory::{Directory, Person, State};
pub use error::IdentityError;
pub use hasher::Hasher;
pub use seal::MasterKey;
pub use tokens::{Keys, Verified};
