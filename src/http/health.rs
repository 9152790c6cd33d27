//! Whether the process lives, and whether it can serve.

use actix_web::web::{Data, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, get};
use serde_json::json;

use super::{Edge, Problem};

pub(super) fn routes(app: &mut ServiceConfig) {
    app.service(live).service(ready).service(stats);
}

/// The process answers.
#[utoipa::path(tag = "health", responses((status = 200, description = "alive")))]
#[get("/health/live")]
pub async fn live() -> HttpResponse {
    HttpResponse::Ok().json(json!({ "status": "ok" }))
}

/// The parts that serving needs answer.
#[utoipa::path(tag = "health", responses((status = 200, description = "ready"), (status = 503, description = "a part is not")))]
#[get("/health/ready")]
pub async fn ready(edge: Data<Edge>) -> HttpResponse {
    let pg = edge.db.pg().clone();
    let store = edge.db.run(async move { pg.platform().await?.commit().await }).await.is_ok();
    let word = |ok| if ok { "ok" } else { "failing" };
    let body = json!({ "status": word(store), "parts": { "store": word(store) } });
    if store { HttpResponse::Ok().json(body) } else { HttpResponse::ServiceUnavailable().json(body) }
}

/// What this node has done since it started, and what it holds now. For whoever runs it: answered to loopback peers only.
#[utoipa::path(tag = "health", responses((status = 200, description = "counters"), (status = 404, description = "not from this machine")))]
#[get("/health/stats")]
pub async fn stats(request: HttpRequest, edge: Data<Edge>) -> Result<HttpResponse, Problem> {
    let forwarded = request.headers().contains_key("x-forwarded-for") || request.headers().contains_key("forwarded");
    if forwarded || !request.peer_addr().is_some_and(|peer| peer.ip().is_loopback()) {
        return Err(Problem::not_found());
    }
    let node = &edge.live;
    let (rooms, tenants) = node.directory.counts();
    Ok(HttpResponse::Ok().json(json!({
        "pid": std::process::id(),
        "connections": node.admission.connections(),
        "actors": { "tenants": tenants, "rooms": rooms },
        "ring_bytes": node.feeds.bytes(),
        "counters": &*node.counters,
    })))
}
