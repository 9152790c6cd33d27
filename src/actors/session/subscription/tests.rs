//! Feed, worker and subscriptions together against a model: whatever order commits, news, losses, readings, cuts of history and the steps
//! of subscribing come in, each client ends with exactly what the store has, and on the way holds nothing twice, out of order or after a gap.

use proptest::prelude::*;

use super::*;
use crate::actors::feed::{Accepted, FeedKey, Feeds};
use crate::actors::hub::listeners::Listeners;
use crate::actors::hub::{self, Delivery, HubReceiver};
use crate::config::{ByteSize, Ring};
use crate::infra::bus::{StreamEvent, StreamId};
use crate::kernel::{RoomId, TenantId};
use crate::protocol::decode_replies;

use crate::actors::session::outbox::Next;

#[derive(Debug, Clone)]
enum Step {
    /// An event is committed; nobody has told yet.
    Commit,
    /// News of one of the last events comes, some twice, some never.
    News(usize),
    /// The store's position is compared with the feed's, and a gap is filled.
    Check,
    /// The worker takes the next delivery.
    Deliver,
    /// The worker's queue was full: the next delivery is lost, and it knows that one was.
    Lose,
    /// A client goes on: subscribes, has its position read, gets its reply, reads what was sent.
    Advance(usize),
    /// A client's connection is cut.
    Cut(usize),
    /// A backup is restored that lacks the last events.
    Restore(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => Just(Step::Commit),
        6 => (0..6_usize).prop_map(Step::News),
        1 => Just(Step::Check),
        8 => Just(Step::Deliver),
        1 => Just(Step::Lose),
        8 => (0..2_usize).prop_map(Step::Advance),
        1 => (0..2_usize).prop_map(Step::Cut),
        1 => (0..5_u64).prop_map(Step::Restore),
    ]
}

/// What is committed: bodies by offset - 1, each another.
#[derive(Default)]
struct Store {
    epoch: u64,
    bodies: Vec<String>,
    written: u64,
}

impl Store {
    fn top(&self) -> u64 {
        self.bodies.len() as u64
    }

    fn commit(&mut self) {
        self.written += 1;
        self.bodies.push(format!("{{\"n\":{}}}", self.written));
    }

    fn event(&self, offset: u64) -> StreamEvent {
        let body = self.bodies[usize::try_from(offset).unwrap() - 1].as_str();
        StreamEvent { offset, kind: "message.created".into(), body: body.into(), actor: None, calls: [].into() }
    }

    fn since(&self, offset: u64, top: u64) -> Vec<(u64, String)> {
        (offset + 1..=top.min(self.top())).map(|o| (o, self.event(o).body.to_string())).collect()
    }
}

/// Where a client is on its way to a live subscription.
enum Phase {
    Away,
    /// Registered; nothing has been read for it.
    Entered(Rc<Subscription>),
    /// Its reply: what it missed (or everything, when it can not go on from where it was), and the position.
    Read {
        subscription: Rc<Subscription>,
        epoch: Arc<str>,
        mark: Mark,
        missed: Vec<(u64, String)>,
        anew: bool,
    },
    Subscribed(Rc<Subscription>),
}

struct Reader {
    phase: Phase,
    outbox: Rc<Outbox>,
    epoch: Arc<str>,
    /// All it holds, from offset 1 on.
    held: Vec<(u64, String)>,
}

struct World {
    store: Store,
    feed: Arc<Feed>,
    queue: HubReceiver,
    lost: bool,
    listeners: Option<Listeners>,
    readers: Vec<Reader>,
    _feeds: Feeds,
}

impl World {
    fn new(ring: u32) -> Self {
        let (sender, queue) = hub::channel();
        let limits = Ring { events: ring, room: ByteSize::kib(64), ..Ring::default() };
        let feeds = Feeds::new(limits, [sender].into());
        let feed = feeds.get_or_insert(FeedKey::stream(TenantId::generate(), StreamId::Room(RoomId::generate())));
        let reader = || Reader { phase: Phase::Away, outbox: outbox(), epoch: "".into(), held: Vec::new() };
        let readers = vec![reader(), reader()];
        Self { store: Store::default(), feed, queue, lost: false, listeners: None, readers, _feeds: feeds }
    }

    fn run(&mut self, step: &Step) {
        match step {
            Step::Commit => self.store.commit(),
            Step::News(back) => {
                if let Some(offset) = self.store.top().checked_sub(*back as u64).filter(|offset| *offset > 0) {
                    self.feed.accept(self.store.event(offset));
                }
            }
            Step::Check => self.check(),
            Step::Deliver => {
                self.deliver();
            }
            Step::Lose => self.lost |= self.queue.try_next().is_some(),
            Step::Advance(who) => self.advance(*who),
            Step::Cut(who) => {
                self.leave(*who);
                self.readers[*who].outbox = outbox();
            }
            Step::Restore(count) => {
                let kept = self.store.top().saturating_sub(*count);
                self.store.bodies.truncate(usize::try_from(kept).unwrap());
                self.store.epoch += 1;
                if self.feed.position().is_none() {
                    self.feed.vanish();
                }
            }
        }
        for who in 0..self.readers.len() {
            self.listen(who);
        }
    }

    fn epoch(&self) -> String {
        format!("epoch {}", self.store.epoch)
    }

