//! The WebSocket transport: an actix actor that moves frames between a socket and a [`Client`].
//!
//! One of the two files that name `actix_web_actors`. Outgoing frames come from the outbox, which this actor drains whenever its
//! context is polled: no message per delivery, one write for all that waits.

use std::os::fd::RawFd;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context as TaskContext, Poll};

use actix::fut::ActorFuture;
use actix::{Actor, ActorContext, AsyncContext, StreamHandler};
use actix_http::ws::Item;
use actix_web_actors::ws;
use bytes::{Bytes, BytesMut};
use bytestring::ByteString;

use super::{Client, Next};
use crate::protocol::{Disconnect, Format};

/// Frames of one fragmented message are put together up to this size.
type FrameLimit = usize;

/// One WebSocket.
pub struct Session {
    client: Rc<Client>,
    frame_max: FrameLimit,
    fragments: BytesMut,
}

impl Session {
    /// A session for a fresh connection.
    #[must_use]
    pub fn new(client: Rc<Client>) -> Self {
        let frame_max = client.hub.live.config.limits.socket.frame.as_usize();
        Self { client, frame_max, fragments: BytesMut::new() }
    }

    fn close(ctx: &mut ws::WebsocketContext<Self>, why: Disconnect) {
        ctx.close(Some(ws::CloseReason {
            code: ws::CloseCode::Other(why.code()),
            description: Some(why.reason().to_owned()),
        }));
        ctx.stop();
    }

    fn too_big(&self, ctx: &mut ws::WebsocketContext<Self>) {
        ctx.close(Some(ws::CloseReason {
            code: ws::CloseCode::Size,
            description: Some("the frame is too large".to_owned()),
        }));
        self.client.finish();
        ctx.stop();
    }

    fn fragment(&mut self, item: Item, ctx: &mut ws::WebsocketContext<Self>) {
        let (piece, last) = match item {
            Item::FirstText(piece) | Item::FirstBinary(piece) => {
                self.fragments.clear();
                (piece, false)
            }
            Item::Continue(piece) => (piece, false),
            Item::Last(piece) => (piece, true),
        };
        if self.fragments.len() + piece.len() > self.frame_max {
            return self.too_big(ctx);
        }
        self.fragments.extend_from_slice(&piece);
        if last {
            let frame = std::mem::take(&mut self.fragments);
            self.client.receive(&frame);
        }
    }
}

impl Actor for Session {
    type Context = ws::WebsocketContext<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.spawn(Drain);
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.client.forget();
    }
}

/// Moves the outbox into the context each time it is polled.
struct Drain;

impl ActorFuture<Session> for Drain {
    type Output = ();

    fn poll(
        self: Pin<&mut Self>,
        session: &mut Session,
        ctx: &mut ws::WebsocketContext<Session>,
        task: &mut TaskContext<'_>,
    ) -> Poll<()> {
        let outbox = &session.client.outbox;
        match outbox.next() {
            Next::Wait => outbox.wait(task.waker()),
            Next::Close(why) => {
                Session::close(ctx, why);
                return Poll::Ready(());
            }
            Next::Frame(frame) => {
                write(ctx, session.client.format(), frame);
                // More may wait: the connection polls its body again until nothing comes or its buffer is full, and then after a flush.
                outbox.wait(task.waker());
            }
        }
        Poll::Pending
    }
}

fn write(ctx: &mut ws::WebsocketContext<Session>, format: Format, frame: Bytes) {
    match format {
        Format::Protobuf => ctx.binary(frame),
        Format::Json => match ByteString::try_from(frame) {
            Ok(text) => ctx.text(text),
            Err(_) => tracing::error!("an encoded reply is not UTF-8"),
        },
    }
}

impl StreamHandler<Result<ws::Message, ws::ProtocolError>> for Session {
    fn handle(&mut self, message: Result<ws::Message, ws::ProtocolError>, ctx: &mut Self::Context) {
        match message {
            Ok(ws::Message::Text(text)) => self.client.receive(text.as_bytes()),
            Ok(ws::Message::Binary(frame)) => self.client.receive(&frame),
            Ok(ws::Message::Continuation(item)) => self.fragment(item, ctx),
            Ok(ws::Message::Ping(payload)) => ctx.pong(&payload),
            Ok(ws::Message::Pong(_) | ws::Message::Nop) => {}
            Ok(ws::Message::Close(reason)) => {
                ctx.close(reason);
                ctx.stop();
            }
            Err(ws::ProtocolError::Overflow) => self.too_big(ctx),
            Err(_) => {
                ctx.close(Some(ws::CloseCode::Protocol.into()));
                ctx.stop();
            }
        }
    }

    fn finished(&mut self, ctx: &mut Self::Context) {
        ctx.stop();
    }
}

/// Shuts a socket whose peer does not read: its own actor is not polled any more while that is so (R7).
#[expect(unsafe_code, reason = "the actor that could close the socket is the one that is stuck")]
pub(super) fn shut(socket: RawFd) {
    // SAFETY: the descriptor belongs to the connection that owns this session; both live on this thread, and a session unregisters
    // itself when its connection is dropped, so the descriptor can not have been reused.
    unsafe {
        libc::shutdown(socket, libc::SHUT_RDWR);
    }
}
