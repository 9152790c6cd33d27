//! Counts against what comes while they are read: nothing is counted twice, and nothing is left out without being read again.

use super::*;
use crate::actors::feed::Feeds;
use crate::config::Ring;

struct Stage {
    unread: Unread,
    feed: Arc<Feed>,
    tenant: TenantId,
    user: UserId,
    room: RoomId,
}

impl Stage {
    fn new() -> Self {
        let (tenant, user) = (TenantId::generate(), UserId::generate());
        let feeds = Feeds::new(Ring::default(), Arc::new([]));
        let feed = feeds.get_or_insert(FeedKey { tenant, channel: Channel::Unread(user.uuid()) });
        Self { unread: Unread::default(), feed, tenant, user, room: RoomId::generate() }
    }

    fn say(&self, offset: u64) {
        self.event(offset, "message.created");
    }

    fn event(&self, offset: u64, kind: &str) {
        let event = StreamEvent { offset, kind: kind.into(), body: "{}".into(), actor: None, calls: [].into() };
        self.unread.note(self.tenant, self.room, &event);
    }

    fn begin(&self) -> Reading<'_> {
        self.unread.begin(self.tenant, self.user)
    }

    /// What the store had: all of it unread.
    fn read(&self, top: u64) -> HashMap<RoomId, Count> {
        HashMap::from([(self.room, Count { last_offset: top, unread: top, ..Count::default() })])
    }

    /// Last offset and unread messages as they were told.
    fn told(&self) -> (u64, u64) {
        let (.., entries, _) = self.feed.page("", 10);
        let [entry] = &entries[..] else { panic!("{entries:?}") };
        let body: serde_json::Value = serde_json::from_str(&entry.event.body).unwrap();
        (body["last_offset"].as_u64().unwrap(), body["unread"].as_u64().unwrap())
    }

    /// The tick, without the people who do not look; whether the person's counts are to be read again.
    fn tick(&self) -> bool {
        let (noted, stale) = self.unread.take();
        for (tenant, room, events) in noted {
            self.unread.count_up(&self.feed, (tenant, self.user), room, &events);
        }
        stale.contains(&(self.tenant, self.user))
    }
}

#[test]
fn what_comes_while_counts_are_read_is_counted_once_whenever_the_tick_comes() {
    for tick_before in [false, true] {
        let stage = Stage::new();
        let reading = stage.begin();
        stage.say(3);
        stage.say(4);
        if tick_before {
            assert!(!stage.tick());
        }
        reading.end(&stage.feed, stage.read(3));
        assert_eq!(stage.told(), (4, 4));
        stage.say(5);
        assert!(!stage.tick() && !stage.tick());
        assert_eq!(stage.told(), (5, 5));
        assert!(stage.unread.lock().noted.is_empty());
    }
}

#[test]
fn nothing_is_kept_of_rooms_that_nobody_looks_at_or_reads() {
    let stage = Stage::new();
    stage.say(1);
    drop(stage.begin());
    stage.say(2);
    let state = stage.unread.lock();
    assert!(state.noted.is_empty() && state.readings.is_empty());
}

#[test]
fn a_reading_that_was_overtaken_changes_nothing() {
    let stage = Stage::new();
    let (slow, fast) = (stage.begin(), stage.begin());
    fast.end(&stage.feed, stage.read(7));
    slow.end(&stage.feed, stage.read(2));
    assert_eq!(stage.told(), (7, 7));
    assert!(!stage.tick());
}

#[test]
fn what_can_not_be_counted_up_is_read_again() {
    let gap: fn(&Stage) = |stage| stage.say(3);
    let removal: fn(&Stage) = |stage| stage.event(2, "message.deleted");
    let too_many: fn(&Stage) = |stage| (2..300).for_each(|offset| stage.say(offset));
    let rights: fn(&Stage) = |stage| stage.unread.stale(stage.tenant, stage.user);
    let panic: fn(&Stage) = |stage| stage.unread.everybody_stale();
    for happens in [gap, removal, too_many, rights, panic] {
        // While the first reading is under way, and after it.
        let stage = Stage::new();
        let reading = stage.begin();
        happens(&stage);
        reading.end(&stage.feed, stage.read(1));
        assert!(stage.tick());
        let stage = Stage::new();
        stage.begin().end(&stage.feed, stage.read(1));
        happens(&stage);
        assert!(stage.tick() || stage.tick());
    }
}

#[test]
fn who_was_forgotten_while_being_read_is_read_again() {
    let stage = Stage::new();
    let reading = stage.begin();
    stage.unread.forget(stage.tenant, stage.user);
    reading.end(&stage.feed, stage.read(1));
    assert!(stage.tick());
}
