//! The program. Everything is in the library, so that tests reach it.

use std::process::ExitCode;

/// The system's own keeps what argon2 took (19 MiB a hash) in every thread's arena, and is slower with many small blocks. Without huge
/// pages (`no_thp`): with them an idle socket's buffers are resident although they were never touched.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    rialto::cli::run()
}
