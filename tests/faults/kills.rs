//! `kill -9` of the server, again and again, while people write and read.

use std::time::Duration;

use crate::crowd::Crowd;
use crate::node::Node;

const KILLS: usize = 20;
const POSTERS: usize = 8;
const LISTENERS: usize = 20;

/// Small steps of one seed; no two runs alike unless asked for.
struct Dice(u64);

impl Dice {
    fn new() -> Self {
        let given = std::env::var("RIALTO_FAULTS_SEED").ok().map(|seed| seed.parse().expect("a number"));
        let seed =
            given.unwrap_or_else(|| u64::from_le_bytes(uuid::Uuid::new_v4().as_bytes()[..8].try_into().unwrap()));
        println!("RIALTO_FAULTS_SEED={seed}");
        Self(seed | 1)
    }

    /// xorshift64*.
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % bound
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_kills_lose_nothing_double_nothing_and_leave_no_gap() {
    let node = Node::start(&[]).await;
    let mut dice = Dice::new();
    let crowd = Crowd::gather(&node, POSTERS, LISTENERS, Duration::from_millis(10)).await;
    for _ in 0..KILLS {
        crowd.expect_progress(8, Duration::from_secs(30)).await;
        tokio::time::sleep(Duration::from_millis(dice.below(400))).await;
        let with_store = dice.below(4) == 0;
        tokio::task::block_in_place(|| {
            if with_store {
                node.signal_store(nix::sys::signal::Signal::SIGKILL);
            }
            node.kill();
            node.launch();
        });
    }
    crowd.expect_progress(8, Duration::from_secs(30)).await;
    assert!(crowd.tally.retries.load(std::sync::atomic::Ordering::Relaxed) > 0, "the kills met posts");
    crowd.check(&node, Duration::from_secs(30)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ctrl_c_under_load_ends_in_time_and_loses_nothing() {
    let node = Node::start(&[]).await;
    let crowd = Crowd::gather(&node, 8, 10, Duration::from_millis(10)).await;
    for _ in 0..2 {
        crowd.expect_progress(50, Duration::from_secs(30)).await;
        let asked = std::time::Instant::now();
        tokio::task::block_in_place(|| node.stop());
        assert!(asked.elapsed() <= Duration::from_secs(10), "stopped after {:?}", asked.elapsed());
        tokio::task::block_in_place(|| node.launch());
    }
    crowd.expect_progress(50, Duration::from_secs(30)).await;
    crowd.check(&node, Duration::from_secs(30)).await;
}
