//! A session: one connected client, on the HTTP worker that accepted it.
//!
//! [`Client`] is the protocol's side of it, the same for every transport; `transport.rs` (WebSocket) and `emulated.rs` (HTTP-stream,
//! SSE) move bytes. Commands of one client run in order, behind an asynchronous connect; posts are only started in order, so that a
//! client that sends many at once shares commits instead of waiting for each.

mod commands;
mod connect;
pub mod emulated;
#[cfg(feature = "faults")]
mod faults;
mod maps;
mod outbox;
mod recheck;
mod rpc;
mod subscribe;
mod subscription;
pub mod transport;

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::os::fd::RawFd;
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::sync::{Arc, LazyLock};
use std::time::Instant;

use chrono::{DateTime, Utc};
use futures_util::FutureExt;
use governor::clock::DefaultClock;
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use uuid::Uuid;

pub use outbox::{Next, Outbox};
pub use rpc::{METHODS, window};
pub use subscription::Subscription;

use super::admission::Place;
use super::hub::Hub;
use crate::config::Rate;
use crate::domain::identity::Verified;
use crate::infra::bus::Sessions;
use crate::kernel::{RoomId, Scope, TenantId, TenantRole, UserId};
use crate::protocol::{
    Channel, Command, Disconnect, ErrorBody, ErrorCode, Format, FrameError, Limits, Reply, UnclearCommand,
    decode_frame, encode_reply, ping,
};

/// Bytes of commands that may wait behind a slow one.
const QUEUE_BYTES_MAX: usize = 1024 * 1024;
/// Posts of one client that may be on their way to the store at one time.
const POSTS_MAX: usize = 256;

/// Whom a token proved the client to be.
#[derive(Debug, Clone)]
pub struct Identity {
    pub tenant: TenantId,
    pub user: UserId,
    pub handle: Arc<str>,
    pub display_name: Arc<str>,
    /// The token itself: sessions end, and tokens expire.
    pub token: Verified,
}

impl Identity {
    /// The person as the verbs know callers; the role is read anew where it matters.
    fn scope(&self) -> Scope {
        Scope {
            tenant: self.tenant,
            user: self.user,
            role: TenantRole::Member,
            handle: Arc::clone(&self.handle),
            display_name: Arc::clone(&self.display_name),
        }
    }
}

/// Where a connection came from.
pub struct Origin {
    pub format: Format,
    /// The tenant that the host (or header) named; a token of another tenant is refused.
    pub tenant: Option<TenantId>,
    /// The socket, to shut it when its peer does not read; none for emulated transports.
    pub socket: Option<RawFd>,
    /// What an emulated transport adds to the connect reply.
    pub emulation: Option<String>,
    /// The place that admission counted for it.
    pub place: Place,
}

/// One connected client.
pub struct Client {
    pub id: Uuid,
    number: u64,
    pub hub: Rc<Hub>,
    pub outbox: Rc<Outbox>,
    origin: Origin,
    identity: RefCell<Option<Identity>>,
    subscriptions: RefCell<HashMap<Channel, Rc<Subscription>>>,
    /// Boxed: an idle client keeps the queue's four places, and a command is large.
    queue: RefCell<VecDeque<(Box<Command>, usize)>>,
    queued_bytes: Cell<usize>,
    running: Cell<bool>,
    posting: Cell<usize>,
    commands: DefaultDirectRateLimiter,
    opened_at: Instant,
    pinged_at: Cell<Instant>,
    pong_due: Cell<bool>,
    over: Cell<bool>,
    /// R9: what is to be looked at (one room, or all) once the look that is under way has ended.
    check_due: Cell<Option<Option<RoomId>>>,
    checking: Cell<bool>,
}

/// A limiter for a configured rate.
pub(super) fn limiter(rate: Rate) -> DefaultDirectRateLimiter {
    // One clock for all: making one asks the processor for its features, which on a virtual machine costs tens of microseconds.
    static CLOCK: LazyLock<DefaultClock> = LazyLock::new(DefaultClock::default);
    RateLimiter::direct_with_clock(quota(rate), CLOCK.clone())
}

