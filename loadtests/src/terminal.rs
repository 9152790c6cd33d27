//! The only place that prints: results to standard output, progress to standard error.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command-line tool speaks to its terminal")]

use std::io::IsTerminal;

pub fn result(text: &str) {
    println!("{text}");
}

/// Overwrites the last progress line on a terminal, and appends elsewhere.
pub fn progress(line: &str) {
    if std::io::stderr().is_terminal() {
        eprint!("\r\x1b[K{line}");
    } else {
        eprintln!("{line}");
    }
}

pub fn end_progress() {
    if std::io::stderr().is_terminal() {
        eprintln!();
    }
}
