//! One client's subscription to one channel.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::sync::Arc;

use bytes::Bytes;

use super::{Client, Outbox};
use crate::actors::feed::{Entry, Feed, Mark};
use crate::protocol::{Channel, Format, Unsubscribe};

/// Entries that may wait while a subscription is being prepared.
const BUFFER_MAX: usize = 2_048;

enum State {
    /// The subscribe reply has not been sent: nothing may be pushed before it.
    Buffering(Vec<Arc<Entry>>),
    /// Entries after this offset, of this past or a later one, are pushed.
    Live(Mark),
    /// An entry is missing between what the client has and what came: whatever followed would hide the gap from it, so nothing does, and
    /// the client subscribes again from its own position.
    Broken,
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
        let (format, outbox) = (client.format(), Rc::clone(&client.outbox));
        Self::of(Rc::downgrade(client), outbox, format, channel, feed, join_leave)
    }

    fn of(
        client: Weak<Client>,
        outbox: Rc<Outbox>,
        format: Format,
        channel: Channel,
        feed: Arc<Feed>,
        join_leave: bool,
    ) -> Rc<Self> {
        Rc::new(Self {
            client,
            outbox,
            format,
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
    pub(in crate::actors) fn deliver(self: &Rc<Self>, channel: &str, entry: &Arc<Entry>) {
        let offset = entry.event.offset;
        let mut state = self.state.borrow_mut();
        match &mut *state {
            State::Buffering(waiting) if waiting.len() < BUFFER_MAX => waiting.push(Arc::clone(entry)),
            State::Buffering(_) => *state = State::Broken,
            State::Live(_) if offset == 0 => self.outbox.push(entry.push(channel, self.format)),
            State::Live(at) if entry.era < at.era => {}
            State::Live(at) if offset == at.top + 1 => {
                at.top = offset;
                self.outbox.push(entry.push(channel, self.format));
            }
            State::Live(at) if offset <= at.top => {}
            State::Live(_) => {
                drop(state);
                self.lose_track(Unsubscribe::Insufficient);
            }
            State::Broken => {}
        }
    }

    /// The reply, which covers everything up to `mark`, has been queued: what waited follows, then everything as it comes.
    pub(super) fn go_live(self: &Rc<Self>, mark: Mark) {
        let before = self.state.replace(State::Live(mark));
        match before {
            State::Buffering(waiting) => waiting.iter().for_each(|entry| self.deliver(&self.feed.channel, entry)),
            State::Live(_) => {}
            State::Broken => self.lose_track(Unsubscribe::Insufficient),
        }
        // The past was replaced while the reply was being made, and the worker has heard of it already.
        self.enter(self.feed.era());
    }

    /// The channel goes to this era: a client that knows only an earlier past has to begin anew. One that waits for its reply is looked at then.
    pub(in crate::actors) fn enter(self: &Rc<Self>, era: u64) {
        if matches!(*self.state.borrow(), State::Live(at) if at.era < era) {
            self.lose_track(Unsubscribe::StateInvalidated);
        }
    }

    /// Entries were lost on the way to this subscription, or its past was replaced: the client has to subscribe again.
    pub(in crate::actors) fn lose_track(self: &Rc<Self>, why: Unsubscribe) {
        // The caller may be walking over the hub's subscribers. A client that has not had its reply is told after it.
        if matches!(self.state.replace(State::Broken), State::Live(_))
            && let Some(client) = self.client()
        {
            let subscription = Rc::clone(self);
            actix_web::rt::spawn(async move { client.end_broken(&subscription, why) });
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

#[cfg(test)]
mod tests;
