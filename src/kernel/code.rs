//! The stable word for what went wrong: every module's error has one, and the edges translate it (HTTP status, socket error code).

/// An error with a code that clients may rely on.
pub trait Coded: std::fmt::Display {
    /// `slow_mode`, `not_found`, …; `http::problem` has the table of all.
    fn code(&self) -> &'static str;

    /// The input field at fault, where one is.
    fn field(&self) -> Option<&str> {
        None
    }

    /// Seconds after which the same request may succeed, where that is known.
    fn retry_after_s(&self) -> Option<u64> {
        None
    }
}
