//! The product's words and rules, one module each. A module imports only modules to its left:
//! `events tenancy identity communities messaging privacy`.

pub mod communities;
pub mod events;
pub mod identity;
pub mod messaging;
pub mod privacy;
pub mod tenancy;
