//! Every bound of the live part: what a client may send, what may wait, how many may come.
//!
//! Nothing in the server grows without one of these (promise R6); each says at its place of use what happens when it is full.

use serde::{Deserialize, Serialize};

use super::units::{ByteSize, Span};

/// A token bucket: `per_second` on average, `burst` at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    pub per_second: u32,
    pub burst: u32,
}

/// Attempts in a window, for things that a person does rarely.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attempts {
    pub attempts: u32,
    pub within: Span,
}

/// All bounds, by what they protect.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    pub socket: SocketLimits,
    pub admission: Admission,
    pub posting: Posting,
    pub ring: Ring,
    pub signing_in: SigningIn,
}

/// One connection: what may come in and what may wait to go out.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SocketLimits {
    /// The largest frame; a larger one closes the connection with 1009.
    pub frame: ByteSize,
    /// The largest command inside a frame; a larger one is answered with error 107.
    pub command: ByteSize,
    /// Channels that one connection may hold.
    pub subscriptions: u32,
    /// Encoded frames that may wait for one connection; over it the connection is closed as slow.
    pub outbox: ByteSize,
    /// How old the oldest unsent byte may grow before the connection is closed as slow.
    pub oldest_unsent: Span,
    /// The server's pings; a client that hears none for this plus `pong` reconnects.
    pub ping: Span,
    /// How long a pong may take.
    pub pong: Span,
    /// How long a fresh connection may take to send `connect`.
    pub connect_within: Span,
    /// Commands of one connection.
    pub commands: Rate,
}

/// Who may connect at all.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Admission {
    /// Sockets on this node; not set means the file descriptors that the process may have less 1,024 for everything else.
    pub connections_per_node: Option<u32>,
    /// Sockets of one tenant on this node.
    pub connections_per_tenant: u32,
    /// Sockets of one person on this node.
    pub connections_per_user: u32,
    /// Sockets from one address on this node.
    pub connections_per_address: u32,
    /// New sockets; must allow everybody to come back at once after a restart.
    pub accept: Rate,
    /// Requests of one address over HTTP.
    pub requests_per_address: Rate,
    /// Largest HTTP body.
    pub body: ByteSize,
}

/// What people write.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Posting {
    /// Characters of one message.
    pub text_chars: u32,
    /// Bytes of one message, which bounds characters of four bytes.
    pub text: ByteSize,
    /// Posts of one person.
    pub per_person: Rate,
    /// Posts of one tenant.
    pub per_tenant: Rate,
    /// Typing notices of one person.
    pub typing: Rate,
    /// Posts that may wait in one room before authors are told to try again.
    pub room_queue: u32,
    /// Posts that go to the store in one round trip.
    pub batch: u32,
}

/// Recent events kept in memory for recovery; behind it stands the store.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Ring {
    /// Events of one room.
    pub events: u32,
    /// Bytes of one room.
    pub room: ByteSize,
    /// Bytes of all rooms on this node; the least recently used go first.
    pub node: ByteSize,
    /// Events that one automatic recovery serves.
    pub recover_events: u32,
    /// Bytes that one automatic recovery serves.
    pub recover: ByteSize,
    /// Time that one automatic recovery may take.
    pub recover_within: Span,
}

/// Guessing passwords and making accounts.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SigningIn {
    pub login_per_address: Attempts,
    pub login_per_account: Attempts,
    pub register_per_address: Attempts,
    /// Reset and verification mails to one account.
    pub mail_per_account: Attempts,
    /// Password hashes that may wait for a CPU before callers are told that the server is busy.
    pub hash_queue: u32,
}

impl Admission {
    /// Sockets that this node admits when it may open `descriptors` files in all.
    pub fn node_connections(&self, descriptors: u64) -> u32 {
        /// Files, database connections, the log, and sockets that are about to be refused.
        const RESERVED: u64 = 1_024;
        let derived = u32::try_from(descriptors.saturating_sub(RESERVED)).unwrap_or(u32::MAX).max(1);
        self.connections_per_node.unwrap_or(derived)
    }
}

impl Default for SocketLimits {
    fn default() -> Self {
        Self {
            frame: ByteSize::kib(512),
            command: ByteSize::kib(128),
            subscriptions: 1_024,
            outbox: ByteSize::kib(256),
            oldest_unsent: Span::from_secs(10),
            ping: Span::from_secs(25),
            pong: Span::from_secs(10),
            connect_within: Span::from_secs(10),
            // A client that comes back subscribes to 1,024 channels at once.
            commands: Rate { per_second: 100, burst: 2_048 },
        }
    }
}

