//! What waits to be written to one socket: encoded frames, shared with every other reader.
//!
//! R7: at most `limits.socket.outbox` bytes wait; beyond that the session closes as slow and what waited is freed at once. The
//! transport is woken once while no wake is pending, and moves a bounded piece at a time, merged into one frame.
//!
//! What a client asked for (a recovery of up to 1 MiB, a page of history) is not held against it: such answers are let in whatever their
//! size, and the client's next command waits until they are on their way. So what waits is the bound, half of it again, and one answer.
//! Refused instead, a client that missed much would be closed for its own recovery, come back, and be closed again for ever.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::task::{Context, Poll, Waker};
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
    /// Of pushes that wait.
    bytes: Cell<usize>,
    /// Of answers that wait.
    answer_bytes: Cell<usize>,
    /// When the transport last took something, or when the first of what waits came.
    moved_at: Cell<Instant>,
    closing: Cell<Option<Disconnect>>,
    closing_since: Cell<Option<Instant>>,
    waker: RefCell<Option<Waker>>,
    /// Whoever wants to answer more.
    room_waker: RefCell<Option<Waker>>,
}

struct Waiting {
    message: Bytes,
    is_answer: bool,
}

impl Outbox {
    pub fn new(format: Format, bytes_max: usize) -> Self {
        Self {
            format,
            bytes_max,
            waiting: RefCell::default(),
            bytes: Cell::new(0),
            answer_bytes: Cell::new(0),
            moved_at: Cell::new(Instant::now()),
            closing: Cell::new(None),
            closing_since: Cell::new(None),
            waker: RefCell::default(),
            room_waker: RefCell::default(),
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
        self.bytes.set(bytes);
        self.queue(Waiting { message, is_answer: false });
    }

    /// Queues what a command asked for, whatever its size; who calls has waited for [`Self::poll_room`] before.
    pub fn answer(&self, message: Bytes) {
        if self.closing.get().is_some() {
            return;
        }
        self.answer_bytes.set(self.answer_bytes.get() + message.len());
        self.queue(Waiting { message, is_answer: true });
    }

    fn queue(&self, one: Waiting) {
        let mut waiting = self.waiting.borrow_mut();
        if waiting.is_empty() {
            self.moved_at.set(Instant::now());
        }
        waiting.push_back(one);
        drop(waiting);
        self.wake();
    }

    /// Ready once the reader has taken most of what it asked for before.
    pub fn poll_room(&self, task: &mut Context<'_>) -> Poll<()> {
        if self.answer_bytes.get() <= self.bytes_max / 2 {
            return Poll::Ready(());
        }
        *self.room_waker.borrow_mut() = Some(task.waker().clone());
        Poll::Pending
    }

    /// Lets whoever waits for room look again.
    pub fn wake_answerer(&self) {
        if let Some(waker) = self.room_waker.borrow_mut().take() {
            waker.wake();
        }
    }

    fn took(&self, one: Waiting) -> Bytes {
        let counter = if one.is_answer { &self.answer_bytes } else { &self.bytes };
        counter.set(counter.get().saturating_sub(one.message.len()));
        one.message
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
            self.answer_bytes.set(0);
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
            .take_while(|one| {
                size += one.message.len();
                size <= MOVE_MAX
            })
            .count()
            .max(1);
        let frame = if count == 1 {
            waiting.pop_front().map(|one| self.took(one)).unwrap_or_default()
        } else {
            let messages: Vec<Bytes> = waiting.drain(..count).map(|one| self.took(one)).collect();
            join(self.format, &messages)
        };
        // An idle connection should not keep the memory of its busiest moment.
        if waiting.is_empty() && waiting.capacity() > 64 {
            waiting.shrink_to(8);
        }
        self.moved_at.set(Instant::now());
        if self.answer_bytes.get() <= self.bytes_max / 2 {
            self.wake_answerer();
        }
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
        self.bytes.get() + self.answer_bytes.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: usize = 1_024;

    fn outbox() -> Outbox {
        Outbox::new(Format::Json, MAX)
    }

    fn has_room(outbox: &Outbox) -> bool {
        outbox.poll_room(&mut Context::from_waker(Waker::noop())).is_ready()
    }

    fn bytes(n: usize) -> Bytes {
        vec![b'x'; n].into()
    }

    #[test]
    fn pushes_over_the_bound_close_it_and_free_what_waited() {
        let outbox = outbox();
        outbox.push(bytes(MAX));
        assert_eq!(outbox.closing(), None);
        outbox.push(bytes(1));
        assert_eq!((outbox.closing(), outbox.bytes()), (Some(Disconnect::Slow), 0));
    }

    #[test]
    fn an_answer_is_let_in_whatever_its_size_and_the_next_waits_until_it_has_gone() {
        let outbox = outbox();
        assert!(has_room(&outbox));
        outbox.answer(bytes(10 * MAX));
        // What others say meanwhile has the whole bound to itself.
        outbox.push(bytes(MAX));
        assert_eq!(outbox.closing(), None);
        assert!(!has_room(&outbox));
        assert!(matches!(outbox.next(), Next::Frame(frame) if frame.len() == 10 * MAX));
        assert!(has_room(&outbox));
        assert!(matches!(outbox.next(), Next::Frame(frame) if frame.len() == MAX));
        assert_eq!(outbox.bytes(), 0);
    }
}
