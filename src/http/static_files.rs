//! The web client: one page for all its paths, and its files, all inside the binary.
//!
//! The page's policy lets in its own scripts alone; the import map stands in the page itself and is let in by its hash, computed from
//! the embedded page, so that it can not be forgotten.

use std::borrow::Cow;
use std::sync::LazyLock;

use actix_web::http::Method;
use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HeaderValue, IF_NONE_MATCH, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use actix_web::middleware::Compress;
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{SHA256, digest};
use rust_embed::{EmbeddedFile, RustEmbed};

use super::Problem;

#[derive(RustEmbed)]
#[folder = "static/"]
struct Files;

/// First path segments that are not the page's: what is not found below them is a problem, not the page.
const NOT_PAGES: &[&str] =
    &["v1", "static", "connection", "emulation", "health", "docs", "openapi.json", ".well-known", "dev", "metrics"];

/// Everything comes from here, and nothing may frame the page.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    let page = Files::get("index.html").map(|file| file.data).unwrap_or_default();
    let hash = import_map(&String::from_utf8_lossy(&page))
        .map(|map| format!(" 'sha256-{}'", STANDARD.encode(digest(&SHA256, map.as_bytes()))))
        .unwrap_or_default();
    format!(
        "default-src 'none'; script-src 'self'{hash}; style-src 'self'; font-src 'self'; img-src 'self' data: blob:; \
         connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    )
});

/// The text of the page's import map, byte for byte.
fn import_map(page: &str) -> Option<&str> {
    let (_, rest) = page.split_once(r#"<script type="importmap">"#)?;
    rest.split_once("</script>").map(|(map, _)| map)
}

/// The routes of files.
pub fn routes(app: &mut ServiceConfig) {
    app.service(web::scope("/static").wrap(Compress::default()).route("/{path:.*}", web::get().to(file)));
}

async fn file(request: HttpRequest, path: web::Path<String>) -> Result<HttpResponse, Problem> {
    let found = Files::get(&path).ok_or_else(Problem::not_found)?;
    // A vendored file's folder names its version: it never changes.
    let caching = if path.starts_with("vendor/") { "public, max-age=31536000, immutable" } else { "no-cache" };
    Ok(answer(&request, &found, media_type(&path), caching))
}

/// What no route takes: the page for a browser on one of its paths, a problem for everything else.
pub async fn page_or_problem(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let first = request.path().trim_start_matches('/').split('/').next().unwrap_or_default();
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    if !reads || NOT_PAGES.contains(&first) {
        return Err(Problem::not_found());
    }
    let page = Files::get("index.html").ok_or_else(Problem::not_found)?;
    let mut response = answer(&request, &page, "text/html; charset=utf-8", "no-cache");
    let headers = response.headers_mut();
    if let Ok(policy) = HeaderValue::from_str(&POLICY) {
        headers.insert(CONTENT_SECURITY_POLICY, policy);
    }
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    Ok(response)
}

fn answer(request: &HttpRequest, file: &EmbeddedFile, media_type: &'static str, caching: &'static str) -> HttpResponse {
    let tag = format!("\"{}\"", STANDARD.encode(&file.metadata.sha256_hash()[..12]));
    let known = request.headers().get(IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    // A compressing proxy marks the tag as weak; the content is the same.
    let unchanged = known.is_some_and(|known| known.split(',').any(|one| one.trim().trim_start_matches("W/") == tag));
    let mut response = if unchanged { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response
        .insert_header((ETAG, tag))
        .insert_header((CACHE_CONTROL, caching))
        .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"));
    if unchanged {
        return response.finish();
    }
    response.insert_header((CONTENT_TYPE, media_type));
    match &file.data {
        Cow::Borrowed(bytes) => response.body(*bytes),
        Cow::Owned(bytes) => response.body(bytes.clone()),
    }
}

fn media_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map_or("", |(_, extension)| extension) {
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "html" => "text/html; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "woff2" => "font/woff2",
        "json" | "map" | "webmanifest" => "application/json",
        "md" | "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_names_the_import_map_of_the_embedded_page() {
        assert!(POLICY.contains("script-src 'self' 'sha256-"), "{}", *POLICY);
    }

    #[test]
    fn every_embedded_file_has_a_type_that_browsers_accept() {
        for path in Files::iter().filter(|path| !path.contains("LICENSE") && !path.ends_with("OFL.txt")) {
            assert_ne!(media_type(&path), "application/octet-stream", "{path}");
        }
    }
}
