//! SQL of messages. No rules here beyond what must hold under the stream's lock.

mod changing;
mod posting;
mod reading;
mod streams;
mod unread;

pub(super) use changing::*;
pub(super) use posting::*;
pub(super) use reading::*;
pub(super) use streams::*;
pub(super) use unread::*;