/// A configured rate as the limiter wants it.
pub(super) fn quota(rate: Rate) -> Quota {
    let at_least_one = |n: u32| std::num::NonZeroU32::new(n).unwrap_or(std::num::NonZeroU32::MIN);
    Quota::per_second(at_least_one(rate.per_second)).allow_burst(at_least_one(rate.burst))
}

impl Client {
    /// Takes a new connection in.
    pub fn open(hub: &Rc<Hub>, origin: Origin) -> Rc<Self> {
        let limits = &hub.live.config.limits.socket;
        let now = Instant::now();
        hub.enter(|number| {
            Rc::new(Self {
                id: Uuid::new_v4(),
                number,
                hub: Rc::clone(hub),
                outbox: Rc::new(Outbox::new(origin.format, limits.outbox.as_usize())),
                origin,
                identity: RefCell::default(),
                subscriptions: RefCell::default(),
                queue: RefCell::default(),
                queued_bytes: Cell::new(0),
                running: Cell::new(false),
                posting: Cell::new(0),
                commands: limiter(limits.commands),
                opened_at: now,
                pinged_at: Cell::new(now),
                pong_due: Cell::new(false),
                over: Cell::new(false),
                check_due: Cell::new(None),
                checking: Cell::new(false),
            })
        })
    }

    /// The format that this client speaks.
    pub fn format(&self) -> Format {
        self.origin.format
    }

    /// The tenant, once the client has connected.
    pub fn tenant(&self) -> Option<TenantId> {
        self.identity.borrow().as_ref().map(|identity| identity.tenant)
    }

    fn identity(&self) -> Result<Identity, ErrorBody> {
        self.identity.borrow().clone().ok_or_else(|| ErrorCode::Unauthorized.into())
    }

    /// Whether the client's session is among these.
    pub fn is_of(&self, sessions: Sessions) -> bool {
        self.identity.borrow().as_ref().is_some_and(|Identity { token, .. }| match sessions {
            Sessions::All => true,
            Sessions::IssuedBefore(instant) => token.issued_at < instant,
            Sessions::One(session) => token.session == session,
        })
    }

    /// Takes a frame as it came from the socket.
    pub fn receive(self: &Rc<Self>, frame: &[u8]) {
        let limits =
            Limits { command_bytes: self.hub.live.config.limits.socket.command.as_usize(), ..Limits::default() };
        let average = frame.len();
        for command in decode_frame(self.format(), frame, limits) {
            match command {
                Ok(command) => self.enqueue(command, average),
                Err(FrameError::TooLarge { id, .. }) if id != 0 => {
                    self.refuse(id, ErrorBody::saying(ErrorCode::BadRequest, "the command is too large"));
                }
                Err(FrameError::TooLarge { .. }) => {}
                Err(FrameError::Malformed | FrameError::TooMany) => return self.close(Disconnect::BadRequest),
            }
        }
        self.run();
    }

    /// R6: what waits is bounded; over it a command is told to come again.
    fn enqueue(self: &Rc<Self>, command: Command, frame_bytes: usize) {
        let bytes = self.queued_bytes.get();
        let waiting = self.queue.borrow().len();
        if waiting > Limits::default().commands || (waiting > 0 && bytes > QUEUE_BYTES_MAX) {
            if command.id != 0 {
                self.refuse(command.id, ErrorCode::TooManyRequests);
            }
            return;
        }
        // A frame's size is counted once, with its first command.
        let weight = if waiting == 0 { frame_bytes } else { 64 };
        self.queued_bytes.set(bytes + weight);
        self.queue.borrow_mut().push_back((Box::new(command), weight));
    }

    /// Runs what waits, in order, unless that is happening already.
    fn run(self: &Rc<Self>) {
        if self.running.replace(true) {
            return;
        }
        let client = Rc::clone(self);
        self.spawn(async move {
            loop {
                let next = client.queue.borrow_mut().pop_front();
                let Some((command, weight)) = next else { break };
                client.queued_bytes.set(client.queued_bytes.get().saturating_sub(weight));
                client.outbox.room().await;
                if client.over.get() {
                    break;
                }
                let id = command.id;
                if id != 0 && client.commands.check().is_err() {
                    client.refuse(id, ErrorCode::TooManyRequests);
                    continue;
                }
                match command.into_request() {
                    Ok(request) => client.handle(id, request).await,
                    Err(UnclearCommand { id: 0 }) => client.close(Disconnect::BadRequest),
                    Err(UnclearCommand { id }) => client.refuse(id, ErrorCode::BadRequest),
                }
            }
            client.running.set(false);
            // A command may have come between the last look and now.
            if !client.queue.borrow().is_empty() && !client.over.get() {
                client.run();
            }
        });
    }

