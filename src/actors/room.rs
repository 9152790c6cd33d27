//! A live room: the order point of the posts that this node takes for it.
//!
//! While a batch of its posts is being stored, further ones gather here; answers and fan-out follow the commit (R1). R8: the room
//! knows nothing that the store does not: a new generation reads the position and delivers what its predecessor had not.
//! R6: at most `limits.posting.room_queue` posts wait; the next is told to come again.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::dev::channel;
use actix::{
    Actor, ActorContext, ActorFutureExt, Addr, ArbiterHandle, AsyncContext, Context, Handler, Message, WrapFuture,
};
use tokio::sync::oneshot;

use super::feed::{Feed, FeedKey};
use super::lifeline::Lifeline;
use super::live::Live;
use super::writer::Answer;
use crate::domain::messaging::post::Draft;
use crate::domain::messaging::{Error, Posted};
use crate::infra::bus::{News, StreamId};
use crate::kernel::{RoomId, TenantId};

/// Posts that may wait in the mailbox while the room's thread is busy.
const MAILBOX_MAX: usize = 1_024;
/// A room that nobody has written to for this long ends; the next post starts it again.
const IDLE_AFTER: Duration = Duration::from_secs(300);
const IDLE_CHECK: Duration = Duration::from_secs(60);
/// Between leaving the directory and stopping, so that posts which had found the room are still taken.
const LEAVE_GRACE: Duration = Duration::from_secs(2);

/// Store a message and deliver it. The answer comes when it has been committed; a dropped sender means: try again.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Post {
    pub draft: Arc<Draft>,
    pub answer: oneshot::Sender<Result<Posted, Error>>,
}

/// Panic, to prove what happens then.
#[cfg(feature = "faults")]
#[derive(Message)]
#[rtype(result = "()")]
pub struct Panic;

/// A room on this node.
pub struct Room {
    pub tenant: TenantId,
    pub id: RoomId,
    pub generation: u64,
    pub live: Arc<Live>,
    pub lifeline: Lifeline,
    feed: Arc<Feed>,
    waiting: VecDeque<Post>,
    /// A batch is being stored, or the position read.
    busy: bool,
    active_at: Instant,
}

impl Room {
    /// A room that has not read its position yet.
    #[must_use]
    pub fn new(live: Arc<Live>, tenant: TenantId, id: RoomId, generation: u64, lifeline: Lifeline) -> Self {
        let feed = live.feeds.get_or_insert(FeedKey::stream(tenant, StreamId::Room(id)));
        Self {
            tenant,
            id,
            generation,
            live,
            lifeline,
            feed,
            waiting: VecDeque::new(),
            busy: false,
            active_at: Instant::now(),
        }
    }

    /// Starts a room on a thread. Its mailbox has its full size from the first message on: actix would give it 16 places until the
    /// room's thread had come to run it, and a burst on a cold room would be refused.
    #[must_use]
    pub fn start_on(arbiter: &ArbiterHandle, make: impl FnOnce() -> Self + Send + 'static) -> Addr<Self> {
        let (sender, receiver) = channel::channel(MAILBOX_MAX);
        arbiter.spawn_fn(move || {
            Context::with_receiver(receiver).run(make());
        });
        Addr::new(sender)
    }

    /// Reads the room's position from the store; what lies between it and what was delivered is delivered now.
    fn load(&mut self, ctx: &mut Context<Self>) {
        self.busy = true;
        let (live, feed) = (Arc::clone(&self.live), Arc::clone(&self.feed));
        let loading = async move { live.anchor(&feed).await };
        ctx.spawn(loading.into_actor(self).map(|_, room, ctx| {
            // A room that does not exist refuses its posts in the append function, by name.
            room.busy = false;
            room.submit(ctx);
        }));
    }

    /// Hands what waits to the writer, unless a batch is on its way.
    fn submit(&mut self, ctx: &mut Context<Self>) {
        if self.busy || self.waiting.is_empty() {
            return;
        }
        let count = self.waiting.len().min(self.live.config.limits.posting.batch as usize);
        let posts: Vec<Post> = self.waiting.drain(..count).collect();
        let drafts = posts.iter().map(|post| Arc::clone(&post.draft)).collect();
        let Some(answers) = self.live.writers.submit(self.tenant, self.id, drafts) else {
            // Those behind them would wait until somebody posts again.
            posts.into_iter().chain(self.waiting.drain(..)).for_each(|post| answer(post, Err(Error::Busy)));
            return;
        };
        self.busy = true;
        ctx.spawn(answers.into_actor(self).map(|answers, room, ctx| {
            room.busy = false;
            room.committed(posts, answers.unwrap_or_default(), ctx);
            room.submit(ctx);
        }));
    }

    /// Publishes what has been stored, in order, and answers the authors.
    fn committed(&mut self, posts: Vec<Post>, answers: Vec<Answer>, ctx: &mut Context<Self>) {
        let counters = &self.live.counters;
        let mut unsure = answers.len() < posts.len();
        let mut answers = answers.into_iter();
        for post in posts {
            match answers.next().unwrap_or(Err(Error::Busy)) {
                Ok((posted, event)) => {
                    if posted.duplicate {
                        counters.posts_duplicate.increment()
                    } else {
                        counters.posts.increment()
                    }
                    if let Some(event) = event {
                        let stream = StreamId::Room(self.id);
                        self.live.db.pg().bus().publish(News::Advanced { tenant: self.tenant, stream, event });
                    }
                    answer(post, Ok(posted));
                }
                Err(error) => {
                    unsure |= matches!(error, Error::Busy | Error::Db(_));
                    counters.posts_refused.increment();
                    answer(post, Err(error));
                }
            }
        }
        if unsure {
            // The batch may have been committed all the same: ask the store.
            self.load(ctx);
        }
    }

    fn end_if_idle(&mut self, ctx: &mut Context<Self>) {
        if self.busy || !self.waiting.is_empty() || self.active_at.elapsed() < IDLE_AFTER {
            return;
        }
        self.live.directory.remove_room(self.tenant, self.id, self.generation);
        ctx.run_later(LEAVE_GRACE, |room, ctx| {
            room.lifeline.end_idle();
            ctx.stop();
        });
    }
}

fn answer(post: Post, outcome: Result<Posted, Error>) {
    let _author_gone = post.answer.send(outcome);
}

impl Actor for Room {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.run_interval(IDLE_CHECK, Self::end_if_idle);
        self.load(ctx);
    }
}

impl Handler<Post> for Room {
    type Result = ();

    fn handle(&mut self, post: Post, ctx: &mut Self::Context) {
        self.active_at = Instant::now();
        if self.waiting.len() >= self.live.config.limits.posting.room_queue as usize {
            return answer(post, Err(Error::Busy));
        }
        self.waiting.push_back(post);
        self.submit(ctx);
    }
}

#[cfg(feature = "faults")]
impl Handler<Panic> for Room {
    type Result = ();

    #[expect(clippy::panic, reason = "asked for by a test")]
    fn handle(&mut self, _: Panic, _: &mut Self::Context) {
        panic!("a room was asked to panic");
    }
}
