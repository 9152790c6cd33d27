//! How a supervisor learns that a child has ended.
//!
//! actix has no death watch and its `Supervisor` does not survive a panic. A child holds the sender of a channel: a planned end is
//! said through it; a panic drops it with the child. The receiver stands at the child's seat, so that a supervisor that was started
//! anew can watch the children of the one before.

use tokio::sync::watch;

/// How a child ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// It had nothing to do any more.
    Idle,
    /// It panicked, or its thread is gone.
    Crashed,
}

/// Held by the child.
pub struct Lifeline(watch::Sender<bool>);

/// Held by whoever supervises it.
#[derive(Clone)]
pub struct Watch(watch::Receiver<bool>);

/// A new pair.
pub fn pair() -> (Lifeline, Watch) {
    let (tx, rx) = watch::channel(false);
    (Lifeline(tx), Watch(rx))
}

impl Lifeline {
    /// Says that the end is planned.
    pub fn end_idle(&self) {
        self.0.send_replace(true);
    }
}

impl Watch {
    /// Whether it ended without saying so.
    pub fn is_crashed(&self) -> bool {
        self.0.has_changed().is_err() && !*self.0.borrow()
    }

    /// Waits for the end.
    pub async fn end(mut self) -> End {
        if self.0.wait_for(|planned| *planned).await.is_ok() { End::Idle } else { End::Crashed }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_watch_hears_how_it_ended_also_one_that_looks_later() {
        let ((planned, first), (crashed, second)) = (pair(), pair());
        let (late, lost) = (first.clone(), second.clone());
        planned.end_idle();
        assert!(!first.is_crashed() && !second.is_crashed());
        drop((planned, crashed));
        assert!(!first.is_crashed() && second.is_crashed());
        assert_eq!((first.end().await, second.end().await), (End::Idle, End::Crashed));
        assert_eq!((late.end().await, lost.end().await), (End::Idle, End::Crashed));
    }
}
