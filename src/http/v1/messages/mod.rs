//! `/v1/rooms/{room}/…`: messages, and what is done with them. The same verbs as the socket's RPC.

pub mod change;
pub mod read;

use actix_web::web::{self, ServiceConfig};
use serde::Deserialize;
use utoipa::OpenApi;

use crate::kernel::{MessageId, RoomId};

/// A message in its room.
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct MessagePath {
    pub room: RoomId,
    pub message: MessageId,
}

/// A reaction to a message.
#[derive(Debug, Clone, Deserialize)]
pub struct ReactionPath {
    pub room: RoomId,
    pub message: MessageId,
    pub emoji: String,
}

/// A room.
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct RoomPath {
    pub room: RoomId,
}

/// The routes of this resource.
pub fn routes(v1: &mut ServiceConfig) {
    v1.service(
        web::resource("/v1/rooms/{room}/messages").route(web::get().to(read::list)).route(web::post().to(change::post)),
    )
    .service(
        web::resource("/v1/rooms/{room}/messages/{message}")
            .route(web::get().to(read::get))
            .route(web::patch().to(change::edit))
            .route(web::delete().to(change::remove)),
    )
    .route("/v1/rooms/{room}/messages/{message}/edits", web::get().to(read::edits))
    .service(
        web::resource("/v1/rooms/{room}/messages/{message}/reactions/{emoji}")
            .route(web::put().to(change::react))
            .route(web::delete().to(change::unreact)),
    )
    .service(
        web::resource("/v1/rooms/{room}/messages/{message}/pin")
            .route(web::put().to(change::pin))
            .route(web::delete().to(change::unpin)),
    )
    .route("/v1/rooms/{room}/pins", web::get().to(read::pins))
    .route("/v1/rooms/{room}/events", web::get().to(read::events))
    .route("/v1/rooms/{room}/presence", web::get().to(read::presence))
    .route("/v1/rooms/{room}/read", web::put().to(change::mark_read))
    .route("/v1/rooms/{room}/notifications", web::put().to(change::notifications))
    .route("/v1/rooms/{room}/typing", web::post().to(change::typing));
}

/// This resource's part of the description.
#[derive(OpenApi)]
#[openapi(paths(
    read::list,
    read::get,
    read::edits,
    read::pins,
    read::events,
    read::presence,
    change::post,
    change::edit,
    change::remove,
    change::react,
    change::unreact,
    change::pin,
    change::unpin,
    change::mark_read,
    change::notifications,
    change::typing
))]
pub struct Docs;
