//! The numbers that clients act upon: errors of commands, codes that close a connection, codes that end a subscription.
//!
//! Invariant, tested: a close reason is plain text, not empty, not valid JSON and short enough for a close frame. The official
//! SDK parses the reason as JSON and obeys it: `42` would make it stop for good, an empty one makes it go by the code's range only.

/// Why a command failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorCode {
    /// 100: our fault; the client may try again.
    Internal,
    /// 101: no token, or none that we accept.
    Unauthorized,
    /// 102: no such channel, or none that the caller may know of.
    UnknownChannel,
    /// 103: known, but not allowed: muted, or not a member.
    PermissionDenied,
    /// 104: no such RPC.
    MethodNotFound,
    /// 105: this connection has that subscription already.
    AlreadySubscribed,
    /// 106: a limit of the tenant or of the connection.
    LimitExceeded,
    /// 107: the command makes no sense, or is too large.
    BadRequest,
    /// 108: this channel or server does not offer that.
    NotAvailable,
    /// 109: the token has expired; the SDK fetches another and tries again.
    TokenExpired,
    /// 110: the connection or subscription has expired.
    Expired,
    /// 111: busy, or slow mode; the client may try again later.
    TooManyRequests,
    /// 112: the position is lost; a map starts again from its state.
    UnrecoverablePosition,
}

impl ErrorCode {
    /// Every code, in order.
    pub const ALL: [Self; 13] = [
        Self::Internal,
        Self::Unauthorized,
        Self::UnknownChannel,
        Self::PermissionDenied,
        Self::MethodNotFound,
        Self::AlreadySubscribed,
        Self::LimitExceeded,
        Self::BadRequest,
        Self::NotAvailable,
        Self::TokenExpired,
        Self::Expired,
        Self::TooManyRequests,
        Self::UnrecoverablePosition,
    ];

    /// The number on the wire.
    pub fn code(self) -> u32 {
        self.row().0
    }

    /// The words for people.
    pub fn message(self) -> &'static str {
        self.row().1
    }

    /// Whether the client tries again by itself: the SDK does so with a subscribe or a connect.
    pub fn is_temporary(self) -> bool {
        matches!(self, Self::Internal | Self::TooManyRequests)
    }

    fn row(self) -> (u32, &'static str) {
        match self {
            Self::Internal => (100, "internal server error"),
            Self::Unauthorized => (101, "unauthorized"),
            Self::UnknownChannel => (102, "unknown channel"),
            Self::PermissionDenied => (103, "permission denied"),
            Self::MethodNotFound => (104, "method not found"),
            Self::AlreadySubscribed => (105, "already subscribed"),
            Self::LimitExceeded => (106, "limit exceeded"),
            Self::BadRequest => (107, "bad request"),
            Self::NotAvailable => (108, "not available"),
            Self::TokenExpired => (109, "token expired"),
            Self::Expired => (110, "expired"),
            Self::TooManyRequests => (111, "too many requests"),
            Self::UnrecoverablePosition => (112, "unrecoverable position"),
        }
    }
}

/// Why the server closes a connection. SDKs reconnect after 3000–3499 and 4000–4499, and stop after 3500–3999 and 4500–4999.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Disconnect {
    /// 3001: this node shuts down; reconnects, to another.
    Shutdown,
    /// 3004: our fault, the session or its worker panicked; reconnects and recovers.
    ServerError,
    /// 3005: the token expired and no fresh one came; reconnects with a new token.
    Expired,
    /// 3008: the client does not read fast enough; reconnects and recovers.
    Slow,
    /// 3010: the server lost track of a stream for this client; reconnects and recovers.
    InsufficientState,
    /// 3012: no pong came; reconnects.
    NoPong,
    /// 3014: what the client holds is no longer valid; reconnects with a new token and from scratch.
    StateInvalidated,
    /// 3500: the token is not ours; stops.
    InvalidToken,
    /// 3501: the client does not speak the protocol; stops.
    BadRequest,
    /// 3502: connected, but no connect command came in time; stops.
    Stale,
    /// 3504: as many connections as there may be; stops.
    ConnectionLimit,
    /// 4501: the person is banned or suspended; stops.
    Banned,
    /// 4502: the tenant is suspended; stops.
    TenantSuspended,
    /// 4503: the tenant is gone; stops.
    TenantTerminated,
}

impl Disconnect {
    /// Every code, in order.
    pub const ALL: [Self; 14] = [
        Self::Shutdown,
        Self::ServerError,
        Self::Expired,
        Self::Slow,
        Self::InsufficientState,
        Self::NoPong,
        Self::StateInvalidated,
        Self::InvalidToken,
        Self::BadRequest,
        Self::Stale,
        Self::ConnectionLimit,
        Self::Banned,
        Self::TenantSuspended,
        Self::TenantTerminated,
    ];

