//! `/connection/*`: where clients of the live part come in.
//!
//! Queries of these paths carry tokens (SSE has no other place for them) and are never logged.

mod admit;
mod emulation;
mod websocket;

use actix_web::web;

/// The routes of the live part.
pub fn routes(app: &mut web::ServiceConfig) {
    app.route("/connection/websocket", web::get().to(websocket::open))
        .route("/connection/http_stream", web::post().to(emulation::http_stream))
        .route("/connection/sse", web::get().to(emulation::sse))
        .route("/emulation", web::post().to(emulation::receive));
}

pub use admit::PeerSocket;
