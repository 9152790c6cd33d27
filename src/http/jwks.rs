//! GET /.well-known/jwks.json: the keys that access tokens are signed with.

use actix_web::web::Data;
use actix_web::{HttpResponse, get};

use super::Edge;

/// The public keys.
#[utoipa::path(tag = "auth", responses((status = 200, description = "a JSON Web Key Set")))]
#[get("/.well-known/jwks.json")]
pub async fn jwks(edge: Data<Edge>) -> HttpResponse {
    HttpResponse::Ok().insert_header(("Cache-Control", "public, max-age=60")).json(edge.keys.jwks())
}
