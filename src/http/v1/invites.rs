//! `/v1/invites`: what the holder of an invite sees before joining, signed in or not.

use actix_web::get;
use actix_web::web::{self, Data, ServiceConfig};

use crate::domain::communities::names::Code;
use crate::domain::communities::views::InvitePreview;
use crate::domain::communities::{Error, invites};
use crate::http::{Edge, Path, Problem, SignedIn, Tenant};

/// The routes of this resource.
pub fn routes(app: &mut ServiceConfig) {
    app.service(preview);
}

/// How the routes describe themselves.
#[derive(utoipa::OpenApi)]
#[openapi(paths(preview))]
pub struct Docs;

/// What an invite leads to.
#[utoipa::path(tag = "communities", params(("code" = String, Path)), security(()),
    responses((status = 200, body = InvitePreview), (status = "4XX", body = Problem)))]
#[get("/v1/invites/{code}")]
pub async fn preview(
    edge: Data<Edge>,
    tenant: Tenant,
    reader: Option<SignedIn>,
    Path(code): Path<String>,
) -> Result<web::Json<InvitePreview>, Problem> {
    let code = Code::parse(&code).ok_or(Error::NotFound)?;
    let reader = reader.map(|reader| reader.person.scope.user);
    let (pg, now) = (edge.db.pg().clone(), edge.clock.now());
    let found = edge.db.run(async move {
        let mut tx = pg.tenant(tenant.0.id).await?;
        invites::preview(&mut tx, reader, now, &code).await
    });
    Ok(web::Json(found.await?))
}
