//! What can go wrong with tenants.

use super::State;
use crate::infra::pg::PgError;
use crate::kernel::Coded;

#[derive(Debug, thiserror::Error)]
pub enum TenancyError {
    #[error("there is no such tenant")]
    NotFound,
    #[error("this host is not served here")]
    UnknownHost,
    #[error("this community is suspended")]
    Suspended,
    #[error("this community has been closed")]
    Terminated,
    #[error("this community is still being set up")]
    NotReady,
    #[error("a tenant that is {} can not become {}", .0.as_str(), .1.as_str())]
    IllegalMove(State, State),
    #[error("the reserved platform tenant can not be changed")]
    Reserved,
    #[error("the slug is taken")]
    SlugTaken,
    #[error("the host belongs to another tenant")]
    HostTaken,
    #[error("a slug is 1 to 63 lower-case letters, digits and inner hyphens, and not a reserved word")]
    BadSlug,
    #[error("a name is 1 to 100 characters")]
    BadName,
    #[error("there is no plan of that name")]
    UnknownPlan,
    #[error("this installation holds no more tenants")]
    Full,
    #[error(transparent)]
    Store(#[from] PgError),
}

impl Coded for TenancyError {
    fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::UnknownHost => "unknown_host",
            Self::Suspended => "tenant_suspended",
            Self::Terminated => "tenant_terminated",
            Self::NotReady => "tenant_not_ready",
            Self::IllegalMove(..) | Self::Reserved => "illegal_move",
            Self::SlugTaken => "slug_taken",
            Self::HostTaken => "host_taken",
            Self::BadSlug | Self::BadName | Self::UnknownPlan => "invalid",
            Self::Full => "tenants_full",
            Self::Store(error) => error.code(),
        }
    }

    fn field(&self) -> Option<&str> {
        match self {
            Self::SlugTaken | Self::BadSlug => Some("slug"),
            Self::HostTaken => Some("host"),
            Self::BadName => Some("name"),
            Self::UnknownPlan => Some("plan"),
            _ => None,
        }
    }

    fn retry_after_s(&self) -> Option<u64> {
        match self {
            Self::NotReady => Some(1),
            Self::Store(error) => error.retry_after_s(),
            _ => None,
        }
    }
}
