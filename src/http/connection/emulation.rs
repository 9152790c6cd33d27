//! The fallbacks: HTTP-stream and SSE down, `POST /emulation` up.

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;

use super::admit::admit;
use crate::actors::session::emulated::{Downstream, Framing};
use crate::actors::session::{Client, Origin};
use crate::http::{Edge, Problem, Query};
use crate::kernel::rng;
use crate::protocol::{EmulationRequest, Format};

const PROTOBUF: &str = "application/octet-stream";

#[derive(Debug, Deserialize)]
pub struct SseQuery {
    /// The frame with `connect`, since an EventSource has no body.
    cf_connect: Option<String>,
}

/// `POST /connection/http_stream`: the body is the frame with `connect`, the response the stream.
pub async fn http_stream(request: HttpRequest, body: Bytes, edge: Data<Edge>) -> Result<HttpResponse, Problem> {
    open(&request, &body, &edge, Framing::HttpStream, format_of(&request)).await
}

/// `GET /connection/sse?cf_connect=…`.
pub async fn sse(request: HttpRequest, query: Query<SseQuery>, edge: Data<Edge>) -> Result<HttpResponse, Problem> {
    let frame =
        query.0.cf_connect.ok_or_else(|| Problem::invalid("cf_connect", "the frame with `connect` is missing"))?;
    open(&request, frame.as_bytes(), &edge, Framing::Sse, Format::Json).await
}

async fn open(
    request: &HttpRequest,
    frame: &[u8],
    edge: &Data<Edge>,
    framing: Framing,
    format: Format,
) -> Result<HttpResponse, Problem> {
    let admitted = admit(request, edge).await?;
    let session = rng::token::<16>();
    let origin = Origin {
        format,
        tenant: admitted.tenant,
        socket: admitted.socket,
        emulation: Some(session.clone()),
        place: admitted.place,
    };
    let client = Client::open(&admitted.hub, origin);
    client.receive(frame);
    let media_type = match (framing, format) {
        (Framing::Sse, _) => "text/event-stream; charset=utf-8",
        (Framing::HttpStream, Format::Json) => "application/json; charset=utf-8",
        (Framing::HttpStream, Format::Protobuf) => PROTOBUF,
    };
    let mut response = HttpResponse::Ok();
    response
        .insert_header((CONTENT_TYPE, HeaderValue::from_static(media_type)))
        .insert_header((CACHE_CONTROL, HeaderValue::from_static("private, no-cache, no-store, no-transform")))
        // nginx would hold the stream back.
        .insert_header(("X-Accel-Buffering", "no"))
        .insert_header(actix_web::http::header::ContentEncoding::Identity);
    Ok(response.streaming(Downstream::new(client, session, framing)))
}

/// `POST /emulation`: commands of a session, wherever on this node it is.
pub async fn receive(request: HttpRequest, body: Bytes, edge: Data<Edge>) -> Result<HttpResponse, Problem> {
    let asked = EmulationRequest::parse(format_of(&request), &body)
        .map_err(|_| Problem::new("malformed", "the body is not an emulation request"))?;
    match edge.live.receive_emulated(&asked.session, asked.data) {
        Some(false) => Err(Problem::new("busy", "the session's worker has too much waiting").retry_after(1)),
        // A session that is over is told by the end of its stream.
        Some(true) | None => Ok(HttpResponse::NoContent().finish()),
    }
}

fn format_of(request: &HttpRequest) -> Format {
    let is_protobuf = |value: &HeaderValue| value.to_str().is_ok_and(|value| value.starts_with(PROTOBUF));
    if request.headers().get(CONTENT_TYPE).is_some_and(is_protobuf) { Format::Protobuf } else { Format::Json }
}