    /// Answers a command. Pushes take [`Outbox::push`], whose bound they must keep.
    fn send(&self, reply: &Reply) {
        self.outbox.reply(encode_reply(self.format(), reply));
    }

    fn refuse(&self, id: u32, error: impl Into<ErrorBody>) {
        self.send(&Reply::refusal(id, error));
    }

    /// Asks the transport to close with this code. The client's subscriptions end at once.
    pub fn close(self: &Rc<Self>, why: Disconnect) {
        self.outbox.close(why);
        self.finish();
    }

    /// The connection is over: gives back everything it held. Called by the transport; again changes nothing.
    pub fn finish(self: &Rc<Self>) {
        if self.over.replace(true) {
            return;
        }
        // Whoever ends this may be walking over subscribers: they are taken away in a moment of their own.
        let client = Rc::clone(self);
        actix_web::rt::spawn(async move {
            let subscriptions = std::mem::take(&mut *client.subscriptions.borrow_mut());
            for subscription in subscriptions.into_values() {
                client.depart(&subscription);
            }
            client.queue.borrow_mut().clear();
            client.subscriptions.borrow_mut().shrink_to_fit();
        });
    }

    /// The transport is gone: forgets the client.
    pub fn forget(self: &Rc<Self>) {
        self.finish();
        self.outbox.abandon();
        let who = self.identity.borrow().as_ref().map(|identity| (identity.tenant, identity.user));
        self.hub.exit(self.number, who);
        if let Some((tenant, user)) = who {
            self.hub.live.admission.leave(tenant, user);
            self.hub.live.presence.disconnect(tenant, user, self.id);
        }
    }

    /// Twice a second: pings, an expired token, a peer that does not read or answer.
    pub(super) fn sweep(self: &Rc<Self>, now: DateTime<Utc>) {
        let limits = &self.hub.live.config.limits.socket;
        if self.outbox.is_stuck(limits.oldest_unsent.duration(), CLOSE_WITHIN) {
            self.outbox.close(Disconnect::Slow);
            self.finish();
            if let Some(socket) = self.origin.socket {
                transport::shut(socket);
            }
            return;
        }
        if self.over.get() {
            return;
        }
        let Some(expires_at) = self.identity.borrow().as_ref().map(|identity| identity.token.expires_at) else {
            if self.opened_at.elapsed() > limits.connect_within.duration() {
                self.close(Disconnect::Stale);
            }
            return;
        };
        if now > expires_at + EXPIRY_GRACE {
            return self.close(Disconnect::Expired);
        }
        let since_ping = self.pinged_at.get().elapsed();
        if self.pong_due.get() && since_ping > limits.pong.duration() {
            return self.close(Disconnect::NoPong);
        }
        // Not again while an answer is due: that would put off its deadline for ever where pings are more frequent than pongs are slow.
        if since_ping > limits.ping.duration() && !self.pong_due.get() {
            self.pinged_at.set(Instant::now());
            self.pong_due.set(true);
            self.outbox.push(ping(self.format()));
        }
    }

    /// Runs work of this client. One that panics has left an answer out: the session ends, and the client comes back and recovers.
    fn spawn(self: &Rc<Self>, work: impl Future<Output = ()> + 'static) {
        let client = Rc::clone(self);
        actix_web::rt::spawn(async move {
            if AssertUnwindSafe(work).catch_unwind().await.is_err() {
                tracing::error!(client.id = %client.id, "a session panicked and ends");
                client.close(Disconnect::ServerError);
            }
        });
    }
}

/// How long a close may stay unconfirmed before the socket is shut.
const CLOSE_WITHIN: std::time::Duration = std::time::Duration::from_millis(500);
/// A client refreshes its token before it ends; this is what the network may take.
const EXPIRY_GRACE: chrono::TimeDelta = chrono::TimeDelta::seconds(25);
