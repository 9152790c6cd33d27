//! A community's invites, for its moderators.

use actix_web::http::StatusCode;
use actix_web::web::{self, Data};
use actix_web::{HttpResponse, delete, get, post};
use futures_util::FutureExt;

use super::bodies::CreateInvite;
use crate::domain::communities::invites::{self, Terms};
use crate::domain::communities::views::InviteView;
use crate::http::{Caller, Edge, Json, Once, Path, Problem, Tenant, within};
use crate::kernel::page::Page;
use crate::kernel::{CommunityId, InviteId};

/// The address that people open: on the tenant's stored host, never on one that the request names.
fn with_address(edge: &Edge, tenant: &Tenant, invite: InviteView) -> InviteView {
    let base = tenant.0.host.as_ref().map_or_else(|| edge.config.server.public_url(), |host| format!("https://{host}"));
    InviteView { url: format!("{}{}", base.trim_end_matches('/'), invite.url), ..invite }
}

/// Makes an invite.
#[utoipa::path(tag = "communities", params(("id" = CommunityId, Path)), request_body = CreateInvite,
    responses((status = 201, body = InviteView), (status = "4XX", body = Problem)))]
#[post("/v1/communities/{id}/invites")]
pub async fn create(
    edge: Data<Edge>,
    Caller(scope): Caller,
    tenant: Tenant,
    once: Once,
    Path(id): Path<CommunityId>,
    Json(body): Json<CreateInvite>,
) -> Result<HttpResponse, Problem> {
    let terms = Terms::parse(body.expires_in_s, body.max_uses)?;
    let home = Data::clone(&edge);
    once.run(&edge, scope, &body, move |tx, scope, now| {
        async move {
            let made = invites::create(tx, scope, now, id, terms).await;
            made.map(|invite| (StatusCode::CREATED, with_address(&home, &tenant, invite)))
        }
        .boxed()
    })
    .await
}

/// Invites that still work, newest first.
#[utoipa::path(tag = "communities", params(("id" = CommunityId, Path)),
    responses((status = 200, body = Page<InviteView>), (status = "4XX", body = Problem)))]
#[get("/v1/communities/{id}/invites")]
pub async fn list(
    edge: Data<Edge>,
    Caller(scope): Caller,
    tenant: Tenant,
    Path(id): Path<CommunityId>,
) -> Result<web::Json<Page<InviteView>>, Problem> {
    let work = within(&edge, scope, move |tx, scope, now| invites::list(tx, scope, now, id).boxed());
    let items = work.await?.into_iter().map(|invite| with_address(&edge, &tenant, invite)).collect();
    Ok(web::Json(Page { items, next_cursor: None }))
}

/// Makes an invite useless.
#[utoipa::path(tag = "communities", params(("id" = CommunityId, Path), ("invite" = InviteId, Path)),
    responses((status = 204), (status = "4XX", body = Problem)))]
#[delete("/v1/communities/{id}/invites/{invite}")]
pub async fn revoke(
    edge: Data<Edge>,
    Caller(scope): Caller,
    Path((id, invite)): Path<(CommunityId, InviteId)>,
) -> Result<HttpResponse, Problem> {
    within(&edge, scope, move |tx, scope, now| invites::revoke(tx, scope, now, id, invite).boxed()).await?;
    Ok(HttpResponse::NoContent().finish())
}
