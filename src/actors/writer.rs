//! Writers: group commit by gathering. While one batch is on its way to the store, the next one gathers; no timers, so that
//! throughput rises with load and a lone post waits for nobody.
//!
//! A room always goes to the same writer, so that two batches never lock the same rooms in different order. A batch is of one tenant;
//! tenants that wait are served in turn. R6: a writer's queue is bounded; when it is full, authors are told to try again.

use std::collections::{HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use sqlx::pool::PoolConnection;
use tokio::sync::{mpsc, oneshot};

use super::counters::Counters;
#[cfg(feature = "faults")]
use super::faults;
use super::keep::survived;
use crate::domain::messaging::post::{self, Draft, Outcome};
use crate::domain::messaging::{Error, Posted};
use crate::infra::bus::{News, StreamEvent};
use crate::infra::pg::{Db, Pg, PgError};
use crate::kernel::{Clock, RoomId, TenantId};

/// Jobs (a room's gathered posts) that may wait for one writer.
const QUEUE_MAX: usize = 4_096;
/// A batch that takes longer has met a store in trouble; its authors are told to try again.
const BATCH_TIMEOUT: Duration = Duration::from_secs(10);

/// One author's answer: where the message is, and the event if this batch stored it.
pub type Answer = Result<(Posted, Option<StreamEvent>), Error>;

/// What a room hands over.
struct Job {
    tenant: TenantId,
    drafts: Vec<Arc<Draft>>,
    answers: oneshot::Sender<Vec<Answer>>,
}

/// The writers of this node.
#[derive(Clone)]
pub struct Writers {
    queues: Arc<[mpsc::Sender<Job>]>,
}

impl Writers {
    /// Starts `count` writers on the database runtime.
    #[must_use]
    pub fn start(db: &Db, clock: &Clock, count: usize, batch_max: usize, counters: &Arc<Counters>) -> Self {
        let start_one = |_| {
            let (tx, rx) = mpsc::channel(QUEUE_MAX);
            let writer = Writer {
                jobs: rx,
                pg: db.pg().clone(),
                clock: clock.clone(),
                batch_max,
                counters: Arc::clone(counters),
                connection: None,
                line: Line::default(),
            };
            db.runtime().spawn(writer.keep_running());
            tx
        };
        Self { queues: (0..count.max(1)).map(start_one).collect() }
    }

    /// Hands a room's posts over; their answers come in the same order. `None` when the writer's queue is full.
    #[must_use]
    pub fn submit(
        &self,
        tenant: TenantId,
        room: RoomId,
        drafts: Vec<Arc<Draft>>,
    ) -> Option<oneshot::Receiver<Vec<Answer>>> {
        let mut hasher = DefaultHasher::new();
        (tenant, room).hash(&mut hasher);
        let writers = self.queues.len() as u64;
        let queue = &self.queues[usize::try_from(hasher.finish() % writers).unwrap_or_default()];
        let (tx, rx) = oneshot::channel();
        queue.try_send(Job { tenant, drafts, answers: tx }).ok().map(|()| rx)
    }
}

struct Writer {
    jobs: mpsc::Receiver<Job>,
    pg: Pg,
    clock: Clock,
    batch_max: usize,
    counters: Arc<Counters>,
    /// Kept between batches; dropped after a failure.
    connection: Option<PoolConnection<sqlx::Postgres>>,
    line: Line,
}

/// Jobs that wait for their batch.
#[derive(Default)]
struct Line {
    waiting: HashMap<TenantId, VecDeque<Job>>,
    turn: VecDeque<TenantId>,
    /// All of them.
    jobs: usize,
}

impl Writer {
    async fn keep_running(mut self) {
        let counters = Arc::clone(&self.counters);
        while !survived("a writer", &counters.tasks_restarted, self.run()).await {}
    }

    async fn run(&mut self) {
        // What a panic interrupted: the rooms see their answers dropped, tell the authors to try again and read where they stand.
        (self.connection, self.line) = Default::default();
        loop {
            if self.line.jobs == 0 {
                let job = tokio::select! {
                    job = self.jobs.recv() => job,
                    // The pool is closed once every connection is back: also the one that is kept here.
                    () = self.pg.app_pool().close_event() => return,
                };
                let Some(job) = job else { return };
                self.line.push(job);
            }
            while self.line.jobs < QUEUE_MAX
                && let Ok(job) = self.jobs.try_recv()
            {
                self.line.push(job);
            }
            if let Some((tenant, batch)) = self.line.take_batch(self.batch_max) {
                self.write(tenant, batch).await;
            }
        }
    }

    async fn write(&mut self, tenant: TenantId, batch: Vec<Job>) {
        let drafts: Vec<Arc<Draft>> = batch.iter().flat_map(|job| job.drafts.iter().cloned()).collect();
        #[cfg(feature = "faults")]
        faults::strike(faults::Moment::BeforeCommit);
        match tokio::time::timeout(BATCH_TIMEOUT, self.post(tenant, &drafts)).await {
            Ok(Ok(outcome)) => self.answer(tenant, batch, outcome),
            failed => {
                self.connection = None;
                self.counters.batches_failed.increment();
                match failed {
                    Ok(Err(error)) => {
                        tracing::error!(tenant.id = %tenant, rows = drafts.len(), %error, "a batch of posts failed")
                    }
                    _ => tracing::error!(tenant.id = %tenant, rows = drafts.len(), "a batch of posts took too long"),
                }
                for job in batch {
                    let _author_gone = job.answers.send(job.drafts.iter().map(|_| Err(Error::Busy)).collect());
                }
            }
        }
    }

    async fn post(&mut self, tenant: TenantId, drafts: &[Arc<Draft>]) -> Result<Outcome, PgError> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.pg.app_pool().acquire().await?,
        };
        // Taken out while in use: a batch that is cut off by its timeout must not leave a half-read connection behind.
        let outcome = post::post(&mut connection, tenant, self.clock.now(), drafts).await?;
        self.connection = Some(connection);
        Ok(outcome)
    }

    fn answer(&self, tenant: TenantId, batch: Vec<Job>, outcome: Outcome) {
        #[cfg(feature = "faults")]
        faults::strike(faults::Moment::AfterCommit);
        self.counters.batches.increment();
        let mut answers = outcome.answers.into_iter();
        for job in batch {
            let own: Vec<Answer> = answers.by_ref().take(job.drafts.len()).collect();
            let _room_gone = job.answers.send(own);
        }
        for (stream, event) in outcome.personal {
            self.pg.bus().publish(News::Advanced { tenant, stream, event });
        }
    }
}

