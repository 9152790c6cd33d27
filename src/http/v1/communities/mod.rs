//! `/v1/communities`: communities, who is in them, who comes in and how.

pub mod bodies;
pub mod community;
pub mod invites;
pub mod joining;
pub mod members;

use actix_web::web::ServiceConfig;

/// The routes of this resource.
pub fn routes(app: &mut ServiceConfig) {
    app.service(community::create).service(community::list).service(community::get).service(community::update);
    app.service(joining::join).service(joining::leave).service(joining::list_requests).service(joining::answer_request);
    app.service(members::list).service(members::set_role).service(members::mute).service(members::remove);
    app.service(members::list_bans).service(members::unban);
    app.service(invites::create).service(invites::list).service(invites::revoke);
}

/// How the routes describe themselves.
#[derive(utoipa::OpenApi)]
#[openapi(paths(
    community::create,
    community::list,
    community::get,
    community::update,
    joining::join,
    joining::leave,
    joining::list_requests,
    joining::answer_request,
    members::list,
    members::set_role,
    members::mute,
    members::remove,
    members::list_bans,
    members::unban,
    invites::create,
    invites::list,
    invites::revoke,
))]
pub struct Docs;