    /// The WebSocket close code.
    pub fn code(self) -> u16 {
        self.row().0
    }

    /// The close reason: never empty, never valid JSON.
    pub fn reason(self) -> &'static str {
        self.row().1
    }

    /// Whether SDKs reconnect.
    pub fn reconnects(self) -> bool {
        matches!(self.code(), 3000..=3499 | 4000..=4499)
    }

    fn row(self) -> (u16, &'static str) {
        match self {
            Self::Shutdown => (3001, "shutdown"),
            Self::ServerError => (3004, "internal server error"),
            Self::Expired => (3005, "connection expired"),
            Self::Slow => (3008, "slow"),
            Self::InsufficientState => (3010, "insufficient state"),
            Self::NoPong => (3012, "no pong"),
            Self::StateInvalidated => (3014, "state invalidated"),
            Self::InvalidToken => (3500, "invalid token"),
            Self::BadRequest => (3501, "bad request"),
            Self::Stale => (3502, "stale"),
            Self::ConnectionLimit => (3504, "connection limit"),
            Self::Banned => (4501, "banned"),
            Self::TenantSuspended => (4502, "tenant suspended"),
            Self::TenantTerminated => (4503, "tenant terminated"),
        }
    }
}

/// Why the server ends a subscription. Below 2500 it is over; from 2500 on the SDK subscribes again by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unsubscribe {
    /// 2000: the server took the subscription away, for instance because the membership ended.
    Server,
    /// 2500: the server cannot vouch for the stream, or the right to it changed; the client subscribes again and recovers.
    Insufficient,
    /// 2502: what the client holds is no longer valid; it subscribes again, a map from scratch.
    StateInvalidated,
}

impl Unsubscribe {
    /// Every code, in order.
    pub const ALL: [Self; 3] = [Self::Server, Self::Insufficient, Self::StateInvalidated];

    /// The number on the wire.
    pub fn code(self) -> u32 {
        self.row().0
    }

    /// The words for people.
    pub fn reason(self) -> &'static str {
        self.row().1
    }

    /// Whether the SDK subscribes again.
    pub fn resubscribes(self) -> bool {
        self.code() >= 2500
    }

    fn row(self) -> (u32, &'static str) {
        match self {
            Self::Server => (2000, "server unsubscribe"),
            Self::Insufficient => (2500, "insufficient state"),
            Self::StateInvalidated => (2502, "state invalidated"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a WebSocket close frame has room for after its code.
    const CLOSE_REASON_BYTES: usize = 123;

    #[test]
    fn close_reasons_are_plain_words_that_the_sdk_cannot_take_for_json() {
        for why in Disconnect::ALL {
            let reason = why.reason();
            assert!(!reason.is_empty() && reason.len() <= CLOSE_REASON_BYTES, "{why:?}");
            assert!(serde_json::from_str::<serde_json::Value>(reason).is_err(), "{why:?}");
            assert!(reason.chars().all(|c| c.is_ascii_alphabetic() || c == ' '), "{why:?}");
        }
    }

    #[test]
    fn the_range_of_a_close_code_says_whether_clients_come_back() {
        let stopping = [3500, 3501, 3502, 3504, 4501, 4502, 4503];
        for why in Disconnect::ALL {
            assert_eq!(why.reconnects(), !stopping.contains(&why.code()), "{why:?}");
        }
    }

    /// A code that nobody sends, or that no official client has heard, is no code of ours.
    #[test]
    fn each_code_that_ends_something_is_provoked_by_the_tests_with_the_official_sdk() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/js/test");
        let files =
            std::fs::read_dir(folder).unwrap().map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap());
        let tests: String = files.collect();
        let titles: Vec<&str> = tests.lines().filter(|line| line.trim_start().starts_with("test(")).collect();
        let closes = Disconnect::ALL.map(|why| u32::from(why.code()));
        for code in closes.into_iter().chain(Unsubscribe::ALL.map(Unsubscribe::code)) {
            assert!(titles.iter().any(|title| title.contains(&code.to_string())), "no test is named after {code}");
        }
    }

    #[test]
    fn codes_are_in_order_and_none_is_there_twice() {
        assert!(ErrorCode::ALL.iter().map(|code| code.code()).eq(100..=112));
        assert!(Disconnect::ALL.is_sorted_by(|a, b| a.code() < b.code()));
        assert!(Unsubscribe::ALL.is_sorted_by(|a, b| a.code() < b.code()));
        assert!(!Unsubscribe::Server.resubscribes() && Unsubscribe::Insufficient.resubscribes());
    }
}
