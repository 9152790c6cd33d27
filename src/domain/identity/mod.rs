//! People: accounts, passwords, tokens, roles.
//!
//! A token says who; what they may do is read from the current state each time ([`Directory`]), so that a suspension or a changed
//! role holds at once (R9). Passwords are argon2id, at most one hash a core at a time ([`Hasher`]).

mod account;
mod accounts;
pub mod attempts;
pub mod demo;
mod directory;
mod error;
mod hasher;
pub mod mail;
mod passwords;
mod people;
pub mod postman;
mod provision;
mod register;
pub mod rules;
mod seal;
mod sign_in;
mod store;
pub mod tokens;
mod words;

pub use account::{Account, Session};
pub use accounts::{Accounts, Origin};
pub use directory::{Directory, Person, State};
pub use error::IdentityError;
pub use hasher::Hasher;
pub use people::ProfileChange;
pub use provision::{Provisioned, Wanted};
pub use register::NewAccount;
pub use seal::{MasterKey, MasterKeyError};
pub use tokens::{Keys, Verified};
pub use words::{Bio, DisplayName, Email, Handle, Password};
