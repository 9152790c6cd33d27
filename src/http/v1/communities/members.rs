//! Members and what moderators do to them.

use actix_web::web::{self, Data};
use actix_web::{HttpResponse, delete, get, put};
use futures_util::FutureExt;

use super::bodies::{MembersQuery, Mute, PageQuery, RemoveQuery, SetRole};
use crate::domain::communities::members;
use crate::domain::communities::names;
use crate::domain::communities::views::MemberView;
use crate::http::{Caller, Edge, Json, Path, Problem, Query, within};
use crate::kernel::page::Page;
use crate::kernel::{CommunityId, UserId};

/// Members by handle.
#[utoipa::path(tag = "communities", params(("id" = CommunityId, Path), MembersQuery),
    responses((status = 200, body = Page<MemberView>), (status = "4XX", body = Problem)))]
#[get("/v1/communities/{id}/members")]
pub async fn list(
    edge: Data<Edge>,
    Caller(scope): Caller,
    Path(id): Path<CommunityId>,
    Query(query): Query<MembersQuery>,
) -> Result<web::Json<Page<MemberView>>, Problem> {
    let q = names::Query::parse(query.q.as_deref().unwrap_or_default())?;
    let after = PageQuery { cursor: query.cursor, limit: query.limit }.after_handle()?;
    let work = within(&edge, scope, move |tx, scope, _| {
        async move { members::list(tx, scope, id, &q, after.window()).await }.boxed()
    });
    Ok(web::Json(work.await?))
}

/// Gives a member a role below the caller's own; an owner may hand over.
#[utoipa::path(tag = "communities", params(("id" = CommunityId, Path), ("user" = UserId, Path)), request_body = SetRole,
    responses((status = 204), (status = "4XX", body = Problem)))]
#[put("/v1/communities/{id}/members/{user}/role")]
pub async fn set_role(
    edge: Data<Edge>,
    Caller(scope): Caller,
    Path((id, user)): Path<(CommunityId, UserId)>,
    Json(body): Json<SetRole>,
) -> Result<HttpResponse, Problem> {
    let change = (user, body.role);
    within(&edge, scope, move |tx, scope, now| members::set_role(tx, scope, now, id, change).boxed()).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Keeps a member from posting until then.
#[utoipa::path(tag = "communities", params(("id" = CommunityId, Path), ("user" = UserId, Path)), request_body = Mute,
    responses((status = 204), (status = "4XX", body = Problem)))]
#[put("/v1/communities/{id}/members/{user}/mute")]
pub async fn mute(
    edge: Data<Edge>,
    Caller(scope): Caller,
    Path((id, user)): Path<(CommunityId, UserId)>,
    Json(body): Json<Mute>,
) -> Result<HttpResponse, Problem> {
    let mute = (user, body.until);
    within(&edge, scope, move |tx, scope, now| members::mute(tx, scope, now, id, mute).boxed()).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Puts a member out; with `ban=true` for good.
#[utoipa::path(tag = "communities", params(("id" = CommunityId, Path), ("user" = UserId, Path), RemoveQuery),
    responses((status = 204), (status = "4XX", body = Problem)))]
#[delete("/v1/communities/{id}/members/{user}")]
pub async fn remove(
    edge: Data<Edge>,
    Caller(scope): Caller,
    Path((id, user)): Path<(CommunityId, UserId)>,
    Query(query): Query<RemoveQuery>,
) -> Result<HttpResponse, Problem> {
    let whom = (user, query.ban);
    within(&edge, scope, move |tx, scope, now| members::remove(tx, scope, now, id, whom).boxed()).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Who may not come back; moderators see it.
#[utoipa::path(tag = "communities", params(("id" = CommunityId, Path), PageQuery),
    responses((status = 200, body = Page<MemberView>), (status = "4XX", body = Problem)))]
#[get("/v1/communities/{id}/bans")]
pub async fn list_bans(
    edge: Data<Edge>,
    Caller(scope): Caller,
    Path(id): Path<CommunityId>,
    Query(page): Query<PageQuery>,
) -> Result<web::Json<Page<MemberView>>, Problem> {
    let after = page.after_handle()?;
    let work = within(&edge, scope, move |tx, scope, _| {
        async move { members::list_bans(tx, scope, id, after.window()).await }.boxed()
    });
    Ok(web::Json(work.await?))
}

/// Lets somebody come back.
#[utoipa::path(tag = "communities", params(("id" = CommunityId, Path), ("user" = UserId, Path)),
    responses((status = 204), (status = "4XX", body = Problem)))]
#[delete("/v1/communities/{id}/bans/{user}")]
pub async fn unban(
    edge: Data<Edge>,
    Caller(scope): Caller,
    Path((id, user)): Path<(CommunityId, UserId)>,
) -> Result<HttpResponse, Problem> {
    within(&edge, scope, move |tx, scope, now| members::unban(tx, scope, now, id, user).boxed()).await?;
    Ok(HttpResponse::NoContent().finish())
}
