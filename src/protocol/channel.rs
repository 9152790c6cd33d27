//! Names of channels, parsed once at the edge.
//!
//! A name is `<kind>:<uuid>` in canonical form. Anything else is no channel, so one room cannot be subscribed twice under two
//! spellings of its id. A name lives inside the tenant of the connection's token; there is none that could mean another tenant's.

use std::fmt;

use thiserror::Error;
use uuid::Uuid;

/// A channel that exists in the protocol; whether its room or person exists, and who may see it, is decided elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Channel {
    /// `room:<room>`: every durable event of a room.
    Room(Uuid),
    /// `typing:<room>`: who is typing.
    Typing(Uuid),
    /// `user:<user>`: what is addressed to one person.
    User(Uuid),
    /// `unread:<user>`: watermarks of one person's rooms.
    Unread(Uuid),
    /// `presence:<room>`: who is here.
    Presence(Uuid),
}

/// How what flows through a channel is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Shape {
    /// Numbered publications that can be recovered.
    Stream,
    /// Gone once delivered; dropped first under pressure.
    Ephemeral,
    /// Keyed state with updates (a map subscription).
    Map,
}

/// What the id in a channel's name belongs to, and so who may subscribe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    /// A room: those who can read it.
    Room,
    /// A person: only that one.
    User,
}

/// One kind of channel.
#[derive(Clone, Copy, Debug)]
pub struct ChannelKind {
    /// What stands before the colon.
    pub prefix: &'static str,
    /// How it is kept.
    pub shape: Shape,
    /// What its id belongs to.
    pub subject: Subject,
    /// Whether the server subscribes everyone to their own on connect.
    pub server_side: bool,
    make: fn(Uuid) -> Channel,
}

impl ChannelKind {
    /// The channel of this kind for an id.
    pub fn of(&self, id: Uuid) -> Channel {
        (self.make)(id)
    }
}

static ROOM: ChannelKind = ChannelKind {
    prefix: "room",
    shape: Shape::Stream,
    subject: Subject::Room,
    server_side: false,
    make: Channel::Room,
};
static TYPING: ChannelKind = ChannelKind {
    prefix: "typing",
    shape: Shape::Ephemeral,
    subject: Subject::Room,
    server_side: false,
    make: Channel::Typing,
};
static USER: ChannelKind = ChannelKind {
    prefix: "user",
    shape: Shape::Stream,
    subject: Subject::User,
    server_side: true,
    make: Channel::User,
};
static UNREAD: ChannelKind = ChannelKind {
    prefix: "unread",
    shape: Shape::Map,
    subject: Subject::User,
    server_side: false,
    make: Channel::Unread,
};
static PRESENCE: ChannelKind = ChannelKind {
    prefix: "presence",
    shape: Shape::Map,
    subject: Subject::Room,
    server_side: false,
    make: Channel::Presence,
};

/// Every kind of channel.
pub static CHANNELS: [&ChannelKind; 5] = [&ROOM, &TYPING, &USER, &UNREAD, &PRESENCE];

/// The name is none of ours; answered by error 102.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("unknown channel")]
pub struct UnknownChannel;

impl Channel {
    /// Reads a name.
    ///
    /// # Errors
    /// When the kind is unknown or the id is not a UUID in lower case with hyphens.
    pub fn parse(name: &str) -> Result<Self, UnknownChannel> {
        let (prefix, id) = name.split_once(':').ok_or(UnknownChannel)?;
        let kind = CHANNELS.iter().find(|kind| kind.prefix == prefix).ok_or(UnknownChannel)?;
        let parsed = Uuid::try_parse(id).map_err(|_| UnknownChannel)?;
        let mut canonical = Uuid::encode_buffer();
        if *parsed.hyphenated().encode_lower(&mut canonical) != *id {
            return Err(UnknownChannel);
        }
        Ok(kind.of(parsed))
    }

    /// The row of [`CHANNELS`] that this channel belongs to.
    pub fn kind(self) -> &'static ChannelKind {
        match self {
            Self::Room(_) => &ROOM,
            Self::Typing(_) => &TYPING,
            Self::User(_) => &USER,
            Self::Unread(_) => &UNREAD,
            Self::Presence(_) => &PRESENCE,
        }
    }

    /// The id in the name: a room's or a person's, as [`ChannelKind::subject`] says.
    pub fn id(self) -> Uuid {
        match self {
            Self::Room(id) | Self::Typing(id) | Self::User(id) | Self::Unread(id) | Self::Presence(id) => id,
        }
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind().prefix, self.id().hyphenated())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_parses_its_own_name() {
        let id = Uuid::from_u128(0x0197_0000_0000_7000_8000_0000_0000_00ab);
        for kind in CHANNELS {
            let channel = kind.of(id);
            assert_eq!(channel.kind().prefix, kind.prefix);
            assert_eq!(Channel::parse(&channel.to_string()), Ok(channel));
        }
    }

    #[test]
    fn other_spellings_are_no_channels() {
        let id = "01970000-0000-7000-8000-0000000000ab";
        let upper = id.to_uppercase();
        let bare = id.replace('-', "");
        for name in
            ["", ":", "room", "room:", "room:x", &format!("Room:{id}"), &format!("geo:{id}"), &format!("room:{upper}")]
        {
            assert_eq!(Channel::parse(name), Err(UnknownChannel), "{name}");
        }
        for id in [&bare, &format!("{{{id}}}"), &format!("urn:uuid:{id}"), &format!(" {id}"), &format!("{id}:x")] {
            assert_eq!(Channel::parse(&format!("room:{id}")), Err(UnknownChannel), "{id}");
        }
    }
}
