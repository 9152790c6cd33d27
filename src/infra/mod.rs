//! The outside world at arm's length: the database, the bus, mail.

pub mod boot_check;
pub mod bus;
pub mod data_dir;
pub mod embedded;
pub mod mail;
pub mod pg;
pub mod privileges;
