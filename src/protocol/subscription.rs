//! The numbers inside a subscribe request: its type, the phase of a map, the flags.

/// Flag of a subscribe request: the client can take numeric channel ids. Not answering with an id declines.
pub const FLAG_CHANNEL_COMPACTION: i64 = 1;
/// Flag of a subscribe request: a position that cannot be recovered is to be answered by error 112, not by `recovered: false`.
pub const FLAG_REJECT_UNRECOVERED: i64 = 2;

/// What kind of subscription the client asks for (`type`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubscriptionType {
    /// An ordinary one.
    Stream,
    /// A map: keyed state with updates.
    Map,
    /// A map of the connections in a channel.
    MapClients,
    /// A map of the people in a channel.
    MapUsers,
    /// Shared polling, which we do not have.
    SharedPoll,
}

impl SubscriptionType {
    /// From the wire; `None` for a number that the protocol does not know.
    pub fn from_wire(number: i32) -> Option<Self> {
        Some(match number {
            0 => Self::Stream,
            1 => Self::Map,
            2 => Self::MapClients,
            3 => Self::MapUsers,
            4 => Self::SharedPoll,
            _ => return None,
        })
    }

    /// To the wire.
    pub fn to_wire(self) -> i32 {
        match self {
            Self::Stream => 0,
            Self::Map => 1,
            Self::MapClients => 2,
            Self::MapUsers => 3,
            Self::SharedPoll => 4,
        }
    }
}

/// Where a map subscription stands (`phase`): state → stream → live. The client asks, the server decides when it is live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MapPhase {
    /// In a reply: subscribed, updates follow. Absent in JSON, because it is 0.
    Live,
    /// Catching up with what changed since the frozen position.
    Stream,
    /// Paging through the state.
    State,
}

impl MapPhase {
    /// From the wire; `None` for a number that the protocol does not know.
    pub fn from_wire(number: i32) -> Option<Self> {
        Some(match number {
            0 => Self::Live,
            1 => Self::Stream,
            2 => Self::State,
            _ => return None,
        })
    }

    /// To the wire.
    pub fn to_wire(self) -> i32 {
        match self {
            Self::Live => 0,
            Self::Stream => 1,
            Self::State => 2,
        }
    }
}
