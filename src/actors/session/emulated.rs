//! HTTP-stream and SSE: what goes down is the body of one long response, what comes up are posts to `/emulation`.
//!
//! A session is named by 128 random bits, which stand for the token there; the post may arrive at any worker of the node.

use std::collections::HashMap;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, PoisonError, RwLock};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::Stream;

use super::{Client, Next};
use crate::actors::live::Live;
use crate::protocol::{Format, Reply, encode_reply, http_stream_chunk, sse_event};

/// Where the node's emulated sessions are: worker and number there.
#[derive(Default)]
pub struct Emulations(RwLock<HashMap<String, (usize, u64)>>);

impl Emulations {
    pub(super) fn insert(&self, session: String, worker: usize, client: u64) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(session, (worker, client));
    }

    /// The session's worker and number; `None` when it is over.
    #[must_use]
    pub fn find(&self, session: &str) -> Option<(usize, u64)> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(session).copied()
    }

    fn remove(&self, session: &str) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).remove(session);
    }
}

/// How messages are framed in the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    HttpStream,
    Sse,
}

/// The response body of an emulated session: drains the outbox like a socket would.
pub struct Downstream {
    client: Rc<Client>,
    live: Arc<Live>,
    session: String,
    framing: Framing,
    over: bool,
}

impl Downstream {
    /// The body for a client that was opened with `Origin::emulation` set.
    #[must_use]
    pub fn new(client: Rc<Client>, session: String, framing: Framing) -> Self {
        let live = Arc::clone(&client.hub.live);
        live.emulations.insert(session.clone(), client.hub.worker, client.number);
        Self { client, live, session, framing, over: false }
    }

    fn frame(&self, frame: &Bytes) -> Bytes {
        match self.framing {
            Framing::HttpStream => http_stream_chunk(self.client.format(), frame),
            Framing::Sse => sse_event(frame),
        }
    }
}

impl Stream for Downstream {
    type Item = Result<Bytes, std::convert::Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.over {
            return Poll::Ready(None);
        }
        match self.client.outbox.next() {
            Next::Frame(frame) => Poll::Ready(Some(Ok(self.frame(&frame)))),
            Next::Close(why) => {
                self.over = true;
                let last_words = encode_reply(self.client.format(), &Reply::disconnected(why));
                Poll::Ready(Some(Ok(self.frame(&last_words))))
            }
            Next::Wait => {
                self.client.outbox.wait(task.waker());
                Poll::Pending
            }
        }
    }
}

impl Drop for Downstream {
    fn drop(&mut self) {
        self.live.emulations.remove(&self.session);
        self.client.forget();
    }
}

/// The format of a stream's messages: SSE is text.
#[must_use]
pub const fn format_of(framing: Framing, asked: Format) -> Format {
    match framing {
        Framing::Sse => Format::Json,
        Framing::HttpStream => asked,
    }
}
