//! Coming in and going.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::web::{self, Data};
use actix_web::{HttpResponse, get, post};
use futures_util::FutureExt;

use super::bodies::{AnswerRequest, JoinCommunity, PageQuery};
use crate::domain::communities::views::{Joined, RequestView};
use crate::domain::communities::{joining, members};
use crate::http::{Caller, Edge, Json, Once, Path, Problem, Query, within};
use crate::kernel::page::Page;
use crate::kernel::{CommunityId, UserId};

/// Joins, or asks to join. Again changes nothing.
#[utoipa::path(tag = "communities", params(("id" = CommunityId, Path)), request_body = JoinCommunity,
    responses((status = 200, body = Joined), (status = "4XX", body = Problem)))]
#[post("/v1/communities/{id}/join")]
pub async fn join(
    edge: Data<Edge>,
    Caller(scope): Caller,
    once: Once,
    Path(id): Path<CommunityId>,
    Json(body): Json<JoinCommunity>,
) -> Result<HttpResponse, Problem> {
    let (join, config) = (body.parse()?, Arc::clone(&edge.config));
    once.run(&edge, scope, &body, move |tx, scope, now| {
        async move {
            joining::join(tx, scope, now, &config.plans, (id, &join)).await.map(|joined| (StatusCode::OK, joined))
        }
        .boxed()
    })
    .await
}

/// Leaves; the last owner can not.
#[utoipa::path(tag = "communities", params(("id" = CommunityId, Path)),
    responses((status = 204), (status = "4XX", body = Problem)))]
#[post("/v1/communities/{id}/leave")]
pub async fn leave(
    edge: Data<Edge>,
    Caller(scope): Caller,
    once: Once,
    Path(id): Path<CommunityId>,
) -> Result<HttpResponse, Problem> {
    once.run(&edge, scope, &(), move |tx, scope, now| {
        async move { members::leave(tx, scope, now, id).await.map(|()| (StatusCode::NO_CONTENT, ())) }.boxed()
    })
    .await
}

/// Who waits to be let in; moderators see it.
#[utoipa::path(tag = "communities", params(("id" = CommunityId, Path), PageQuery),
    responses((status = 200, body = Page<RequestView>), (status = "4XX", body = Problem)))]
#[get("/v1/communities/{id}/requests")]
pub async fn list_requests(
    edge: Data<Edge>,
    Caller(scope): Caller,
    Path(id): Path<CommunityId>,
    Query(page): Query<PageQuery>,
) -> Result<web::Json<Page<RequestView>>, Problem> {
    let after = page.after_handle()?;
    let work = within(&edge, scope, move |tx, scope, _| {
        async move {
            let window = after.window();
            joining::list_requests(tx, scope, id, window.after, window.limit).await
        }
        .boxed()
    });
    Ok(web::Json(work.await?))
}

/// Lets somebody in who asked, or not.
#[utoipa::path(tag = "communities", params(("id" = CommunityId, Path), ("user" = UserId, Path)), request_body = AnswerRequest,
    responses((status = 204), (status = "4XX", body = Problem)))]
#[post("/v1/communities/{id}/requests/{user}")]
pub async fn answer_request(
    edge: Data<Edge>,
    Caller(scope): Caller,
    once: Once,
    Path((id, user)): Path<(CommunityId, UserId)>,
    Json(body): Json<AnswerRequest>,
) -> Result<HttpResponse, Problem> {
    let (answer, config) = ((id, user, body.approve), Arc::clone(&edge.config));
    once.run(&edge, scope, &body, move |tx, scope, now| {
        async move {
            let done = joining::answer_request(tx, scope, now, &config.plans, answer).await;
            done.map(|()| (StatusCode::NO_CONTENT, ()))
        }
        .boxed()
    })
    .await
}
