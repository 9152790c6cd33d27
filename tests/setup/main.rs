//! The embedded store and the start, as an operator meets them: through the program, with signals and folders, no inside knowledge.
//!
//! Each test runs a copy of the program in a folder of its own, as an unprivileged user. Started as root, the tests also show what the
//! program does with root's rights; started otherwise those are reported as skipped.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test that fails by panicking is a test that fails"
)]

mod boot_check;
mod configuration;
mod keeping;
mod program;
mod root;
