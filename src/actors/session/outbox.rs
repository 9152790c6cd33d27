//! What waits to be written to one socket: encoded frames, shared with every other reader.
//!
//! R7: at most `limits.socket.outbox` bytes wait; beyond that the session closes as slow and what waited is freed at once. One large
//! reply may wait beside them, for it can be larger than the bound (a recovery is up to 1 MiB) and closing would never let its client
//! catch up: the next command runs only when there is room again ([`Outbox::room`]), so there is one, however many are asked for.
//! The transport is woken once while no wake is pending, and moves a bounded piece at a time, merged into one frame.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::protocol::{Disconnect, Format, join};

/// Bytes moved to the socket in one go; actix stops polling a session that has more than this unsent.
const MOVE_MAX: usize = 32 * 1024;

/// What the transport should do next.
pub enum Next {
    /// Write this frame.
    Frame(Bytes),
    /// Close with this code; nothing follows.
    Close(Disconnect),
    /// Nothing now.
    Wait,
}

/// The queue between the hub and one transport.
pub struct Outbox {
    format: Format,
    bytes_max: usize,
    waiting: RefCell<VecDeque<Waiting>>,
    /// Without the large reply.
    bytes: Cell<usize>,
    large_bytes: Cell<usize>,
    /// When the transport last took something, or when the first of what waits came.
    moved_at: Cell<Instant>,
    closing: Cell<Option<Disconnect>>,
    closing_since: Cell<Option<Instant>>,
    waker: RefCell<Option<Waker>>,
    asker: RefCell<Option<Waker>>,
    is_abandoned: Cell<bool>,
}

struct Waiting {
    message: Bytes,
    is_large: bool,
}

impl Outbox {
    pub fn new(format: Format, bytes_max: usize) -> Self {
        Self {
            format,
            bytes_max,
            waiting: RefCell::default(),
            bytes: Cell::new(0),
            large_bytes: Cell::new(0),
            moved_at: Cell::new(Instant::now()),
            closing: Cell::new(None),
            closing_since: Cell::new(None),
            waker: RefCell::default(),
            asker: RefCell::default(),
            is_abandoned: Cell::new(false),
        }
    }

    /// Queues an encoded message. Over the bound the session closes as slow instead.
    pub fn push(&self, message: Bytes) {
        if self.is_over() {
            return;
        }
        let bytes = self.bytes.get() + message.len();
        if bytes > self.bytes_max {
            self.close(Disconnect::Slow);
            return;
        }
        self.bytes.set(bytes);
        self.append(Waiting { message, is_large: false });
    }

    /// Queues the answer to a command. A large one is taken whatever its size; see [`Outbox::room`].
    pub fn reply(&self, message: Bytes) {
        if message.len() <= self.large_from() {
            return self.push(message);
        }
        if !self.is_over() {
            self.large_bytes.set(self.large_bytes.get() + message.len());
            self.append(Waiting { message, is_large: true });
        }
    }

    /// A command runs while no more than this waits, so that its reply always fits beside what is pushed meanwhile.
    const fn large_from(&self) -> usize {
        self.bytes_max / 4
    }

    /// Nothing is taken any more.
    fn is_over(&self) -> bool {
        self.closing.get().is_some() || self.is_abandoned.get()
    }

    fn append(&self, message: Waiting) {
        let mut waiting = self.waiting.borrow_mut();
        if waiting.is_empty() {
            self.moved_at.set(Instant::now());
        }
        waiting.push_back(message);
        drop(waiting);
        self.wake();
    }

    /// Waits until a further command may run: earlier replies have been moved on, or the session closes.
    pub async fn room(&self) {
        std::future::poll_fn(|task| {
            if self.bytes() <= self.large_from() || self.is_over() {
                return Poll::Ready(());
            }
            *self.asker.borrow_mut() = Some(task.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// Asks the transport to close. What still waits is dropped when the reader is too slow for it, else sent first.
    pub fn close(&self, why: Disconnect) {
        if self.closing.get().is_some() {
            return;
        }
        self.closing.set(Some(why));
        self.closing_since.set(Some(Instant::now()));
        if why == Disconnect::Slow {
            self.drop_waiting();
        }
        self.wake();
        self.wake_asker();
    }

    /// The transport is gone: nothing will be moved any more.
    pub fn abandon(&self) {
        self.is_abandoned.set(true);
        self.drop_waiting();
        self.wake_asker();
    }

    fn drop_waiting(&self) {
        self.waiting.borrow_mut().clear();
        self.bytes.set(0);
        self.large_bytes.set(0);
    }

    fn wake_asker(&self) {
        if let Some(asker) = self.asker.borrow_mut().take() {
            asker.wake();
        }
    }

    fn wake(&self) {
        // Taken, so that a burst wakes the transport once.
        if let Some(waker) = self.waker.borrow_mut().take() {
            waker.wake();
        }
    }

    /// Remembers whom to wake when there is something to do.
    pub fn wait(&self, waker: &Waker) {
        *self.waker.borrow_mut() = Some(waker.clone());
    }

    /// What to write next: waiting messages merged into one frame of bounded size.
    pub fn next(&self) -> Next {
        let mut waiting = self.waiting.borrow_mut();
        if waiting.is_empty() {
            return self.closing.get().map_or(Next::Wait, Next::Close);
        }
        let mut size = 0;
        let count = waiting
            .iter()
            .take_while(|waiting| {
                size += waiting.message.len();
                size <= MOVE_MAX
            })
            .count()
            .max(1);
        for moved in waiting.range(..count) {
            let counted = if moved.is_large { &self.large_bytes } else { &self.bytes };
            counted.set(counted.get().saturating_sub(moved.message.len()));
        }
        let frame = if count == 1 {
            waiting.pop_front().map(|waiting| waiting.message).unwrap_or_default()
        } else {
            let messages: Vec<Bytes> = waiting.drain(..count).map(|waiting| waiting.message).collect();
            join(self.format, &messages)
        };
        // An idle connection should not keep the memory of its busiest moment.
        if waiting.is_empty() && waiting.capacity() > 64 {
            waiting.shrink_to(8);
        }
        drop(waiting);
        self.moved_at.set(Instant::now());
        self.wake_asker();
        Next::Frame(frame)
    }

    /// Whether the socket is to be shut from outside: what waits has not moved for `unsent_max`, or a close was not confirmed.
    pub fn is_stuck(&self, unsent_max: Duration, close_within: Duration) -> bool {
        let unsent = !self.waiting.borrow().is_empty() && self.moved_at.get().elapsed() > unsent_max;
        let unclosed = self.closing_since.get().is_some_and(|since| since.elapsed() > close_within);
        unsent || unclosed
    }

    /// Why the session closes, if it does.
    pub fn closing(&self) -> Option<Disconnect> {
        self.closing.get()
    }

    /// Bytes that wait.
    pub fn bytes(&self) -> usize {
        self.bytes.get() + self.large_bytes.get()
    }
}

#[cfg(test)]
mod tests;