    fn check(&self) {
        if self.feed.anchor(&self.epoch(), self.store.top()) == Accepted::Gap {
            let top = self.feed.position().unwrap().1;
            for offset in top + 1..=self.store.top() {
                self.feed.accept(self.store.event(offset));
            }
        }
    }

    /// As the worker's hub does: what a full queue lost is made good once it is empty. False when nothing waited.
    fn deliver(&mut self) -> bool {
        let delivery = self.queue.try_next();
        let waited = delivery.is_some();
        let made_good = !waited && std::mem::take(&mut self.lost);
        let Some(listeners) = &mut self.listeners else { return waited };
        match delivery {
            Some(Delivery::Entry { entry, .. }) => listeners.deliver(&entry),
            Some(Delivery::Cut { era, .. }) => {
                listeners.enter(era);
            }
            _ if made_good => listeners.catch_up(),
            _ => {}
        }
        waited
    }

    fn advance(&mut self, who: usize) {
        let phase = std::mem::replace(&mut self.readers[who].phase, Phase::Away);
        let reader = &self.readers[who];
        let next = match phase {
            Phase::Away => {
                let (channel, feed) = (self.feed.key.channel, Arc::clone(&self.feed));
                let outbox = Rc::clone(&reader.outbox);
                let subscription = Subscription::of(Weak::new(), outbox, Format::Json, channel, feed, false);
                let listeners = self.listeners.get_or_insert_with(|| Listeners::new(&self.feed, 0));
                listeners.subscriptions.push(Rc::clone(&subscription));
                Phase::Entered(subscription)
            }
            Phase::Entered(subscription) => {
                if self.feed.position().is_none() {
                    self.check();
                }
                let held = reader.held.len() as u64;
                let snapshot = self.feed.since(held).unwrap();
                let (epoch, mark, top) = (snapshot.epoch, snapshot.mark, snapshot.mark.top);
                let anew = reader.epoch != epoch || held > top;
                let missed = match snapshot.missed {
                    _ if anew => self.store.since(0, top),
                    Some(missed) => missed.iter().map(|e| (e.event.offset, e.event.body.to_string())).collect(),
                    None => self.store.since(held, top),
                };
                Phase::Read { subscription, epoch, mark, missed, anew }
            }
            Phase::Read { subscription, epoch, mark, missed, anew } => {
                let reader = &mut self.readers[who];
                if anew {
                    reader.held.clear();
                }
                reader.epoch = epoch;
                reader.held.extend(missed);
                subscription.go_live(mark);
                Phase::Subscribed(subscription)
            }
            subscribed @ Phase::Subscribed(_) => subscribed,
        };
        self.readers[who].phase = next;
    }

    /// The client takes what was sent to it; one that has lost track is told so, and comes back.
    fn listen(&mut self, who: usize) {
        let reader = &mut self.readers[who];
        while let Next::Frame(frame) = reader.outbox.next() {
            for reply in decode_replies(Format::Json, &frame).unwrap() {
                let publication = reply.push.unwrap().r#pub.unwrap();
                reader.held.push((publication.offset, String::from_utf8(publication.data.to_vec()).unwrap()));
            }
        }
        let Phase::Subscribed(subscription) = &reader.phase else { return };
        if matches!(*subscription.state.borrow(), State::Broken) {
            self.leave(who);
        }
    }

    fn leave(&mut self, who: usize) {
        let phase = std::mem::replace(&mut self.readers[who].phase, Phase::Away);
        let (Phase::Entered(gone) | Phase::Read { subscription: gone, .. } | Phase::Subscribed(gone)) = phase else {
            return;
        };
        let Some(listeners) = &mut self.listeners else { return };
        listeners.subscriptions.retain(|subscription| !Rc::ptr_eq(subscription, &gone));
        if listeners.subscriptions.is_empty() {
            self.feed.leave(0);
            self.listeners = None;
        }
    }

    /// No client holds anything twice, out of order, after a gap or of another past. (Between a restoration and the look that finds it,
    /// nobody can know which past counts.)
    fn expect_order(&self) -> Result<(), TestCaseError> {
        for reader in self.readers.iter().filter(|reader| *reader.epoch == self.epoch()) {
            prop_assert_eq!(&reader.held, &self.store.since(0, reader.held.len() as u64));
        }
        Ok(())
    }

    /// Time passes and nothing more happens: the position check runs, everything is delivered, everybody comes back.
    fn settle(&mut self) {
        for _ in 0..8 {
            self.run(&Step::Check);
            while self.deliver() {}
            for who in (0..self.readers.len()).cycle().take(8) {
                self.run(&Step::Advance(who));
            }
        }
    }
}

fn outbox() -> Rc<Outbox> {
    Rc::new(Outbox::new(Format::Json, 1024 * 1024))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn each_client_holds_everything_once_and_in_order_and_ends_with_what_the_store_has(
        steps in prop::collection::vec(step(), 1..250), ring in 1..24_u32,
    ) {
        let mut world = World::new(ring);
        for step in &steps {
            world.run(step);
            world.expect_order()?;
        }
        world.settle();
        world.expect_order()?;
        let due = world.store.since(0, u64::MAX);
        for (who, reader) in world.readers.iter().enumerate() {
            prop_assert!(matches!(reader.phase, Phase::Subscribed(_)), "client {} is live", who);
            prop_assert_eq!(&reader.held, &due, "client {}", who);
        }
    }
}
