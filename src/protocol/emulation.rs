//! The body of `POST /emulation`: commands of a session that reads over HTTP-stream or SSE.

use bytes::Bytes;
use prost::Message;
use serde::{Deserialize, Serialize};

use super::{Format, FrameError};

/// Commands and the session that they belong to.
#[derive(Clone, PartialEq, Message)]
#[prost(skip_debug)]
pub struct EmulationRequest {
    /// Node that holds the session, from the connect result.
    #[prost(string, tag = 1)]
    pub node: String,
    /// The session, from the connect result: 128 random bits, which stand for the token here.
    #[prost(string, tag = 2)]
    pub session: String,
    /// A frame of commands, to be given to [`super::decode_frame`].
    #[prost(bytes = "bytes", tag = 3)]
    pub data: Bytes,
}

impl std::fmt::Debug for EmulationRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EmulationRequest").field("node", &self.node).finish_non_exhaustive()
    }
}

/// In JSON the frame is text inside a string, not embedded.
#[derive(Serialize, Deserialize)]
struct JsonBody {
    #[serde(default)]
    node: String,
    session: String,
    data: String,
}

impl EmulationRequest {
    /// Reads the body. The caller bounds its size.
    ///
    /// # Errors
    /// [`FrameError::Malformed`]; answered by HTTP 400.
    pub fn parse(format: Format, body: &[u8]) -> Result<Self, FrameError> {
        match format {
            Format::Json => serde_json::from_slice(body)
                .map(|JsonBody { node, session, data }| Self { node, session, data: data.into() })
                .map_err(|_| FrameError::Malformed),
            Format::Protobuf => Self::decode(body).map_err(|_| FrameError::Malformed),
        }
    }

    /// Writes the body; for clients, and for a node that forwards it to another.
    pub fn to_body(&self, format: Format) -> Bytes {
        match format {
            Format::Json => {
                let data = String::from_utf8_lossy(&self.data).into_owned();
                let body = JsonBody { node: self.node.clone(), session: self.session.clone(), data };
                serde_json::to_vec(&body).unwrap_or_default().into()
            }
            Format::Protobuf => self.encode_to_vec().into(),
        }
    }
}
