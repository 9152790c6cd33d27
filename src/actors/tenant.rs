//! A tenant's supervisor: starts its rooms on first use and again after a panic.
//!
//! Death and rebirth (R8): a room's end is heard on its lifeline; a crashed one comes back from the factory as the next generation,
//! after a pause that grows with each crash in a row. While it is away, posts are told to try again.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::{Actor, ActorContext, ActorFutureExt, AsyncContext, Context, Handler, Message, WrapFuture};

use super::directory::Seat;
use super::lifeline::{self, End, Lifeline};
use super::live::Live;
use super::room::Room;
use crate::kernel::{RoomId, TenantId};

const MAILBOX_MAX: usize = 1_024;
const BACKOFF_MIN: Duration = Duration::from_millis(10);
const BACKOFF_MAX: Duration = Duration::from_secs(5);
/// A room that lived this long has left its past crashes behind.
const HEALTHY_AFTER: Duration = Duration::from_secs(60);
/// A supervisor without rooms ends after this.
const IDLE_AFTER: Duration = Duration::from_secs(600);

/// Find the room, starting it if need be. `None` while it recovers from a crash.
#[derive(Message)]
#[rtype(result = "Option<Arc<Seat>>")]
pub struct FindRoom(pub RoomId);

/// Panic, to prove what happens then.
#[cfg(feature = "faults")]
#[derive(Message)]
#[rtype(result = "()")]
pub struct Panic;

struct Child {
    generation: u64,
    crashes: u32,
    started_at: Instant,
    /// Absent while it waits for its next generation.
    seat: Option<Arc<Seat>>,
}

/// The supervisor of one tenant's rooms on this node.
pub struct Tenant {
    pub id: TenantId,
    pub live: Arc<Live>,
    pub lifeline: Lifeline,
    rooms: HashMap<RoomId, Child>,
    /// Rooms of a predecessor that has crashed: they go on, and are watched from now on.
    orphans: Vec<(RoomId, Arc<Seat>)>,
    active_at: Instant,
}

impl Tenant {
    /// A supervisor that takes over these rooms.
    #[must_use]
    pub fn new(live: Arc<Live>, id: TenantId, lifeline: Lifeline, orphans: Vec<(RoomId, Arc<Seat>)>) -> Self {
        Self { id, live, lifeline, rooms: HashMap::new(), orphans, active_at: Instant::now() }
    }

    fn start(&mut self, id: RoomId, generation: u64, crashes: u32, ctx: &mut Context<Self>) -> Arc<Seat> {
        let (lifeline, watch) = lifeline::pair();
        let (live, tenant) = (Arc::clone(&self.live), self.id);
        let arbiter = self.live.directory.arbiter_for(id);
        let addr = Room::start_on(&arbiter, move || Room::new(live, tenant, id, generation, lifeline));
        let seat = Arc::new(Seat { addr, generation, watch });
        self.live.directory.insert_room(self.id, id, Arc::clone(&seat));
        self.live.counters.rooms_started.increment();
        self.supervise(id, Arc::clone(&seat), crashes, ctx);
        seat
    }

    fn supervise(&mut self, id: RoomId, seat: Arc<Seat>, crashes: u32, ctx: &mut Context<Self>) {
        let (generation, end) = (seat.generation, seat.watch.clone().end());
        self.rooms.insert(id, Child { generation, crashes, started_at: Instant::now(), seat: Some(seat) });
        ctx.spawn(end.into_actor(self).map(move |end, tenant, ctx| tenant.ended(id, generation, end, ctx)));
    }

    fn ended(&mut self, id: RoomId, generation: u64, end: End, ctx: &mut Context<Self>) {
        self.live.directory.remove_room(self.id, id, generation);
        let Some(child) = self.rooms.get_mut(&id).filter(|child| child.generation == generation) else { return };
        if end == End::Idle {
            self.rooms.remove(&id);
            return;
        }
        child.seat = None;
        let crashes = if child.started_at.elapsed() > HEALTHY_AFTER { 1 } else { child.crashes + 1 };
        let pause = (BACKOFF_MIN * 2_u32.saturating_pow(crashes.min(16) - 1)).min(BACKOFF_MAX);
        tracing::error!(tenant.id = %self.id, room.id = %id, generation, "a room crashed; its next generation starts in {pause:?}");
        self.live.counters.rooms_restarted.increment();
        ctx.run_later(pause, move |tenant, ctx| {
            tenant.start(id, generation + 1, crashes, ctx);
        });
    }

    fn end_if_idle(&mut self, ctx: &mut Context<Self>) {
        if self.rooms.is_empty() && self.active_at.elapsed() > IDLE_AFTER {
            self.live.directory.remove_tenant(self.id, &ctx.address());
            self.lifeline.end_idle();
            ctx.stop();
        }
    }
}

impl Actor for Tenant {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX_MAX);
        ctx.run_interval(IDLE_AFTER / 10, Self::end_if_idle);
        for (id, seat) in std::mem::take(&mut self.orphans) {
            self.supervise(id, seat, 0, ctx);
        }
    }
}

impl Handler<FindRoom> for Tenant {
    type Result = Option<Arc<Seat>>;

    fn handle(&mut self, FindRoom(id): FindRoom, ctx: &mut Self::Context) -> Self::Result {
        self.active_at = Instant::now();
        if let Some(seat) = self.live.directory.find_running(self.id, id) {
            return Some(seat);
        }
        match self.rooms.get(&id) {
            Some(Child { seat: None, .. }) => None,
            // Its end has not been heard yet.
            Some(Child { seat: Some(seat), .. }) if seat.watch.is_crashed() => None,
            // Left the directory to end as idle; the next generation takes over at once.
            Some(child) => {
                let generation = child.generation + 1;
                Some(self.start(id, generation, 0, ctx))
            }
            None => Some(self.start(id, 1, 0, ctx)),
        }
    }
}

#[cfg(feature = "faults")]
impl Handler<Panic> for Tenant {
    type Result = ();

    #[expect(clippy::panic, reason = "asked for by a test")]
    fn handle(&mut self, _: Panic, _: &mut Self::Context) {
        panic!("a tenant's supervisor was asked to panic");
    }
}
