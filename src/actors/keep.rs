//! Tasks that must not end. R8: one that panics is counted and runs again; what it had in hand it settles when it begins.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt;

use super::counters::Counter;

/// Between a panic and the next run, so that one that panics at once does not burn a core.
const PAUSE: Duration = Duration::from_millis(50);

/// Runs `work`: true when it came to its end, false when it panicked and is to be run again.
pub(super) async fn survived(what: &str, restarted: &Counter, work: impl Future<Output = ()>) -> bool {
    if AssertUnwindSafe(work).catch_unwind().await.is_ok() {
        return true;
    }
    restarted.increment();
    tracing::error!("{what} panicked and starts again");
    tokio::time::sleep(PAUSE).await;
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_that_panics_is_counted_and_run_again_until_it_ends() {
        let (restarted, mut runs) = (Counter::default(), 0);
        let mut work = async || {
            runs += 1;
            tokio::task::yield_now().await;
            assert!(runs > 3, "not yet");
            if runs == 4 {
                panic!("once more");
            }
        };
        while !survived("a test", &restarted, work()).await {}
        assert_eq!((runs, restarted.get()), (5, 4));
    }
}
