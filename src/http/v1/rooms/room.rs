//! Rooms themselves.

use actix_web::http::StatusCode;
use actix_web::web::{self, Data};
use actix_web::{HttpResponse, get, patch, post};
use futures_util::FutureExt;

use super::bodies::{ChangeRoom, CreateRoom};
use crate::domain::communities::rooms;
use crate::domain::communities::views::{MyRoom, RoomView};
use crate::http::v1::communities::bodies::PageQuery;
use crate::http::{Caller, Edge, Json, Once, Path, Problem, Query, within};
use crate::kernel::page::Page;
use crate::kernel::{CommunityId, RoomId};

/// Makes a room in a community; its moderators do.
#[utoipa::path(tag = "rooms", params(("id" = CommunityId, Path)), request_body = CreateRoom,
    responses((status = 201, body = RoomView), (status = "4XX", body = Problem)))]
#[post("/v1/communities/{id}/rooms")]
pub async fn create(
    edge: Data<Edge>,
    Caller(scope): Caller,
    once: Once,
    Path(id): Path<CommunityId>,
    Json(body): Json<CreateRoom>,
) -> Result<HttpResponse, Problem> {
    let new = body.parse()?;
    once.run(&edge, scope, &body, move |tx, scope, now| {
        async move { rooms::create(tx, scope, now, id, &new).await.map(|room| (StatusCode::CREATED, room)) }.boxed()
    })
    .await
}

/// A community's rooms that the caller reads, oldest first; admins see all.
#[utoipa::path(tag = "rooms", params(("id" = CommunityId, Path), PageQuery),
    responses((status = 200, body = Page<RoomView>), (status = "4XX", body = Problem)))]
#[get("/v1/communities/{id}/rooms")]
pub async fn list(
    edge: Data<Edge>,
    Caller(scope): Caller,
    Path(id): Path<CommunityId>,
    Query(page): Query<PageQuery>,
) -> Result<web::Json<Page<RoomView>>, Problem> {
    let window = (page.after_id()?, page.limit());
    let work = within(&edge, scope, move |tx, scope, now| rooms::list(tx, scope, now, id, window).boxed());
    Ok(web::Json(work.await?))
}

/// One room.
#[utoipa::path(tag = "rooms", params(("id" = RoomId, Path)),
    responses((status = 200, body = RoomView), (status = "4XX", body = Problem)))]
#[get("/v1/rooms/{id}")]
pub async fn get(
    edge: Data<Edge>,
    Caller(scope): Caller,
    Path(id): Path<RoomId>,
) -> Result<web::Json<RoomView>, Problem> {
    let work = within(&edge, scope, move |tx, scope, now| rooms::get(tx, scope, now, id).boxed());
    Ok(web::Json(work.await?))
}

/// Renames, changes the topic, archives, slows down.
#[utoipa::path(tag = "rooms", params(("id" = RoomId, Path)), request_body = ChangeRoom,
    responses((status = 200, body = RoomView), (status = "4XX", body = Problem)))]
#[patch("/v1/rooms/{id}")]
pub async fn update(
    edge: Data<Edge>,
    Caller(scope): Caller,
    Path(id): Path<RoomId>,
    Json(body): Json<ChangeRoom>,
) -> Result<web::Json<RoomView>, Problem> {
    let changes = body.parse()?;
    let work = within(&edge, scope, move |tx, scope, now| {
        async move { rooms::update(tx, scope, now, id, &changes).await }.boxed()
    });
    Ok(web::Json(work.await?))
}

/// Every room that the caller reads, with what waits there.
#[utoipa::path(tag = "rooms", responses((status = 200, body = Page<MyRoom>), (status = "4XX", body = Problem)))]
#[get("/v1/me/rooms")]
pub async fn list_mine(edge: Data<Edge>, Caller(scope): Caller) -> Result<web::Json<Page<MyRoom>>, Problem> {
    let work = within(&edge, scope, move |tx, scope, now| rooms::list_mine(tx, scope, now).boxed());
    Ok(web::Json(work.await?))
}
