//! GET /dev/mail: the mail that a demo did not send, so that one can follow its links.
//!
//! It opens every account of the demo, so it exists only with `--demo`, for a browser on this machine (loopback peer, loopback host, no
//! proxy in between), and behind a token that was printed at the start: another page in that browser must not read it either.

use actix_web::http::header::{ACCEPT, CACHE_CONTROL, CONTENT_SECURITY_POLICY};
use actix_web::web::{Data, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, get};
use serde::Deserialize;
use serde_json::json;

use super::{Edge, Problem, Query, Tenant, tenant};
use crate::domain::identity::postman::{self, Shown};
use crate::infra::pg::PgError;
use crate::kernel::TenantId;

/// Mails on the page.
const SHOWN_MAX: i64 = 50;
const FORWARDED: [&str; 4] = ["forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip"];

pub(super) fn routes(app: &mut ServiceConfig) {
    app.service(show);
}

#[derive(Deserialize)]
struct Key {
    #[serde(default)]
    token: String,
}

/// Not part of the described API.
#[get("/dev/mail")]
async fn show(edge: Data<Edge>, tenant: Tenant, req: HttpRequest, key: Query<Key>) -> Result<HttpResponse, Problem> {
    let expected = edge.mail_page_token.as_deref().ok_or_else(Problem::not_found)?;
    if !is_local(&req) || !same(expected, &key.0.token) {
        return Err(Problem::not_found());
    }
    let mails = read(&edge, tenant.0.id).await?;
    let wants_json = req.headers().get(ACCEPT).and_then(|value| value.to_str().ok());
    if wants_json.is_some_and(|accept| accept.contains("application/json")) {
        return Ok(HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(json!({ "items": mails })));
    }
    Ok(HttpResponse::Ok()
        .content_type("text/html; charset=utf-8")
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'; base-uri 'none'"))
        .body(page(&mails)))
}

async fn read(edge: &Edge, tenant: TenantId) -> Result<Vec<Shown>, PgError> {
    let pg = edge.db.pg().clone();
    edge.db.run(async move { postman::list(&pg, tenant, SHOWN_MAX).await }).await
}

fn is_local(req: &HttpRequest) -> bool {
    let peer = req.peer_addr().is_some_and(|peer| peer.ip().is_loopback());
    let host = tenant::host_of(req);
    let host = host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
    peer && host && !FORWARDED.iter().any(|name| req.headers().contains_key(*name))
}

/// Compares digests: how long it takes tells nothing about the token.
fn same(expected: &str, given: &str) -> bool {
    use ring::digest::{SHA256, digest};
    digest(&SHA256, expected.as_bytes()).as_ref() == digest(&SHA256, given.as_bytes()).as_ref()
}

fn page(mails: &[Shown]) -> String {
    let items: String = mails.iter().map(entry).collect();
    let body = if mails.is_empty() { "<p>No mail yet." } else { &items };
    format!(
        "<!doctype html><html lang=en><meta charset=utf-8><title>Mail of this demo</title>\
         <h1>Mail of this demo</h1><p>Nothing was sent. Newest first.</p>{body}</html>"
    )
}

fn entry(mail: &Shown) -> String {
    let at = mail.created_at.format("%Y-%m-%d %H:%M:%S UTC");
    let text = escape(&mail.body).lines().map(link).collect::<Vec<_>>().join("\n");
    format!("<hr><h2>{}</h2><p>To {}, {at}</p><pre>{text}</pre>", escape(&mail.subject), escape(&mail.recipient))
}

/// A line that is a link becomes one.
fn link(line: &str) -> String {
    let is_link = line.starts_with("http://") || line.starts_with("https://");
    if is_link { format!("<a href=\"{line}\">{line}</a>") } else { line.to_owned() }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mail_is_text_and_its_links_can_be_followed() {
        let mail = Shown {
            id: uuid::Uuid::nil().into(),
            recipient: "a@b.example".into(),
            subject: "<b>Hi</b>".into(),
            body: "Go:\nhttp://here/verify#token=\"x\n<script>".into(),
            created_at: chrono::DateTime::UNIX_EPOCH,
        };
        let html = page(&[mail]);
        assert!(html.contains("<a href=\"http://here/verify#token=&quot;x\">"), "{html}");
        assert!(html.contains("&lt;b&gt;Hi") && !html.contains("<script>"));
    }
}
