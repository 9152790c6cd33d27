//! What can go wrong with accounts.

use crate::domain::tenancy::TenancyError;
use crate::infra::pg::PgError;
use crate::kernel::Coded;

#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    #[error("sign in first")]
    Unauthorized,
    #[error("the access token has expired")]
    TokenExpired,
    #[error("e-mail address or password is wrong")]
    WrongCredentials,
    #[error("this account is suspended")]
    Banned,
    #[error("your role does not permit this")]
    Forbidden,
    #[error("there is no such person")]
    NotFound,
    #[error("there is an account with this e-mail address")]
    EmailTaken,
    #[error("the handle is taken")]
    HandleTaken,
    #[error("{1}")]
    Invalid(&'static str, String),
    #[error("this link is spent, expired or not one")]
    BadLink,
    #[error("too many attempts; wait {0} seconds")]
    TooMany(u64),
    #[error("too many people sign in at this moment")]
    HashesBusy,
    #[error("this plan has no seat left")]
    NoSeat,
    #[error("the tenant needs at least one admin")]
    LastAdmin,
    #[error("nobody does this to themselves")]
    Oneself,
    #[error("a signing key can not be opened: is this the right master key?")]
    Sealed,
    #[error(transparent)]
    Tenancy(#[from] TenancyError),
    #[error(transparent)]
    Store(#[from] PgError),
}

impl Coded for IdentityError {
    fn code(&self) -> &'static str {
        match self {
            Self::Unauthorized => "unauthorized",
            Self::TokenExpired => "token_expired",
            Self::WrongCredentials => "wrong_credentials",
            Self::Banned => "banned",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::EmailTaken => "email_taken",
            Self::HandleTaken => "handle_taken",
            Self::Invalid(..) => "invalid",
            Self::BadLink => "bad_link",
            Self::TooMany(_) => "too_many_attempts",
            Self::HashesBusy => "busy",
            Self::NoSeat => "plan_limit",
            Self::LastAdmin => "last_admin",
            Self::Oneself => "illegal_move",
            Self::Sealed => "internal",
            Self::Tenancy(error) => error.code(),
            Self::Store(error) => error.code(),
        }
    }

    fn field(&self) -> Option<&str> {
        match self {
            Self::Invalid(field, _) => Some(field),
            Self::EmailTaken => Some("email"),
            Self::HandleTaken => Some("handle"),
            Self::BadLink => Some("token"),
            Self::Tenancy(error) => error.field(),
            _ => None,
        }
    }

    fn retry_after_s(&self) -> Option<u64> {
        match self {
            Self::TooMany(seconds) => Some(*seconds),
            Self::HashesBusy => Some(1),
            Self::NoSeat => Some(3_600),
            Self::Tenancy(error) => error.retry_after_s(),
            Self::Store(error) => error.retry_after_s(),
            _ => None,
        }
    }
}
