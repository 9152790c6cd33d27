//! Who may call is in a handler's signature: [`Caller`], [`Member`], [`TenantModerator`], [`TenantAdmin`], [`PlatformAdmin`].
//!
//! The token says who; role and state are read as they are now. A token of another tenant is 404 and leaves an audit row (R5).

use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::http::header::AUTHORIZATION;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;

use super::tenant::Tenant;
use super::{Edge, Problem, cross_tenant};
use crate::domain::identity::{IdentityError, Person, Verified};
use crate::kernel::{Scope, TenantId, TenantRole};

/// Somebody signed in, with what their token says; kept in the request's extensions.
#[derive(Debug, Clone)]
pub struct SignedIn {
    pub tenant: Tenant,
    pub person: Arc<Person>,
    pub token: Verified,
}

impl FromRequest for SignedIn {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let req = req.clone();
        async move { sign_in(&req).await }.boxed_local()
    }
}

async fn sign_in(req: &HttpRequest) -> Result<SignedIn, Problem> {
    let edge = req.app_data::<Data<Edge>>().ok_or_else(Problem::not_found)?;
    let tenant = Tenant::extract(req).await?;
    let token = edge.keys.verify(bearer(req)?, edge.clock.now())?;
    if token.tenant != tenant.0.id {
        cross_tenant::note(edge, token.tenant, token.user, format!("tenant:{}", tenant.0.id)).await;
        return Err(Problem::not_found());
    }
    let person = edge.directory.admit(&edge.db, &token).await?;
    let signed_in = SignedIn { tenant, person, token };
    req.extensions_mut().insert(signed_in.clone());
    Ok(signed_in)
}

/// The token of the `Authorization` header.
pub(super) fn bearer(req: &HttpRequest) -> Result<&str, IdentityError> {
    let value = req.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    match value.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") && !token.is_empty() => Ok(token.trim()),
        _ => Err(IdentityError::Unauthorized),
    }
}

macro_rules! extractors {
    ($($(#[$doc:meta])* $name:ident if $permits:expr;)+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone)]
        pub struct $name(pub Scope);

        impl FromRequest for $name {
            type Error = Problem;
            type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

            fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
                let req = req.clone();
                async move {
                    let scope = sign_in(&req).await?.person.scope.clone();
                    let permits: fn(&Scope) -> bool = $permits;
                    if permits(&scope) { Ok(Self(scope)) } else { Err(IdentityError::Forbidden.into()) }
                }
                .boxed_local()
            }
        }
    )+};
}

extractors! {
    /// Anybody signed in, guests too.
    Caller if |_| true;
    /// Anybody signed in who is no guest.
    Member if |scope| scope.role > TenantRole::Guest;
    /// Moderators of the whole tenant, and its admins.
    TenantModerator if |scope| scope.role.moderates();
    /// The tenant's admins.
    TenantAdmin if |scope| scope.role == TenantRole::TenantAdmin;
    /// The people who run the deployment, signed in to the reserved tenant.
    PlatformAdmin if |scope| scope.role == TenantRole::PlatformAdmin && scope.tenant == TenantId::PLATFORM;
}