impl Default for Admission {
    fn default() -> Self {
        Self {
            connections_per_node: None,
            connections_per_tenant: 100_000,
            connections_per_user: 64,
            // Offices and mobile carriers share one address.
            connections_per_address: 20_000,
            accept: Rate { per_second: 5_000, burst: 10_000 },
            // All who share it come back at once after a restart, each with a few requests.
            requests_per_address: Rate { per_second: 1_000, burst: 10_000 },
            body: ByteSize::kib(256),
        }
    }
}

impl Default for Posting {
    fn default() -> Self {
        Self {
            text_chars: 8_000,
            text: ByteSize::kib(32),
            per_person: Rate { per_second: 10, burst: 50 },
            per_tenant: Rate { per_second: 20_000, burst: 40_000 },
            typing: Rate { per_second: 1, burst: 5 },
            room_queue: 1_024,
            batch: 200,
        }
    }
}

impl Default for Ring {
    fn default() -> Self {
        Self {
            events: 256,
            room: ByteSize::kib(128),
            node: ByteSize::mib(256),
            recover_events: 1_000,
            recover: ByteSize::mib(1),
            recover_within: Span::from_secs(2),
        }
    }
}

impl Default for SigningIn {
    fn default() -> Self {
        Self {
            login_per_address: Attempts { attempts: 60, within: Span::from_secs(60) },
            login_per_account: Attempts { attempts: 10, within: Span::from_secs(300) },
            // Schools and mobile carriers share one address; the bound on concurrent hashes protects the CPU.
            register_per_address: Attempts { attempts: 300, within: Span::from_secs(3_600) },
            mail_per_account: Attempts { attempts: 3, within: Span::from_secs(3_600) },
            hash_queue: 256,
        }
    }
}

impl Limits {
    pub(super) fn check(&self, refusals: &mut Vec<String>) {
        let socket = &self.socket;
        if socket.command > socket.frame {
            refusals.push(format!(
                "limits.socket.command: {} is more than limits.socket.frame, {}",
                socket.command, socket.frame
            ));
        }
        if self.posting.text > socket.command {
            refusals.push(format!(
                "limits.posting.text: {} does not fit limits.socket.command, {}",
                self.posting.text, socket.command
            ));
        }
        if self.ring.room > self.ring.node {
            refusals.push(format!(
                "limits.ring.room: {} is more than limits.ring.node, {}",
                self.ring.room, self.ring.node
            ));
        }
        if socket.outbox < socket.command {
            refusals.push(format!(
                "limits.socket.outbox: {} is less than limits.socket.command, {}",
                socket.outbox, socket.command
            ));
        }
        self.check_zeroes(refusals);
    }

    fn check_zeroes(&self, refusals: &mut Vec<String>) {
        let rates = [
            ("socket.commands", self.socket.commands),
            ("admission.accept", self.admission.accept),
            ("admission.requests_per_address", self.admission.requests_per_address),
            ("posting.per_person", self.posting.per_person),
            ("posting.per_tenant", self.posting.per_tenant),
            ("posting.typing", self.posting.typing),
        ];
        for (name, rate) in rates {
            if rate.per_second == 0 || rate.burst == 0 {
                refusals.push(format!("limits.{name}: per_second and burst are at least 1"));
            }
        }
        let counts = [
            ("socket.subscriptions", self.socket.subscriptions),
            ("admission.connections_per_node", self.admission.connections_per_node.unwrap_or(1)),
            ("admission.connections_per_tenant", self.admission.connections_per_tenant),
            ("admission.connections_per_user", self.admission.connections_per_user),
            ("admission.connections_per_address", self.admission.connections_per_address),
            ("posting.text_chars", self.posting.text_chars),
            ("posting.room_queue", self.posting.room_queue),
            ("posting.batch", self.posting.batch),
            ("ring.events", self.ring.events),
            ("ring.recover_events", self.ring.recover_events),
            ("signing_in.login_per_address.attempts", self.signing_in.login_per_address.attempts),
            ("signing_in.login_per_account.attempts", self.signing_in.login_per_account.attempts),
            ("signing_in.register_per_address.attempts", self.signing_in.register_per_address.attempts),
            ("signing_in.mail_per_account.attempts", self.signing_in.mail_per_account.attempts),
            ("signing_in.hash_queue", self.signing_in.hash_queue),
        ];
        for (name, count) in counts {
            if count == 0 {
                refusals.push(format!("limits.{name}: at least 1"));
            }
        }
    }
}
