//! What can go wrong with communities and rooms, and whose fault it is.

use crate::infra::pg::PgError;
use crate::kernel::Coded;

/// Why a verb was refused.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is not there, or not for the caller's eyes.
    #[error("there is no such thing here")]
    NotFound,
    /// The caller sees it but may not do this to it.
    #[error("{0}")]
    Forbidden(&'static str),
    /// A field of the request is not acceptable.
    #[error("{problem}")]
    Invalid { field: &'static str, problem: String },
    #[error("the name is taken")]
    NameTaken,
    /// Somebody must own the community: hand it over first.
    #[error("the last owner can not go: hand the community over first")]
    LastOwner,
    #[error("the guidelines have to be accepted")]
    GuidelinesNotAccepted,
    /// Unknown, expired, revoked or used up.
    #[error("the invite is not valid any more")]
    InviteInvalid,
    /// The tenant's plan does not allow more members.
    #[error("the plan's number of members is reached")]
    PlanLimit,
    /// A bound of the product, not of the plan.
    #[error("no more than {max} {what}")]
    TooMany { what: &'static str, max: u32 },
    #[error(transparent)]
    Pg(#[from] PgError),
}

impl Error {
    /// An unacceptable field.
    #[must_use]
    pub fn invalid(field: &'static str, problem: impl Into<String>) -> Self {
        Self::Invalid { field, problem: problem.into() }
    }
}

impl Coded for Error {
    fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::Forbidden(_) => "forbidden",
            Self::Invalid { .. } => "invalid",
            Self::NameTaken => "name_taken",
            Self::LastOwner => "last_owner",
            Self::GuidelinesNotAccepted => "guidelines_required",
            Self::InviteInvalid => "invite_spent",
            Self::PlanLimit => "plan_limit",
            Self::TooMany { .. } => "conflict",
            Self::Pg(error) => error.code(),
        }
    }

    fn field(&self) -> Option<&str> {
        match self {
            Self::Invalid { field, .. } => Some(field),
            Self::NameTaken => Some("name"),
            Self::GuidelinesNotAccepted => Some("accept_guidelines"),
            Self::InviteInvalid => Some("invite"),
            _ => None,
        }
    }

    fn retry_after_s(&self) -> Option<u64> {
        match self {
            // A seat may become free; there is no knowing when.
            Self::PlanLimit => Some(3_600),
            Self::Pg(error) => error.retry_after_s(),
            _ => None,
        }
    }
}
