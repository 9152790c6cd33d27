//! The description of the API at `/openapi.json`, and a page to browse it at `/docs`.

use actix_web::HttpResponse;
use actix_web::dev::Service;
use actix_web::http::header::{CONTENT_SECURITY_POLICY, HeaderValue};
use actix_web::web::{self, ServiceConfig};
use utoipa::OpenApi;
use utoipa::openapi::content::Content;
use utoipa::openapi::response::ResponseBuilder;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{OpenApi as Description, Ref, RefOr};
use utoipa_swagger_ui::{Config, SwaggerUi};

use super::problem::{MEDIA_TYPE, Problem};
use super::{health, jwks, v1};

/// The docs page has scripts and styles of its own, and reaches only this host.
const DOCS_POLICY: &str = "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
     frame-ancestors 'none'; base-uri 'none'; object-src 'none'";

#[derive(OpenApi)]
#[openapi(
    info(title = "Rialto", description = "Communities, rooms and messages in real time, for many tenants at once."),
    paths(health::live, health::ready, health::stats, jwks::jwks),
    components(schemas(Problem)),
    tags((name = "auth"), (name = "me"), (name = "users"), (name = "platform"), (name = "health"))
)]
struct Base;

/// The whole description.
#[must_use]
pub fn description() -> Description {
    let mut whole = Base::openapi();
    for part in v1::docs() {
        whole.merge(part);
    }
    let components = whole.components.get_or_insert_default();
    let bearer = SecurityScheme::Http(Http::builder().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").build());
    components.add_security_scheme("bearer", bearer);
    describe_problems(&mut whole);
    whole
}

/// Every operation may answer with a problem instead; which codes there are, `problem.rs` lists.
fn describe_problems(whole: &mut Description) {
    let content = Content::new(Some(Ref::from_schema_name("Problem")));
    let problem = ResponseBuilder::new().description("a problem (RFC 9457)").content(MEDIA_TYPE, content).build();
    for path in whole.paths.paths.values_mut() {
        let operations =
            [&mut path.get, &mut path.put, &mut path.post, &mut path.delete, &mut path.patch, &mut path.head];
        for operation in operations.into_iter().flatten() {
            let described = &mut operation.responses.responses;
            for (_, refusal) in described.iter_mut().filter(|(status, _)| status.starts_with(['4', '5'])) {
                if let RefOr::T(refusal) = refusal {
                    refusal.content.clone_from(&problem.content);
                }
            }
            described.insert("default".to_owned(), problem.clone().into());
        }
    }
}

pub(super) fn routes(app: &mut ServiceConfig) {
    let text = description().to_json().unwrap_or_default();
    let show = move || {
        let text = text.clone();
        async move { HttpResponse::Ok().content_type("application/json").body(text) }
    };
    app.route("/openapi.json", web::get().to(show));
    app.route("/docs", web::get().to(|| async { web::Redirect::to("/docs/") }));
    let page = SwaggerUi::new("/docs/{_:.*}").config(Config::from("/openapi.json").validator_url("none"));
    let docs = web::scope("").guard(actix_web::guard::fn_guard(|ctx| ctx.head().uri.path().starts_with("/docs/")));
    app.service(
        docs.wrap_fn(|req, service| {
            let answered = service.call(req);
            async move {
                let mut response = answered.await?;
                response.headers_mut().insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(DOCS_POLICY));
                Ok(response)
            }
        })
        .service(page),
    );
}
