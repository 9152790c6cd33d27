//! Cutting a frame into messages: JSON by newline, Protobuf by a length before each message.
//!
//! A frame comes from outside, so nothing here may panic or allocate by a number that the sender wrote. One oversized command is
//! an item of its own, because the rest of the frame is still readable; after anything that cannot be read, nothing more is.

use prost::Message;
use serde::de::DeserializeOwned;
use thiserror::Error;

use super::{Command, Format, Reply, json};

/// Largest frame that a transport should take. A larger one closes the socket (1009).
pub const FRAME_LIMIT_BYTES: usize = 512 * 1024;
/// Largest command. A larger one is answered by error 107. The official SDK sends its subscribes in one frame, each a command.
pub const COMMAND_LIMIT_BYTES: usize = 128 * 1024;
/// Most commands of one frame: 1,024 subscriptions, twice.
pub const COMMANDS_PER_FRAME_LIMIT: usize = 2_048;

/// Bounds of what one frame may hold.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Largest command, in bytes.
    pub command_bytes: usize,
    /// Most commands.
    pub commands: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { command_bytes: COMMAND_LIMIT_BYTES, commands: COMMANDS_PER_FRAME_LIMIT }
    }
}

/// What is wrong with a frame or with one command of it.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum FrameError {
    /// One command is too large; the next may be fine. Answered by error 107 if `id` is not 0 (a `send` has no id and no answer).
    #[error("a command of {bytes} bytes is too large")]
    TooLarge {
        /// The command's id; 0 if it has none.
        id: u32,
        /// How large it is.
        bytes: usize,
    },
    /// The rest of the frame cannot be read; closes the connection (3501). It is the last item.
    #[error("the frame is not of this protocol")]
    Malformed,
    /// The frame holds too many commands; closes the connection (3501). It is the last item.
    #[error("the frame holds too many commands")]
    TooMany,
}

impl FrameError {
    /// Whether the connection cannot go on.
    pub fn is_fatal(self) -> bool {
        !matches!(self, Self::TooLarge { .. })
    }
}

/// The commands of a frame, decoded one by one as they are asked for.
pub fn decode_frame(format: Format, frame: &[u8], limits: Limits) -> impl Iterator<Item = Result<Command, FrameError>> {
    let mut left = limits.commands;
    let mut over = false;
    let mut pieces = Pieces { format, rest: frame };
    std::iter::from_fn(move || {
        if over {
            return None;
        }
        let item = match pieces.next()? {
            Ok(_) if left == 0 => Err(FrameError::TooMany),
            Ok(piece) => decode_command(format, piece, limits),
            Err(error) => Err(error),
        };
        left = left.saturating_sub(1);
        over = item.as_ref().is_err_and(|error| error.is_fatal());
        Some(item)
    })
}

/// The replies of a frame; for clients (load generators and tests), which trust their server more than it trusts them.
///
/// # Errors
/// [`FrameError::Malformed`] when any of it cannot be read.
pub fn decode_replies(format: Format, frame: &[u8]) -> Result<Vec<Reply>, FrameError> {
    Pieces { format, rest: frame }.map(|piece| decode(format, piece?)).collect()
}

fn decode_command(format: Format, piece: &[u8], limits: Limits) -> Result<Command, FrameError> {
    if piece.len() > limits.command_bytes {
        let OnlyId { id } = decode(format, piece)?;
        return Err(FrameError::TooLarge { id, bytes: piece.len() });
    }
    decode(format, piece)
}

fn decode<M: Message + Default + DeserializeOwned>(format: Format, piece: &[u8]) -> Result<M, FrameError> {
    match format {
        Format::Json => json::from_slice(piece).map_err(|_| FrameError::Malformed),
        Format::Protobuf => M::decode(piece).map_err(|_| FrameError::Malformed),
    }
}

json::messages! {
    /// As much of a command as is needed to refuse it.
    OnlyId {
        /// The command's id.
        [uint32, tag = 1] id: u32,
    }
}

/// The messages of a frame, not yet decoded.
struct Pieces<'a> {
    format: Format,
    rest: &'a [u8],
}

impl<'a> Iterator for Pieces<'a> {
    type Item = Result<&'a [u8], FrameError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.format {
            Format::Json => self.next_line().map(Ok),
            Format::Protobuf if self.rest.is_empty() => None,
            Format::Protobuf => {
                let piece = self.next_delimited().ok_or(FrameError::Malformed);
                if piece.is_err() {
                    self.rest = &[];
                }
                Some(piece)
            }
        }
    }
}

impl<'a> Pieces<'a> {
    /// The next line that is not blank.
    fn next_line(&mut self) -> Option<&'a [u8]> {
        while !self.rest.is_empty() {
            let end = self.rest.iter().position(|&byte| byte == b'\n').unwrap_or(self.rest.len());
            let (line, rest) = self.rest.split_at(end);
            self.rest = rest.get(1..).unwrap_or_default();
            let line = line.trim_ascii();
            if !line.is_empty() {
                return Some(line);
            }
        }
        None
    }

    /// The next message after its length; `None` if the length is broken or promises more than there is.
    fn next_delimited(&mut self) -> Option<&'a [u8]> {
        let length = prost::decode_length_delimiter(&mut self.rest).ok()?;
        let (message, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(message)
    }
}
