//! Who is in a room.

use actix_web::web::{self, Data};
use actix_web::{HttpResponse, delete, get, put};
use futures_util::FutureExt;

use crate::domain::communities::room_members;
use crate::domain::communities::views::MemberView;
use crate::http::v1::communities::bodies::PageQuery;
use crate::http::{Caller, Edge, Path, Problem, Query, within};
use crate::kernel::page::Page;
use crate::kernel::{RoomId, UserId};

/// The people of a room by handle.
#[utoipa::path(tag = "rooms", params(("id" = RoomId, Path), PageQuery),
    responses((status = 200, body = Page<MemberView>), (status = "4XX", body = Problem)))]
#[get("/v1/rooms/{id}/members")]
pub async fn list(
    edge: Data<Edge>,
    Caller(scope): Caller,
    Path(id): Path<RoomId>,
    Query(page): Query<PageQuery>,
) -> Result<web::Json<Page<MemberView>>, Problem> {
    let after = page.after_handle()?;
    let work = within(&edge, scope, move |tx, scope, now| {
        async move { room_members::list(tx, scope, now, id, after.window()).await }.boxed()
    });
    Ok(web::Json(work.await?))
}

/// Puts somebody into a private room or a group.
#[utoipa::path(tag = "rooms", params(("id" = RoomId, Path), ("user" = UserId, Path)),
    responses((status = 204), (status = "4XX", body = Problem)))]
#[put("/v1/rooms/{id}/members/{user}")]
pub async fn add(
    edge: Data<Edge>,
    Caller(scope): Caller,
    Path((id, user)): Path<(RoomId, UserId)>,
) -> Result<HttpResponse, Problem> {
    within(&edge, scope, move |tx, scope, now| room_members::add(tx, scope, now, id, user).boxed()).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Takes somebody out of a private room or a group; everybody may go by themselves.
#[utoipa::path(tag = "rooms", params(("id" = RoomId, Path), ("user" = UserId, Path)),
    responses((status = 204), (status = "4XX", body = Problem)))]
#[delete("/v1/rooms/{id}/members/{user}")]
pub async fn remove(
    edge: Data<Edge>,
    Caller(scope): Caller,
    Path((id, user)): Path<(RoomId, UserId)>,
) -> Result<HttpResponse, Problem> {
    within(&edge, scope, move |tx, scope, now| room_members::remove(tx, scope, now, id, user).boxed()).await?;
    Ok(HttpResponse::NoContent().finish())
}
