//! One client's subscription to one channel.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::sync::Arc;

use bytes::Bytes;

use super::{Client, Outbox};
use crate::actors::feed::{Entry, Feed};
use crate::protocol::{Channel, Format, Unsubscribe};

/// Entries that may wait while a subscription is being prepared.
const BUFFER_MAX: usize = 2_048;

enum State {
    /// The subscribe reply has not been sent: nothing may be pushed before it.
    Buffering(Vec<Arc<Entry>>),
    /// Entries after this offset are pushed.
    Live(u64),
    /// More came than could be kept; the client has to subscribe again.
    Overflown,
}

/// A subscription; the hub holds it beside the client.
pub struct Subscription {
    client: Weak<Client>,
    outbox: Rc<Outbox>,
    format: Format,
    pub channel: Channel,
    pub feed: Arc<Feed>,
    join_leave: bool,
    /// Whether presence counts it.
    pub(super) present: Cell<bool>,
    state: RefCell<State>,
}

impl Subscription {
    pub(super) fn new(client: &Rc<Client>, channel: Channel, feed: Arc<Feed>, join_leave: bool) -> Rc<Self> {
        if join_leave {
            feed.announce(true);
        }
        Rc::new(Self {
            client: Rc::downgrade(client),
            outbox: Rc::clone(&client.outbox),
            format: client.format(),
            channel,
            feed,
            join_leave,
            present: Cell::new(false),
            state: RefCell::new(State::Buffering(Vec::new())),
        })
    }

    pub(in crate::actors) fn client(&self) -> Option<Rc<Client>> {
        self.client.upgrade()
    }

    pub(in crate::actors) const fn format(&self) -> Format {
        self.format
    }

    pub(in crate::actors) fn wants_join_leave(&self) -> bool {
        self.join_leave && matches!(*self.state.borrow(), State::Live(_))
    }

    pub(in crate::actors) fn push(&self, message: Bytes) {
        self.outbox.push(message);
    }

    /// Whether the client has had its subscribe reply.
    pub(super) fn is_live(&self) -> bool {
        matches!(*self.state.borrow(), State::Live(_))
    }

    /// Hands an entry on, once and in order; offset 0 is for whoever listens now.
    pub(in crate::actors) fn deliver(&self, channel: &str, entry: &Arc<Entry>) {
        let mut state = self.state.borrow_mut();
        match &mut *state {
            State::Buffering(waiting) if waiting.len() < BUFFER_MAX => waiting.push(Arc::clone(entry)),
            State::Buffering(_) => *state = State::Overflown,
            State::Live(last) => {
                let offset = entry.event.offset;
                if offset == 0 || offset > *last {
                    *last = (*last).max(offset);
                    self.outbox.push(entry.push(channel, self.format));
                }
            }
            State::Overflown => {}
        }
    }

    /// The reply, which covers everything up to `top`, has been queued: what waited follows, then everything as it comes.
    pub(super) fn go_live(&self, top: u64) {
        let before = self.state.replace(State::Live(top));
        match before {
            State::Buffering(waiting) => waiting.iter().for_each(|entry| self.deliver(&self.feed.channel, entry)),
            State::Live(_) => {}
            State::Overflown => self.end(Unsubscribe::Insufficient),
        }
    }

    /// The server ends it; a code of 2500 and up makes the client subscribe again, from its own position.
    pub(in crate::actors) fn end(&self, why: Unsubscribe) {
        // The caller may be walking over the hub's subscribers.
        if let Some(client) = self.client() {
            let channel = self.channel;
            actix_web::rt::spawn(async move { client.end_subscription(channel, why) });
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        if self.join_leave {
            self.feed.announce(false);
        }
    }
}
