//! A path that is there, asked with a method that it does not have: 405 with `Allow`, and a problem.
//!
//! The API's own description is the table, so that no route has to say it again; a test sees to it that each handler is described.

use std::sync::LazyLock;

use actix_web::Error;
use actix_web::ResponseError;
use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ResourceDef, ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, HeaderValue};
use actix_web::middleware::Next;

use super::{Problem, openapi};

/// Each described path with its methods.
static KNOWN: LazyLock<Vec<(ResourceDef, Vec<&'static str>)>> = LazyLock::new(|| {
    let paths = openapi::description().paths.paths;
    paths
        .iter()
        .map(|(path, item)| {
            let methods = [
                ("GET", item.get.is_some()),
                ("POST", item.post.is_some()),
                ("PUT", item.put.is_some()),
                ("PATCH", item.patch.is_some()),
                ("DELETE", item.delete.is_some()),
            ];
            let there = methods.into_iter().filter(|(_, there)| *there).map(|(method, _)| method).collect();
            (ResourceDef::new(path.as_str()), there)
        })
        .collect()
});

/// What `path` may be asked with, when `method` is not among it.
fn allowed_instead(path: &str, method: &str) -> Option<String> {
    let known = KNOWN.iter().filter(|(known, _)| known.is_match(path));
    let methods: Vec<_> = known.flat_map(|(_, methods)| methods.iter().copied()).collect();
    (!methods.is_empty() && !methods.contains(&method)).then(|| methods.join(", "))
}

/// Looks at what nobody answered.
///
/// # Errors
/// The handler's own.
pub(super) async fn watch(
    req: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<EitherBody<impl MessageBody>>, Error> {
    let response = next.call(req).await?;
    let unanswered = [StatusCode::NOT_FOUND, StatusCode::METHOD_NOT_ALLOWED].contains(&response.status());
    let (path, method) = (response.request().path(), response.request().method());
    let Some(allowed) = unanswered.then(|| allowed_instead(path, method.as_str())).flatten() else {
        return Ok(response.map_into_left_body());
    };
    let problem = Problem::new("method_not_allowed", format!("this path is asked with {allowed}"));
    let mut refusal = problem.error_response();
    if let Ok(allowed) = HeaderValue::from_str(&allowed) {
        refusal.headers_mut().insert(ALLOW, allowed);
    }
    Ok(response.into_response(refusal.map_into_right_body()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_path_tells_its_methods_only_to_those_who_use_another() {
        assert_eq!(allowed_instead("/v1/me", "DELETE").unwrap(), "GET, PATCH");
        assert_eq!(allowed_instead("/v1/me", "GET"), None);
        assert_eq!(allowed_instead("/v1/nothing", "GET"), None);
        assert_eq!(allowed_instead("/v1/rooms/x/messages", "PUT").unwrap(), "GET, POST");
    }
}
