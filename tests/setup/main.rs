//! The embedded store and the start, as an operator meets them: through the program, with signals and folders, no inside knowledge.
//!
//! Each test runs a copy of the program in a folder of its own, as an unprivileged user. Started as root, the tests also show what the
//! program does with root's rights; started otherwise those are reported as skipped.

mod boot_check;
mod configuration;
mod keeping;
mod program;
mod root;
