//! Rooms of a few people.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpResponse, post};
use futures_util::FutureExt;

use super::bodies::OpenDirect;
use crate::domain::communities::direct::{self, People};
use crate::domain::communities::views::RoomView;
use crate::http::{Caller, Edge, Json, Once, Problem};

/// Finds the room of these people, or makes it (201).
#[utoipa::path(tag = "rooms", request_body = OpenDirect,
    responses((status = 200, body = RoomView), (status = 201, body = RoomView), (status = "4XX", body = Problem)))]
#[post("/v1/rooms/direct")]
pub async fn open(
    edge: Data<Edge>,
    Caller(scope): Caller,
    once: Once,
    Json(body): Json<OpenDirect>,
) -> Result<HttpResponse, Problem> {
    let people = People::parse(scope.user, body.user_ids.clone())?;
    once.run(&edge, scope, &body, move |tx, scope, now| {
        async move {
            let opened = direct::open(tx, scope, now, &people).await?;
            let status = if opened.created { StatusCode::CREATED } else { StatusCode::OK };
            Ok::<_, crate::domain::communities::Error>((status, opened.room))
        }
        .boxed()
    })
    .await
}
