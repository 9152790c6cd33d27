//! `GET /connection/websocket`. One of the two files that name `actix_web_actors`.

use actix_web::http::header::SEC_WEBSOCKET_PROTOCOL;
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use actix_web_actors::ws;
use serde::Deserialize;

use super::admit::admit;
use crate::actors::session::transport::Session;
use crate::actors::session::{Client, Origin};
use crate::http::{Edge, Problem, Query};
use crate::protocol::Format;

#[derive(Debug, Default, Deserialize)]
pub struct Asked {
    format: Option<String>,
    cf_protocol: Option<String>,
}

/// Opens a session over a WebSocket.
pub async fn open(
    request: HttpRequest,
    payload: Payload,
    asked: Query<Asked>,
    edge: Data<Edge>,
) -> Result<HttpResponse, Problem> {
    let admitted = admit(&request, &edge).await?;
    let format = format_of(&request, &asked.0);
    let origin =
        Origin { format, tenant: admitted.tenant, socket: admitted.socket, emulation: None, place: admitted.place };
    let session = Session::new(Client::open(&admitted.hub, origin));
    ws::WsResponseBuilder::new(session, &request, payload)
        .protocols(&[Format::PROTOBUF_SUBPROTOCOL])
        .frame_size(edge.config.limits.socket.frame.as_usize())
        .start()
        .map_err(|error| Problem::new("malformed", error.to_string()))
}

/// The three ways in which an SDK asks for Protobuf.
fn format_of(request: &HttpRequest, asked: &Asked) -> Format {
    let by_query = [&asked.format, &asked.cf_protocol].into_iter().flatten().any(|format| format == "protobuf");
    let by_subprotocol = request
        .headers()
        .get_all(SEC_WEBSOCKET_PROTOCOL)
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|name| name.trim() == Format::PROTOBUF_SUBPROTOCOL);
    if by_query || by_subprotocol { Format::Protobuf } else { Format::Json }
}
