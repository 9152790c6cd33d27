//! Making, finding and changing communities.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::web::{self, Data};
use actix_web::{HttpResponse, get, patch, post};
use futures_util::FutureExt;

use super::bodies::{ChangeCommunity, CreateCommunity, PageQuery};
use crate::domain::communities::community;
use crate::domain::communities::views::CommunityView;
use crate::http::{Caller, Edge, Json, Member, Once, Path, Problem, Query, within};
use crate::kernel::CommunityId;
use crate::kernel::page::Page;

/// Makes a community with a room `general`; the caller owns it.
#[utoipa::path(tag = "communities", request_body = CreateCommunity,
    responses((status = 201, body = CommunityView), (status = "4XX", body = Problem)))]
#[post("/v1/communities")]
pub async fn create(
    edge: Data<Edge>,
    Member(scope): Member,
    once: Once,
    Json(body): Json<CreateCommunity>,
) -> Result<HttpResponse, Problem> {
    let (new, config) = (body.parse()?, Arc::clone(&edge.config));
    once.run(&edge, scope, &body, move |tx, scope, now| {
        async move {
            community::create(tx, scope, now, &config.plans, &new).await.map(|made| (StatusCode::CREATED, made))
        }
        .boxed()
    })
    .await
}

/// Communities that the caller may know of: their own, and those that are open or take requests.
#[utoipa::path(tag = "communities", params(PageQuery),
    responses((status = 200, body = Page<CommunityView>), (status = "4XX", body = Problem)))]
#[get("/v1/communities")]
pub async fn list(
    edge: Data<Edge>,
    Caller(scope): Caller,
    Query(page): Query<PageQuery>,
) -> Result<web::Json<Page<CommunityView>>, Problem> {
    let (after, limit) = (page.after_id()?, page.limit());
    let work = within(&edge, scope, move |tx, scope, _| community::list(tx, scope, after, limit).boxed());
    Ok(web::Json(work.await?))
}

/// One community.
#[utoipa::path(tag = "communities", params(("id" = CommunityId, Path)),
    responses((status = 200, body = CommunityView), (status = "4XX", body = Problem)))]
#[get("/v1/communities/{id}")]
pub async fn get(
    edge: Data<Edge>,
    Caller(scope): Caller,
    Path(id): Path<CommunityId>,
) -> Result<web::Json<CommunityView>, Problem> {
    let work = within(&edge, scope, move |tx, scope, _| community::get(tx, scope, id).boxed());
    Ok(web::Json(work.await?))
}

/// Changes a community; its admins do.
#[utoipa::path(tag = "communities", params(("id" = CommunityId, Path)), request_body = ChangeCommunity,
    responses((status = 200, body = CommunityView), (status = "4XX", body = Problem)))]
#[patch("/v1/communities/{id}")]
pub async fn update(
    edge: Data<Edge>,
    Caller(scope): Caller,
    Path(id): Path<CommunityId>,
    Json(body): Json<ChangeCommunity>,
) -> Result<web::Json<CommunityView>, Problem> {
    let changes = body.parse()?;
    let work = within(&edge, scope, move |tx, scope, now| community::update(tx, scope, now, id, changes).boxed());
    Ok(web::Json(work.await?))
}
