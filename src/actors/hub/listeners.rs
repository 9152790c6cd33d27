//! What one worker has subscribed of one channel: every entry once and in order to each, whatever its queue lost on the way (R2).

use std::rc::Rc;
use std::sync::Arc;

use crate::actors::feed::{Entry, Feed};
use crate::actors::session::Subscription;
use crate::protocol::Unsubscribe;

/// What one worker has subscribed of one channel.
pub(in crate::actors) struct Listeners {
    pub feed: Arc<Feed>,
    /// The feed's era that `last` is of.
    era: u64,
    /// The last offset handed on; `None` until the feed knows where it stands.
    last: Option<u64>,
    pub subscriptions: Vec<Rc<Subscription>>,
}

impl Listeners {
    /// Nobody yet; what is delivered from now on reaches this worker.
    pub fn new(feed: &Arc<Feed>, worker: usize) -> Self {
        let era = feed.era();
        Self { era, last: feed.listen(worker), feed: Arc::clone(feed), subscriptions: Vec::new() }
    }

    /// Hands an entry on; one that came too early means that others were lost, and one that was handed on already nothing.
    pub fn deliver(&mut self, entry: &Arc<Entry>) {
        // Of a past that was replaced, or perhaps the first to tell that it was.
        if entry.era < self.era {
            return;
        }
        self.enter(entry.era);
        let offset = entry.event.offset;
        if offset > 0 {
            match self.last {
                Some(last) if offset <= last => return,
                Some(last) if offset > last + 1 => return self.catch_up(),
                _ => self.last = Some(offset),
            }
        }
        for subscription in &self.subscriptions {
            subscription.deliver(&self.feed.channel, entry);
        }
    }

    /// Reads what a full queue lost from the ring again.
    pub fn catch_up(&mut self) {
        if self.enter(self.feed.era()) {
            return;
        }
        // Before the first delivery nobody knows what was lost: everything that the ring has is offered, and each subscription takes what
        // comes next for it.
        let last = self.last.or_else(|| self.feed.oldest().map(|oldest| oldest.saturating_sub(1)));
        let Some(snapshot) = last.and_then(|last| self.feed.since(last)) else { return };
        if let Some(missed) = snapshot.missed {
            for entry in &missed {
                self.subscriptions.iter().for_each(|s| s.deliver(&self.feed.channel, entry));
            }
        } else {
            // The ring has moved on: each subscriber recovers from its own position.
            self.subscriptions.iter().for_each(|s| s.lose_track(Unsubscribe::Insufficient));
        }
        self.last = Some(snapshot.mark.top);
    }

    /// Goes to a later era: the channel's past was replaced, and nobody's position in it means anything any more. False when it is there.
    pub fn enter(&mut self, era: u64) -> bool {
        let later = era > self.era;
        if later {
            (self.era, self.last) = (era, None);
            self.subscriptions.iter().for_each(|s| s.enter(era));
        }
        later
    }
}
