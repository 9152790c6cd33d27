//! `/v1/rooms` and a community's rooms: making, finding and changing them, and who is in them. Messages have their own folder.

pub mod bodies;
pub mod direct;
pub mod members;
pub mod room;

use actix_web::web::ServiceConfig;

/// The routes of this resource.
pub fn routes(app: &mut ServiceConfig) {
    app.service(direct::open);
    app.service(room::create).service(room::list).service(room::get).service(room::update).service(room::list_mine);
    app.service(members::list).service(members::add).service(members::remove);
}

/// How the routes describe themselves.
#[derive(utoipa::OpenApi)]
#[openapi(paths(
    direct::open,
    room::create,
    room::list,
    room::get,
    room::update,
    room::list_mine,
    members::list,
    members::add,
    members::remove,
))]
pub struct Docs;
