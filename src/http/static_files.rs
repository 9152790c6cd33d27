//! The web application: files that are inside the program (read from disk in development), and its one page for every address of its own.

use std::collections::HashMap;
use std::io::Write as _;
use std::sync::{LazyLock, Mutex, PoisonError};

use actix_web::http::Method;
use actix_web::http::header::{
    ACCEPT, ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HeaderValue,
    IF_NONE_MATCH, VARY,
};
use actix_web::middleware::DefaultHeaders;
use actix_web::web::{self, Bytes, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, ResponseError};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use flate2::Compression;
use flate2::write::GzEncoder;
use ring::digest::{SHA256, digest};
use rust_embed::{Embed, EmbeddedFile};

use super::Problem;

#[derive(Embed)]
#[folder = "static/"]
struct Files;

const PAGE: &str = "index.html";

/// Vendored files carry their version in their path, so what is behind a path never changes.
const FOR_EVER: &str = "public, max-age=31536000, immutable";
/// Kept, but asked about each time; the answer is nearly always 304.
const ASK_FIRST: &str = "no-cache";

/// Where the server itself lives: these addresses are never the application's.
const NOT_PAGES: [&str; 9] =
    ["/v1", "/static", "/connection", "/emulation", "/health", "/docs", "/openapi.json", "/.well-known", "/dev"];

/// Said with every answer.
pub(super) fn headers() -> DefaultHeaders {
    DefaultHeaders::new()
        .add(("X-Content-Type-Options", "nosniff"))
        .add(("Referrer-Policy", "no-referrer"))
        .add(("X-Frame-Options", "DENY"))
        .add(("Cross-Origin-Opener-Policy", "same-origin"))
        .add(("Permissions-Policy", "camera=(), microphone=(), geolocation=(self), payment=()"))
}

pub(super) fn routes(app: &mut ServiceConfig) {
    let files = web::scope("/static").wrap(headers());
    app.service(files.route("/{path:.*}", web::get().to(file)).route("/{path:.*}", web::head().to(file)));
}

async fn file(req: HttpRequest, path: web::Path<String>) -> Result<HttpResponse, Problem> {
    let found = Files::get(&path).ok_or_else(Problem::not_found)?;
    let keep = if path.starts_with("vendor/") && path.contains('@') { FOR_EVER } else { ASK_FIRST };
    Ok(answer(&req, &path, found, keep))
}

/// What nobody else answers: the page, to a browser at an address of the application; else "not found".
pub(super) async fn otherwise(req: HttpRequest) -> HttpResponse {
    let accepts = req.headers().get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let is_page = !NOT_PAGES.iter().any(|start| is_below(req.path(), start));
    let takes_it = accepts.is_empty() || accepts.contains("text/html") || accepts.contains("*/*");
    let asks = [Method::GET, Method::HEAD].contains(req.method()) && takes_it;
    match Files::get(PAGE) {
        Some(page) if is_page && asks => {
            let policy = policy(&page.data);
            let mut response = answer(&req, PAGE, page, ASK_FIRST);
            if let Ok(policy) = HeaderValue::from_str(&policy) {
                response.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
            }
            response
        }
        _ => Problem::not_found().error_response(),
    }
}

fn is_below(path: &str, start: &str) -> bool {
    path.strip_prefix(start).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn answer(req: &HttpRequest, path: &str, file: EmbeddedFile, keep: &'static str) -> HttpResponse {
    let etag = format!("\"{}\"", URL_SAFE_NO_PAD.encode(&file.metadata.sha256_hash()[..18]));
    let known = req.headers().get(IF_NONE_MATCH).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let unchanged = known.split(',').any(|tag| tag.trim().trim_start_matches("W/") == etag);
    let mut response = if unchanged { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response.insert_header((ETAG, etag)).insert_header((CACHE_CONTROL, keep));
    if unchanged {
        return response.finish();
    }
    let kind = media_type(path);
    response.insert_header((CONTENT_TYPE, kind));
    let is_text = kind.contains("charset") || kind.contains("json") || kind.contains("svg");
    if !is_text {
        return response.body(file.data.into_owned());
    }
    response.insert_header((VARY, "accept-encoding"));
    let takes_gzip = req
        .headers()
        .get(ACCEPT_ENCODING)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.contains("gzip"));
    if takes_gzip && let Some(packed) = packed(&file) {
        return response.insert_header((CONTENT_ENCODING, "gzip")).body(packed);
    }
    response.body(file.data.into_owned())
}

/// A file's smallest gzip form, made once: a first visit is mostly waiting for these bytes. Bounded by what is inside the program.
fn packed(file: &EmbeddedFile) -> Option<Bytes> {
    static PACKED: LazyLock<Mutex<HashMap<[u8; 32], Bytes>>> = LazyLock::new(Mutex::default);
    let key = file.metadata.sha256_hash();
    if let Some(known) = PACKED.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
        return Some(known.clone());
    }
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(&file.data).ok()?;
    let made = Bytes::from(encoder.finish().ok()?);
    PACKED.lock().unwrap_or_else(PoisonError::into_inner).insert(key, made.clone());
    Some(made)
}

fn media_type(path: &str) -> &'static str {
    match path.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "wasm" => "application/wasm",
        "txt" | "md" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

/// The page's policy: scripts of this host, and the one inline script there has to be, the import map, by its hash.
fn policy(page: &[u8]) -> String {
    let hashes: String =
        inline_scripts(&String::from_utf8_lossy(page)).map(|hash| format!(" 'sha256-{hash}'")).collect();
    format!(
        "default-src 'none'; script-src 'self'{hashes}; style-src 'self'; img-src 'self' data: blob:; font-src 'self'; \
         connect-src 'self'; manifest-src 'self'; worker-src 'self'; media-src 'self' blob:; form-action 'self'; \
         base-uri 'none'; frame-ancestors 'none'; object-src 'none'"
    )
}

fn inline_scripts(page: &str) -> impl Iterator<Item = String> {
    let scripts = page.split("<script type=\"importmap\">").skip(1);
    scripts
        .filter_map(|rest| rest.split("</script>").next())
        .map(|text| STANDARD.encode(digest(&SHA256, text.as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_names_the_import_map_by_its_hash() {
        let page = b"<script type=\"importmap\">{}</script><script src=\"/x.js\"></script>";
        // echo -n '{}' | openssl dgst -sha256 -binary | base64
        assert!(policy(page).contains("script-src 'self' 'sha256-RBNvo1WzZ4oRRq0W9+hknpT7T8If536DEMBg9hyq/4o=';"));
    }

    #[test]
    fn the_page_of_this_build_has_an_import_map_and_no_other_inline_script() {
        let page = Files::get(PAGE).unwrap();
        let text = String::from_utf8_lossy(&page.data);
        assert_eq!(inline_scripts(&text).count(), 1);
        assert_eq!(
            text.matches("<script").count(),
            1 + text.matches("<script src=").count() + text.matches("<script type=\"module\"").count()
        );
    }

    #[test]
    fn every_embedded_file_has_a_type_that_browsers_accept() {
        for path in Files::iter().filter(|path| !path.ends_with("LICENSE")) {
            assert_ne!(media_type(&path), "application/octet-stream", "{path}");
        }
    }

    #[test]
    fn addresses_of_the_server_are_no_pages() {
        assert!(is_below("/v1/x", "/v1") && is_below("/v1", "/v1"));
        assert!(!is_below("/v1x", "/v1"));
    }
}
