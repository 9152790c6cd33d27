//! A feed against a model: whatever order news, readings of the store and removals come in, listeners get 1..n once and in order.

use proptest::prelude::*;

use super::super::hub::{self, HubReceiver};
use super::*;
use crate::config::ByteSize;
use crate::kernel::RoomId;

fn feeds(events: u32, hubs: usize) -> (Feeds, Arc<Feed>, Vec<HubReceiver>) {
    let (senders, receivers): (Vec<_>, Vec<_>) = (0..hubs).map(|_| hub::channel()).unzip();
    let limits = Ring { events, room: ByteSize::kib(64), ..Ring::default() };
    let feeds = Feeds::new(limits, senders.into());
    let feed = feeds.get_or_insert(FeedKey::stream(TenantId::generate(), StreamId::Room(RoomId::generate())));
    (feeds, feed, receivers)
}

fn event(offset: u64) -> StreamEvent {
    said(offset, &format!("text {offset}"))
}

fn said(offset: u64, body: &str) -> StreamEvent {
    StreamEvent { offset, kind: "message.created".into(), body: body.into(), actor: None, calls: [].into() }
}

/// Offsets and bodies that have reached a worker.
fn heard(receiver: &mut HubReceiver) -> Vec<(u64, String)> {
    let mut entries = Vec::new();
    while let Some(delivery) = receiver.try_next() {
        if let Delivery::Entry { entry, .. } = delivery {
            entries.push((entry.event.offset, entry.event.body.to_string()));
        }
    }
    entries
}

fn offsets(heard: &[(u64, String)]) -> Vec<u64> {
    heard.iter().map(|(offset, _)| *offset).collect()
}

#[derive(Debug, Clone)]
enum Step {
    /// News of an event that is committed, somewhere among the last ones; some come twice, some never.
    News(usize),
    /// The next event is committed.
    Commit,
    /// The store's position is read, perhaps a while ago.
    Read { behind: u64 },
    /// What lies between the feed and the store is read.
    Fill,
    /// A committed event is removed; its news comes now, before or after the event's own.
    Blank(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => Just(Step::Commit),
        4 => (0..8_usize).prop_map(Step::News),
        1 => (0..4_u64).prop_map(|behind| Step::Read { behind }),
        1 => Just(Step::Fill),
        1 => (0..6_usize).prop_map(Step::Blank),
    ]
}

/// What the store has, by offset - 1.
#[derive(Default)]
struct Store {
    bodies: Vec<String>,
    before: Vec<String>,
}

impl Store {
    fn top(&self) -> u64 {
        self.bodies.len() as u64
    }

    fn fill(&self, feed: &Arc<Feed>) {
        let Some((_, top)) = feed.position() else { return };
        for offset in top + 1..=self.top() {
            feed.accept(said(offset, &self.bodies[usize::try_from(offset).unwrap() - 1]));
        }
    }
}

proptest! {
    #[test]
    fn every_listener_hears_each_offset_once_and_in_order(
        steps in prop::collection::vec(step(), 1..200), late in 0..100_usize, ring in 4..40_u32,
    ) {
        let (_feeds, feed, mut hubs) = feeds(ring, 2);
        let mut store = Store::default();
        let mut blanked = std::collections::BTreeSet::new();
        prop_assert_eq!(feed.listen(0), None);
        let mut from = [None, None];
        let mut got: [Vec<(u64, String)>; 2] = Default::default();
        for (turn, step) in steps.into_iter().enumerate() {
            if turn == late {
                from[1] = Some(feed.listen(1));
            }
            match step {
                Step::Commit => {
                    let body = format!("text {}", store.top() + 1);
                    store.bodies.push(body.clone());
                    store.before.push(body);
                }
                // News carries the body as it was committed, however late it comes.
                Step::News(back) => {
                    if let Some(index) = store.bodies.len().checked_sub(back + 1) {
                        feed.accept(said(index as u64 + 1, &store.before[index]));
                    }
                }
                Step::Read { behind } => {
                    let known = feed.position();
                    let read = store.top().saturating_sub(behind);
                    let gap = feed.anchor("e", read) == Accepted::Gap;
                    match known {
                        None => from[0] = Some(Some(read)),
                        Some((_, top)) => prop_assert_eq!(gap, top < read),
                    }
                }
                Step::Fill => store.fill(&feed),
                Step::Blank(back) => {
                    if let Some(index) = store.bodies.len().checked_sub(back + 1) {
                        store.bodies[index] = "gone".into();
                        blanked.insert(index as u64 + 1);
                        feed.blank(&[(index as u64 + 1, "gone".into())]);
                    }
                }
            }
            for (own, hub) in got.iter_mut().zip(&mut hubs) {
                let fresh = heard(hub);
                // R1/§6: what is removed by now is not told any more.
                for (offset, body) in &fresh {
                    prop_assert!(!(blanked.contains(offset) && body != "gone"), "{offset} was told after its removal");
                }
                own.extend(fresh);
            }
            if let Some((_, top)) = feed.position() {
                for asked in top.saturating_sub(u64::from(ring) + 2)..=top {
                    let snapshot = feed.since(asked).unwrap();
                    prop_assert_eq!(snapshot.mark.top, top);
                    if let Some(missed) = snapshot.missed {
                        let found: Vec<_> = missed.iter().map(|e| (e.event.offset, e.event.body.to_string())).collect();
                        let due: Vec<_> = (asked + 1..=top)
                            .map(|o| (o, store.bodies[usize::try_from(o).unwrap() - 1].clone())).collect();
                        prop_assert_eq!(found, due);
                    }
                }
            }
        }
        // The position check, at last.
        feed.anchor("e", store.top());
        from[0] = from[0].or(Some(Some(store.top())));
        store.fill(&feed);
        for (worker, (own, hub)) in got.iter_mut().zip(&mut hubs).enumerate() {
            own.extend(heard(hub));
            let Some(start) = from[worker] else { continue };
            let start = start.or(from[0].flatten()).unwrap_or(0);
            prop_assert_eq!(offsets(own), (start + 1..=store.top()).collect::<Vec<_>>(), "worker {}", worker);
        }
    }

    #[test]
    fn the_rings_weight_is_what_is_in_it(count in 1..300_u64, ring in 1..64_u32, blank in 1..300_u64) {
        let (feeds, feed, _hubs) = feeds(ring, 1);
        feed.anchor("e", 0);
        for offset in 1..=count {
            feed.accept(event(offset));
        }
        feed.blank(&[(blank, "a longer body than there was, or a shorter one".into())]);
        let state = feed.lock();
        prop_assert!(state.ring.len() <= ring as usize);
        prop_assert_eq!(state.bytes, state.ring.iter().map(|entry| entry.weight()).sum::<usize>());
        prop_assert_eq!(feeds.bytes(), state.bytes);
        drop(state);
        feed.drop_ring();
        prop_assert_eq!(feeds.bytes(), 0);
    }
}

