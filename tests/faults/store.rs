//! PostgreSQL going away under load: the server stays, people are told to try again, nothing is lost.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::crowd::Crowd;
use crate::node::Node;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_restarted_under_load_costs_retries_and_nothing_else() {
    let node = Node::start(&[]).await;
    let pid = node.pid();
    let crowd = Crowd::gather(&node, 8, 10, Duration::from_millis(10)).await;
    for signal in [Signal::SIGQUIT, Signal::SIGINT, Signal::SIGKILL] {
        crowd.expect_progress(50, Duration::from_secs(30)).await;
        node.restart_store(signal).await;
        crowd.expect_progress(50, Duration::from_secs(60)).await;
    }
    assert!(node.is_running());
    assert_eq!(node.pid(), pid, "the server is the one that was started");
    assert!(crowd.tally.retries.load(Ordering::Relaxed) > 0, "the restarts met posts");
    crowd.check(&node, Duration::from_secs(30)).await;
}

/// The connection goes between commit and answer, or before: the server cannot know which.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_cut_at_any_moment_leave_no_doubt_for_long() {
    let node = Node::start(&[]).await;
    let crowd = Crowd::gather(&node, 16, 10, Duration::from_millis(2)).await;
    for _ in 0..40 {
        crowd.expect_progress(10, Duration::from_secs(30)).await;
        tokio::task::block_in_place(|| {
            node.sql("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename IN ('rialto_app', 'rialto_platform')")
        });
    }
    assert!(crowd.tally.retries.load(Ordering::Relaxed) > 0, "the cuts met posts");
    assert!(node.counter("batches_failed").await > 0, "the cuts met batches");
    // The position check completes what news did not tell.
    crowd.check(&node, Duration::from_secs(10)).await;
}

/// A batch that hangs longer than the server waits is given up, and commits all the same: only the position check can tell of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_that_commits_after_it_was_given_up_is_told_by_the_position_check() {
    let node = Node::start(&[]).await;
    let crowd = Crowd::gather(&node, 4, 5, Duration::from_millis(10)).await;
    crowd.expect_progress(20, Duration::from_secs(30)).await;
    let room = crowd.place.room.clone();
    let lock = format!("BEGIN; SELECT 1 FROM streams WHERE id = '{room}' FOR UPDATE; SELECT pg_sleep(12); COMMIT");
    let asked = Instant::now();
    tokio::task::block_in_place(|| node.sql(&lock));
    assert!(asked.elapsed() >= Duration::from_secs(12));
    assert!(node.counter("batches_failed").await > 0, "a batch was given up");
    crowd.expect_progress(20, Duration::from_secs(30)).await;
    crowd.check(&node, Duration::from_secs(10)).await;
}
