//! The outside world at arm's length: the database, the bus, mail.

pub mod bus;
pub mod pg;
