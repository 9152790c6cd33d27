//! What waits to be written to one socket: encoded frames, shared with every other reader.
//!
//! R7: at most `limits.socket.outbox` bytes wait; beyond that the session closes as slow and what waited is freed at once. The
//! transport is woken once while no wake is pending, and moves a bounded piece at a time, merged into one frame.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::task::Waker;
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
    waiting: RefCell<VecDeque<Bytes>>,
    bytes: Cell<usize>,
    /// When the transport last took something, or when the first of what waits came.
    moved_at: Cell<Instant>,
    closing: Cell<Option<Disconnect>>,
    closing_since: Cell<Option<Instant>>,
    waker: RefCell<Option<Waker>>,
}

impl Outbox {
    pub fn new(format: Format, bytes_max: usize) -> Self {
        Self {
            format,
            bytes_max,
            waiting: RefCell::default(),
            bytes: Cell::new(0),
            moved_at: Cell::new(Instant::now()),
            closing: Cell::new(None),
            closing_since: Cell::new(None),
            waker: RefCell::default(),
        }
    }

    /// Queues an encoded message. Over the bound the session closes as slow instead.
    pub fn push(&self, message: Bytes) {
        if self.closing.get().is_some() {
            return;
        }
        let bytes = self.bytes.get() + message.len();
        if bytes > self.bytes_max {
            self.close(Disconnect::Slow);
            return;
        }
        let mut waiting = self.waiting.borrow_mut();
        if waiting.is_empty() {
            self.moved_at.set(Instant::now());
        }
        self.bytes.set(bytes);
        waiting.push_back(message);
        drop(waiting);
        self.wake();
    }

    /// Asks the transport to close. What still waits is dropped when the reader is too slow for it, else sent first.
    pub fn close(&self, why: Disconnect) {
        if self.closing.get().is_some() {
            return;
        }
        self.closing.set(Some(why));
        self.closing_since.set(Some(Instant::now()));
        if why == Disconnect::Slow {
            self.waiting.borrow_mut().clear();
            self.bytes.set(0);
        }
        self.wake();
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
            .take_while(|message| {
                size += message.len();
                size <= MOVE_MAX
            })
            .count()
            .max(1);
        let frame = if count == 1 {
            let message = waiting.pop_front().unwrap_or_default();
            self.bytes.set(self.bytes.get().saturating_sub(message.len()));
            message
        } else {
            let messages: Vec<Bytes> = waiting.drain(..count).collect();
            self.bytes.set(self.bytes.get().saturating_sub(messages.iter().map(Bytes::len).sum()));
            join(self.format, &messages)
        };
        // An idle connection should not keep the memory of its busiest moment.
        if waiting.is_empty() && waiting.capacity() > 64 {
            waiting.shrink_to(8);
        }
        self.moved_at.set(Instant::now());
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
        self.bytes.get()
    }
}