impl Line {
    fn push(&mut self, job: Job) {
        let tenant = job.tenant;
        let queue = self.waiting.entry(tenant).or_default();
        if queue.is_empty() {
            self.turn.push_back(tenant);
        }
        queue.push_back(job);
        self.jobs += 1;
    }

    /// Whole jobs of the tenant whose turn it is, up to a batch; it goes to the end of the line with the rest.
    fn take_batch(&mut self, batch_max: usize) -> Option<(TenantId, Vec<Job>)> {
        let tenant = self.turn.pop_front()?;
        let queue = self.waiting.get_mut(&tenant)?;
        let mut batch = Vec::new();
        let mut rows = 0;
        while let Some(job) = queue.front() {
            if rows > 0 && rows + job.drafts.len() > batch_max {
                break;
            }
            rows += job.drafts.len();
            batch.extend(queue.pop_front());
        }
        if queue.is_empty() {
            self.waiting.remove(&tenant);
        } else {
            self.turn.push_back(tenant);
        }
        self.jobs -= batch.len();
        Some((tenant, batch))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(tenant: TenantId) -> Job {
        Job { tenant, drafts: Vec::new(), answers: oneshot::channel().0 }
    }

    #[test]
    fn what_waits_is_counted_by_jobs_and_served_in_turn() {
        let (busy, quiet) = (TenantId::generate(), TenantId::generate());
        let mut line = Line::default();
        for tenant in [busy, busy, busy, quiet] {
            line.push(job(tenant));
        }
        assert_eq!(line.jobs, 4);
        assert!(line.take_batch(10).is_some_and(|(tenant, batch)| (tenant, batch.len()) == (busy, 3)));
        assert_eq!(line.jobs, 1);
        assert!(line.take_batch(10).is_some_and(|(tenant, batch)| (tenant, batch.len()) == (quiet, 1)));
        assert!(line.jobs == 0 && line.take_batch(10).is_none());
    }
}