#[test]
fn an_event_that_is_removed_before_it_could_be_told_is_told_without_its_text() {
    let (_feeds, feed, mut hubs) = feeds(16, 1);
    feed.anchor("e", 0);
    feed.listen(0);
    assert_eq!(feed.accept(said(2, "secret")), Accepted::Gap);
    feed.blank(&[(2, "gone".into())]);
    feed.accept(event(1));
    assert_eq!(heard(&mut hubs[0]), [(1, "text 1".into()), (2, "gone".into())]);
}

#[test]
fn too_many_early_events_are_left_to_the_store() {
    let (_feeds, feed, mut hubs) = feeds(16, 1);
    feed.anchor("e", 0);
    feed.listen(0);
    let far = EARLY_MAX as u64 + 500;
    for offset in 2..=far {
        assert_eq!(feed.accept(event(offset)), Accepted::Gap);
    }
    feed.accept(event(1));
    assert_eq!(feed.position().unwrap().1, EARLY_MAX as u64);
    for offset in EARLY_MAX as u64..=far {
        feed.accept(event(offset));
    }
    assert_eq!(offsets(&heard(&mut hubs[0])), (1..=far).collect::<Vec<_>>());
}

/// Offsets that have reached a worker, and where a cut has.
fn heard_with_cuts(receiver: &mut HubReceiver) -> Vec<Option<u64>> {
    std::iter::from_fn(|| receiver.try_next())
        .filter_map(|delivery| match delivery {
            Delivery::Entry { entry, .. } => Some(Some(entry.event.offset)),
            Delivery::Cut { .. } => Some(None),
            _ => None,
        })
        .collect()
}

#[test]
fn a_cut_history_begins_anew_and_its_listeners_are_told_before_anything_of_it() {
    let (_feeds, feed, mut hubs) = feeds(16, 1);
    feed.anchor("before", 0);
    feed.listen(0);
    feed.accept(event(1));
    feed.accept(event(2));
    assert_eq!(feed.anchor("after", 1), Accepted::Done);
    feed.accept(event(2));
    // A reading of the old epoch that was under way.
    assert_eq!(feed.anchor("before", 2), Accepted::Done);
    assert_eq!(heard_with_cuts(&mut hubs[0]), [Some(1), Some(2), None, Some(2)]);
    assert_eq!(feed.position(), Some(("after".into(), 2)));
    assert!(feed.since(0).unwrap().missed.is_none());
}

#[test]
fn a_stream_that_is_gone_has_no_position_and_may_come_back() {
    let (feeds, feed, mut hubs) = feeds(16, 1);
    feed.anchor("before", 0);
    feed.listen(0);
    feed.accept(event(1));
    feed.vanish();
    assert_eq!(feed.position(), None);
    assert_eq!(feeds.bytes(), 0);
    feed.anchor("after", 0);
    feed.accept(event(1));
    assert_eq!(heard_with_cuts(&mut hubs[0]), [Some(1), None, Some(1)]);
}
