//! POST /v1/auth/logout

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, post};
use serde::Deserialize;

use super::answer;
use super::refresh::take_token;
use crate::domain::identity::IdentityError;
use crate::http::{Edge, Json, Problem, SignedIn, Tenant};

#[derive(Deserialize, utoipa::ToSchema)]
pub struct Logout {
    /// All sessions on all devices.
    #[serde(default)]
    everywhere: bool,
    /// Applications send it here, browsers as their cookie; the access token does as well.
    refresh_token: Option<String>,
}

/// Ends this session, or all of them.
#[utoipa::path(tag = "auth", request_body = Logout, responses(
    (status = 204, description = "signed out"),
    (status = 401, description = "no token of any kind", body = Problem),
    (status = 403, description = "not from this origin", body = Problem),
))]
#[post("/v1/auth/logout")]
pub async fn logout(
    edge: Data<Edge>,
    tenant: Tenant,
    signed_in: Option<SignedIn>,
    req: HttpRequest,
    body: Json<Logout>,
) -> Result<HttpResponse, Problem> {
    let (accounts, everywhere) = (edge.accounts.clone(), body.0.everywhere);
    let sent = take_token(&req, &edge, body.0.refresh_token)?;
    let work = async move {
        match (signed_in, sent) {
            (Some(signed_in), _) => accounts.logout_by_access(&signed_in.token, everywhere).await,
            (None, Some(sent)) => accounts.logout_by_refresh(tenant.0.id, &sent, everywhere).await,
            (None, None) => Err(IdentityError::Unauthorized),
        }
    };
    edge.db.run(work).await?;
    Ok(answer::signed_out(&edge.config))
}
