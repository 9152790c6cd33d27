//! One entry of a channel, shared by every reader of the node.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use crate::infra::bus::StreamEvent;
use crate::kernel::UserId;
use crate::protocol::{Format, Publication, encode_publication_push};

/// What an entry weighs beside its body: the allocation, the encoded copies' headers.
const ENTRY_OVERHEAD: usize = 192;

/// One event or one change of a map, encoded at most once per format however many read it.
#[derive(Debug)]
pub struct Entry {
    pub event: StreamEvent,
    /// Which of the channel's pasts it is of.
    pub era: u64,
    /// The map's key that it sets or removes; empty in a stream.
    pub key: Box<str>,
    pub removed: bool,
    pushes: [OnceLock<Bytes>; 2],
}

impl Entry {
    pub(super) fn new(era: u64, event: StreamEvent) -> Arc<Self> {
        Self::keyed(era, event, "", false)
    }

    pub(super) fn keyed(era: u64, event: StreamEvent, key: &str, removed: bool) -> Arc<Self> {
        Arc::new(Self { event, era, key: key.into(), removed, pushes: Default::default() })
    }

    /// The push that carries it on `channel`.
    pub fn push(&self, channel: &str, format: Format) -> Bytes {
        let slot = match format {
            Format::Json => &self.pushes[0],
            Format::Protobuf => &self.pushes[1],
        };
        slot.get_or_init(|| encode_publication_push(format, channel, self.publication())).clone()
    }

    /// The entry as the protocol's publication.
    #[must_use]
    pub fn publication(&self) -> Publication {
        Publication { key: self.key.to_string(), removed: self.removed, ..publication(&self.event) }
    }

    pub(super) fn weight(&self) -> usize {
        // Body, and one encoded copy per format that will be asked for.
        self.event.body.len() * 3 + self.key.len() + ENTRY_OVERHEAD
    }
}

/// An event of the store as the protocol's publication.
#[must_use]
pub fn publication(event: &StreamEvent) -> Publication {
    Publication { data: Bytes::copy_from_slice(event.body.as_bytes()), offset: event.offset, ..Publication::default() }
}

/// Whether an event calls this person, by name or by one of these groups.
#[must_use]
pub fn calls_person(event: &StreamEvent, user: UserId) -> bool {
    event.calls.iter().any(|call| call == "here" || call.strip_prefix("user:").is_some_and(|id| id.parse() == Ok(user)))
}
