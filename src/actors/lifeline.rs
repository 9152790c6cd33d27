//! How a supervisor learns that a child has ended.
//!
//! actix has no death watch and its `Supervisor` does not survive a panic. A child holds the sender of a oneshot: a planned end is
//! said through it; a panic drops it with the child.

use tokio::sync::oneshot;

/// How a child ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// It had nothing to do any more.
    Idle,
    /// It panicked, or its thread is gone.
    Crashed,
}

/// Held by the child.
pub struct Lifeline(Option<oneshot::Sender<()>>);

/// Held by the supervisor.
pub struct Watch(oneshot::Receiver<()>);

/// A new pair.
pub fn pair() -> (Lifeline, Watch) {
    let (tx, rx) = oneshot::channel();
    (Lifeline(Some(tx)), Watch(rx))
}

impl Lifeline {
    /// Says that the end is planned.
    pub fn end_idle(&mut self) {
        if let Some(tx) = self.0.take() {
            let _supervisor_gone = tx.send(());
        }
    }
}

impl Watch {
    /// Waits for the end.
    pub async fn end(self) -> End {
        if self.0.await.is_ok() { End::Idle } else { End::Crashed }
    }
}
