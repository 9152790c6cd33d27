//! Breaking things on purpose, and counting afterwards: every acknowledged message stored once, offsets without a gap, every listener
//! told everything once and in order (promises R1–R4, R7–R9).
//!
//! Each test runs the program as an operator does, with a store of its own, over real sockets; what is stored is read back by SQL behind
//! the server's back. Needs a program built with `--features faults`, which adds the calls that make an actor panic.
//! Random choices come from one seed, which is printed; `RIALTO_FAULTS_SEED=<number>` repeats them.
#![cfg(feature = "faults")]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test that fails by panicking is a test that fails"
)]

mod crowd;
mod decisions;
mod kills;
mod leaving;
mod mail;
mod node;
mod panics;
#[path = "../setup/program.rs"]
#[expect(dead_code, reason = "these tests need a part of it")]
mod program;
mod recovery;
mod removal;
mod restore;
mod slow;
mod smtp;
mod socket;
mod store;
mod twice;
