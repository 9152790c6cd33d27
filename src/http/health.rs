//! Whether the process lives, and whether it can serve.

use actix_web::web::{Data, ServiceConfig};
use actix_web::{HttpResponse, get};
use serde_json::json;

use super::Edge;
use crate::infra::pg::PgError;

pub(super) fn routes(app: &mut ServiceConfig) {
    app.service(live).service(ready);
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
    let store = edge.db.run(async move { Ok::<_, PgError>(pg.platform().await?.commit().await?) }).await.is_ok();
    let word = |ok| if ok { "ok" } else { "failing" };
    let body = json!({ "status": word(store), "parts": { "store": word(store) } });
    if store { HttpResponse::Ok().json(body) } else { HttpResponse::ServiceUnavailable().json(body) }
}
