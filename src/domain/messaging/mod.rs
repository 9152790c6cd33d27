//! Messages: what may be written, and the verbs that write it.
//!
//! Every verb appends an event to the room's stream in the transaction of its effect (R2). New messages take the batched road of
//! [`post`]; the rarer verbs of [`verbs`] are a transaction each. A removal blanks: the text leaves the message, its earlier versions
//! and its earlier events in one transaction, and rings are patched by `News::Blanked`.

pub mod history;
pub mod mentions;
pub mod post;
mod store;
mod text;
pub mod verbs;

pub use history::{EventPage, MessagePage, MessageView, Position, Window};
pub use post::{Draft, Posted};
pub use text::{Emoji, MessageText};

use crate::infra::pg::PgError;
use crate::kernel::Coded;

/// Why a verb on messages was refused.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("there is no such room or message")]
    NotFound,
    #[error("you may not write here any more")]
    Banned,
    #[error("this community server is suspended")]
    TenantSuspended,
    #[error("the room is archived")]
    Archived,
    #[error("you are muted in this community")]
    Muted,
    #[error("only moderators write here")]
    ReadOnly,
    #[error("only its author may do that")]
    NotAuthor,
    #[error("only moderators may do that")]
    NotModerator,
    #[error("the message has been removed")]
    Removed,
    #[error("the message that this answers is not in this room any more")]
    ReplyNotFound,
    #[error("slow mode: wait {retry_after_s} s before the next message")]
    SlowMode { retry_after_s: u32 },
    #[error("too many messages at once: wait {retry_after_s} s")]
    TooMany { retry_after_s: u32 },
    #[error("a message needs some text")]
    TextEmpty,
    #[error("a message holds at most {chars_max} characters and {bytes_max} bytes")]
    TextTooLong { chars_max: usize, bytes_max: usize },
    #[error("a reaction is one emoji or a short name")]
    BadEmoji,
    #[error("a message holds at most {max} different reactions")]
    TooManyReactions { max: i64 },
    #[error("the room has more to store than it can: try again")]
    Busy,
    #[error(transparent)]
    Db(#[from] PgError),
}

impl Coded for Error {
    fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::Banned => "banned",
            Self::TenantSuspended => "tenant_suspended",
            Self::Archived => "archived",
            Self::Muted => "muted",
            Self::ReadOnly => "read_only",
            Self::NotAuthor | Self::NotModerator => "forbidden",
            Self::Removed => "deleted",
            Self::ReplyNotFound => "reply_not_found",
            Self::SlowMode { .. } => "slow_mode",
            Self::TooMany { .. } => "too_many",
            Self::TextEmpty | Self::TextTooLong { .. } | Self::BadEmoji | Self::TooManyReactions { .. } => "invalid",
            Self::Busy => "busy",
            Self::Db(error) => error.code(),
        }
    }

    fn field(&self) -> Option<&str> {
        match self {
            Self::TextEmpty | Self::TextTooLong { .. } => Some("text"),
            Self::ReplyNotFound => Some("reply_to"),
            Self::BadEmoji | Self::TooManyReactions { .. } => Some("emoji"),
            _ => None,
        }
    }

    fn retry_after_s(&self) -> Option<u64> {
        match self {
            Self::SlowMode { retry_after_s } | Self::TooMany { retry_after_s } => Some(u64::from(*retry_after_s)),
            Self::Busy => Some(1),
            Self::Db(error) => error.retry_after_s(),
            _ => None,
        }
    }
}

impl Error {
    /// The refusal that `post_messages()` names by `code`.
    fn from_refusal(code: &str, retry_after_s: Option<i32>) -> Self {
        match code {
            "banned" => Self::Banned,
            "tenant_suspended" => Self::TenantSuspended,
            "archived" => Self::Archived,
            "muted" => Self::Muted,
            "read_only" => Self::ReadOnly,
            "reply_not_found" => Self::ReplyNotFound,
            "slow_mode" => Self::SlowMode { retry_after_s: retry_after_s.unwrap_or(1).unsigned_abs() },
            _ => Self::NotFound,
        }
    }
}
